"""The CRM pages: who may do what, what is said, and that the secret never comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from audit.models import Event
from crm_sync.models import Connection, RejectedRow, RunState, RunTrigger, SyncRun, SyncSchedule
from crm_sync.secrets import decrypt
from isolation import context
from tenants.models import Member, Tenant

pytestmark = pytest.mark.django_db
SignedIn = Callable[[Member], Client]
LIST = "/w/acme-corp/settings/crm/"
HOME = f"{LIST}salesforce/"
FORM = {"login_url": "https://acme.my.salesforce.com/", "client_id": "3MVG9", "secret": "s3cr3t-value"}


@pytest.fixture
def inside(acme: Tenant) -> Iterator[None]:
    """Acme's own context, for looking at what a page did."""
    with context.tenant_wide(acme.id):
        yield


def connected(acme: Tenant) -> Connection:
    with context.tenant_wide(acme.id):
        Connection.objects.update(
            state="active", login_url="https://x.test", client_id="c", secret_encrypted=b"x"
        )
        return Connection.objects.get()  # type: ignore[no-any-return]  # untyped: TenantManager's class is a parameter


def rejected_row(connection: Connection, key: str, value: str = "2026-02-30") -> None:
    with context.tenant_wide(connection.tenant_id):
        run, _ = SyncRun.objects.get_or_create(
            tenant_id=connection.tenant_id,
            connection=connection,
            state=RunState.SUCCEEDED,
            defaults={"trigger": RunTrigger.MANUAL, "requested_by": "x"},
        )
        RejectedRow.objects.create(
            tenant_id=connection.tenant_id, connection=connection, run=run, object_name="Opportunity", external_id=key, field="CloseDate", value=value,
            reason="is not a date", raw={},
        )  # fmt: skip


class TestTheConnection:
    def test_is_saved_encrypted_and_audited_and_never_shown(
        self, acme: Tenant, admin: Member, client_of: SignedIn
    ) -> None:
        browser = client_of(admin)
        assert browser.post(f"{HOME}connection/", FORM).status_code == 302
        page = browser.get(f"{HOME}connection/").content.decode()
        assert "s3cr3t-value" not in page
        assert "A secret is stored" in page
        with context.tenant_wide(acme.id):
            saved = Connection.objects.get()
            events = [event.facts for event in Event.objects.filter(code="crm_sync.connection_saved")]
        assert b"s3cr3t" not in bytes(saved.secret_encrypted)
        assert decrypt(saved.secret_encrypted) == "s3cr3t-value"
        assert saved.login_url == "https://acme.my.salesforce.com"
        assert len(events) == 1
        assert "s3cr3t-value" not in str(events)

    def test_keeps_its_secret_when_the_field_is_left_empty(
        self, acme: Tenant, admin: Member, client_of: SignedIn
    ) -> None:
        browser = client_of(admin)
        browser.post(f"{HOME}connection/", FORM)
        same_host = "https://ACME.my.salesforce.com:443/here"
        browser.post(f"{HOME}connection/", {**FORM, "login_url": same_host, "secret": ""})
        with context.tenant_wide(acme.id):
            saved = Connection.objects.get()
        assert (saved.login_url, decrypt(saved.secret_encrypted)) == (same_host, "s3cr3t-value")

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"login_url": "http://acme.my.salesforce.com"}, "must begin with https://"),
            ({"login_url": "acme"}, "is not a login address"),
            ({"secret": ""}, "Enter the client secret"),
        ],
    )
    def test_is_refused_next_to_the_field(
        self, admin: Member, client_of: SignedIn, wrong: dict[str, str], said: str
    ) -> None:
        answer = client_of(admin).post(f"{HOME}connection/", {**FORM, **wrong})
        assert answer.status_code == 400
        assert said in answer.content.decode()

    def test_to_an_address_of_the_own_network_is_refused_when_tested(
        self, admin: Member, client_of: SignedIn
    ) -> None:
        browser = client_of(admin)
        browser.post(f"{HOME}connection/", {**FORM, "login_url": "https://10.1.2.3"})
        answer = browser.post(f"{HOME}connection/test/")
        assert answer.status_code == 400
        assert "inside a private network" in answer.content.decode()

    def test_is_not_an_analysts_to_change(self, analyst: Member, client_of: SignedIn) -> None:
        assert client_of(analyst).get(f"{HOME}connection/").status_code == 403

    def test_of_another_workspace_is_not_there(self, stranger: Member, client_of: SignedIn) -> None:
        assert client_of(stranger).get(HOME).status_code == 404


