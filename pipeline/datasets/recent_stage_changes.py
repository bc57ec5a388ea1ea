"""``/RevOps/Analytics/recent_stage_changes``: what came in and what moved lately, for the home page.

The history has millions of rows and is indexed by deal; this keeps the newest few of each owner, indexed by time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection

from pipeline.datasets import BuildCounts, BuildScope, Dataset, register

KEPT_DAYS = 30
KEPT_PER_OWNER = 20

_FORGET = "DELETE FROM pipeline_recentchange WHERE tenant_id = %(tenant)s {deals}"
_REMEMBER = """
    WITH lately AS (
        SELECT DISTINCT opportunity_id FROM crm_sync_stagechange
        WHERE tenant_id = %(tenant)s AND changed_at >= %(since)s {deals}
    ), entry AS (
        SELECT c.opportunity_id, c.deal_owner_id, c.stage, c.changed_at,
            lag(c.stage) OVER (PARTITION BY c.opportunity_id ORDER BY c.changed_at, c.id) AS before
        FROM crm_sync_stagechange c JOIN lately l ON l.opportunity_id = c.opportunity_id
        WHERE c.tenant_id = %(tenant)s
    ), move AS (
        SELECT *, row_number() OVER (PARTITION BY deal_owner_id ORDER BY changed_at DESC) AS place
        FROM entry WHERE changed_at >= %(since)s AND before IS DISTINCT FROM stage
    ), written AS (
        INSERT INTO pipeline_recentchange (tenant_id, owner_id, opportunity_id, from_stage, to_stage, changed_at)
        SELECT %(tenant)s, deal_owner_id, opportunity_id, coalesce(before, ''), stage, changed_at
        FROM move WHERE place <= %(kept)s
        ON CONFLICT (tenant_id, opportunity_id, changed_at, to_stage) DO NOTHING
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM lately), (SELECT count(*) FROM written)
"""
_PRUNE = """
    DELETE FROM pipeline_recentchange r USING (
        SELECT id, row_number() OVER (PARTITION BY owner_id ORDER BY changed_at DESC) AS place
        FROM pipeline_recentchange WHERE tenant_id = %(tenant)s) AS ranked
    WHERE r.tenant_id = %(tenant)s AND r.id = ranked.id AND (ranked.place > %(kept)s OR r.changed_at < %(since)s)
"""


def _build(scope: BuildScope) -> BuildCounts:
    deals = "" if scope.deal_ids is None else "AND opportunity_id = ANY (%(deals)s)"
    values: dict[str, Any] = {
        "tenant": scope.tenant_id,
        "since": scope.today - timedelta(days=KEPT_DAYS),
        "kept": KEPT_PER_OWNER,
        "deals": list(scope.deal_ids or ()),
    }
    with connection.cursor() as cursor:
        cursor.execute(_FORGET.format(deals=deals), values)
        forgotten = cursor.rowcount
        cursor.execute(_REMEMBER.format(deals=deals), values)
        read, written = cursor.fetchone() or (0, 0)
        cursor.execute(_PRUNE, values)
        return BuildCounts(read, written, max(forgotten + cursor.rowcount - written, 0))


RECENT_CHANGES = Dataset(
    path="/RevOps/Analytics/recent_stage_changes",
    sentence=f"Deals that came in or changed stage in the last {KEPT_DAYS} days",
    build=_build,
)
register(RECENT_CHANGES)
