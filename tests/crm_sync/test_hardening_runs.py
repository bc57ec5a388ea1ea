"""Tests of connections and runs against a real CRM: what is audited, held open, kept aside and told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.db import connection as database
from django.test import Client

from audit.models import Event
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import Lease, claim
from crm_sync.errors import ConnectionChanged
from crm_sync.models import Connection, ConnectionState, RejectedRow, RunState, SyncRun
from crm_sync.services.connections import connection_test
from isolation import context
from tenants.models import Member
from tests.conftest import WorkerDatabase
from tests.crm_sync.conftest import SYSTEM, Crm, ServeFiles
from tests.whole_path.processes import until

SignedIn = Callable[[Member], Client]
TEST = "/w/acme-corp/settings/crm/salesforce/connection/test/"


class _Crm(BaseHTTPRequestHandler):
    """Does ``on_call`` when it is called, then refuses the sign-in."""

    on_call: Callable[[], None]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        type(self).on_call()
        body = b'{"error": "invalid_client"}'
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


@pytest.fixture
def calling_back() -> Iterator[Callable[[Callable[[], None]], str]]:
    """A CRM that does something at each call; gives its address."""
    servers: list[ThreadingHTTPServer] = []

    def serving(on_call: Callable[[], None]) -> str:
        handler = type("Handler", (_Crm,), {"on_call": staticmethod(on_call)})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serving
    for server in servers:
        server.shutdown()
        server.server_close()


class TestATestOfAConnection:
    def test_that_mends_it_is_audited(self, crm: Crm, admin: Member, client_of: SignedIn) -> None:
        with context.tenant_wide(crm.tenant.id):
            Connection.objects.update(state=ConnectionState.NEEDS_ATTENTION, error_message="x")
        assert client_of(admin).post(TEST).status_code == 302
        assert (crm.connection.state, crm.connection.error_message) == (ConnectionState.ACTIVE, "")
        with context.tenant_wide(crm.tenant.id):
            event = Event.objects.get(code="crm_sync.connection_tested")
        assert event.facts["before"] == ConnectionState.NEEDS_ATTENTION
        assert (event.actor_label, "Signed in" in event.sentence) == (admin.email, True)

    def test_that_fails_says_so_and_changes_nothing(
        self, crm: Crm, admin: Member, client_of: SignedIn
    ) -> None:
        crm.connect(secret="wrong")
        answer = client_of(admin).post(TEST)
        assert answer.status_code == 400
        assert "does not accept the client id and secret" in answer.content.decode()
        with context.tenant_wide(crm.tenant.id):
            assert not Event.objects.filter(code="crm_sync.connection_tested").exists()

    def test_holds_no_transaction_while_the_crm_thinks(
        self, crm: Crm, committed: WorkerDatabase, admin: Member, client_of: SignedIn,
        calling_back: Callable[[Callable[[], None]], str],
    ) -> None:  # fmt: skip
        found: list[list[tuple[str]]] = []

        def look() -> None:
            with psycopg.connect(str(committed.services.database_admin_url)) as watcher:
                asked = watcher.execute(
                    "SELECT query FROM pg_stat_activity WHERE datname = %s AND pid = %s AND xact_start IS NOT NULL",
                    [committed.name, pid],
                )
                found.append(asked.fetchall())

        browser = client_of(admin)
        with context.tenant_wide(crm.tenant.id):
            Connection.objects.update(login_url=calling_back(look))
            with database.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                pid = cursor.fetchone()[0]
        assert browser.post(TEST).status_code == 400
        assert found == [[]]

    def test_of_what_was_changed_meanwhile_counts_for_nothing(
        self, crm: Crm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with context.tenant_wide(crm.tenant.id):
            Connection.objects.update(state=ConnectionState.NEEDS_ATTENTION)

        def checked(connection: Connection) -> str:
            with context.tenant_wide(crm.tenant.id):
                Connection.objects.filter(pk=connection.pk).update(client_id="another")
            return "Signed in."

        monkeypatch.setattr("crm_sync.services.connections._checked", checked)
        with pytest.raises(ConnectionChanged):
            connection_test(tenant_id=crm.tenant.id, source="salesforce", acting_user=SYSTEM)
        assert crm.connection.state == ConnectionState.NEEDS_ATTENTION


class TestARunThatCommits:
    """Keys are checked at commit, with a lock of their own on the row they lead to: the request for a run locks that row too."""

    def test_does_not_wait_for_a_request_that_waits_for_the_run(
        self, crm: Crm, committed: WorkerDatabase
    ) -> None:
        run = crm.request()
        outcomes: list[object] = []
        asking = threading.Thread(target=self._ask, args=[crm, outcomes])
        with context.tenant_wide(crm.tenant.id):
            SyncRun.objects.select_for_update(no_key=True).get(pk=run.pk)
            RejectedRow.objects.create(
                tenant_id=run.tenant_id, connection_id=run.connection_id, run=run, object_name="Opportunity",
                external_id="006BAD", field="Amount", value="much", reason="is no number",
            )  # fmt: skip
            asking.start()
            until("the request to wait for the run", lambda: self._waits(committed))
        asking.join()
        assert outcomes == [run.id]
        assert "006BAD" in crm.kept_aside()

    @staticmethod
    def _ask(crm: Crm, outcomes: list[object]) -> None:
        try:
            outcomes.append(crm.request(is_full=True).id)
        except OperationalError as problem:  # the server ends one of two that wait for each other
            outcomes.append(str(problem))
        finally:
            database.close()

    @staticmethod
    def _waits(committed: WorkerDatabase) -> bool:
        with psycopg.connect(str(committed.services.database_admin_url)) as watcher:
            asked = watcher.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'",
                [committed.name],
            )
            return asked.fetchone() == (1,)


USERS = "Id,Name,Email,IsActive\n005A,Rina,rina@acme.test,true\n"
DEALS = (
    "Id,Name,StageName,CloseDate,Amount,OwnerId,CreatedDate,SystemModstamp\n"
    "006GOOD,Good,Proposal,2999-12-31,1,005A,1900-01-01T00:00:00.000Z,2026-01-01T00:00:00.000Z\n"
    "006LATE,Late,Proposal,2026-12-01,1,005A,9999-12-31T23:59:59-12:00,2026-01-01T00:00:00.000Z\n"
    "006EARLY,Early,Proposal,2026-12-01,1,005A,1899-12-31T23:59:59.000Z,2026-01-01T00:00:00.000Z\n"
    "006DAY,Early day,Proposal,0001-01-01,1,005A,,2026-01-01T00:00:00.000Z\n"
    "006NEXT,Late day,Proposal,3000-01-01,1,005A,,2026-01-01T00:00:00.000Z\n"
    "006INF,Endless,Proposal,2026-12-01,Infinity,005A,,2026-01-01T00:00:00.000Z\n"
    "006NAN,No number,Proposal,2026-12-01,NaN,005A,,2026-01-01T00:00:00.000Z\n"
)


class TestARowOfAnotherAge:
    def test_is_kept_aside_with_what_would_be_right(self, serve_files: ServeFiles) -> None:
        crm = serve_files(User=USERS, Opportunity=DEALS)
        assert crm.sync().state == RunState.SUCCEEDED
        assert crm.kept_aside() == {
            "006LATE": ("CreatedDate", "9999-12-31T23:59:59-12:00"),
            "006EARLY": ("CreatedDate", "1899-12-31T23:59:59.000Z"),
            "006DAY": ("CloseDate", "0001-01-01"),
            "006NEXT": ("CloseDate", "3000-01-01"),
            "006INF": ("Amount", "Infinity"),
            "006NAN": ("Amount", "NaN"),
        }
        with context.tenant_wide(crm.tenant.id):
            late = RejectedRow.objects.get(external_id="006LATE")
        assert late.reason == "is outside the years 1900 to 2999; enter the year that was meant"


class TestTriggerSync:
    def test_shows_the_progress_of_a_run_that_a_worker_holds(
        self, crm: Crm, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("crm_sync.management.commands.trigger_sync._LOOK_EVERY_SECONDS", 0.05)
        lease = claim(crm.tenant.id, crm.request().id)
        assert lease is not None
        worker = threading.Thread(target=self._work, args=[lease, crm])
        worker.start()
        call_command("trigger_sync", customer="acme-corp", source="salesforce")
        worker.join()
        told = capsys.readouterr()
        assert "A worker has a sync of this customer" in told.err
        assert told.err.count("deals: 120 rows read") == 1
        assert "Sync succeeded" in told.out

    @staticmethod
    def _work(lease: Lease, crm: Crm) -> None:
        try:
            time.sleep(0.2)
            execute(lease, crm.hear)
        finally:
            database.close()
