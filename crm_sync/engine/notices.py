"""Rows that have to be read soon: a webhook named them, or another row's page did. Noted as rows, so that no notice is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from django.db import connection as database
from django.db.models import QuerySet

from crm_sync.models import Connection, NoticedRow
from isolation import context

AT_ONCE = 1_000
_MOST_WAITING = 100_000
_NOTE = """
    INSERT INTO crm_sync_noticedrow (tenant_id, connection_id, object_name, external_id, noticed_at)
    SELECT %(tenant)s, %(connection)s::uuid, object_name, external_id, clock_timestamp()
    FROM unnest(%(objects)s::text[], %(ids)s::text[]) AS named (object_name, external_id)
    ON CONFLICT (tenant_id, connection_id, object_name, external_id) DO UPDATE SET noticed_at = excluded.noticed_at
"""
# A connection that is being read anyway reads them then, or is queued again when that run ends. A paused one keeps them.
_QUEUE = """
    INSERT INTO crm_sync_syncrun (id, tenant_id, connection_id, trigger, kind, is_full, state, requested_by, attempts,
        touches_everything, rows_read, rows_inserted, rows_changed, rows_unchanged, rows_deleted, rows_rejected,
        error_code, error_message)
    SELECT gen_random_uuid(), c.tenant_id, c.id, 'webhook', 'notice', false, 'queued', 'webhook', 0,
        false, 0, 0, 0, 0, 0, 0, '', ''
    FROM crm_sync_connection c
    JOIN tenants_tenant w ON w.id = c.tenant_id AND w.is_active
    WHERE c.state = 'active' AND NOT EXISTS (
        SELECT FROM crm_sync_syncschedule s WHERE s.tenant_id = c.tenant_id AND s.connection_id = c.id AND s.is_paused
    ) AND EXISTS (
        SELECT FROM crm_sync_noticedrow n WHERE n.tenant_id = c.tenant_id AND n.connection_id = c.id)
    ON CONFLICT (tenant_id, connection_id) WHERE state IN ('queued', 'running') DO NOTHING
"""


def note(connection: Connection, rows: Sequence[tuple[str, str]]) -> int:
    """Have these rows, as (object, id), read again; gives how many. Needs a context of the connection's workspace."""
    if not rows:
        return 0
    named = sorted(set(rows))  # in one order, so that two at once do not wait for each other
    with database.cursor() as cursor:
        cursor.execute(
            _NOTE,
            {
                "tenant": connection.tenant_id, "connection": connection.pk,
                "objects": [name for name, _ in named], "ids": [external_id for _, external_id in named],
            },
        )  # fmt: skip
    return len(named)


def is_full(connection: Connection) -> bool:
    """Whether so many rows wait to be read that no more are to be noted. Opens a context of its own."""
    with context.tenant_wide(connection.tenant_id):
        rows = NoticedRow.objects.filter(tenant_id=connection.tenant_id, connection_id=connection.pk)
        return bool(rows.order_by()[_MOST_WAITING : _MOST_WAITING + 1].exists())


def queue_noticed() -> None:
    """Queue a run for each connection that has rows to read and no run. Needs the platform context."""
    with database.cursor() as cursor:
        cursor.execute(_QUEUE)


def waiting(connection: Connection, object_name: str) -> list[tuple[str, datetime]]:
    """Rows of an object to read, as (id, when noticed): those that have waited longest, not more than fit into one page."""
    rows = _rows(connection, object_name).order_by("noticed_at")
    return list(rows.values_list("external_id", "noticed_at")[:AT_ONCE])


def objects_named(connection: Connection) -> Iterator[str]:
    """The objects of which rows wait to be read."""
    rows = NoticedRow.objects.filter(tenant_id=connection.tenant_id, connection_id=connection.pk)
    yield from rows.values_list("object_name", flat=True).distinct()


def done(connection: Connection, object_name: str, read: Sequence[tuple[str, datetime]]) -> None:
    """Forget what was read, except what was noticed again since."""
    newest = max(noticed_at for _, noticed_at in read)
    ids = [external_id for external_id, _ in read]
    _rows(connection, object_name).filter(external_id__in=ids, noticed_at__lte=newest).delete()


def forget(connection: Connection, object_name: str) -> None:
    """Forget the notices of an object that cannot be read."""
    _rows(connection, object_name).delete()


def _rows(connection: Connection, object_name: str) -> QuerySet[NoticedRow]:
    return NoticedRow.objects.filter(
        tenant_id=connection.tenant_id, connection_id=connection.pk, object_name=object_name
    )
