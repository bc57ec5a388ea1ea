"""Writes about connections, schedules and runs."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from audit.services import record
from crm_sync import conf, permissions
from crm_sync.connectors.base import ConnectorProblem
from crm_sync.engine.execute import open_source
from crm_sync.errors import ConnectionNotSetUp, ConnectionRefused, ScheduleOutOfBounds
from crm_sync.events import ConnectionSaved, ScheduleSet, SyncRequested
from crm_sync.models import Connection, ConnectionState, RunTrigger, SyncRun, SyncSchedule
from crm_sync.schedules import BOUNDS
from crm_sync.secrets import encrypt
from crm_sync.selectors import active_run
from isolation.actors import Actor, require
from isolation.errors import InvalidInput
from tenants.models import Tenant, Tier


@transaction.atomic
def connection_save(
    *, connection: Connection, login_url: str, client_id: str, secret: str, acting_user: Actor
) -> Connection:
    """Set the address and credentials of a connection; an empty ``secret`` keeps the one that is there.

    Raises: Forbidden; InvalidInput, naming the field.
    """
    require(acting_user, permissions.EDIT, connection.tenant_id)
    connection.login_url = _address(login_url)
    connection.client_id = _given("client_id", client_id, "the client id of the connected app")
    if not (secret or connection.secret_encrypted):
        raise InvalidInput(field="secret", problem="Enter the client secret of the connected app.")
    if secret:
        connection.secret_encrypted = encrypt(secret)
    connection.state, connection.error_code, connection.error_message = ConnectionState.ACTIVE, "", ""
    connection.save()
    event = ConnectionSaved(
        target_id=str(connection.id), target_label=connection.source, login_url=connection.login_url,
        client_id=connection.client_id, has_new_secret=bool(secret),
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    return connection


def _given(field: str, value: str, what: str) -> str:
    if not value.strip():
        raise InvalidInput(field=field, problem=f"Enter {what}.")
    return value.strip()


def _address(login_url: str) -> str:
    given = _given(
        "login_url", login_url, "the login address, such as https://yourcompany.my.salesforce.com"
    ).rstrip("/")
    parts = urlsplit(given)
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        problem = f"“{given}” is not a login address. Use one like https://yourcompany.my.salesforce.com."
        raise InvalidInput(field="login_url", problem=problem)
    if parts.scheme != "https" and parts.hostname not in conf.allowed_private_hosts():
        raise InvalidInput(
            field="login_url",
            problem="The login address must begin with https://, so that the secret is not sent in the clear.",
        )
    return given


def connection_test(*, connection: Connection, acting_user: Actor) -> str:
    """Sign in to the CRM and look; gives a sentence about what was found. Raises: Forbidden, ConnectionNotSetUp, ConnectionRefused."""
    require(acting_user, permissions.EDIT, connection.tenant_id)
    source = open_source(connection)
    try:
        found = source.check()
    except ConnectorProblem as problem:
        raise ConnectionRefused(problem=problem.sentence) from problem
    finally:
        source.close()
    Connection.objects.filter(tenant_id=connection.tenant_id, pk=connection.pk).update(
        state=ConnectionState.ACTIVE, error_code="", error_message=""
    )
    return found


@transaction.atomic
def sync_request(
    *, connection: Connection, is_full: bool, acting_user: Actor, hold_back: timedelta = timedelta(0)
) -> SyncRun:
    """Queue a run, or give the one that is queued or running already (of whichever kind).

    ``hold_back`` keeps the dispatcher away from it for a while, for a caller who means to run it itself.
    Raises: Forbidden, ConnectionNotSetUp.
    """
    require(acting_user, permissions.SYNC, connection.tenant_id)
    if connection.state == ConnectionState.NEW:
        raise ConnectionNotSetUp(source=connection.source)
    # Locked, so that two requests at once make one run.
    Connection.objects.select_for_update().get(pk=connection.pk)
    active: SyncRun | None = active_run(connection)
    if active is not None:
        return active
    run = SyncRun(
        tenant_id=connection.tenant_id, connection=connection, trigger=RunTrigger.MANUAL, is_full=is_full,
        requested_by=acting_user.label,
    )  # fmt: skip
    run.save(force_insert=True)
    SyncRun.objects.filter(pk=run.pk).update(ready_at=Now() + hold_back)
    event = SyncRequested(target_id=str(run.id), target_label=connection.source, is_full=is_full)
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    return run


@transaction.atomic
def sync_schedule_set(
    *, schedule: SyncSchedule, every_minutes: int, is_paused: bool, acting_user: Actor
) -> SyncSchedule:
    """Set how often a connection is synced, within what the tier allows. Raises: Forbidden, ScheduleOutOfBounds."""
    require(acting_user, permissions.EDIT, schedule.tenant_id)
    tier = Tier(Tenant.objects.get(pk=schedule.tenant_id).tier)
    bounds = BOUNDS[tier]
    if not bounds.allow(every_minutes):
        raise ScheduleOutOfBounds(tier=tier.label, allowed=bounds.sentence)
    sooner = Q(due_at__gt=Now() + timedelta(minutes=every_minutes))
    own = SyncSchedule.objects.filter(tenant_id=schedule.tenant_id, pk=schedule.pk)
    own.update(every_minutes=every_minutes, is_paused=is_paused)
    own.filter(sooner).update(due_at=Now() + timedelta(minutes=every_minutes))
    source = Connection.objects.get(pk=schedule.connection_id).source
    event = ScheduleSet(
        target_id=str(schedule.id), target_label=source, every_minutes=every_minutes, is_paused=is_paused
    )
    record(event, acting_user=acting_user, tenant_id=schedule.tenant_id)
    schedule.refresh_from_db()
    return schedule