class TestTheSchedule:
    def test_is_set_within_the_tier(self, acme: Tenant, admin: Member, client_of: SignedIn) -> None:
        assert (
            client_of(admin)
            .post(f"{HOME}schedule/", {"every_minutes": "30", "reserve_percent": "20"})
            .status_code
            == 302
        )
        with context.tenant_wide(acme.id):
            assert SyncSchedule.objects.get().every_minutes == 30

    def test_offers_no_choice_on_the_starter_tier(
        self, acme: Tenant, admin: Member, client_of: SignedIn
    ) -> None:
        from isolation.actors import Actor

        with context.platform("change the tier for a test", Actor.system("tests")):
            Tenant.objects.filter(pk=acme.pk).update(tier="starter")
        answer = client_of(admin).post(f"{HOME}schedule/", {"every_minutes": "15", "reserve_percent": "20"})
        assert answer.status_code == 400
        assert "once a day" in answer.content.decode()


class TestASyncByHand:
    def test_is_queued_once_however_often_it_is_asked_for(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        connected(acme)
        browser = client_of(analyst)
        first = browser.post(f"{HOME}sync/?what=everything")
        second = browser.post(f"{HOME}sync/?what=changes")
        assert first.status_code == 302
        assert first["Location"] == second["Location"]
        page = browser.get(first["Location"]).content.decode()
        assert "Waiting for a worker" in page
        assert "progress/" in page

    def test_of_an_odd_kind_is_refused(self, acme: Tenant, analyst: Member, client_of: SignedIn) -> None:
        connected(acme)
        assert client_of(analyst).post(f"{HOME}sync/?what=all").status_code == 400

    def test_is_not_a_reps_to_start(self, rep: Member, client_of: SignedIn) -> None:
        assert client_of(rep).post(f"{HOME}sync/?what=changes").status_code == 403

    def test_shows_its_progress_until_it_is_over(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        connected(acme)
        browser = client_of(analyst)
        address = browser.post(f"{HOME}sync/?what=changes")["Location"]
        assert "hx-get" in browser.get(f"{address}progress/").content.decode()
        with context.tenant_wide(acme.id):
            SyncRun.objects.update(state=RunState.SUCCEEDED)
        assert browser.get(f"{address}progress/")["HX-Refresh"] == "true"

    def test_of_another_workspace_is_not_there(
        self, acme: Tenant, analyst: Member, stranger: Member, client_of: SignedIn
    ) -> None:
        connected(acme)
        address = client_of(analyst).post(f"{HOME}sync/?what=changes")["Location"]
        elsewhere = address.replace("acme-corp", "beta-inc")
        assert client_of(stranger).get(elsewhere).status_code == 404


class TestRowsKeptAside:
    def test_are_listed_with_field_value_and_reason(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        rejected_row(connected(acme), "006BAD")
        page = client_of(analyst).get(f"{HOME}rejected/").content.decode()
        for said in ("006BAD", "CloseDate", "2026-02-30", "CloseDate is not a date."):
            assert said in page

    def test_are_paged_and_searched(self, acme: Tenant, analyst: Member, client_of: SignedIn) -> None:
        connection = connected(acme)
        for number in range(60):
            rejected_row(connection, f"006N{number:02}")
        browser = client_of(analyst)
        assert "Next" in browser.get(f"{HOME}rejected/").content.decode()
        found = browser.get(f"{HOME}rejected/?q=006N07").content.decode()
        assert "006N07" in found
        assert "006N08" not in found

    def test_are_exported_safely_for_spreadsheets_and_audited(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        rejected_row(connected(acme), "006BAD", value="=1+1")
        sheet = b"".join(client_of(analyst).get(f"{HOME}rejected/export/").streaming_content).decode()
        assert "'=1+1" in sheet
        with context.tenant_wide(acme.id):
            assert Event.objects.filter(code="crm_sync.rejected_rows_exported").count() == 1

    def test_of_an_unknown_object_are_refused_next_to_the_filter(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        connected(acme)
        answer = client_of(analyst).get(f"{HOME}rejected/?object=Nothing")
        assert answer.status_code == 400
        assert "there is no “Nothing”" in answer.content.decode()
