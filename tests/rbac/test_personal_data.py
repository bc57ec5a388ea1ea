"""Personal data through every door: masked readers get none of it anywhere, and every unmasked reading is on record once."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from alerts.channels.base import Message
from alerts.channels.email import Email
from alerts.models import DeliveryKind, Severity
from audit.models import Event
from audit.services import record
from crm_sync.models import Activity, Contact, ContactRole, Opportunity, RejectedRow
from crm_sync.personal import CRM_CONTACTS
from isolation import context
from rbac.redaction.logs import PersonalDataFilter
from rbac.redaction.reading import Door, Redactor, reading, streaming
from rbac.selectors import actor_of
from tenants.events import MemberDeactivated
from tenants.models import Member, RoleCode, Tenant
from tests import cast
from tests.browser.addresses import addresses
from tests.browser.scene import Scene, plant
from tests.conftest import WorkerDatabase
from tests.pipeline.deals import external_id, today_of
from tests.test_permission_table import routes

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]
ACME = f"/w/{cast.ACME}/"
API = f"/api/v1/w/{cast.ACME}/"
# Whatever of these stands in an answer is a leak; the scene's own items hold the same number and address.
RAW = ("98123 45678", "9812345678", "98123-45678", "usha@", "usha%40", "ravi.k@")
CALL = "Call 98123-45678 or ravi.k@customer.example"
KIND = CRM_CONTACTS
SOMEWHERE = Door("tests:somewhere")


@pytest.fixture(scope="module", autouse=True)
def scene(shared_by_file: WorkerDatabase) -> Scene:
    """Acme with contact data wherever the program keeps it."""
    planted, acme = plant(), cast.tenant_of(cast.ACME)
    with context.tenant_wide(acme.id):
        deal = Opportunity.objects.get(tenant=acme, external_id=planted.deal)
        Opportunity.objects.filter(pk=deal.pk).update(next_step=CALL)
        _people(deal, today_of(acme))
        RejectedRow.objects.update(
            field="Email",
            value="ravi.k@customer.example",
            reason="“ravi.k@customer.example, 98123 45678” is odd",
        )
        record(MemberDeactivated(target_label="gone@acme.test", reason=CALL), acting_user=cast.PLANTER)
    return planted


def _people(deal: Opportunity, today: Any) -> None:
    own: dict[str, Any] = {
        "tenant_id": deal.tenant_id,
        "source": deal.source,
        "modified_at": deal.modified_at,
    }
    contact = Contact.objects.create(
        **own, external_id=external_id("003"), name="Ravi K", title="Buyer, 98123 45678", email="ravi.k@customer.example",
        phone="98123 45678", owner_id=deal.owner_id, owner_external_id=deal.owner_external_id,
    )  # fmt: skip
    child = {
        **own,
        "opportunity_id": deal.id,
        "opportunity_external_id": deal.external_id,
        "deal_owner_id": deal.owner_id,
    }
    ContactRole.objects.create(
        **child,
        external_id=external_id("00K"),
        contact_external_id=contact.external_id,
        contact_id=contact.id,
        role="Buyer",
    )
    Activity.objects.create(
        **child,
        external_id=external_id("00T"),
        kind="task",
        subject=CALL,
        happens_on=today - timedelta(days=1),
    )


def _read_by(member: Member) -> AbstractContextManager[Redactor]:
    return reading(KIND, acting_user=actor_of(member), tenant_id=member.tenant_id, door=SOMEWHERE)


def _doors(scene: Scene) -> dict[str, str]:
    """Every page, export and endpoint of Acme, with real ids."""
    api = {
        route.name: route.address.replace("006NOTHERE", scene.deal)
        for route in routes()
        if route.is_api and f"/{cast.ACME}/" in route.address
    }
    pages = {name: at for name, at in addresses(scene, cast.ACME).items() if at.startswith(ACME)}
    wide = {"queue, any state": f"{ACME}queue/?state=any", "deals, all": f"{ACME}deals/?state=all"}
    return pages | api | wide


def body(client: Client, address: str) -> str:
    """What an answer says, a stream's to its end; "" where it is none for this reader."""
    response: Any = client.get(address)
    if response.status_code != 200:
        return ""
    parts = response.streaming_content if response.streaming else [response.content]
    return b"".join(parts).decode("utf-8-sig")


def leaks(client: Client, doors: dict[str, str]) -> dict[str, list[str]]:
    found = {name: [raw for raw in RAW if raw in body(client, at)] for name, at in doors.items()}
    return {name: raw for name, raw in found.items() if raw}


