"""The isolation report: what it says at first sight, to whom, as a file, and when something does not hold."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import psycopg
import pytest
from django.test import Client

from isolation.proof import declared
from tenants.models import Member
from tests.conftest import WorkerDatabase

ClientOf = Callable[[Member], Client]
PAGE = "/w/acme-corp/settings/isolation/"
WHO = [("admin", 200), ("analyst", 200), ("manager", 403), ("rep", 403), ("stranger", 404), ("partner", 404)]


@pytest.mark.django_db
class TestTheReport:
    @pytest.mark.parametrize(("who", "status"), WHO)
    def test_is_for_those_who_answer_for_the_workspace(
        self, who: str, status: int, request: pytest.FixtureRequest, client_of: ClientOf
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        for address in (PAGE, f"{PAGE}csv/", f"{PAGE}json/"):
            assert client.get(address).status_code == status

    def test_says_first_that_everything_holds_and_when_it_was_read(
        self, admin: Member, client_of: ClientOf
    ) -> None:
        answer = client_of(admin).get(PAGE)
        page = answer.context["page"]
        assert page.holds
        assert page.lead.startswith("Everything holds")
        assert [one.term for one in page.facts[:2]] == ["Read at", "Read as"]
        assert page.facts[1].value == "database role tenant_wide"
        assert {row.name for row in page.table.rows} == declared().tables.keys()

    def test_names_no_other_workspace(self, admin: Member, client_of: ClientOf) -> None:
        client = client_of(admin)
        for address in (PAGE, f"{PAGE}json/"):
            text = client.get(address).content.decode()
            assert "beta" not in text.lower()
            assert "gamma" not in text.lower()

    def test_is_reached_from_the_settings(self, admin: Member, rep: Member, client_of: ClientOf) -> None:
        assert PAGE in client_of(admin).get("/w/acme-corp/settings/").content.decode()
        assert PAGE not in client_of(rep).get("/w/acme-corp/settings/").content.decode()

    def test_is_a_sheet_with_a_line_for_each_table(self, admin: Member, client_of: ClientOf) -> None:
        answer = client_of(admin).get(f"{PAGE}csv/")
        text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]  # streamed
        lines = list(csv.DictReader(io.StringIO(text)))
        assert {line["table"] for line in lines} == declared().tables.keys()
        assert {line["holds"] for line in lines} == {"yes"}

    def test_is_everything_as_json(self, admin: Member, client_of: ClientOf) -> None:
        answer = client_of(admin).get(f"{PAGE}json/")
        assert "acme-corp-isolation-" in answer["Content-Disposition"]
        report = json.loads(answer.content)
        assert (report["holds"], report["read_as"]) == (True, "tenant_wide")


def test_the_page_says_what_does_not_hold(
    committed: WorkerDatabase, admin: Member, client_of: ClientOf
) -> None:
    with psycopg.connect(committed.services.database_owner_url) as owner:
        owner.execute("GRANT SELECT ON tenants_member TO revops_app")
    answer = client_of(admin).get(PAGE)
    page = answer.context["page"]
    assert (page.holds, page.stats[0].tone) == (False, "danger")
    assert "run REVOKE SELECT ON tenants_member FROM revops_app" in answer.content.decode()
    assert [row.name for row in page.table.rows if row.badge.label == "Does not hold"] == ["tenants_member"]
