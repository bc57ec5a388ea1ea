"""A real sandbox, an organisation of it for each test, and Acme connected to that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.conf import LazySettings

from crm_sync import hooks
from crm_sync.connectors.base import ObjectSpec
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.models import Connection, RejectedRow, SyncObjectResult, SyncRun
from crm_sync.services.connections import connection_save
from crm_sync.services.runs import sync_request
from isolation import context
from isolation.actors import Actor
from tenants.models import Tenant
from tests import cast
from tests.conftest import WorkerDatabase
from tests.sandbox.conftest import Client, Server, start_server

SYSTEM = Actor.system("tests.crm_sync")
ORGANISATIONS = [f"org{number}" for number in range(40)]


@dataclass
class Crm:
    """An organisation of the sandbox, the workspace that reads it, and what a test does with both."""

    client: Client
    tenant: Tenant
    heard: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def connection(self) -> Connection:
        with context.tenant_wide(self.tenant.id):
            return Connection.objects.get()

    def connect(self, *, secret: str = "") -> None:
        """Save the connection as an admin would."""
        with context.tenant_wide(self.tenant.id):
            connection_save(
                connection=Connection.objects.get(),
                login_url=self.client.base,
                client_id=f"sandbox-{self.client.org}",
                secret=secret or f"sandbox-secret-{self.client.org}",
                acting_user=SYSTEM,
            )

    def request(self, *, is_full: bool = False) -> SyncRun:
        """Queue a run."""
        with context.tenant_wide(self.tenant.id):
            return sync_request(connection=Connection.objects.get(), is_full=is_full, acting_user=SYSTEM)

    def sync(self, *, is_full: bool = False) -> SyncRun:
        """Run a sync in this process to its end, or until it is put off."""
        lease = claim(self.tenant.id, self.request(is_full=is_full).id)
        assert lease is not None
        return execute(lease, self.hear)

    def hear(self, result: SyncObjectResult, spec: ObjectSpec) -> None:
        """Listen to a run."""
        self.heard.append((result.object_name, result.is_done))

    def kept_aside(self) -> dict[str, tuple[str, str]]:
        """{row: (field, value)} of what was rejected."""
        with context.tenant_wide(self.tenant.id):
            return {row.external_id: (row.field, row.value) for row in RejectedRow.objects.all()}

    def result(self, run: SyncRun, name: str) -> SyncObjectResult:
        """What a run did with an object."""
        with context.tenant_wide(self.tenant.id):
            return SyncObjectResult.objects.get(run=run, object_name=name)  # type: ignore[no-any-return]  # untyped: the key's class hides it

    def some_deal(self, number: int = 0) -> dict[str, str]:
        """A live deal as the sandbox has it."""
        return self.client.snapshot("Opportunity")[number]


@pytest.fixture(scope="session")
def organisations() -> Iterator[Iterator[Client]]:
    """Organisations that no test knows yet; when a server's are used up, another server has more."""
    servers: list[Server] = []

    def fresh() -> Iterator[Client]:
        specs = [part for name in ORGANISATIONS for part in ("--org", f"{name}=120:7")]
        while True:
            servers.append(start_server(*specs))
            yield from (Client(servers[-1].url, name) for name in ORGANISATIONS)

    yield fresh()
    for server in servers:
        server.stop()


@pytest.fixture(autouse=True)
def quick(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses; what upper rooms do after a sync is theirs to test."""
    settings.CRM_SYNC_FIRST_PAUSE_SECONDS = 0.02
    settings.CRM_HTTP_TIMEOUT_SECONDS = 5
    monkeypatch.setattr(hooks, "_after_sync", [])


@pytest.fixture
def crm(organisations: Iterator[Client], committed: WorkerDatabase) -> Iterator[Crm]:
    """Acme, connected to an organisation that no other test knows."""
    crm = Crm(next(organisations), cast.tenant_of(cast.ACME))
    crm.connect()
    yield crm
    crm.client.control("faults/clear")


ServeFiles = Callable[..., Crm]


@pytest.fixture
def serve_files(tmp_path: Path, committed: WorkerDatabase) -> Iterator[ServeFiles]:
    """Acme, connected to an organisation made of CSV files: ``serve_files(Opportunity="Id,Name\\n1,x\\n")``."""
    servers: list[Server] = []

    def serving(**files: str) -> Crm:
        directory = tmp_path / "data"
        directory.mkdir()
        for name, text in files.items():
            (directory / f"{name}.csv").write_text(text)
        servers.append(start_server("--data", directory))
        crm = Crm(Client(servers[-1].url, "default"), cast.tenant_of(cast.ACME))
        crm.connect()
        return crm

    yield serving
    for server in servers:
        server.stop()
