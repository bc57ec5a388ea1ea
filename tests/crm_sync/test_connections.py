"""Several CRMs in one workspace: added, set up, kept apart, and removed without a trace in the other."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from audit.models import Event
from crm_sync import hooks, tasks
from crm_sync.errors import ConnectionExists, OtherRunActive
from crm_sync.models import (
    Account,
    CheckedMonth,
    Connection,
    ContractViolation,
    RejectedRow,
    RunKind,
    RunState,
    RunTrigger,
    SyncCursor,
    SyncObjectResult,
    SyncRun,
    SyncSchedule,
)
from crm_sync.pruning import Pruned, prune
from crm_sync.secrets import decrypt
from crm_sync.services.connections import connection_add, connection_begin
from crm_sync.services.removal import mirror_rows_remove, mirrors_left_behind
from crm_sync.services.runs import sync_request
from isolation import context
from isolation.actors import Actor
from isolation.errors import Forbidden
from rbac.selectors import actor_of
from tenants.models import Member, Tenant

pytestmark = pytest.mark.django_db
SignedIn = Callable[[Member], Client]
SYSTEM = Actor.system("tests.connections")
LIST = "/w/acme-corp/settings/crm/"
SALESFORCE, HUBSPOT = f"{LIST}salesforce/", f"{LIST}hubspot/"
TOKEN = {"token": "pat-na1-s3cr3t", "webhook_secret": "h00k-s3cr3t", "login_url": "https://api.hubapi.com"}


def add_hubspot(acme: Tenant) -> Connection:
    with context.tenant_wide(acme.id):
        return connection_add(tenant=acme, source="hubspot", acting_user=SYSTEM)


def connected(acme: Tenant, source: str = "salesforce") -> Connection:
    with context.tenant_wide(acme.id):
        Connection.objects.filter(source=source).update(state="active")
        return Connection.objects.get(source=source)  # type: ignore[no-any-return]  # untyped: the key's class hides it


def run_of(connection: Connection, **values: object) -> SyncRun:
    values = {"trigger": RunTrigger.MANUAL, "requested_by": "x", "state": RunState.SUCCEEDED, **values}
    with context.tenant_wide(connection.tenant_id):
        return SyncRun.objects.create(tenant_id=connection.tenant_id, connection=connection, **values)  # type: ignore[no-any-return]  # as above


def account(acme: Tenant, source: str) -> None:
    with context.tenant_wide(acme.id):
        Account.objects.create(
            tenant=acme, source=source, external_id="A1", name=f"of {source}", modified_at=Now()
        )


class TestAddingACrm:
    def test_gives_it_a_connection_and_a_schedule_of_the_tier(
        self, acme: Tenant, admin: Member, client_of: SignedIn
    ) -> None:
        browser = client_of(admin)
        assert "Add HubSpot" in browser.get(LIST).content.decode()
        answer = browser.post(f"{LIST}add/?source=hubspot")
        assert answer["Location"] == f"{HUBSPOT}connection/"
        with context.tenant_wide(acme.id):
            added = Connection.objects.get(source="hubspot")
            assert (added.sign_in, added.state) == ("token", "new")
            assert SyncSchedule.objects.get(connection=added).every_minutes == 15
            assert Event.objects.filter(code="crm_sync.connection_added").count() == 1
        assert "Add HubSpot" not in browser.get(LIST).content.decode()

    def test_of_a_kind_that_is_there_is_refused(self, acme: Tenant) -> None:
        with (
            context.tenant_wide(acme.id),
            pytest.raises(ConnectionExists, match="Salesforce connection already"),
        ):
            connection_add(tenant=acme, source="salesforce", acting_user=SYSTEM)

    def test_that_cannot_be_read_is_refused(self, admin: Member, client_of: SignedIn) -> None:
        answer = client_of(admin).post(f"{LIST}add/?source=dynamics")
        assert answer.status_code == 400
        assert "Use one of: salesforce, hubspot." in answer.content.decode()

    def test_is_not_an_analysts_to_do(self, acme: Tenant, analyst: Member, client_of: SignedIn) -> None:
        with context.tenant_wide(acme.id), pytest.raises(Forbidden):
            connection_add(tenant=acme, source="hubspot", acting_user=actor_of(analyst))
        assert "Add HubSpot" not in client_of(analyst).get(LIST).content.decode()


class TestHubspotsToken:
    def test_is_stored_encrypted_and_never_shown(
        self, acme: Tenant, admin: Member, client_of: SignedIn
    ) -> None:
        add_hubspot(acme)
        browser = client_of(admin)
        assert browser.post(f"{HUBSPOT}connection/", TOKEN).status_code == 302
        page = browser.get(f"{HUBSPOT}connection/").content.decode()
        assert "A token is stored" in page
        assert "/hooks/hubspot/acme-corp/" in page
        assert "crm.objects.deals.read" in page
        with context.tenant_wide(acme.id):
            saved = Connection.objects.get(source="hubspot")
            told = str([event.facts for event in Event.objects.all()])
        assert decrypt(saved.secret_encrypted) == TOKEN["token"]
        assert decrypt(saved.webhook_secret_encrypted) == TOKEN["webhook_secret"]
        assert "s3cr3t" not in page + told

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"login_url": "https://elsewhere.example"}, "Enter the token again"),
            ({"login_url": "http://api.hubapi.com"}, "must begin with https://"),
        ],
    )
    def test_is_not_sent_to_another_host(
        self, acme: Tenant, admin: Member, client_of: SignedIn, changed: dict[str, str], said: str
    ) -> None:
        add_hubspot(acme)
        browser = client_of(admin)
        browser.post(f"{HUBSPOT}connection/", TOKEN)
        answer = browser.post(f"{HUBSPOT}connection/", {**TOKEN, "token": "", **changed})
        assert answer.status_code == 400
        assert said in answer.content.decode()

    def test_is_kept_with_its_webhook_secret_where_both_are_left_empty(
        self, acme: Tenant, admin: Member, client_of: SignedIn
    ) -> None:
        add_hubspot(acme)
        browser = client_of(admin)
        browser.post(f"{HUBSPOT}connection/", TOKEN)
        browser.post(f"{HUBSPOT}connection/", {**TOKEN, "token": "", "webhook_secret": ""})
        with context.tenant_wide(acme.id):
            saved = Connection.objects.get(source="hubspot")
        assert decrypt(saved.secret_encrypted) == TOKEN["token"]
        assert decrypt(saved.webhook_secret_encrypted) == TOKEN["webhook_secret"]

    def test_must_be_entered_first(self, acme: Tenant, admin: Member, client_of: SignedIn) -> None:
        add_hubspot(acme)
        answer = client_of(admin).post(f"{HUBSPOT}connection/", {**TOKEN, "token": ""})
        assert "Enter the access token" in answer.content.decode()


class TestTwoCrms:
    def test_do_not_show_each_others_runs_and_rows(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        add_hubspot(acme)
        here, there = connected(acme), connected(acme, "hubspot")
        run, other = run_of(here), run_of(there, state=RunState.FAILED, error_code="timeout")
        with context.tenant_wide(acme.id):
            RejectedRow.objects.create(
                tenant=acme, connection=there, run=other, object_name="deals", external_id="HS-1", field="amount", value="x", reason="is not a number",
            )  # fmt: skip
        browser = client_of(analyst)
        assert browser.get(f"{SALESFORCE}runs/{run.id}/").status_code == 200
        assert browser.get(f"{SALESFORCE}runs/{other.id}/").status_code == 404
        assert browser.get(f"{SALESFORCE}runs/{other.id}/progress/").status_code == 404
        assert "HS-1" not in browser.get(f"{SALESFORCE}rejected/").content.decode()
        assert "HS-1" in browser.get(f"{HUBSPOT}rejected/").content.decode()
        assert len(browser.get(f"{SALESFORCE}runs/").context["page"].table.rows) == 1

    def test_are_synced_at_the_same_time(self, acme: Tenant, analyst: Member, client_of: SignedIn) -> None:
        add_hubspot(acme)
        connected(acme), connected(acme, "hubspot")
        browser = client_of(analyst)
        for home in (SALESFORCE, HUBSPOT):
            assert browser.post(f"{home}sync/?what=changes").status_code == 302
        with context.tenant_wide(acme.id):
            assert SyncRun.objects.filter(state=RunState.QUEUED).count() == 2

    def test_of_which_one_is_missing_answer_404(self, admin: Member, client_of: SignedIn) -> None:
        browser = client_of(admin)
        for address in ("", "runs/", "rejected/", "checked/", "connection/", "schedule/"):
            assert browser.get(f"{HUBSPOT}{address}").status_code == 404
            assert browser.get(f"{LIST}dynamics/{address}").status_code == 404


class TestRemovingACrm:
    def full(self, acme: Tenant) -> Connection:
        """A connection with everything that may hang on one, beside Salesforce's own."""
        connection = add_hubspot(acme)
        run = run_of(connection)
        own = {"tenant_id": acme.id, "connection_id": connection.id}
        with context.tenant_wide(acme.id):
            SyncObjectResult.objects.create(tenant=acme, run=run, object_name="deals", position=1)
            SyncCursor.objects.create(**own, object_name="deals")
            RejectedRow.objects.create(
                **own, run=run, object_name="deals", external_id="1", field="a", reason="b"
            )
            ContractViolation.objects.create(**own, object_name="deals", field="a", kind="type")
            CheckedMonth.objects.create(
                **own, object_name="deals", crm_rows=1, mirror_rows=1, crm_checksum="1", mirror_checksum="1"
            )
        for source in ("salesforce", "hubspot"):
            account(acme, source)
        return connection

    def test_takes_its_name_typed(self, acme: Tenant, admin: Member, client_of: SignedIn) -> None:
        self.full(acme)
        browser = client_of(admin)
        answer = browser.post(f"{HUBSPOT}connection/remove/", {"confirmation": "yes"})
        assert (answer.status_code, "Type HubSpot" in answer.content.decode()) == (400, True)
        with context.tenant_wide(acme.id):
            assert Connection.objects.filter(source="hubspot").exists()

    def test_leaves_nothing_of_it_and_all_of_the_other(
        self, acme: Tenant, admin: Member, client_of: SignedIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.full(acme)
        told: list[int] = []
        monkeypatch.setattr(hooks, "_after_removal", [told.append])
        kept = run_of(connected(acme))
        answer = client_of(admin).post(f"{HUBSPOT}connection/remove/", {"confirmation": "hubspot "})
        assert answer["Location"] == LIST
        with context.platform("look", SYSTEM):
            assert mirrors_left_behind(["salesforce", "hubspot"]) == [(acme.id, "hubspot")]
        assert mirror_rows_remove(acme.id, "hubspot") == 1
        with context.tenant_wide(acme.id):
            left = (SyncCursor, RejectedRow, ContractViolation, CheckedMonth, SyncObjectResult)
            assert [model.__name__ for model in left if model.objects.exists()] == []
            assert [run.id for run in SyncRun.objects.all()] == [kept.id]
            assert [one.name for one in Account.objects.all()] == ["of salesforce"]
            assert Connection.objects.get().source == "salesforce"
            assert SyncSchedule.objects.count() == 1
            event = Event.objects.get(code="crm_sync.connection_removed")
        assert (event.facts["runs"], told) == (1, [acme.id])

    def test_does_not_touch_a_mirror_that_is_connected_again(self, acme: Tenant) -> None:
        add_hubspot(acme)
        account(acme, "hubspot")
        assert mirror_rows_remove(acme.id, "hubspot") == 0
        with context.tenant_wide(acme.id):
            assert Account.objects.count() == 1

    def test_wakes_the_job_that_removes_the_mirror(
        self, acme: Tenant, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Callable[..., object]
    ) -> None:  # fmt: skip
        account(acme, "hubspot")
        asked: list[dict[str, object]] = []
        monkeypatch.setattr(tasks.mirror_forget, "delay", lambda **values: asked.append(values))
        with django_capture_on_commit_callbacks(execute=True):  # type: ignore[attr-defined]  # a context manager
            tasks.removals()
        assert asked == [{"tenant_id": acme.id, "source": "hubspot"}]


class TestARunOfAnotherKind:
    def test_is_asked_for_by_its_button(self, acme: Tenant, analyst: Member, client_of: SignedIn) -> None:
        connected(acme)
        page = client_of(analyst).post(f"{SALESFORCE}sync/?what=comparison", follow=True).content.decode()
        assert "Comparison" in page
        with context.tenant_wide(acme.id):
            assert SyncRun.objects.get().kind == RunKind.CHECK

    def test_waits_until_the_one_at_work_has_ended(self, acme: Tenant) -> None:
        connection = connected(acme)
        run_of(connection, state=RunState.QUEUED)
        with context.tenant_wide(acme.id), pytest.raises(OtherRunActive, match="sync"):
            sync_request(connection=connection, is_full=False, kind=RunKind.CHECK, acting_user=SYSTEM)


class TestTheConnectionsPage:
    def page(self, acme: Tenant, analyst: Member, client_of: SignedIn, **values: object) -> str:
        connected(acme)
        with context.tenant_wide(acme.id):
            Connection.objects.update(**values)
            SyncSchedule.objects.update(due_at=Now() + timedelta(minutes=5))
        return client_of(analyst).get(SALESFORCE).content.decode()

    def test_says_that_all_is_well(self, acme: Tenant, analyst: Member, client_of: SignedIn) -> None:
        now = timezone.now()
        page = self.page(
            acme, analyst, client_of, last_synced_at=now, api_calls_used=70_000, api_calls_limit=100_000, api_calls_seen_at=now
        )  # fmt: skip
        assert "Salesforce is healthy: last read" in page
        assert "70,000 of 100,000 calls used, 10,000 left for the sync" in page
        assert "20,000 (20 %) are kept for other programs" in page

    def test_says_what_to_do_where_it_is_not(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        page = self.page(
            acme, analyst, client_of, state="needs_attention", error_code="sign_in_invalid_grant", error_message="Not accepted."
        )  # fmt: skip
        assert "cannot be read until somebody mends" in page
        assert "Needs attention: Sign-in or rights." in page
        assert "Check the address, the credentials" in page

    def test_says_that_a_sync_is_late(self, acme: Tenant, analyst: Member, client_of: SignedIn) -> None:
        late = timezone.now() - timedelta(hours=5)
        assert "although it is due every 15 minutes" in self.page(
            acme, analyst, client_of, last_synced_at=late
        )

    def test_says_when_a_run_goes_on_whose_budget_is_spent(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        run_of(
            connected(acme), state=RunState.QUEUED, started_at=Now(), error_code="budget_spent", error_message="All used.",
            ready_at=timezone.now() + timedelta(hours=1),
        )  # fmt: skip
        page = client_of(analyst).get(SALESFORCE).content.decode()
        assert "calls are used up for now; the sync goes on at" in page
        assert "It goes on at" in page

    def test_offers_no_buttons_to_who_may_not_press_them(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        page = self.page(acme, analyst, client_of)
        assert "Sync now" in page
        for button in ("connection/test/", "schedule/pause/", "Remove"):
            assert button not in page

    def test_pauses_and_goes_on(self, acme: Tenant, admin: Member, client_of: SignedIn) -> None:
        connected(acme)
        browser = client_of(admin)
        page = browser.post(f"{SALESFORCE}schedule/pause/?is=1", follow=True).content.decode()
        assert "Resume" in page
        with context.tenant_wide(acme.id):
            assert SyncSchedule.objects.get().is_paused
        browser.post(f"{SALESFORCE}schedule/pause/?is=0")
        assert browser.post(f"{SALESFORCE}schedule/pause/?is=2").status_code == 400
        with context.tenant_wide(acme.id):
            assert not SyncSchedule.objects.get().is_paused


class TestTheReserve:
    @pytest.mark.parametrize(("given", "status", "kept"), [("35", 302, 35), ("91", 400, 20), ("-1", 400, 20)])
    def test_is_set_between_0_and_90(
        self, acme: Tenant, admin: Member, client_of: SignedIn, given: str, status: int, kept: int
    ) -> None:
        answer = client_of(admin).post(
            f"{SALESFORCE}schedule/", {"every_minutes": "30", "reserve_percent": given}
        )
        assert answer.status_code == status
        with context.tenant_wide(acme.id):
            assert Connection.objects.get().reserve_percent == kept
            assert Event.objects.filter(code="crm_sync.reserve_set").count() == int(kept != 20)


class TestTheRuns:
    def test_are_filtered_by_the_class_of_their_failure(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        connection = connected(acme)
        for code in ("timeout", "field_missing", ""):
            run_of(connection, error_code=code, state=RunState.FAILED if code else RunState.SUCCEEDED)
        browser = client_of(analyst)
        rows = browser.get(f"{SALESFORCE}runs/?failure=schema").context["page"].table.rows
        assert [row.failure for row in rows] == ["Schema mismatch"]
        assert browser.get(f"{SALESFORCE}runs/?failure=weather").status_code == 400

    def test_are_exported_with_their_classes(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        run_of(connected(acme), error_code="timeout", state=RunState.FAILED)
        sheet = b"".join(client_of(analyst).get(f"{SALESFORCE}runs/export/").streaming_content).decode(
            "utf-8-sig"
        )
        (line,) = csv.DictReader(io.StringIO(sheet))
        assert (line["error_class"], line["kind"]) == ("timeout", "sync")

    def test_show_how_many_rows_a_second_they_read(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        run = run_of(connected(acme), rows_read=3000)
        with context.tenant_wide(acme.id):
            SyncObjectResult.objects.create(
                tenant=acme, run=run, object_name="Account", position=1, rows_read=3000, seconds=2
            )
        (row,) = client_of(analyst).get(SALESFORCE).context["page"].runs.rows
        assert row.pace == "1,500"


class TestTheComparison:
    def test_lists_what_differed_first_and_exports_it(
        self, acme: Tenant, analyst: Member, client_of: SignedIn
    ) -> None:
        connection = connected(acme)
        with context.tenant_wide(acme.id):
            Connection.objects.update(checked_at=Now())
            for month, here in ((date(2026, 3, 1), 5), (date(2026, 2, 1), 3), (None, 5)):
                CheckedMonth.objects.create(
                    tenant=acme, connection=connection, object_name="Opportunity", month=month, crm_rows=5, mirror_rows=here,
                    crm_checksum="5", mirror_checksum=str(here), healed_rows=5 - here,
                )  # fmt: skip
        browser = client_of(analyst)
        answer = browser.get(f"{SALESFORCE}checked/")
        assert [row.month for row in answer.context["page"].table.rows] == ["Feb 2026", "Mar 2026", "No date"]
        assert "1 of 3 months differed; 2 rows mended." in answer.content.decode()
        assert len(browser.get(f"{SALESFORCE}checked/?state=differed").context["page"].table.rows) == 1
        sheet = b"".join(browser.get(f"{SALESFORCE}checked/export/").streaming_content).decode("utf-8-sig")
        assert [line["healed_rows"] for line in csv.DictReader(io.StringIO(sheet))] == ["2", "0", "0"]
        assert "2 rows mended" in browser.get(SALESFORCE).content.decode()


class TestPruning:
    def test_keeps_the_newest_runs_the_rows_kept_aside_and_what_is_at_work(
        self, acme: Tenant, settings: object
    ) -> None:
        settings.CRM_SYNC_RUNS_KEPT_AT_LEAST = 2  # type: ignore[attr-defined]  # pytest-django's proxy takes any name
        connection, old = connected(acme), timezone.now() - timedelta(days=91)
        runs = [run_of(connection, requested_at=old + timedelta(minutes=number)) for number in range(6)]
        young = run_of(connection, requested_at=timezone.now() - timedelta(days=89))
        with context.tenant_wide(acme.id):
            SyncObjectResult.objects.create(tenant=acme, run=runs[0], object_name="Account", position=1)
            RejectedRow.objects.create(
                tenant=acme,
                connection=connection,
                run=runs[1],
                object_name="A",
                external_id="1",
                field="f",
                reason="r",
            )
            SyncRun.objects.filter(pk=runs[2].pk).update(state=RunState.QUEUED)
        with context.platform("prune", SYSTEM):
            assert prune() == Pruned(runs=3)
        with context.tenant_wide(acme.id):
            assert set(SyncRun.objects.all()) == {runs[1], runs[2], runs[5], young}
            assert not SyncObjectResult.objects.exists()
            assert RejectedRow.objects.count() == 1

    def test_forgets_violations_a_year_after_they_are_over(self, acme: Tenant) -> None:
        connection = connected(acme)
        with context.tenant_wide(acme.id):
            for field, days in (("old", 366), ("young", 364), ("open", None)):
                over = None if days is None else timezone.now() - timedelta(days=days)
                ContractViolation.objects.create(
                    tenant=acme,
                    connection=connection,
                    object_name="A",
                    field=field,
                    kind="type",
                    resolved_at=over,
                )
        with context.platform("prune", SYSTEM):
            assert prune().violations == 1
        with context.tenant_wide(acme.id):
            assert set(ContractViolation.objects.values_list("field", flat=True)) == {"young", "open"}


def test_a_connection_begins_as_its_tier_has_it(acme: Tenant) -> None:
    with context.tenant_wide(acme.id):
        connection, schedule = connection_begin(acme, "hubspot")
    assert (connection.login_url, schedule.every_minutes) == ("https://api.hubapi.com", 15)
