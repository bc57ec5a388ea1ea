"""Removing a connection: its secrets, its history and, behind it, the mirror of what was read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.db import connection as database
from django.db import transaction
from django.db.models import QuerySet

from audit.services import record
from crm_sync import permissions
from crm_sync.events import ConnectionRemoved
from crm_sync.hooks import call_after_removal
from crm_sync.models import (
    ArchivedRow,
    CheckedMonth,
    Connection,
    ContractViolation,
    FieldMap,
    NoticedRow,
    RejectedRow,
    SeenRow,
    SyncCursor,
    SyncObjectResult,
    SyncRun,
    SyncSchedule,
    TouchedDeal,
)
from crm_sync.models.mirror import MirrorColumns
from isolation import context, jobs
from isolation.actors import Actor, require
from isolation.errors import InvalidInput
from tenants.models import Crm

REMOVALS_JOB = "crm_sync.removals"
_OF_A_RUN: tuple[Any, ...] = (SyncObjectResult, SeenRow, TouchedDeal)
_OF_A_CONNECTION: tuple[Any, ...] = (
    RejectedRow, SyncRun, SyncCursor, FieldMap, ContractViolation, CheckedMonth, NoticedRow, SyncSchedule,
)  # fmt: skip
_LEFT_BEHIND = """
    SELECT w.id, s.source
    FROM tenants_tenant w CROSS JOIN unnest(%(sources)s::text[]) AS s (source)
    WHERE NOT EXISTS (SELECT FROM crm_sync_connection c WHERE c.tenant_id = w.id AND c.source = s.source)
      AND ({any})
"""


def mirror_models() -> list[type[MirrorColumns]]:
    """Every table of the mirror."""
    return [
        model for model in apps.get_app_config("crm_sync").get_models() if issubclass(model, MirrorColumns)
    ]


@transaction.atomic
def connection_remove(*, connection: Connection, confirmation: str, acting_user: Actor) -> None:
    """Forget a connection at once, and have a worker remove the rows that were read from it.

    ``confirmation`` is the CRM's name, typed. A worker that is reading it finds its run gone and stops without a trace.
    Raises: Forbidden, InvalidInput.
    """
    require(acting_user, permissions.EDIT, connection.tenant_id)
    name = Crm(connection.source).label
    if confirmation.strip().casefold() != name.casefold():
        raise InvalidInput(field="confirmation", problem=f"Type {name} to remove this connection.")
    runs = _forget(connection)
    event = ConnectionRemoved(
        target_id=str(connection.id), target_label=connection.source, account_label=connection.account_label, runs=runs
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    with context.shared_tables():
        jobs.wake(REMOVALS_JOB)


def _forget(connection: Connection) -> int:
    """Delete what belongs to a connection, and itself; gives how many runs it had."""
    own: dict[str, Any] = {"tenant_id": connection.tenant_id}
    runs = SyncRun.objects.filter(**own, connection=connection)
    # A worker commits with its run's row locked: what it is about to write is there before anything is deleted, or never.
    count = len(runs.select_for_update().values_list("pk", flat=True))
    ids = runs.values("pk")
    for model in _OF_A_RUN:
        _delete(model.objects.filter(**own, run_id__in=ids))
    for model in _OF_A_CONNECTION:
        _delete(model.objects.filter(**own, connection_id=connection.pk))
    _delete(ArchivedRow.objects.filter(**own, source=connection.source))
    _delete(Connection.objects.filter(**own, pk=connection.pk))
    return count


def _delete(rows: QuerySet[Any]) -> int:
    """One statement: what points at these rows is gone already, so Django need not look for it."""
    return int(rows._raw_delete(rows.db))


def mirror_rows_remove(tenant_id: int, source: str) -> int:
    """Delete the mirror of a CRM that the workspace is not connected with any more; gives how many rows there were.

    Each table in a transaction of its own. Nothing happens where there is a connection (again).
    """
    removed = 0
    for model in mirror_models():
        with context.tenant_wide(tenant_id):
            if (
                Connection.objects.select_for_update(no_key=True)
                .filter(tenant_id=tenant_id, source=source)
                .exists()
            ):
                return removed
            removed += _delete(model.objects.filter(tenant_id=tenant_id, source=source))
    call_after_removal(tenant_id)
    return removed


def mirrors_left_behind(sources: Iterable[str]) -> list[tuple[int, str]]:
    """(tenant, CRM) of mirrors whose connection is removed. Needs the platform context."""
    tables = (model._meta.db_table for model in mirror_models())
    any_row = " OR ".join(
        f"EXISTS (SELECT FROM {table} t WHERE t.tenant_id = w.id AND t.source = s.source)" for table in tables
    )
    with database.cursor() as cursor:
        cursor.execute(_LEFT_BEHIND.format(any=any_row), {"sources": list(sources)})
        return list(cursor.fetchall())
