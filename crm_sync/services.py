"""Writes about connections, schedules and runs."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from audit.services import record
from crm_sync import conf, permissions
from crm_sync.addresses import origin_of
from crm_sync.connectors import OPENERS
from crm_sync.connectors.base import ConnectorProblem
from crm_sync.engine.execute import open_source
from crm_sync.errors import (
    ConnectionChanged,
    ConnectionNotSetUp,
    ConnectionRefused,
    ConnectorMissing,
    ScheduleOutOfBounds,
)
from crm_sync.events import ConnectionSaved, ConnectionTested, ScheduleSet, SyncRequested
from crm_sync.models import Connection, ConnectionState, RunState, RunTrigger, SyncRun, SyncSchedule
from crm_sync.schedules import BOUNDS
from crm_sync.secrets import encrypt
from crm_sync.selectors import active_run, connection_of
from crm_sync.waking import wake_dispatcher
from isolation import context
from isolation.actors import Actor, require
from isolation.errors import InvalidInput, NotFound
from tenants.models import Crm, Tenant, Tier


@transaction.atomic
def connection_save(
    *, connection: Connection, login_url: str, client_id: str, secret: str, acting_user: Actor
) -> Connection:
    """Set the address and credentials of a connection; an empty ``secret`` keeps the one that is there.

    A new host or client id needs the secret again. Raises: Forbidden, ConnectorMissing; InvalidInput, naming the field.
    """
    require(acting_user, permissions.EDIT, connection.tenant_id)
    require_connector(connection)
    address = _address(login_url)
    client_id = _given("client_id", client_id, "the client id of the connected app")
    if secret:
        connection.secret_encrypted = encrypt(secret)
    else:
        _require_secret_of(connection, address, client_id)
    connection.login_url, connection.client_id = address, client_id
    connection.state, connection.error_code, connection.error_message = ConnectionState.ACTIVE, "", ""
    connection.save()
    event = ConnectionSaved(
        target_id=str(connection.id), target_label=connection.source, login_url=connection.login_url,
        client_id=connection.client_id, has_new_secret=bool(secret),
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    wake_dispatcher()
    return connection


def require_connector(connection: Connection) -> None:
    """Refuse what cannot work before the program can read that CRM. Raises: ConnectorMissing."""
    if connection.source not in OPENERS:
        raise ConnectorMissing(crm=Crm(connection.source).label)


def _require_secret_of(connection: Connection, address: str, client_id: str) -> None:
    """Whoever may change the address must not be able to have the stored secret sent to a host of their own."""
    if not connection.secret_encrypted:
        raise InvalidInput(field="secret", problem="Enter the client secret of the connected app.")
    if origin_of(connection.login_url) != origin_of(address) or connection.client_id != client_id:
        problem = (
            "Enter the client secret again: the stored one was given for another login address or client id, "
            "and is sent nowhere else."
        )
        raise InvalidInput(field="secret", problem=problem)


def _given(field: str, value: str, what: str) -> str:
    if not value.strip():
        raise InvalidInput(field=field, problem=f"Enter {what}.")
    return value.strip()


def _address(login_url: str) -> str:
    given = _given(
        "login_url", login_url, "the login address, such as https://yourcompany.my.salesforce.com"
    ).rstrip("/")
    origin = origin_of(given)
    if origin is None:
        problem = f"“{given}” is not a login address. Use one like https://yourcompany.my.salesforce.com."
        raise InvalidInput(field="login_url", problem=problem)
    if origin.scheme != "https" and origin.host not in conf.allowed_private_hosts():
        raise InvalidInput(
            field="login_url",
            problem="The login address must begin with https://, so that the secret is not sent in the clear.",
        )
    return given


def connection_test(*, tenant_id: int, acting_user: Actor) -> str:
    """Sign in to the CRM and look; gives a sentence about what was found.

    To be called outside every context: it opens its own before and after the calls, so that no transaction waits for a CRM.
    Raises: Forbidden, NotFound, ConnectorMissing, ConnectionNotSetUp, ConnectionRefused, ConnectionChanged.
    """
    require(acting_user, permissions.EDIT, tenant_id)
    with context.of_actor(acting_user, tenant_id):
        connection = connection_of(tenant_id)
    if connection is None:
        raise NotFound(what="CRM connection")
    require_connector(connection)
    found = _checked(connection)
    with context.of_actor(acting_user, tenant_id):
        _passed(connection, found, acting_user)
    return found


def _checked(connection: Connection) -> str:
    try:
        with closing(open_source(connection)) as source:
            return source.check()
    except ConnectorProblem as problem:
        raise ConnectionRefused(problem=problem.sentence) from problem


def _passed(connection: Connection, found: str, acting_user: Actor) -> None:
    tested = Connection.objects.filter(
        tenant_id=connection.tenant_id, pk=connection.pk, login_url=connection.login_url,
        client_id=connection.client_id, secret_encrypted=connection.secret_encrypted,
    )  # fmt: skip
    if not tested.update(state=ConnectionState.ACTIVE, error_code="", error_message=""):
        raise ConnectionChanged
    event = ConnectionTested(
        target_id=str(connection.id), target_label=connection.source, before=connection.state, found=found
    )
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    wake_dispatcher()


@transaction.atomic
def sync_request(
    *, connection: Connection, is_full: bool, acting_user: Actor, hold_back: timedelta = timedelta(0)
) -> SyncRun:
    """Queue a run, or give the one that is queued or running already (of whichever kind).

    ``hold_back`` keeps the dispatcher away from it for a while, for a caller who means to run it itself.
    Raises: Forbidden, ConnectorMissing, ConnectionNotSetUp.
    """
    require(acting_user, permissions.SYNC, connection.tenant_id)
    require_connector(connection)
    if connection.state == ConnectionState.NEW:
        raise ConnectionNotSetUp(source=connection.source)
    # Locked, so that two requests at once make one run.
    Connection.objects.select_for_update().get(pk=connection.pk)
    active: SyncRun | None = active_run(connection)
    if not hold_back:
        wake_dispatcher()
    if active is not None:
        return _hastened(active, is_full, hold_back)
    run = SyncRun(
        tenant_id=connection.tenant_id, connection=connection, trigger=RunTrigger.MANUAL, is_full=is_full,
        requested_by=acting_user.label,
    )  # fmt: skip
    run.save(force_insert=True)
    SyncRun.objects.filter(pk=run.pk).update(ready_at=Now() + hold_back)
    event = SyncRequested(target_id=str(run.id), target_label=connection.source, is_full=is_full)
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    return run


def _hastened(run: SyncRun, is_full: bool, hold_back: timedelta) -> SyncRun:
    """A run that waits need not any longer, and reads everything if that is asked for before it began."""
    waiting = SyncRun.objects.filter(tenant_id=run.tenant_id, pk=run.pk, state=RunState.QUEUED)
    waiting.update(ready_at=Now() + hold_back)
    if is_full:
        waiting.filter(started_at=None).update(is_full=True)
    run.refresh_from_db()
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
    wake_dispatcher()
    schedule.refresh_from_db()
    return schedule
