"""A workspace in this process, connected to the sandbox and synced the product's own way. To be imported after ``django.setup()``."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.ground import sandbox_ask
from crm_sync import hooks
from crm_sync.connectors.base import ObjectSpec, Source
from crm_sync.connectors.salesforce.rest import ROWS_A_CALL
from crm_sync.connectors.salesforce.source import SalesforceSource
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.engine.pace import Pace
from crm_sync.models import Connection, Opportunity, RunState, SyncObjectResult, SyncRun
from crm_sync.services.connections import connection_save, connection_token_save
from crm_sync.services.runs import sync_request
from isolation import context
from isolation.actors import Actor
from tenants.models import Tenant
from tenants.provisioning import provision, request_checked

ACTOR = Actor.system("benchmarks")


@dataclass(frozen=True)
class Synced:
    """A run that succeeded, and the seconds from its claim to its end."""

    run: SyncRun
    seconds: float


def without_upper_rooms() -> None:
    """Leave out what upper rooms do after a sync: building scores is no part of reading a CRM."""
    hooks._after_sync.clear()


def only(objects: Collection[str]) -> None:
    """Let Salesforce have these objects alone, so that a run can be compared with a program that reads one."""
    chosen = SalesforceSource.objects
    SalesforceSource.objects = lambda self: tuple(  # type: ignore[method-assign]  # for this process alone
        spec for spec in chosen(self) if spec.name in objects
    )


def connected(url: str, organisation: str) -> Connection:
    """The Salesforce connection of a new workspace."""
    connection = _new("salesforce")
    with context.tenant_wide(connection.tenant_id):
        return with_credentials(connection, url, organisation)


def connected_to_portal(url: str, portal: str) -> Connection:
    """The HubSpot connection of a new workspace."""
    connection = _new("hubspot")
    with context.tenant_wide(connection.tenant_id):
        return connection_token_save(
            connection=connection,
            login_url=f"{url}/portals/{portal}",
            token=sandbox_ask(f"{url}/_sandbox/portals/{portal}")["token"],
            webhook_secret="",
            acting_user=ACTOR,
        )


def _new(crm: str) -> Connection:
    with context.platform("benchmark", ACTOR):
        tenant = Tenant.objects.create(slug="bench", name="Bench", tier="enterprise", crm=crm)
    with context.tenant_wide(tenant.id):
        connection: Connection = Connection.objects.create(tenant=tenant, source=crm)
    return connection


def deals_of(source: Source) -> ObjectSpec:
    """How a CRM's deals are declared."""
    return next(spec for spec in source.objects() if spec.model is Opportunity)


def provisioned(customer: str, url: str, organisation: str) -> Connection:
    """The Salesforce connection of a workspace that is set up as customers' are: schedule, settings, alert rules."""
    request = request_checked(customer=customer, tier="growth", crm="salesforce", timezone="UTC")
    tenant = provision(request, acting_user=ACTOR)
    with context.tenant_wide(tenant.id):
        return with_credentials(Connection.objects.get(source="salesforce"), url, organisation)


def with_credentials(connection: Connection, url: str, organisation: str) -> Connection:
    """Tell a connection where an organisation of the sandbox is. Runs in the workspace's context."""
    return connection_save(
        connection=connection,
        login_url=f"{url}/orgs/{organisation}",
        client_id=f"sandbox-{organisation}",
        secret=f"sandbox-secret-{organisation}",
        acting_user=ACTOR,
    )


@contextmanager
def up_to_rows_by_rest(most: int) -> Iterator[None]:
    """Have Salesforce's changes come by the query address up to so many rows, whatever was measured."""
    chosen = SalesforceSource._rest_rows
    SalesforceSource._rest_rows = lambda self: most  # type: ignore[method-assign]  # noqa: ARG005  # put back below; a method has a self
    try:
        yield
    finally:
        SalesforceSource._rest_rows = chosen  # type: ignore[method-assign]  # what it was


def threshold(connection: Connection) -> int | None:
    """Up to how many rows the product would ask the query address, by what it has measured of a connection; None: not enough yet."""
    return Pace.of(connection.pace, ROWS_A_CALL).threshold_rows


def synced(connection: Connection) -> Synced:
    """Sync now, in this process. Exits with the run's own sentence where it fails."""
    with context.tenant_wide(connection.tenant_id):
        run = sync_request(connection=connection, is_full=False, acting_user=ACTOR)
    started = time.perf_counter()
    lease = claim(connection.tenant_id, run.id)
    assert lease is not None
    done = execute(lease, lambda result, spec: None)  # noqa: ARG005 - nobody watches
    seconds = time.perf_counter() - started
    if done.state != RunState.SUCCEEDED:
        raise SystemExit(f"The sync {done.state}: {done.error_message}")
    return Synced(done, seconds)


def result_of(run: SyncRun, name: str) -> SyncObjectResult:
    """What a run did with one object."""
    with context.tenant_wide(run.tenant_id):
        result: SyncObjectResult = SyncObjectResult.objects.get(run=run, object_name=name)
    return result
