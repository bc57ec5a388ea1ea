"""The dispatcher, and the run of one workspace. Both are wake-ups: what is due and who has it, the database says."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import connection, transaction

from crm_sync import conf
from crm_sync.connectors.base import ObjectSpec
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.models import SyncObjectResult
from isolation.tasks import MINUTE, platform_task, tenant_steps_task

# A message may be lost with the broker: a run that nobody claims is handed out again after this.
_HANDED_OUT_SECONDS = 30
_DUE = """
    WITH due AS (
        SELECT s.id, s.tenant_id, s.connection_id, s.every_minutes
        FROM crm_sync_syncschedule s
        JOIN crm_sync_connection c ON c.tenant_id = s.tenant_id AND c.id = s.connection_id AND c.state = 'active'
        JOIN tenants_tenant w ON w.id = s.tenant_id AND w.is_active
        WHERE s.due_at <= statement_timestamp() AND NOT s.is_paused
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
    SET due_at = greatest(s.due_at + make_interval(mins => s.every_minutes), statement_timestamp())
    FROM due
    WHERE s.tenant_id = due.tenant_id AND s.id = due.id
"""
# Each workspace's first run comes before any workspace's second.
_WAITING = """
    SELECT tenant_id, id FROM crm_sync_syncrun
    WHERE (state = 'queued' AND ready_at <= statement_timestamp()) OR (state = 'running' AND lease_until < statement_timestamp())
    ORDER BY row_number() OVER (PARTITION BY tenant_id ORDER BY requested_at), requested_at
    LIMIT greatest(%(parallel)s - (
        SELECT count(*) FROM crm_sync_syncrun WHERE state = 'running' AND lease_until >= statement_timestamp()), 0)
"""
_HAND_OUT = """
    UPDATE crm_sync_syncrun r
    SET state = 'queued', lease_token = NULL, lease_until = NULL, ready_at = statement_timestamp() + make_interval(secs => %(seconds)s)
    FROM (SELECT tenant_id, id FROM crm_sync_syncrun
          WHERE id = ANY (%(ids)s) AND state IN ('queued', 'running') FOR UPDATE SKIP LOCKED) AS free
    WHERE r.tenant_id = free.tenant_id AND r.id = free.id
    RETURNING r.tenant_id, r.id
"""


@platform_task(reason="hand out the syncs that are due")
def dispatch() -> None:
    """Queue what the schedules make due, and hand queued and abandoned runs to workers."""
    for tenant_id, run_id in _hand_out():
        transaction.on_commit(partial(sync_run.delay, tenant_id=tenant_id, run_id=str(run_id)))


def _hand_out() -> list[tuple[int, UUID]]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE)
        cursor.execute(_WAITING, {"parallel": conf.parallel_runs()})
        ids = [run_id for _, run_id in cursor.fetchall()]
        cursor.execute(_HAND_OUT, {"ids": ids, "seconds": _HANDED_OUT_SECONDS})
        return list(cursor.fetchall())


@tenant_steps_task(time_limit=25 * MINUTE)
def sync_run(*, tenant_id: int, run_id: str) -> None:
    """Work on one run, if nobody else does; it goes on where the last worker stopped."""
    lease = claim(tenant_id, UUID(run_id))
    if lease is not None:
        execute(lease, _nobody_listens)


def _nobody_listens(result: SyncObjectResult, spec: ObjectSpec) -> None:
    """The pages ask the database how far a run is."""
