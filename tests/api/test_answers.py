"""The API gives the rows, filters and refusals of the pages."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from crm_sync.models import SyncRun
from isolation import context
from tenants.models import Member, Tenant
from tenants.selectors import settings_of
from tenants.services import settings_save
from tests.api.conftest import Planted, make_account
from tests.cast import PLANTER
from tests.pipeline.deals import build, make_deal, today_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]
ROOT = "/api/v1/w/acme-corp/"


def read(client: Client, address: str, status: HTTPStatus = HTTPStatus.OK) -> Any:
    response = client.get(address if address.startswith(("/", "http")) else ROOT + address)
    assert response.status_code == status, response.content.decode()
    return response.json()


def refused(answer: Any) -> tuple[str, str | None]:
    """The refusal's code and field; it has a sentence and nothing else."""
    assert answer.keys() == {"error"}
    error = answer["error"]
    assert error.keys() == {"code", "message", "field"}
    assert error["message"].endswith(".")
    return error["code"], error["field"]


def names(answer: Any) -> list[str]:
    return [deal["name"] for deal in answer["results"]]


def walked(client: Client, address: str, direction: str = "next") -> list[Any]:
    rows: list[Any] = []
    following: str | None = address
    while following:
        page = read(client, following)
        rows += page["results"] if direction == "next" else page["results"][::-1]
        following = page[direction]
    return rows


class TestPaging:
    @pytest.fixture
    def many(self, rep: Member) -> set[str]:
        today = today_of(rep.tenant)
        deals = [
            make_deal(
                rep,
                name=f"Deal {number % 7}",
                close_on=None if number % 5 == 0 else today + timedelta(days=number % 9),
            )
            for number in range(120)
        ]
        build(rep.tenant)
        return {deal.external_id for deal in deals}

    @pytest.mark.parametrize("sort", ["close_on", "-close_on", "name", "-score", "amount", "stage_age"])
    def test_visits_each_deal_exactly_once(
        self, many: set[str], admin: Member, client_of: ClientOf, sort: str
    ) -> None:
        rows = walked(client_of(admin), f"deals/?sort={sort}")
        assert len(rows) == len(many)
        assert {row["id"] for row in rows} == many

    def test_leads_back_the_same_way(self, many: set[str], admin: Member, client_of: ClientOf) -> None:
        client = client_of(admin)
        address, last = "deals/", read(client, "deals/")
        while last["next"]:
            address, last = last["next"], read(client, last["next"])
        back = walked(client, address, "previous")
        assert [row["id"] for row in back[::-1]] == [row["id"] for row in walked(client, "deals/")]

    def test_of_accounts_visits_each_exactly_once(
        self, rep: Member, admin: Member, client_of: ClientOf
    ) -> None:
        made = {make_account(rep, f"Account {number}").external_id for number in range(60)}
        rows = walked(client_of(admin), "accounts/")
        assert len(rows) == len(made)
        assert {row["id"] for row in rows} == made

    def test_costs_the_same_queries_for_forty_deals_as_for_one(
        self, rep: Member, admin: Member, client_of: ClientOf
    ) -> None:
        client = client_of(admin)
        read(client, "deals/")
        counts = []
        for number in (1, 39):
            for _ in range(number):
                make_deal(rep)
            build(rep.tenant)
            with CaptureQueriesContext(connection) as queries:
                read(client, "deals/")
            counts.append(len(queries))
        assert counts[0] == counts[1]

    @pytest.mark.parametrize("address", ["deals/", "accounts/", "alerts/", "sync-runs/"])
    @pytest.mark.parametrize("cursor", ["nonsense", "WzAsMV0", "W10", "%C3%A9"])
    def test_refuses_a_damaged_cursor_by_name(
        self, admin: Member, client_of: ClientOf, address: str, cursor: str
    ) -> None:
        answer = read(client_of(admin), f"{address}?cursor={cursor}", HTTPStatus.BAD_REQUEST)
        assert refused(answer) == ("invalid_input", "cursor")


