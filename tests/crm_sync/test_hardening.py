"""The stored secret stays where it belongs, odd addresses are refused where they are typed, and nobody waits for the dispatcher."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.conf import LazySettings
from django.db.models.functions import Now
from django.test import Client

from accounts.services import user_create
from alerts.registry import find
from crm_sync import http
from crm_sync.addresses import Origin, origin_of
from crm_sync.connectors import OPENERS
from crm_sync.connectors.base import ConfigurationProblem
from crm_sync.connectors.salesforce.signing_in import Credentials
from crm_sync.connectors.salesforce.source import SalesforceSource
from crm_sync.engine.execute import _give_back
from crm_sync.engine.lease import claim
from crm_sync.errors import ConnectorMissing
from crm_sync.models import Connection, Owner, RunTrigger, SyncRun, SyncSchedule
from crm_sync.secrets import decrypt
from crm_sync.services.connections import connection_save
from crm_sync.services.runs import sync_request
from crm_sync.services.schedules import sync_schedule_set
from crm_sync.waking import DISPATCH_JOB
from isolation import context, jobs
from isolation.actors import Actor
from isolation.models import PeriodicJob
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_add

pytestmark = pytest.mark.django_db
SignedIn = Callable[[Member], Client]
SYSTEM = Actor.system("tests.hardening")
HOME = "/w/acme-corp/settings/crm/salesforce/"
HUBSPOT = "/w/acme-corp/settings/crm/hubspot/"
FORM = {"login_url": "https://acme.my.salesforce.com", "client_id": "3MVG9", "secret": "s3cr3t-value"}
ODD_ADDRESSES = [
    "https://[", "https://\u2100.com", "https://x:abc", "https://x:99999999", f"https://{'a' * 70}.com", "https://a..b",
    "https://xn--.com", "https://a b.com", "https://a\\b.com", "https://:pw@a.com", "https://", "ftp://a.com",
]  # fmt: skip


@pytest.fixture
def browser(admin: Member, client_of: SignedIn) -> Client:
    """Acme's admin, with a connection that is saved."""
    browser = client_of(admin)
    assert browser.post(f"{HOME}connection/", FORM).status_code == 302
    return browser


def saved(tenant: Tenant) -> Connection:
    with context.tenant_wide(tenant.id):
        return Connection.objects.get()  # type: ignore[no-any-return]  # untyped: TenantManager's class is a parameter


class TestTheStoredSecret:
    @pytest.mark.parametrize(
        "changed",
        [
            {"login_url": "https://evil.example.com"},
            {"login_url": "https://acme.my.salesforce.com:8443"},
            {"login_url": "http://127.0.0.1"},
            {"client_id": "another"},
        ],
    )
    def test_must_be_entered_again_for_another_host_or_client(
        self, browser: Client, acme: Tenant, changed: dict[str, str]
    ) -> None:
        answer = browser.post(f"{HOME}connection/", {**FORM, "secret": "", **changed})
        assert answer.status_code == 400
        assert "Enter the client secret again" in answer.content.decode()
        kept = saved(acme)
        assert (kept.login_url, kept.client_id) == (FORM["login_url"], FORM["client_id"])

    def test_goes_with_a_new_host_once_it_is_entered(self, browser: Client, acme: Tenant) -> None:
        moved = {**FORM, "login_url": "https://other.my.salesforce.com", "secret": "new"}
        assert browser.post(f"{HOME}connection/", moved).status_code == 302
        assert decrypt(saved(acme).secret_encrypted) == "new"


class TestAnOddAddress:
    @pytest.mark.parametrize("address", ODD_ADDRESSES)
    def test_is_refused_next_to_the_field(self, browser: Client, address: str) -> None:
        answer = browser.post(f"{HOME}connection/", {**FORM, "login_url": address})
        assert answer.status_code == 400
        assert "is not a login address" in answer.content.decode()

    @pytest.mark.parametrize("address", ODD_ADDRESSES)
    def test_that_was_stored_before_is_a_refusal_when_tested(
        self, browser: Client, acme: Tenant, address: str, settings: LazySettings
    ) -> None:
        settings.CRM_ALLOWED_PRIVATE_HOSTS = []
        with context.tenant_wide(acme.id):
            Connection.objects.update(login_url=address)
        assert browser.post(f"{HOME}connection/test/").status_code == 400

    def test_of_a_host_that_cannot_be_is_a_configuration_problem(self) -> None:
        with pytest.raises(ConfigurationProblem):
            http.public_address("a" * 70, 443)
        with pytest.raises(ConfigurationProblem):
            http.host_of(httpx.URL("https://xn--"))
        with pytest.raises(ConfigurationProblem):
            SalesforceSource(Credentials("https://x:abc", "c", "s"))

    def test_is_told_from_a_good_one(self) -> None:
        assert origin_of("HTTPS://Acme.COM/x") == Origin("https", "acme.com", 443)
        assert origin_of("https://b\u00fccher.de:8443") == Origin("https", "xn--bcher-kva.de", 8443)
        assert origin_of("http://[::1]") == Origin("http", "::1", 80)


