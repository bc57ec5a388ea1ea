"""A real sandbox, a portal of it for each test, and Acme connected to that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import pytest
from django.conf import LazySettings
from django.db.models.functions import Now

from crm_sync.connectors.base import ObjectSpec
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.models import (
    Connection,
    ConnectionState,
    RejectedRow,
    RunKind,
    SignIn,
    SyncObjectResult,
    SyncRun,
    SyncSchedule,
)
from crm_sync.secrets import encrypt
from crm_sync.services.runs import sync_request
from isolation import context
from isolation.actors import Actor
from tenants.models import Tenant
from tests import cast
from tests.conftest import WorkerDatabase
from tests.sandbox.conftest import start_server
from tests.sandbox.hubspot.conftest import LIMITS, Portal

SYSTEM = Actor.system("tests.crm_sync.hubspot")
WEBHOOK_SECRET = "the app's client secret"


@dataclass
class Hub:
    """A portal of the sandbox, the workspace that reads it, and what a test does with both."""

    portal: Portal
    tenant: Tenant

    @property
    def connection(self) -> Connection:
        with context.tenant_wide(self.tenant.id):
            return Connection.objects.get()  # type: ignore[no-any-return]  # untyped: the key's class hides it

    def connect(self, token: str = "") -> None:
        """Make Acme's connection one to the portal, which is read on request only."""
        with context.tenant_wide(self.tenant.id):
            SyncSchedule.objects.update(due_at=Now() + timedelta(days=1))
            Connection.objects.update(
                source="hubspot", sign_in=SignIn.TOKEN, state=ConnectionState.ACTIVE,
                login_url=f"{self.portal.base}/portals/{self.portal.name}",
                secret_encrypted=encrypt(token or self.portal.facts["token"]),
                webhook_secret_encrypted=encrypt(WEBHOOK_SECRET),
            )  # fmt: skip

    def request(self, *, is_full: bool = False, kind: RunKind = RunKind.SYNC) -> SyncRun:
        """Queue a run."""
        with context.tenant_wide(self.tenant.id):
            return sync_request(
                connection=Connection.objects.get(), is_full=is_full, kind=kind, acting_user=SYSTEM
            )

    def sync(self, *, is_full: bool = False) -> SyncRun:
        """Run a sync in this process to its end, or until it is put off."""
        return self.work(self.request(is_full=is_full))

    def work(self, run: SyncRun) -> SyncRun:
        """Work on a queued run."""
        lease = claim(self.tenant.id, run.id)
        assert lease is not None
        return execute(lease, self.hear)

    def hear(self, result: SyncObjectResult, spec: ObjectSpec) -> None:
        """Listen to a run."""

    def result(self, run: SyncRun, name: str) -> SyncObjectResult:
        """What a run did with an object."""
        with context.tenant_wide(self.tenant.id):
            return SyncObjectResult.objects.get(run=run, object_name=name)  # type: ignore[no-any-return]  # untyped: the key's class hides it

    def kept_aside(self) -> dict[str, tuple[str, str]]:
        """{row: (field, value)} of what was rejected."""
        with context.tenant_wide(self.tenant.id):
            return {row.external_id: (row.field, row.value) for row in RejectedRow.objects.all()}

    def some_deal(self, number: int = 0) -> str:
        """The id of a live deal."""
        return str(self.portal.snapshot("deals")[number]["id"])

    def calls(self) -> dict[str, int]:
        """{address: calls that succeeded} since the portal's traffic was forgotten."""
        found: dict[str, int] = {}
        for each in self.portal.look("stats")["calls"]:
            if each["status"] < 300:
                found[each["path"]] = found.get(each["path"], 0) + each["calls"]
        return found


_LOT = 30


@pytest.fixture(scope="session")
def unused_portals(worker_id: str) -> Iterator[Iterator[Portal]]:
    """Portals that no other test knows, without end: a sandbox with another lot of them starts when the last lot is used up.

    Names are this worker's own: a portal's number comes from its name, and its limits are kept under the number.
    """
    with ExitStack() as servers:

        def portals() -> Iterator[Portal]:
            for lot in count():
                names = [f"hub-{worker_id}-{lot}-{number}" for number in range(_LOT)]
                server = start_server(
                    "--scale", "5", *(part for name in names for part in ("--portal", f"{name}=60:9"))
                )
                servers.callback(server.stop)
                yield from (Portal(server.url, name) for name in names)

        yield portals()


@pytest.fixture(autouse=True)
def quick_hubspot(settings: LazySettings) -> None:
    """No limits that quick tests would wait for."""
    settings.CRM_HUBSPOT_SEARCHES_PER_SECOND = 1000


def connected(portals: Iterator[Portal]) -> Hub:
    """Acme, connected to the next of these portals, committed."""
    hub = Hub(next(portals), cast.tenant_of(cast.ACME))
    hub.portal.control("switches", **LIMITS)
    hub.connect()
    return hub


@pytest.fixture
def hub(unused_portals: Iterator[Portal], committed: WorkerDatabase) -> Iterator[Hub]:
    """Acme, connected to a portal that no other test knows."""
    hub = connected(unused_portals)
    yield hub
    hub.portal.control("faults/clear")
