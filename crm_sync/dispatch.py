"""What is due, and whose turn it is: set-based over all workspaces, in the platform context.

A run works for a slice of time and then gives its place back if others wait (``engine.turn``). So what counts is the order in which
waiting runs get a place: a workspace's first run comes before any workspace's second, then by how long a run has been ready. One that
gave its place back is ready anew, behind all who waited meanwhile; one that is known to read everything counts as ready a slice later
than it is, and the few rows that a CRM's notices name a slice earlier. Nobody waits for ever: what is ready much later comes later.
"""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from crm_sync import conf
from crm_sync.engine.turn import note_waiting

# A message may be lost with the broker: a run that nobody claims is handed out again after this.
_HANDED_OUT_SECONDS = 30
# The next time is the first one after now on the schedule's own grid: no drift, and no burst after the program was down.
_DUE = """
    WITH due AS (
        SELECT s.id, s.tenant_id, s.connection_id, s.every_minutes
        FROM crm_sync_syncschedule s
        JOIN crm_sync_connection c ON c.tenant_id = s.tenant_id AND c.id = s.connection_id AND c.state = 'active'
        JOIN tenants_tenant w ON w.id = s.tenant_id AND w.is_active
        WHERE s.due_at <= statement_timestamp() AND NOT s.is_paused
            -- A run that reads what webhooks named takes seconds: the sync waits for it, instead of losing its turn to it.
            AND NOT EXISTS (SELECT FROM crm_sync_syncrun n WHERE n.tenant_id = s.tenant_id
                AND n.connection_id = s.connection_id AND n.kind = 'notice' AND n.state IN ('queued', 'running'))
        ORDER BY s.due_at
        LIMIT 500
        FOR UPDATE OF s SKIP LOCKED
    ), queued AS (
        INSERT INTO crm_sync_syncrun (id, tenant_id, connection_id, trigger, is_full, state, requested_by, attempts,
            touches_everything, rows_read, rows_inserted, rows_changed, rows_unchanged, rows_deleted, rows_rejected,
            error_code, error_message)
        SELECT gen_random_uuid(), tenant_id, connection_id, 'schedule', false, 'queued', 'schedule', 0,
            false, 0, 0, 0, 0, 0, 0, '', ''
        FROM due
        ON CONFLICT (tenant_id, connection_id) WHERE state IN ('queued', 'running') DO NOTHING
    )
    UPDATE crm_sync_syncschedule s
    SET due_at = s.due_at + make_interval(mins => s.every_minutes * (1
        + floor(extract(epoch FROM statement_timestamp() - s.due_at) / (60 * s.every_minutes))::integer))
    FROM due
    WHERE s.tenant_id = due.tenant_id AND s.id = due.id
"""
# At work: a worker holds it, or it was handed out a moment ago and its worker has not begun yet.
_PLACES = """
    WITH at_work AS (
        SELECT tenant_id, count(*) AS places FROM crm_sync_syncrun
        WHERE state IN ('queued', 'running') AND lease_until >= statement_timestamp()
        GROUP BY tenant_id
    )
"""
_FREE = f"{_PLACES} SELECT greatest(%(parallel)s - coalesce(sum(places), 0), 0)::integer FROM at_work"
_READY = f"""{_PLACES}, ready AS (
        SELECT r.tenant_id, r.id,
            r.ready_at + make_interval(secs => %(slice)s * CASE
                WHEN r.kind = 'notice' THEN -1
                WHEN r.is_full OR r.kind <> 'sync' OR c.last_synced_at IS NULL THEN 1
                ELSE 0 END) AS turn
        FROM crm_sync_syncrun r
        JOIN crm_sync_connection c ON c.tenant_id = r.tenant_id AND c.id = r.connection_id
        WHERE r.state IN ('queued', 'running') AND r.ready_at <= statement_timestamp()
            AND (r.lease_until IS NULL OR r.lease_until < statement_timestamp())
    )
    SELECT r.id
    FROM ready r LEFT JOIN at_work a ON a.tenant_id = r.tenant_id
    ORDER BY coalesce(a.places, 0) + row_number() OVER (PARTITION BY r.tenant_id ORDER BY r.turn, r.id), r.turn, r.id
    LIMIT %(free)s + 1
"""
_HAND_OUT = """
    UPDATE crm_sync_syncrun r
    SET state = 'queued', lease_token = NULL, lease_until = statement_timestamp() + make_interval(secs => %(seconds)s)
    FROM (SELECT tenant_id, id FROM crm_sync_syncrun
          WHERE id = ANY (%(ids)s) AND state IN ('queued', 'running') FOR UPDATE SKIP LOCKED) AS chosen
    WHERE r.tenant_id = chosen.tenant_id AND r.id = chosen.id
    RETURNING r.tenant_id, r.id
"""


def queue_due() -> None:
    """Queue a run for each schedule that is due and whose connection has none at work."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE)


def hand_out() -> list[tuple[int, UUID]]:
    """(tenant, run) of those that get a free place now; notes it, if more are left waiting.

    One dispatcher at a time, so that two do not both give the last place away.
    """
    facts: dict[str, float] = {"parallel": conf.parallel_runs(), "slice": conf.slice_seconds()}
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('crm_sync.dispatch', 0))")
        cursor.execute(_FREE, facts)
        free = int(cursor.fetchone()[0])
        cursor.execute(_READY, facts | {"free": free})
        ready = [run_id for (run_id,) in cursor.fetchall()]
        cursor.execute(_HAND_OUT, {"ids": ready[:free], "seconds": _HANDED_OUT_SECONDS})
        handed: list[tuple[int, UUID]] = list(cursor.fetchall())
    if len(ready) > free:
        note_waiting()
    return handed
