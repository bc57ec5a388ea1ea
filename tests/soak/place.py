"""One workspace that reads two CRMs, and a sandbox that is both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from crm_sync.models import Connection, SyncRun
from crm_sync.services.connections import connection_add, connection_save, connection_token_save
from isolation import context
from isolation.actors import Actor
from tenants.models import Tenant
from tests import cast
from tests.sandbox.conftest import Client, start_server
from tests.sandbox.hubspot.conftest import Portal
from tests.whole_path.processes import until

SYSTEM = Actor.system("tests.soak")
ORGANISATION, PORTAL = "soaked=200:11", "soaked-portal=200:12"


@dataclass
class Place:
    """The workspace, the organisation, the portal."""

    client: Client
    portal: Portal
    tenant: Tenant

    def connections(self) -> list[Connection]:
        """Both connections, as they stand."""
        with context.tenant_wide(self.tenant.id):
            return list(Connection.objects.order_by("source"))

    def connect(self) -> None:
        """Set both up as an admin would."""
        with context.tenant_wide(self.tenant.id):
            salesforce = Connection.objects.get(source="salesforce")
            connection_save(
                connection=salesforce, login_url=self.client.base, client_id=f"sandbox-{self.client.org}",
                secret=f"sandbox-secret-{self.client.org}", acting_user=SYSTEM,
            )  # fmt: skip
            hubspot = connection_add(tenant=self.tenant, source="hubspot", acting_user=SYSTEM)
            connection_token_save(
                connection=hubspot, login_url=f"{self.portal.base}/portals/{self.portal.name}",
                token=self.portal.facts["token"], webhook_secret="", acting_user=SYSTEM,
            )  # fmt: skip

    def make_odd(self) -> None:
        """Let HubSpot have its habits: a late index, sorts that are not stable, ids as numbers."""
        self.portal.control(
            "switches", search_lag_seconds=2.0, search_lag_seed=5, unstable_sorts=True, number_ids=True
        )

    def first_syncs(self, request: Callable[[], list[SyncRun]]) -> None:
        """Wait for the first sync of each CRM."""
        runs = request()
        until("the first syncs", lambda: not any(self._is_active(run) for run in runs), seconds=120)

    def _is_active(self, run: SyncRun) -> bool:
        with context.tenant_wide(self.tenant.id):
            found: SyncRun = SyncRun.objects.get(pk=run.pk)
        return found.is_active

    def lift_limits(self) -> None:
        """For the test's own reading of the whole portal, which is nobody's concern."""
        self.portal.control("switches", calls_per_ten_seconds=100_000, searches_per_second=100_000)

    def quiet(self) -> None:
        """Nothing goes wrong from now on."""
        self.client.control("faults/clear")
        self.portal.control("faults/clear")


@contextmanager
def place_of() -> Iterator[Place]:
    """Acme, connected to both; the sandbox ends with the block."""
    server = start_server("--org", ORGANISATION, "--portal", PORTAL)
    try:
        client = Client(server.url, ORGANISATION.split("=")[0])
        place = Place(client, Portal(server.url, PORTAL.split("=")[0]), cast.tenant_of(cast.ACME))
        place.connect()
        place.make_odd()
        yield place
    finally:
        server.stop()
