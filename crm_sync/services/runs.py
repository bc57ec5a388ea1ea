"""Asking for runs."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now

from audit.services import record
from crm_sync import permissions
from crm_sync.errors import (
    ConnectionNotSetUp,
    OtherRunActive,
)
from crm_sync.events import SyncRequested
from crm_sync.models import (
    Connection,
    ConnectionState,
    RunKind,
    RunState,
    RunTrigger,
    SyncRun,
)
from crm_sync.selectors import active_run
from crm_sync.services.connections import require_connector
from crm_sync.waking import wake_dispatcher
from isolation.actors import Actor, require


@transaction.atomic
def sync_request(
    *, connection: Connection, is_full: bool, acting_user: Actor, kind: RunKind = RunKind.SYNC,
    hold_back: timedelta = timedelta(0),
) -> SyncRun:  # fmt: skip
    """Queue a run, or give the one of its kind that is queued or running already.

    ``hold_back`` keeps the dispatcher away from it for a while, for a caller who means to run it itself.
    Raises: Forbidden, ConnectorMissing, ConnectionNotSetUp; OtherRunActive, while a run of another kind is under way.
    """
    require(acting_user, permissions.SYNC, connection.tenant_id)
    require_connector(connection)
    if connection.state == ConnectionState.NEW:
        raise ConnectionNotSetUp(source=connection.source)
    # Locked, so that two requests at once make one run.
    Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
    active: SyncRun | None = active_run(connection)
    if active is not None and kind == RunKind.SYNC:
        _widened(active, acting_user)
    if active is not None and active.kind != kind:
        raise OtherRunActive(active=active.get_kind_display().lower())
    run = (
        _hastened(active, is_full, hold_back)
        if active
        else _queued(connection, is_full, kind, hold_back, acting_user)
    )
    if not hold_back:
        wake_dispatcher()  # last, as everybody does: its row is locked till the end
    return run


def _queued(
    connection: Connection, is_full: bool, kind: RunKind, hold_back: timedelta, acting_user: Actor
) -> SyncRun:
    run = SyncRun(
        tenant_id=connection.tenant_id, connection=connection, trigger=RunTrigger.MANUAL, is_full=is_full,
        kind=kind, requested_by=acting_user.label,
    )  # fmt: skip
    run.save(force_insert=True)
    SyncRun.objects.filter(pk=run.pk).update(ready_at=Now() + hold_back)
    event = SyncRequested(target_id=str(run.id), target_label=connection.source, is_full=is_full, kind=kind)
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    return run


def _widened(run: SyncRun, acting_user: Actor) -> None:
    """Make a sync of a run that was to read notices and has not begun: a sync reads them too."""
    waiting = SyncRun.objects.filter(
        tenant_id=run.tenant_id, pk=run.pk, kind=RunKind.NOTICE, state=RunState.QUEUED, started_at=None
    )
    if waiting.update(kind=RunKind.SYNC, trigger=RunTrigger.MANUAL, requested_by=acting_user.label):
        run.refresh_from_db()


def _hastened(run: SyncRun, is_full: bool, hold_back: timedelta) -> SyncRun:
    """A run that waits need not any longer, and reads everything if that is asked for before it began."""
    waiting = SyncRun.objects.filter(tenant_id=run.tenant_id, pk=run.pk, state=RunState.QUEUED)
    waiting.update(ready_at=Now() + hold_back)
    if is_full:
        waiting.filter(started_at=None).update(is_full=True)
    run.refresh_from_db()
    return run
