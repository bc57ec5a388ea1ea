"""``manage.py explain_access``: exit codes, sentences, JSON."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from crm_sync.models import Opportunity
from tenants.models import Member
from tests.pipeline.deals import make_deal
from tests.pipeline.shares import give

pytestmark = pytest.mark.django_db


@pytest.fixture
def deal(rep: Member) -> Opportunity:
    return make_deal(rep, name="Ritas deal")


def run(deal: str, *arguments: str, customer: str = "acme-corp") -> tuple[int, str, str]:
    """Exit code, what was printed, what was complained about."""
    out, err = StringIO(), StringIO()
    try:
        call_command(
            "explain_access", "--customer", customer, "--deal", deal, *arguments, stdout=out, stderr=err
        )
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def document(deal: Opportunity, *arguments: str) -> tuple[int, Any]:
    status, out, _ = run(deal.external_id, *arguments, "--json")
    return status, json.loads(out)


def test_tells_who_sees_a_deal_by_exit_code_and_sentence(
    deal: Opportunity, rep: Member, manager: Member
) -> None:
    assert run(deal.external_id, "--member", rep.email)[0] == 0
    status, out, _ = run(deal.external_id, "--member", manager.email)
    assert (status, "Rita Rep's, who reports to Mona Manager" in out) == (0, True)
    status, out, _ = run(deal.external_id, "--member", "dina@acme.test")
    assert (status, out.splitlines()[0]) == (1, "Dina Rep does not see “Ritas deal”.")


def test_tells_what_a_share_changed(deal: Opportunity, distant_rep: Member) -> None:
    give(deal, distant_rep)
    status, found = document(deal, "--member", distant_rep.email)
    assert (status, found["sees"], found["may_edit"]) == (0, True, False)
    assert found["reasons"][0].startswith("It is shared with them by")


def test_lists_everybody(deal: Opportunity, rep: Member) -> None:
    status, found = document(deal, "--all")
    seen = {one["member"] for one in found["seen_by"]}
    assert status == 0
    assert {rep.email, "mona@acme.test", "ada@acme.test"} <= seen
    assert not {"dina@acme.test", "otto@acme.test"} & seen


def test_of_before_the_deal_came_there_is_nobody(deal: Opportunity) -> None:
    status, out, _ = run(deal.external_id, "--all", "--at", "2020-03-03T12:00")
    assert (status, out.startswith("The deal came here from the CRM on")) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--member", "nobody@acme.test"), "no such person"),
        (("--member", "bea@beta.test"), "no such person"),
        (("--all", "--at", "noon"), "is no moment"),
        (("--all", "--at", "2999-01-01T00:00"), "has not come yet"),
    ],
)
def test_refuses_what_it_cannot_answer(
    deal: Opportunity, beta_rep: Member, arguments: tuple[str, ...], part: str
) -> None:
    status, out, err = run(deal.external_id, *arguments)
    assert (status, out, part in err) == (2, "", True)


def test_refuses_deals_and_workspaces_that_are_not_there(deal: Opportunity, beta_rep: Member) -> None:
    assert run("006NOTHERE", "--all")[0] == 2
    assert run(deal.external_id, "--all", customer="beta-inc")[0] == 2
    assert run(deal.external_id, "--all", customer="nowhere")[0] == 2
