"""What is thrown away after a time: old runs and violations that are long over. Set-based, in the platform context."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from crm_sync import conf

# A run whose rows are still kept aside says why they are: it stays as long as they do.
_OLD_RUNS = """
    CREATE TEMPORARY TABLE crm_sync_old_runs ON COMMIT DROP AS
    SELECT tenant_id, id FROM (
        SELECT r.tenant_id, r.id, r.requested_at, r.state,
            row_number() OVER (PARTITION BY r.tenant_id, r.connection_id ORDER BY r.requested_at DESC, r.id DESC) AS place
        FROM crm_sync_syncrun r
    ) AS r
    WHERE r.place > %(keep)s AND r.state NOT IN ('queued', 'running')
        AND r.requested_at < now() - make_interval(days => %(days)s)
        AND NOT EXISTS (SELECT FROM crm_sync_rejectedrow k WHERE k.tenant_id = r.tenant_id AND k.run_id = r.id)
"""
_OF_OLD_RUNS = """
    DELETE FROM {table} t USING crm_sync_old_runs o WHERE t.tenant_id = o.tenant_id AND t.{key} = o.id
"""
_OVER = """
    DELETE FROM crm_sync_contractviolation WHERE resolved_at < now() - make_interval(days => %(days)s)
"""


@dataclass(frozen=True)
class Pruned:
    """How much was thrown away."""

    runs: int
    violations: int


def prune() -> Pruned:
    """Delete runs that nobody asks about any more, and violations that are long over."""
    with connection.cursor() as cursor:
        cursor.execute(_OLD_RUNS, {"days": conf.runs_kept_days(), "keep": conf.runs_kept_at_least()})
        for table in ("crm_sync_syncobjectresult", "crm_sync_seenrow", "crm_sync_toucheddeal"):
            cursor.execute(_OF_OLD_RUNS.format(table=table, key="run_id"))
        cursor.execute(_OF_OLD_RUNS.format(table="crm_sync_syncrun", key="id"))
        runs = int(cursor.rowcount)
        cursor.execute(_OVER, {"days": conf.violations_kept_days()})
        return Pruned(runs=runs, violations=int(cursor.rowcount))