class TestFilters:
    @pytest.mark.parametrize(
        "query",
        [
            "", "state=all", "state=won", "owner=otto@acme.test", "owner=rita@acme.test&owner=otto@acme.test", "stage=Proposal",
            "band=critical&band=at_risk", "hygiene=stale", "amount_min=400&amount_max=900", "q=sil", "sort=-amount&state=all",
            "sort=name&state=all",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("who", ["rep", "manager", "admin"])
    def test_give_the_rows_and_refusals_of_the_page_in_its_order(
        self, request: pytest.FixtureRequest, planted: Planted, client_of: ClientOf, who: str, query: str
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        response = client.get(f"/w/acme-corp/deals/export/?{query}")
        if response.status_code == HTTPStatus.BAD_REQUEST:  # a rep who asks for the deals of somebody else
            assert who == "rep"
            assert refused(read(client, f"deals/?{query}", HTTPStatus.BAD_REQUEST)) == (
                "invalid_input",
                "owner",
            )
            return
        sheet = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]  # streamed
        exported = [row["deal_id"] for row in csv.DictReader(io.StringIO(sheet))]
        assert [deal["id"] for deal in read(client, f"deals/?{query}")["results"]] == exported

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ("state=open-ish", "state"), ("band=purple", "band"), ("hygiene=dirty", "hygiene"), ("sort=mood", "sort"),
            ("amount_min=much", "amount_min"), ("amount_max=1e99", "amount_max"), ("close_from=soon", "close_from"),
            ("close_to=2026-02-30", "close_to"), ("owner=nobody@acme.test", "owner"), ("stage=Limbo", "stage"),
        ],
    )  # fmt: skip
    def test_refuse_what_they_cannot_read_by_name(
        self, admin: Member, planted: Planted, client_of: ClientOf, query: str, field: str
    ) -> None:
        assert refused(read(client_of(admin), f"deals/?{query}", HTTPStatus.BAD_REQUEST)) == (
            "invalid_input",
            field,
        )

    def test_of_alerts_tell_open_from_closed(
        self, admin: Member, planted: Planted, client_of: ClientOf
    ) -> None:
        client = client_of(admin)
        assert [row["id"] for row in read(client, "alerts/?state=open")["results"]] == [str(planted.alert.id)]
        assert read(client, "alerts/?state=closed")["results"] == []
        answer = read(client, "alerts/?state=ajar", HTTPStatus.BAD_REQUEST)
        assert refused(answer) == ("invalid_input", "state")


