"""Shares, and who sees a deal, over the API: rows, statuses and refusals."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from crm_sync.models import Opportunity
from rbac.held import database_now
from rbac.models import Access
from tenants.models import Member
from tests.pipeline.deals import make_deal
from tests.pipeline.shares import account_with_deals, give

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]
ROOT = "/api/v1/w/acme-corp/"


@pytest.fixture
def deal(rep: Member) -> Opportunity:
    return make_deal(rep, name="Ritas deal")


def asked(deal: Opportunity, member: Member | str, **changes: Any) -> dict[str, Any]:
    who = member if isinstance(member, str) else str(member.id)
    return {"kind": "deal", "external_id": deal.external_id, "member": who, "reason": "They help"} | changes


def post(client: Client, where: str, body: Any, status: int) -> Any:
    answer = client.post(ROOT + where, body, content_type="application/json")
    assert answer.status_code == status, answer.content.decode()
    return answer.json()


def read(client: Client, where: str, status: int = 200) -> Any:
    answer = client.get(ROOT + where)
    assert answer.status_code == status, answer.content.decode()
    return answer.json()


class TestShares:
    def test_are_given_listed_and_ended(
        self, deal: Opportunity, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        until = (database_now() + timedelta(days=3)).isoformat()
        mine, theirs = client_of(rep), client_of(other_rep)
        made = post(mine, "shares/", asked(deal, other_rep, until=until, access="edit", colour="red"), 201)
        assert (made["member"]["name"], made["access"], made["is_in_force"]) == ("Otto Rep", "edit", True)
        assert [one["id"] for one in read(theirs, "shares/")["results"]] == [made["id"]]
        assert read(mine, "shares/")["results"] == []
        assert [one["id"] for one in read(mine, "shares/?whose=by_me")["results"]] == [made["id"]]
        assert read(theirs, "deals/?shared=with_me")["results"][0]["id"] == deal.external_id
        ended = post(mine, f"shares/{made['id']}/end/", {"reason": "Done"}, 200)
        assert (ended["is_in_force"], ended["ended_by"]) == (False, rep.email)
        assert read(theirs, f"deals/{deal.external_id}/", 404)["error"]["code"] == "not_found"
        assert [one["is_in_force"] for one in read(theirs, "shares/?state=ended")["results"]] == [False]

    def test_of_an_account_come_with_its_deals(
        self, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        account = account_with_deals(rep, "First", "Second")
        body = {
            "kind": "account",
            "external_id": account.external_id,
            "member": other_rep.email,
            "reason": "Stands in",
        }
        post(client_of(rep), "shares/", body, 201)
        assert {one["name"] for one in read(client_of(other_rep), "deals/")["results"]} == {"First", "Second"}

    def test_are_refused_with_code_and_field(
        self,
        deal: Opportunity,
        rep: Member,
        other_rep: Member,
        beta_rep: Member,
        distant_rep: Member,
        client_of: ClientOf,
    ) -> None:
        past = (database_now() - timedelta(days=1)).isoformat()
        dinas = make_deal(distant_rep)
        for body, status, code, field in (
            (asked(deal, beta_rep), 404, "rbac.share_two_workspaces", "member"),
            (asked(deal, str(uuid4())), 404, "rbac.share_two_workspaces", "member"),
            (asked(dinas, other_rep), 404, "not_found", "external_id"),
            (asked(deal, rep), 400, "invalid_input", "member"),
            (asked(deal, other_rep, until=past), 400, "invalid_input", "until"),
            (asked(deal, other_rep, access="own"), 400, "invalid", "access"),
            (asked(deal, other_rep, kind="contact"), 400, "invalid", "kind"),
            (asked(deal, other_rep, external_id="x\x00"), 400, "invalid", "external_id"),
            ([], 400, "invalid", "non_field_errors"),
        ):
            error = post(client_of(rep), "shares/", body, status)["error"]
            assert (error["code"], error["field"], bool(error["message"])) == (code, field, True)

    def test_are_refused_twice_and_to_who_may_only_look(
        self, deal: Opportunity, rep: Member, other_rep: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        share = give(deal, other_rep)
        twice = post(client_of(rep), "shares/", asked(deal, other_rep), 409)["error"]
        assert twice["code"] == "rbac.share_held_already"
        looked = post(client_of(other_rep), "shares/", asked(deal, distant_rep), 403)["error"]
        assert looked["code"] == "rbac.share_own_rows"
        end = f"shares/{share.id}/end/"
        assert (
            post(client_of(distant_rep), end, {"reason": "x"}, 403)["error"]["code"] == "rbac.share_own_rows"
        )
        post(client_of(other_rep), end, {"reason": "Not mine"}, 200)
        assert post(client_of(rep), end, {"reason": "x"}, 409)["error"]["code"] == "rbac.share_ended"

    def test_of_everybody_are_for_who_sees_everything(
        self, deal: Opportunity, rep: Member, admin: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        give(deal, other_rep, access=Access.EDIT)
        assert len(read(client_of(admin), "shares/?whose=all")["results"]) == 1
        assert read(client_of(rep), "shares/?whose=all", 400)["error"]["field"] == "whose"


class TestWhoSeesADeal:
    def test_is_told_about_one_and_about_everybody(
        self, deal: Opportunity, manager: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        client = client_of(manager)
        one = read(client, f"deals/{deal.external_id}/access/?member={distant_rep.id}")
        assert (one["verdict"]["sees"], one["seen_by"], bool(one["verdict"]["missing"])) == (
            False,
            None,
            True,
        )
        everybody = read(client, f"deals/{deal.external_id}/access/")
        assert {"Rita Rep", "Mona Manager"} <= {seen["member"]["name"] for seen in everybody["seen_by"]}

    def test_about_oneself_needs_no_right(
        self, deal: Opportunity, rep: Member, manager: Member, client_of: ClientOf
    ) -> None:
        client = client_of(rep)
        assert read(client, f"deals/{deal.external_id}/access/?member={rep.email}")["verdict"]["sees"] is True
        for query in ("", f"?member={manager.email}"):
            error = read(client, f"deals/{deal.external_id}/access/{query}", 403)["error"]
            assert error["code"] == "forbidden"

    def test_about_deals_that_one_does_not_see_is_not_told(
        self, manager: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        read(client_of(manager), f"deals/{make_deal(distant_rep).external_id}/access/", 404)

    def test_of_the_past_needs_an_instant(
        self, deal: Opportunity, admin: Member, beta_rep: Member, client_of: ClientOf
    ) -> None:
        client, where = client_of(admin), f"deals/{deal.external_id}/access/"
        before = read(client, f"{where}?at=2020-01-01T00:00:00%2B01:00")
        assert (before["seen_by"], before["remark"].startswith("The deal came here")) == ([], True)
        for at in ("2026-03-03T12:00", "noon", "2999-01-01T00:00:00Z", "2026-13-01T00:00:00Z"):
            assert read(client, f"{where}?at={at}", 400)["error"]["field"] == "at"
        assert read(client, f"{where}?member={beta_rep.id}", 404)["error"]["field"] == "member"
