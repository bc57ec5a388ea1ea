"""``/RevOps/Analytics/pipeline_health_summary``: the score of every open deal, and the sums that the home page shows."""

from __future__ import annotations

from typing import Any

from django.db import connection

from pipeline.datasets import BuildCounts, BuildScope, Dataset, register
from pipeline.health import parameters, scored_sql

_COLUMNS = (
    "owner_id", "score", "band", "pace_points", "activity_points", "close_points", "contact_points",
    "completeness_points", "days_in_stage", "benchmark_days", "days_since_activity", "days_to_close", "days_past_close",
    "days_needed", "contacts", "is_stale_warning", "is_stale_critical", "is_past_close",
)  # fmt: skip
_NEW = ", ".join(f"s.{column}" for column in _COLUMNS)
_OLD = ", ".join(f"h.{column}" for column in _COLUMNS)
_SET = ", ".join(f"{column} = excluded.{column}" for column in (*_COLUMNS, "computed_at"))

# Unchanged rows are left out in the SELECT: a condition on DO UPDATE leaked rows on older servers.
_MERGE = f"""
    , written AS (
        INSERT INTO pipeline_dealhealth (tenant_id, id, {", ".join(_COLUMNS)}, computed_at)
        SELECT %(tenant)s, s.id, {_NEW}, now()
        FROM scored s LEFT JOIN pipeline_dealhealth h ON h.tenant_id = %(tenant)s AND h.id = s.id
        WHERE h.id IS NULL OR ROW ({_OLD}) IS DISTINCT FROM ROW ({_NEW})
        ON CONFLICT (tenant_id, id) DO UPDATE SET {_SET}
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM scored), (SELECT count(*) FROM written)
"""
_REMOVE = """
    DELETE FROM pipeline_dealhealth h
    WHERE h.tenant_id = %(tenant)s {deals} AND NOT EXISTS (
        SELECT FROM crm_sync_opportunity o WHERE o.tenant_id = h.tenant_id AND o.id = h.id AND NOT o.is_closed)
"""
_OWNERS = """
    SELECT DISTINCT owner_id FROM (
        SELECT owner_id FROM pipeline_dealhealth WHERE tenant_id = %(tenant)s AND id = ANY (%(deals)s)
        UNION ALL
        SELECT owner_id FROM crm_sync_opportunity WHERE tenant_id = %(tenant)s AND id = ANY (%(deals)s)) AS seen
    WHERE owner_id IS NOT NULL
"""
_FORGET_SUMS = "DELETE FROM pipeline_pipelinesummary WHERE tenant_id = %(tenant)s {owners}"
_SUM = """
    INSERT INTO pipeline_pipelinesummary (tenant_id, owner_id, stage, band, currency, deals, amount_minor, weighted_minor,
        stale_deals, stale_critical_deals, past_close_deals)
    SELECT o.tenant_id, o.owner_id, o.stage, h.band, o.currency, count(*), coalesce(sum(o.amount_minor), 0),
        coalesce(round(sum(o.amount_minor * coalesce(o.probability_percent, s.percent, 0)) / 100), 0),
        count(*) FILTER (WHERE h.is_stale_warning), count(*) FILTER (WHERE h.is_stale_critical),
        count(*) FILTER (WHERE h.is_past_close)
    FROM crm_sync_opportunity o
    JOIN pipeline_dealhealth h ON h.tenant_id = o.tenant_id AND h.id = o.id
    LEFT JOIN unnest(%(stage_names)s::text[], %(stage_percents)s::int[]) AS s (name, percent) ON s.name = lower(o.stage)
    WHERE o.tenant_id = %(tenant)s AND NOT o.is_closed {owners}
    GROUP BY o.tenant_id, o.owner_id, o.stage, h.band, o.currency
"""


def _build(scope: BuildScope) -> BuildCounts:
    values = parameters(scope.settings, tenant_id=scope.tenant_id, today=scope.today, zone=scope.zone)
    only_some = scope.deal_ids is not None
    with connection.cursor() as cursor:
        if only_some:
            values["deals"] = list(scope.deal_ids or ())
            cursor.execute(_OWNERS, values)
            values["owners"] = [owner for (owner,) in cursor.fetchall()]
        cursor.execute(scored_sql(only_some=only_some) + _MERGE, values)
        read, written = cursor.fetchone() or (0, 0)
        cursor.execute(_REMOVE.format(deals="AND h.id = ANY (%(deals)s)" if only_some else ""), values)
        removed = cursor.rowcount
        _sum(cursor, values, only_some)
    return BuildCounts(read, written, removed)


def _sum(cursor: Any, values: dict[str, Any], only_some: bool) -> None:
    # Deals that no known owner has are summed up each time: their number is small and they cannot be listed by owner.
    mine = "AND (owner_id = ANY (%(owners)s) OR owner_id IS NULL)" if only_some else ""
    theirs = "AND (o.owner_id = ANY (%(owners)s) OR o.owner_id IS NULL)" if only_some else ""
    cursor.execute(_FORGET_SUMS.format(owners=mine), values)
    cursor.execute(_SUM.format(owners=theirs), values)


HEALTH = Dataset(
    path="/RevOps/Analytics/pipeline_health_summary",
    sentence="Health score of every open deal, and the pipeline's sums by owner, stage and band",
    build=_build,
)
register(HEALTH)