@pytest.fixture
def hubspot(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """Acme, as if it had been provisioned for HubSpot before there was a connector, with a run from when nobody refused one."""
    monkeypatch.delitem(OPENERS, "hubspot")
    with context.tenant_wide(acme.id):
        Connection.objects.update(source="hubspot")
        SyncRun.objects.create(
            tenant=acme, connection=Connection.objects.get(), trigger=RunTrigger.MANUAL, requested_by="x"
        )
    return acme


class TestACrmWithoutAConnector:
    def test_is_told_without_forms_that_cannot_work(
        self, hubspot: Tenant, admin: Member, client_of: SignedIn
    ) -> None:
        answer = client_of(admin).get(HUBSPOT)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "There is no HubSpot connector yet" in page
        for address in ("connection/", "schedule/", "sync/", "progress/"):
            assert f"{HUBSPOT}{address}" not in page

    def test_still_shows_an_old_run(self, hubspot: Tenant, admin: Member, client_of: SignedIn) -> None:
        with context.tenant_wide(hubspot.id):
            run = SyncRun.objects.get()
        assert client_of(admin).get(f"{HUBSPOT}runs/{run.id}/").status_code == 200

    @pytest.mark.parametrize(
        "address", ["connection/", "connection/test/", "schedule/", "sync/?what=changes"]
    )
    def test_cannot_be_set_up_or_synced(
        self, hubspot: Tenant, admin: Member, client_of: SignedIn, address: str
    ) -> None:
        answer = client_of(admin).post(f"{HUBSPOT}{address}", {**FORM, "every_minutes": "30"})
        assert answer.status_code == 409
        assert "There is no HubSpot connector yet" in answer.content.decode()

    def test_is_refused_by_the_services_themselves(self, hubspot: Tenant) -> None:
        with context.tenant_wide(hubspot.id), pytest.raises(ConnectorMissing):
            connection_save(connection=Connection.objects.get(), acting_user=SYSTEM, **FORM)
        with context.tenant_wide(hubspot.id), pytest.raises(ConnectorMissing):
            sync_request(connection=Connection.objects.get(), is_full=False, acting_user=SYSTEM)


@pytest.fixture
def connection(acme: Tenant) -> Iterator[Connection]:
    """Acme's connection, saved, inside its context; the dispatcher's next turn is far away."""
    with context.tenant_wide(acme.id):
        connection_save(connection=Connection.objects.get(), acting_user=SYSTEM, **FORM)
        put_dispatcher_off()
        yield Connection.objects.get()


def put_dispatcher_off() -> None:
    with context.shared_tables():
        PeriodicJob.objects.get_or_create(code=DISPATCH_JOB)
        PeriodicJob.objects.update(due_at=Now() + timedelta(hours=1))


def is_dispatcher_due() -> bool:
    with context.shared_tables():
        return PeriodicJob.objects.filter(code=DISPATCH_JOB, due_at__lte=Now()).exists()


def request_sync(connection: Connection, **values: Any) -> SyncRun:
    return sync_request(connection=connection, is_full=False, acting_user=SYSTEM, **values)


class TestTheDispatcher:
    def test_takes_its_own_turns_rarely(self) -> None:
        assert jobs.all_jobs()[DISPATCH_JOB].every >= timedelta(seconds=15)

    def test_is_woken_by_a_request_and_by_a_second_one(self, connection: Connection) -> None:
        for _ in range(2):
            put_dispatcher_off()
            request_sync(connection)
            assert is_dispatcher_due()

    def test_sleeps_on_for_a_run_that_its_caller_does(self, connection: Connection) -> None:
        request_sync(connection, hold_back=timedelta(minutes=1))
        assert not is_dispatcher_due()

    def test_is_woken_by_a_connection_and_a_schedule(self, connection: Connection) -> None:
        connection_save(connection=connection, acting_user=SYSTEM, **FORM)
        assert is_dispatcher_due()
        put_dispatcher_off()
        sync_schedule_set(
            schedule=SyncSchedule.objects.get(), every_minutes=30, is_paused=False, acting_user=SYSTEM
        )
        assert is_dispatcher_due()

    def test_is_woken_when_a_run_makes_room_for_others(self, connection: Connection) -> None:
        run = request_sync(connection, hold_back=timedelta(minutes=1))
        lease = claim(run.tenant_id, run.id)
        assert lease is not None
        _give_back(lease)
        assert is_dispatcher_due()


class TestANewMember:
    def test_sees_the_own_deals_at_once(self, acme: Tenant) -> None:
        user = user_create(email="nina@acme.test", name="Nina", password=None, acting_user=SYSTEM)
        with context.tenant_wide(acme.id):
            Owner.objects.create(
                tenant=acme, source="salesforce", external_id="005NINA", modified_at=Now(), name="Nina",
                email="Nina@acme.test",
            )  # fmt: skip
            member = member_add(tenant=acme, user=user, role=RoleCode.SALES_REP, acting_user=SYSTEM)
            assert Owner.objects.get(external_id="005NINA").member_id == member.id


def test_the_metric_reads_well_before_its_unit() -> None:
    metric = find("crm_sync.sync_delay_minutes")
    assert metric is not None
    assert metric.sentence == "Time since the CRM was last read completely"