class TestWhoSees:
    @pytest.mark.parametrize(
        ("who", "seen"),
        [
            ("rep", {"Small", "Bare"}),
            ("manager", {"Small", "Bare", "Silent"}),
            ("analyst", {"Small", "Bare", "Silent"}),
        ],
    )
    def test_which_deals(
        self, request: pytest.FixtureRequest, planted: Planted, client_of: ClientOf, who: str, seen: set[str]
    ) -> None:
        assert set(names(read(client_of(request.getfixturevalue(who)), "deals/"))) == seen

    def test_of_anothers_deal_nothing(
        self, rep: Member, manager: Member, planted: Planted, client_of: ClientOf
    ) -> None:
        address = f"deals/{planted.other_deals[0].external_id}/"
        hidden = read(client_of(rep), address, HTTPStatus.NOT_FOUND)
        assert hidden == read(client_of(rep), "deals/006NOTHERE/", HTTPStatus.NOT_FOUND)
        assert refused(hidden) == ("not_found", None)
        assert read(client_of(manager), address)["name"] == "Silent"

    def test_of_anothers_account_nothing(
        self, rep: Member, other_rep: Member, planted: Planted, client_of: ClientOf
    ) -> None:
        address = f"accounts/{planted.account.external_id}/"
        assert read(client_of(rep), address)["name"] == "Northwind"
        assert refused(read(client_of(other_rep), address, HTTPStatus.NOT_FOUND)) == ("not_found", None)

    @pytest.mark.parametrize("who", ["stranger", "partner"])
    def test_of_another_workspace_nothing(
        self, request: pytest.FixtureRequest, planted: Planted, client_of: ClientOf, who: str
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        ids = (
            f"alerts/{planted.alert.id}/",
            f"sync-runs/{planted.run.id}/",
            f"deals/{planted.rep_deals[0].external_id}/",
        )
        for address in ("deals/", "accounts/", "alerts/", "sync-runs/", *ids):
            answer = read(client, address, HTTPStatus.NOT_FOUND)
            assert answer == read(client, f"/api/v1/w/nobodys/{address}", HTTPStatus.NOT_FOUND)
            assert refused(answer) == ("not_found", None)
        own = read(client, "/api/v1/me/")["workspaces"]
        assert [place["tenant"] for place in own] == [request.getfixturevalue(who).tenant.slug]
        for address in ids:
            read(client, f"/api/v1/w/{own[0]['tenant']}/{address}", HTTPStatus.NOT_FOUND)

    def test_sync_runs_only_those_who_may(self, rep: Member, planted: Planted, client_of: ClientOf) -> None:
        assert refused(read(client_of(rep), "sync-runs/", HTTPStatus.FORBIDDEN)) == ("forbidden", None)


def ask_for_sync(client: Client, **body: Any) -> tuple[int, Any]:
    response = client.post(f"{ROOT}sync-runs/", data=body, content_type="application/json")
    return response.status_code, response.json()


class TestAskingForASync:
    def test_is_an_analysts_right_and_makes_one_run(
        self, analyst: Member, planted: Planted, client_of: ClientOf
    ) -> None:
        client = client_of(analyst)
        status, run = ask_for_sync(client, crm="salesforce")
        assert (status, run["state"], run["requested_by"]) == (HTTPStatus.ACCEPTED, "queued", analyst.email)
        assert ask_for_sync(client, crm="salesforce", full=True)[1]["id"] == run["id"]
        assert read(client, f"sync-runs/{run['id']}/")["objects"] == []

    @pytest.mark.parametrize("who", ["rep", "manager"])
    def test_is_refused_to_sellers(
        self, request: pytest.FixtureRequest, acme: Tenant, planted: Planted, client_of: ClientOf, who: str
    ) -> None:
        status, answer = ask_for_sync(client_of(request.getfixturevalue(who)), crm="salesforce")
        assert status == HTTPStatus.FORBIDDEN
        assert refused(answer) == ("forbidden", None)
        with context.tenant_wide(acme.id):
            assert SyncRun.objects.filter(tenant=acme).count() == 1

    def test_needs_a_connection(self, analyst: Member, client_of: ClientOf) -> None:
        status, answer = ask_for_sync(client_of(analyst), crm="salesforce")
        assert status == HTTPStatus.CONFLICT
        refused(answer)

    @pytest.mark.parametrize(
        ("body", "field"),
        [({}, "crm"), ({"crm": "abacus"}, "crm"), ({"crm": "salesforce", "full": "a bit"}, "full")],
    )
    def test_names_the_field_that_is_wrong(
        self, analyst: Member, planted: Planted, client_of: ClientOf, body: Any, field: str
    ) -> None:
        status, answer = ask_for_sync(client_of(analyst), **body)
        assert status == HTTPStatus.BAD_REQUEST
        assert refused(answer)[1] == field

    @pytest.mark.parametrize("body", ["{", "[]", '"x"', ""])
    def test_refuses_what_is_no_object(
        self, analyst: Member, planted: Planted, client_of: ClientOf, body: str
    ) -> None:
        response = client_of(analyst).post(f"{ROOT}sync-runs/", data=body, content_type="application/json")
        assert response.status_code == HTTPStatus.BAD_REQUEST
        refused(response.json())


class TestAcknowledgingAnAlert:
    def test_is_on_the_alert_once(self, analyst: Member, planted: Planted, client_of: ClientOf) -> None:
        client = client_of(analyst)
        address = f"{ROOT}alerts/{planted.alert.id}/acknowledge/"
        first = client.post(address)
        assert (first.status_code, first.json()["acknowledged_by"]) == (HTTPStatus.OK, analyst.email)
        assert client.post(address).json()["acknowledged_at"] == first.json()["acknowledged_at"]

    def test_is_refused_to_a_rep_and_unknown_to_a_stranger(
        self, rep: Member, stranger: Member, planted: Planted, client_of: ClientOf
    ) -> None:
        address = f"{ROOT}alerts/{planted.alert.id}/acknowledge/"
        assert refused(client_of(rep).post(address).json()) == ("forbidden", None)
        assert client_of(stranger).post(address).status_code == HTTPStatus.NOT_FOUND
        assert (
            client_of(stranger).post(address.replace("acme-corp", "beta-inc")).status_code
            == HTTPStatus.NOT_FOUND
        )

    def test_needs_an_alert(self, analyst: Member, client_of: ClientOf) -> None:
        response = client_of(analyst).post(f"{ROOT}alerts/{uuid4()}/acknowledge/")
        assert refused(response.json()) == ("not_found", None)


class TestTheDoor:
    def test_wants_a_sign_in(self) -> None:
        for address in ("/api/v1/me/", f"{ROOT}deals/"):
            response = Client().get(address)
            assert (response.status_code, response["WWW-Authenticate"]) == (
                HTTPStatus.UNAUTHORIZED,
                "Session",
            )
            assert refused(response.json()) == ("not_authenticated", None)

    def test_wants_the_csrf_token_for_writes(
        self, analyst: Member, planted: Planted, client_of: ClientOf
    ) -> None:
        signed_in = client_of(analyst)
        client = Client(enforce_csrf_checks=True)
        client.cookies = signed_in.cookies
        response = client.post(
            f"{ROOT}sync-runs/", data={"crm": "salesforce"}, content_type="application/json"
        )
        assert response.status_code == HTTPStatus.FORBIDDEN
        assert refused(response.json())[0] == "permission_denied"
        client.cookies["csrftoken"] = "t" * 32
        response = client.post(
            f"{ROOT}sync-runs/",
            data={"crm": "salesforce"},
            content_type="application/json",
            headers={"X-CSRFToken": "t" * 32},
        )
        assert response.status_code == HTTPStatus.ACCEPTED

    def test_is_shut_where_the_workspace_switched_it_off(
        self, admin: Member, rep: Member, stranger: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(admin.tenant_id):
            data = settings_of(admin.tenant_id).model_dump(mode="json")
            settings_save(
                tenant=admin.tenant, data=data | {"features": {"api_access": False}}, acting_user=PLANTER
            )
        for member in (admin, rep):
            answer = read(client_of(member), "deals/", HTTPStatus.FORBIDDEN)
            assert refused(answer) == ("rbac.api_switched_off", None)
            read(client_of(member), "/api/v1/me/")
        read(client_of(stranger), "deals/", HTTPStatus.NOT_FOUND)
        read(client_of(stranger), "/api/v1/w/beta-inc/deals/")

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    def test_refuses_methods_that_an_address_does_not_have(
        self, admin: Member, client_of: ClientOf, method: str
    ) -> None:
        response = getattr(client_of(admin), method)(f"{ROOT}deals/")
        assert response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        refused(response.json())

    @pytest.mark.parametrize(
        "address", ["deals/?owner=%00", "deals/%00/", "accounts/%00/", "alerts/?state=%00"]
    )
    def test_refuses_the_character_nul(self, admin: Member, client_of: ClientOf, address: str) -> None:
        refused(read(client_of(admin), address, HTTPStatus.BAD_REQUEST))


def test_json_that_is_nested_too_deeply_is_refused(
    admin: Member, client_of: Callable[[Member], Client]
) -> None:
    body = "[" * 5000
    answer = client_of(admin).post("/api/v1/w/acme-corp/sync-runs/", body, content_type="application/json")
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"code", "message", "field"}
