"""What is thrown away after a time: old runs, violations that are long over, histories of rows that are gone. Set-based, in the platform context."""

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
_OF_NOTHING = """
    DELETE FROM {table} f WHERE {condition} NOT EXISTS (
        SELECT FROM {of} o WHERE o.tenant_id = f.tenant_id AND o.id = f.{key})
"""
_HISTORIES = (
    {"table": "crm_sync_formerowner", "condition": "f.kind = 'deal' AND", "of": "crm_sync_opportunity", "key": "row_id"},
    {"table": "crm_sync_formerowner", "condition": "f.kind = 'account' AND", "of": "crm_sync_account", "key": "row_id"},
    {"table": "crm_sync_formerholder", "condition": "", "of": "crm_sync_owner", "key": "owner_id"},
)  # fmt: skip


@dataclass(frozen=True)
class Pruned:
    """How much was thrown away; ``former`` counts former owners and holders of rows that are gone."""

    runs: int = 0
    violations: int = 0
    former: int = 0


def prune() -> Pruned:
    """Delete runs that nobody asks about any more, violations that are long over, and whose rows were that are gone."""
    with connection.cursor() as cursor:
        cursor.execute(_OLD_RUNS, {"days": conf.runs_kept_days(), "keep": conf.runs_kept_at_least()})
        for table in ("crm_sync_syncobjectresult", "crm_sync_seenrow", "crm_sync_toucheddeal"):
            cursor.execute(_OF_OLD_RUNS.format(table=table, key="run_id"))
        cursor.execute(_OF_OLD_RUNS.format(table="crm_sync_syncrun", key="id"))
        runs = int(cursor.rowcount)
        cursor.execute("DROP TABLE crm_sync_old_runs")
        cursor.execute(_OVER, {"days": conf.violations_kept_days()})
        violations, former = int(cursor.rowcount), 0
        for history in _HISTORIES:
            cursor.execute(_OF_NOTHING.format(**history))
            former += cursor.rowcount
        return Pruned(runs=runs, violations=violations, former=former)
