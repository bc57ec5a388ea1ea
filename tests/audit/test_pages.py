"""The audit page: who may read it, what it finds, how it pages, and that its sheet is complete and safe to open."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from django.test import Client

from audit.models import Event
from audit.services import record
from isolation import context
from isolation.actors import Actor
from tenants.events import PartnerKeyRevoked
from tenants.models import Member, Tenant
from tests.cast import PLANTER

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]
PAGE = "/w/acme-corp/audit/"
CODE = PartnerKeyRevoked.code


def revoke(tenant: Tenant, hint: str, *, actor: Actor = PLANTER) -> None:
    with context.tenant_wide(tenant.id):
        record(PartnerKeyRevoked(target_label=hint, email="pat@x.test"), acting_user=actor)


def revoke_at(tenant: Tenant, hint: str, at: datetime) -> None:
    """An old event; the program itself cannot change when something happened."""
    with context.tenant_wide(tenant.id):
        Event(
            tenant_id=tenant.id, at=at, code=CODE, actor_kind="system", actor_label="past", target_kind="access_key",
            target_label=hint, facts={"email": "pat@x.test"},
        ).save(force_insert=True)  # fmt: skip


def read(client: Client, address: str, status: HTTPStatus = HTTPStatus.OK) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def sheet(client: Client, address: str) -> list[dict[str, str]]:
    response = client.get(address)
    assert response.status_code == HTTPStatus.OK
    text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]  # streamed
    return list(csv.DictReader(io.StringIO(text)))


class TestTheAuditPage:
    @pytest.mark.parametrize(
        ("who", "status"),
        [
            ("admin", 200),
            ("analyst", 200),
            ("manager", 403),
            ("rep", 403),
            ("stranger", 404),
            ("partner", 404),
        ],
    )
    def test_is_for_holders_of_the_right(
        self, who: str, status: int, request: pytest.FixtureRequest, client_of: ClientOf
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        assert client.get(PAGE).status_code == status
        assert client.get(f"{PAGE}export.csv").status_code == status

    def test_sends_the_signed_out_to_sign_in(self) -> None:
        assert Client().get(PAGE)["Location"].startswith("/accounts/login/")

    def test_tells_events_as_sentences_with_their_facts(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        revoke(acme, "vermilion")
        page = read(client_of(admin), PAGE)
        assert "The access key vermilion of pat@x.test was revoked" in page
        assert "<dt>Email</dt>" in page

    def test_does_not_show_another_workspace(
        self, acme: Tenant, beta: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        revoke(beta, "beta-blue")
        assert "beta-blue" not in read(client_of(admin), PAGE)

    def test_filters_by_event_person_and_kind(self, acme: Tenant, admin: Member, client_of: ClientOf) -> None:
        revoke(acme, "vermilion", actor=Actor.system("painter.job"))
        client = client_of(admin)
        for query in (f"event={CODE}", "person=PAINTER", "target=access_key"):
            page = read(client, f"{PAGE}?{query}")
            assert "vermilion" in page
            assert "was provisioned" not in page

    def test_takes_days_in_the_zone_of_the_workspace(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        # 06:30 UTC on the 10th is 22:30 on the 9th in Los Angeles, where Acme is.
        revoke_at(acme, "midnight", datetime(2026, 1, 10, 6, 30, tzinfo=UTC))
        client = client_of(admin)
        assert "The access key midnight" in read(client, f"{PAGE}?from=2026-01-09&to=2026-01-09")
        assert "midnight" not in read(client, f"{PAGE}?from=2026-01-10&to=2026-01-10")
        assert "9 Jan 2026, 22:30" in read(client, f"{PAGE}?to=2026-01-09")

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("event=no.such", "there is no “no.such”"),
            ("target=teapot", "there is no “teapot”"),
            ("from=yesterday", "“yesterday” is not a date. Write it as 2026-01-31."),
            ("to=9999-12-31", "is not a date"),
            ("from=2026-02-02&to=2026-02-01", "choose a day on or after the first one"),
            ("page=nonsense", "Start again from the list&#x27;s first page."),
            ("page=WzAsMV0", "Start again from the list&#x27;s first page."),
        ],
    )
    def test_says_what_is_wrong_with_a_filter(
        self, query: str, sentence: str, admin: Member, client_of: ClientOf
    ) -> None:
        assert sentence in read(client_of(admin), f"{PAGE}?{query}", HTTPStatus.BAD_REQUEST)

    def test_pages_forth_and_back_without_gap_or_repeat(
        self, acme: Tenant, admin: Member, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("audit.views.PAGE_SIZE", 3)
        for number in range(7):
            revoke(acme, f"shade-{number}")
        client, address = client_of(admin), f"{PAGE}?event={CODE}"
        shades, tables = [], []
        while address:
            table = client.get(address).context["page"].table
            tables.append(table)
            shades.append([row.sentence.split("shade-")[1][0] for row in table.rows])
            address = table.next_url
        assert shades == [["6", "5", "4"], ["3", "2", "1"], ["0"]]
        assert not tables[0].previous_url
        back = client.get(tables[2].previous_url).context["page"].table
        assert [row.sentence for row in back.rows] == [row.sentence for row in tables[1].rows]
        first = client.get(back.previous_url).context["page"].table
        assert [row.sentence for row in first.rows] == [row.sentence for row in tables[0].rows]
        assert not first.previous_url

    def test_knows_of_an_empty_result(self, admin: Member, client_of: ClientOf) -> None:
        assert "No events match" in read(client_of(admin), f"{PAGE}?person=nobody-at-all")


class TestTheExport:
    def test_holds_everything_that_fits_oldest_last(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        for colour in ("red", "blue"):
            revoke(acme, colour)
        rows = sheet(client_of(admin), f"{PAGE}export.csv?event={CODE}")
        assert [row["target"] for row in rows] == ["blue", "red"]
        assert rows[0]["facts"] == '{"email": "pat@x.test"}'
        written = datetime.fromisoformat(rows[0]["at_utc"])
        assert datetime.now(UTC) - written < timedelta(minutes=5)

    def test_is_itself_on_record(self, acme: Tenant, admin: Member, client_of: ClientOf) -> None:
        sheet(client_of(admin), f"{PAGE}export.csv?person=ada")
        with context.tenant_wide(acme.id):
            event = Event.objects.get(code="audit.exported")
        assert (event.actor_label, event.facts["filters"]) == (admin.email, "Person: ada")

    def test_gives_no_formula_to_a_spreadsheet(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        revoke(acme, "red", actor=Actor.system("=HYPERLINK(1)"))
        rows = sheet(client_of(admin), f"{PAGE}export.csv?event={CODE}")
        assert rows[0]["by"] == "'=HYPERLINK(1)"

    def test_refuses_a_bad_filter_instead_of_leaving_it_out(self, admin: Member, client_of: ClientOf) -> None:
        assert "is not a date" in read(client_of(admin), f"{PAGE}export.csv?from=x", HTTPStatus.BAD_REQUEST)