def reads(tenant: Tenant) -> list[Event]:
    with context.tenant_wide(tenant.id):
        return list(Event.objects.filter(code="rbac.personal_data_read").order_by("at"))


@pytest.fixture
def written() -> Any:
    """What the program's handlers would write, of every logger."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(PersonalDataFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


class TestAMaskedReader:
    def test_gets_no_contact_data_through_any_door(
        self, scene: Scene, acme: Tenant, analyst: Member, client_of: ClientOf, written: io.StringIO
    ) -> None:
        doors = _doors(scene)
        client = client_of(analyst)
        shown = [name for name, at in doors.items() if body(client, at)]
        assert {
            "operations:queue", "operations:item", "operations:export", "pipeline:deal", "pipeline:deals_export", "api_deals",
            "api_deal", "crm_sync:rejected", "crm_sync:rejected_export", "audit:events", "audit:export",
        } <= set(shown)  # fmt: skip
        assert leaks(client, doors) == {}
        assert reads(acme) == []
        assert not [raw for raw in RAW if raw in written.getvalue()]

    def test_at_the_desk_gets_none_either(
        self, scene: Scene, acme: Tenant, rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(acme.id):
            Member.objects.filter(pk=rep.pk).update(role=RoleCode.AGENT)
        client = client_of(rep)
        assert "98****5678" in body(client, f"{ACME}queue/?state=any")
        assert leaks(client, _doors(scene)) == {}
        assert reads(acme) == []

    @pytest.mark.parametrize(
        ("door", "masked"),
        [
            ("queue/", "u***@example.com"),
            ("queue/", "98****5678"),
            ("deals/{deal}/", "r***@customer.example"),
            ("deals/{deal}/", "Buyer, 98****5678"),
            ("deals/{deal}/", "Call 98****5678 or r***@customer.example"),
            ("settings/crm/salesforce/rejected/", "r***@customer.example"),
            ("audit/", "gone@acme.test was deactivated: Call 98****5678 or r***@customer.example"),
        ],
    )
    def test_is_shown_the_masks(
        self, scene: Scene, analyst: Member, client_of: ClientOf, door: str, masked: str
    ) -> None:
        page = body(client_of(analyst), ACME + door.format(deal=scene.deal))
        assert masked in page
        assert "mailto:" not in page

    def test_learns_nothing_by_searching_the_rows_kept_aside(
        self, scene: Scene, analyst: Member, admin: Member, client_of: ClientOf
    ) -> None:
        door = f"{ACME}settings/crm/salesforce/rejected/?q=ravi"
        assert "006000000000BAD" not in body(client_of(analyst), door)
        assert "006000000000BAD" in body(client_of(admin), door)

    def test_sees_the_queue_masked_where_only_the_crm_is_theirs(
        self, manager: Member, scene: Scene, client_of: ClientOf
    ) -> None:
        client = client_of(manager)
        assert "usha@example.com" not in body(client, f"{ACME}queue/?state=any")
        assert 'href="mailto:ravi.k@customer.example"' in body(client, f"{ACME}deals/{scene.deal}/")
        assert "deactivated: Call" not in body(client, f"{ACME}audit/")


DOORS = [
    ("admin", "operations:queue", f"{ACME}queue/?kind=complaint", "contact data of the priority queue", 6, "kind=complaint"),
    ("admin", "operations:item", f"{ACME}queue/{{item}}/", "contact data of the priority queue", 1, ""),
    ("admin", "operations:export", f"{ACME}queue/export/", "contact data of the priority queue", 12, ""),
    ("rep", "pipeline:deal", f"{ACME}deals/{{deal}}/", "contact data of the CRM", 3, ""),
    ("admin", "pipeline:deals_export", f"{ACME}deals/export/?q=98123+45678", "contact data of the CRM", None, "q=98****5678"),
    ("rep", "api_deal", f"{API}deals/{{deal}}/", "contact data of the CRM", 3, ""),
    ("rep", "api_deals", f"{API}deals/?q=Deal+00", "contact data of the CRM", 1, "q=Deal 00"),
    ("admin", "crm_sync:rejected", f"{ACME}settings/crm/salesforce/rejected/", "contact data of the CRM", 1, ""),
    ("admin", "crm_sync:rejected_export", f"{ACME}settings/crm/salesforce/rejected/export/", "contact data of the CRM", None, ""),
    ("admin", "audit:events", f"{ACME}audit/", "texts of the audit log", 1, ""),
    ("admin", "audit:export", f"{ACME}audit/export.csv", "texts of the audit log", None, ""),
]  # fmt: skip


class TestAnUnmaskedReading:
    @pytest.mark.parametrize(
        ("who", "door", "address", "data", "rows", "filters"), DOORS, ids=[d[1] for d in DOORS]
    )
    def test_is_on_record_once_with_its_door_and_rows(
        self, scene: Scene, acme: Tenant, request: pytest.FixtureRequest, client_of: ClientOf,
        who: str, door: str, address: str, data: str, rows: int | None, filters: str,
    ) -> None:  # fmt: skip
        reader = request.getfixturevalue(who)
        told = body(client_of(reader), address.format(item=scene.item.id, deal=scene.deal))
        assert door == "pipeline:deals_export" or [raw for raw in RAW if raw in told]
        (event,) = reads(acme)
        assert event.actor_label == reader.email
        assert (event.facts["door"], event.facts["data"], event.facts["rows"]) == (door, data, rows)
        assert event.facts["filters"] == filters
        assert not [raw for raw in RAW if raw in str(event.facts)]

    def test_is_on_record_each_time(
        self, scene: Scene, acme: Tenant, rep: Member, client_of: ClientOf
    ) -> None:
        client = client_of(rep)
        for _ in range(2):
            body(client, f"{ACME}deals/{scene.deal}/")
        assert len(reads(acme)) == 2

    def test_of_a_stream_is_on_record_before_its_first_row(
        self, scene: Scene, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        client_of(admin).get(f"{ACME}queue/export/")  # nobody reads on
        (event,) = reads(acme)
        assert (event.facts["rows"], len(event.facts["items"])) == (12, 12)

    def test_of_nothing_personal_is_no_event(
        self, scene: Scene, acme: Tenant, rep: Member, client_of: ClientOf
    ) -> None:
        assert "Deal 05" in body(client_of(rep), f"{API}deals/?q=Deal+05")
        assert reads(acme) == []

    def test_names_a_thousand_rows_and_counts_the_others(self, acme: Tenant, admin: Member) -> None:
        with context.tenant_wide(acme.id), _read_by(admin) as redactor:
            for number in range(1500):
                assert redactor.row(number).email("usha@example.com") == "usha@example.com"
        (event,) = reads(acme)
        assert (event.facts["rows"], len(event.facts["items"])) == (1500, 1000)
        assert (
            event.sentence
            == "Personal data was read unmasked through tests:somewhere: contact data of the CRM, 1,500 rows"
        )


class TestARedactor:
    def test_lets_nothing_through_after_its_record(self, acme: Tenant, admin: Member) -> None:
        with context.tenant_wide(acme.id):
            with _read_by(admin) as redactor:
                pass
            with pytest.raises(RuntimeError, match="after the record"):
                redactor.email("usha@example.com")

    def test_of_a_reading_that_failed_leaves_no_record(self, acme: Tenant, admin: Member) -> None:
        with context.tenant_wide(acme.id), pytest.raises(LookupError), _read_by(admin) as redactor:
            redactor.email("usha@example.com")
            raise LookupError
        assert reads(acme) == []

    def test_judges_by_right_and_workspace(
        self, acme: Tenant, beta: Tenant, admin: Member, analyst: Member
    ) -> None:
        actor = actor_of(admin)
        assert KIND.seen_by(actor, acme.id)
        assert not KIND.seen_by(actor, beta.id)
        assert not KIND.seen_by(actor_of(analyst), acme.id)
        with context.tenant_wide(acme.id):
            masked = streaming(KIND, acting_user=actor_of(analyst), tenant_id=acme.id, door=SOMEWHERE)
            assert masked.phone("98123 45678") == "98****5678"
        assert reads(acme) == []


def test_a_mail_of_an_alert_holds_no_contact_data(acme: Tenant) -> None:
    message = Message(
        key="k", tenant_id=acme.id, workspace=acme.name, kind=DeliveryKind.OPENED, severity=Severity.WARNING,
        title=CALL, sentence=CALL, value="1,234,567", limit="1,000,000", path="/w/acme-corp/alerts/",
    )  # fmt: skip
    Email().send(message, "ada@acme.test")
    (sent,) = mail.outbox
    told = str(sent.message())
    assert not [raw for raw in RAW if raw in told]
    assert "98****5678" in told
    assert "1,234,567" in told
