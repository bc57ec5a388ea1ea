"""The queue: who sees what, masked for whom, and what is recorded."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any, cast

import pytest
from django.http import HttpResponse
from django.test import Client

from audit.models import Event
from isolation import context
from operations.models import PriorityItem
from tenants.models import Member, Tenant
from tests.operations.conftest import NewItemMaker, again, score_all

pytestmark = pytest.mark.django_db

SignedIn = Callable[[Any], Client]
ROOT = "/w/acme-corp/queue/"
SECRETS = ("9812345678", "98123 45678", "usha@example.com")


@pytest.fixture
def item(acme: Tenant, put: NewItemMaker) -> PriorityItem:
    made = put(acme)
    score_all()
    return again(made)


def _text(response: HttpResponse) -> str:
    return response.content.decode()


def _sheet(response: Any) -> list[dict[str, str]]:
    text = b"".join(cast(Iterable[bytes], response.streaming_content)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def _reads(tenant: Tenant) -> list[dict[str, Any]]:
    with context.tenant_wide(tenant.id):
        return list(Event.objects.filter(code="rbac.personal_data_read").values_list("facts", flat=True))


class TestTheQueue:
    def test_shows_the_score_with_its_four_parts(
        self, item: PriorityItem, manager: Member, client_of: SignedIn
    ) -> None:
        text = _text(client_of(manager).get(ROOT))
        assert "Intent 32, Urgency 15, Waiting time 0, Earlier contacts 0" in text

    def test_has_the_highest_score_first(
        self, acme: Tenant, put: NewItemMaker, admin: Member, client_of: SignedIn
    ) -> None:
        for name, intent in (("middle", 0.5), ("last", 0.1), ("first", 0.9)):
            put(acme, subject=f"item {name}", intent_confidence=intent)
        score_all()
        text = _text(client_of(admin).get(ROOT))
        assert text.index("item first") < text.index("item middle") < text.index("item last")

    @pytest.mark.parametrize(
        ("query", "is_shown"),
        [
            ("", True),
            ("state=reviewed", False),
            ("state=any", True),
            ("kind=complaint", True),
            ("kind=refund", False),
            ("kind=refund&kind=complaint", True),
            ("score=40", True),
            ("score=60", False),
            ("q=REFUND", True),
            ("q=booking", False),
            ("q=%25", False),
        ],
    )
    def test_filters(
        self, item: PriorityItem, manager: Member, client_of: SignedIn, query: str, is_shown: bool
    ) -> None:
        assert ("No refund yet" in _text(client_of(manager).get(f"{ROOT}?{query}"))) is is_shown

    @pytest.mark.parametrize("query", ["state=lost", "kind=x", "score=seven", "q=%00", "page=zz"])
    def test_says_what_a_filter_may_be(
        self, item: PriorityItem, manager: Member, client_of: SignedIn, query: str
    ) -> None:
        assert client_of(manager).get(f"{ROOT}?{query}").status_code == 400

    def test_pages_without_gaps_or_repeats(
        self, acme: Tenant, put: NewItemMaker, admin: Member, client_of: SignedIn
    ) -> None:
        for number in range(60):
            put(acme, subject=f"<item {number:02}>", intent_confidence=0.5)
        score_all()
        client = client_of(admin)
        first = client.get(ROOT)
        second = client.get(first.context["page"].table.next_url)
        subjects = [
            row.subject for response in (first, second) for row in response.context["page"].table.rows
        ]
        assert len(subjects) == len(set(subjects)) == 60
        assert "&lt;item 00&gt;" in _text(first) + _text(second)

    @pytest.mark.parametrize(
        ("who", "status"), [("rep", 403), ("stranger", 404), ("manager", 200), ("partner", 404)]
    )
    def test_is_for_those_who_work_it(
        self, item: PriorityItem, request: pytest.FixtureRequest, client_of: SignedIn, who: str, status: int
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        for path in ("", "export/", f"{item.id}/"):
            assert client.get(ROOT + path).status_code == status

    def test_of_another_workspace_is_not_there(
        self, item: PriorityItem, stranger: Member, client_of: SignedIn
    ) -> None:
        client = client_of(stranger)
        assert client.get(f"/w/beta-inc/queue/{item.id}/").status_code == 404
        assert client.post(f"/w/beta-inc/queue/{item.id}/review/").status_code == 404
        assert "No refund yet" not in _text(client.get("/w/beta-inc/queue/"))


class TestContactData:
    @pytest.mark.parametrize("who", ["manager", "analyst"])
    def test_is_masked_everywhere_for_those_without_full_access(
        self, item: PriorityItem, acme: Tenant, request: pytest.FixtureRequest, client_of: SignedIn, who: str
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        pages = [
            _text(client.get(ROOT)),
            _text(client.get(f"{ROOT}{item.id}/")),
            str(_sheet(client.get(f"{ROOT}export/"))),
        ]
        for page in pages:
            assert not [secret for secret in SECRETS if secret in page]
            assert "+91 98****5678" in page
            assert "u***@example.com" in page
        assert _reads(acme) == []

    def test_is_shown_with_full_access_and_each_look_is_recorded(
        self, item: PriorityItem, acme: Tenant, admin: Member, client_of: SignedIn
    ) -> None:
        client = client_of(admin)
        assert "usha@example.com" in _text(client.get(ROOT))
        assert "98123 45678" in _text(client.get(f"{ROOT}{item.id}/"))
        assert "usha@example.com" in str(_sheet(client.get(f"{ROOT}export/")))
        assert [(read["rows"], read["items"]) for read in _reads(acme)] == [(1, [str(item.id)])] * 3
        doors = sorted(read["door"] for read in _reads(acme))
        assert doors == ["operations:export", "operations:item", "operations:queue"]


class TestTheSheet:
    def test_holds_the_same_rows_and_the_parts_of_the_score(
        self, item: PriorityItem, manager: Member, client_of: SignedIn
    ) -> None:
        (row,) = _sheet(client_of(manager).get(f"{ROOT}export/?kind=complaint"))
        assert (row["score"], row["intent_confidence_points"], row["sentiment_urgency_points"]) == (
            "47.0",
            "32.0",
            "15.0",
        )
        assert row["subject"] == "No refund yet"

    def test_runs_no_formula(
        self, acme: Tenant, put: NewItemMaker, admin: Member, client_of: SignedIn
    ) -> None:
        put(acme, subject="=HYPERLINK(1)")
        (row,) = _sheet(client_of(admin).get(f"{ROOT}export/"))
        assert row["subject"] == "'=HYPERLINK(1)"

    def test_refuses_an_unknown_filter(self, manager: Member, client_of: SignedIn) -> None:
        assert client_of(manager).get(f"{ROOT}export/?kind=x").status_code == 400


class TestReviewing:
    def test_takes_the_item_off_the_open_list(
        self, item: PriorityItem, acme: Tenant, manager: Member, client_of: SignedIn
    ) -> None:
        client = client_of(manager)
        assert client.post(f"{ROOT}{item.id}/review/").status_code == 302
        assert (again(item).state, again(item).reviewed_by) == ("reviewed", "mona@acme.test")
        assert "No refund yet" not in _text(client.get(ROOT))
        with context.tenant_wide(acme.id):
            assert Event.objects.filter(code="operations.item_reviewed").count() == 1

    def test_of_a_closed_item_is_refused(
        self, item: PriorityItem, manager: Member, client_of: SignedIn
    ) -> None:
        client = client_of(manager)
        client.post(f"{ROOT}{item.id}/close/")
        response = client.post(f"{ROOT}{item.id}/review/")
        assert response.status_code == 409
        assert "This item is closed" in _text(response)

    def test_is_not_for_reps(self, item: PriorityItem, rep: Member, client_of: SignedIn) -> None:
        assert client_of(rep).post(f"{ROOT}{item.id}/review/").status_code == 403
        assert again(item).state == "open"

    def test_takes_a_post(self, item: PriorityItem, manager: Member, client_of: SignedIn) -> None:
        assert client_of(manager).get(f"{ROOT}{item.id}/review/").status_code == 405
