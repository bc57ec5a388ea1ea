"""The health of a deal: one formula, its weights and where each comes from.

A score is the sum of five parts and lies between 0 and 100. The administrator guide (``000_c7eb0ff07ff5e34f.txt``) names
the inputs under "Incorrect Health Scores" (stage benchmarks, activity, thresholds, contact associations) and the bands
under "Thresholds"; it gives no weights. The weights and the two slopes below are therefore our own judgement, and
``docs/formulas.md`` gives the reason for each. All arithmetic is in whole numbers and rounds half up, so that the same
deal has the same score in SQL, in Python and on paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from tenants.settings_schema import Stage, TenantSettings

PACE_WEIGHT = 30
ACTIVITY_WEIGHT = 25
CLOSE_WEIGHT = 20
CONTACT_WEIGHT = 15
COMPLETENESS_WEIGHT = 10

PACE_ZERO_AT = 3
"""At this many times the stage's benchmark the pace earns nothing."""
CONTACTS_WANTED = 3
COMPLETENESS_FIELDS = ("amount", "account", "close date", "next step", "lead source")
FALLBACK_BENCHMARK_DAYS = 14
"""For a stage without a benchmark: the median of the default open stages (7, 7, 14, 14, 21)."""


@dataclass(frozen=True)
class StagePlan:
    """What the settings say about one open stage. ``days_after`` is the sum of the later open stages' benchmarks."""

    name: str
    benchmark_days: int
    days_after: int
    probability_percent: int


def stage_plans(stages: Sequence[Stage]) -> list[StagePlan]:
    """The open stages in their order; a benchmark of 0 counts as not set."""
    ordered = sorted((stage for stage in stages if not stage.is_closed), key=lambda stage: stage.order)
    plans: list[StagePlan] = []
    days_after = 0
    for stage in reversed(ordered):
        benchmark = stage.benchmark_days or FALLBACK_BENCHMARK_DAYS
        plans.append(StagePlan(stage.name, benchmark, days_after, round(stage.probability * 100)))
        days_after += benchmark
    return plans[::-1]


def parameters(settings: TenantSettings, *, tenant_id: int, today: date, zone: str) -> dict[str, Any]:
    """What ``SCORED`` and the build's other statements read."""
    plans = stage_plans(settings.stages)
    health, hygiene = settings.thresholds.health, settings.thresholds.hygiene
    return {
        "tenant": tenant_id, "today": today, "zone": zone,
        "stage_names": [plan.name.lower() for plan in plans],
        "stage_benchmarks": [plan.benchmark_days for plan in plans],
        "stage_after": [plan.days_after for plan in plans],
        "stage_percents": [plan.probability_percent for plan in plans],
        "critical": health.critical, "at_risk": health.at_risk, "monitor": health.monitor,
        "stale": hygiene.days_stale_warning, "very_stale": hygiene.days_stale_critical,
        "past_close": hygiene.days_past_close_warning,
    }  # fmt: skip


def _points(weight: int, part: str, whole: str) -> str:
    """``weight * part / whole``, rounded half up; both are whole numbers and 0 <= part <= whole."""
    return f"(2 * {weight} * ({part}) + ({whole})) / (2 * ({whole}))"


_PACE = _points(
    PACE_WEIGHT,
    f"least(greatest({PACE_ZERO_AT} * benchmark_days - days_in_stage, 0), {PACE_ZERO_AT - 1} * benchmark_days)",
    f"{PACE_ZERO_AT - 1} * benchmark_days",
)
# Full until the warning, half at the critical threshold, nothing as far again beyond it.
_ACTIVITY = _points(
    ACTIVITY_WEIGHT,
    "least(greatest(2 * %(very_stale)s - %(stale)s - days_since_activity, 0), 2 * (%(very_stale)s - %(stale)s))",
    "2 * (%(very_stale)s - %(stale)s)",
)
_CLOSE = f"""CASE WHEN days_to_close IS NULL OR days_to_close < 0 THEN 0
         WHEN days_to_close >= days_needed THEN {CLOSE_WEIGHT}
         ELSE {_points(CLOSE_WEIGHT, "days_to_close", "days_needed")} END"""
_CONTACTS = f"{CONTACT_WEIGHT // CONTACTS_WANTED} * least(contacts, {CONTACTS_WANTED})"
_COMPLETENESS = f"{COMPLETENESS_WEIGHT // len(COMPLETENESS_FIELDS)} * filled_fields"

# Where a CRM has no stamp of the last change of stage, the history has it: the first entry of the present stage since the
# last entry of another one.
_STAGE_SINCE_BY_HISTORY = """(
            SELECT min(c.changed_at) FROM crm_sync_stagechange c
            WHERE c.tenant_id = o.tenant_id AND c.opportunity_id = o.id AND c.stage = o.stage
              AND c.changed_at > coalesce((
                  SELECT max(p.changed_at) FROM crm_sync_stagechange p
                  WHERE p.tenant_id = o.tenant_id AND p.opportunity_id = o.id AND p.stage <> o.stage), '-infinity'))"""


def scored_sql(*, only_some: bool) -> str:
    """Common table expressions that end in ``scored``: one row of ``DealHealth`` for each open deal.

    ``only_some`` limits it to the ids in ``%(deals)s``.
    """
    deals = "AND o.id = ANY (%(deals)s)" if only_some else ""
    children = "AND opportunity_id = ANY (%(deals)s)" if only_some else "AND opportunity_id IS NOT NULL"
    return f"""
    WITH stage AS (
        SELECT * FROM unnest(%(stage_names)s::text[], %(stage_benchmarks)s::int[], %(stage_after)s::int[])
            AS stage (name, benchmark_days, days_after)
    ), activity AS (
        SELECT opportunity_id, max(happens_on) AS last_on FROM crm_sync_activity
        WHERE tenant_id = %(tenant)s AND happens_on <= %(today)s AND (is_closed OR kind = 'event') {children}
        GROUP BY opportunity_id
    ), contact AS (
        SELECT opportunity_id, count(DISTINCT contact_external_id)::int AS contacts FROM crm_sync_contactrole
        WHERE tenant_id = %(tenant)s {children}
        GROUP BY opportunity_id
    ), dated AS (
        SELECT o.id, o.owner_id, o.close_on - %(today)s AS days_to_close,
            coalesce(s.benchmark_days, {FALLBACK_BENCHMARK_DAYS}) AS benchmark_days,
            coalesce(s.days_after, 0) AS days_after,
            greatest(%(today)s - (coalesce(o.stage_changed_at, {_STAGE_SINCE_BY_HISTORY}, o.created_at)
                AT TIME ZONE %(zone)s)::date, 0) AS days_in_stage,
            greatest(%(today)s - greatest(
                a.last_on,
                CASE WHEN o.last_activity_on <= %(today)s THEN o.last_activity_on END,
                (o.created_at AT TIME ZONE %(zone)s)::date), 0) AS days_since_activity,
            coalesce(c.contacts, 0) AS contacts,
            (coalesce(o.amount_minor, 0) > 0)::int + (o.account_external_id <> '')::int + (o.close_on IS NOT NULL)::int
                + (o.next_step <> '')::int + (o.lead_source <> '')::int AS filled_fields
        FROM crm_sync_opportunity o
        LEFT JOIN stage s ON s.name = lower(o.stage)
        LEFT JOIN activity a ON a.opportunity_id = o.id
        LEFT JOIN contact c ON c.opportunity_id = o.id
        WHERE o.tenant_id = %(tenant)s AND NOT o.is_closed {deals}
    ), planned AS (
        SELECT *, greatest(benchmark_days - days_in_stage, 0) + days_after AS days_needed FROM dated
    ), parts AS (
        SELECT *, {_PACE} AS pace_points, {_ACTIVITY} AS activity_points, {_CLOSE} AS close_points,
            {_CONTACTS} AS contact_points, {_COMPLETENESS} AS completeness_points
        FROM planned
    ), summed AS (
        SELECT *, pace_points + activity_points + close_points + contact_points + completeness_points AS score FROM parts
    ), scored AS (
        SELECT id, owner_id, score::smallint,
            CASE WHEN score < %(critical)s THEN 'critical' WHEN score < %(at_risk)s THEN 'at_risk'
                WHEN score < %(monitor)s THEN 'monitor' ELSE 'healthy' END AS band,
            pace_points::smallint, activity_points::smallint, close_points::smallint, contact_points::smallint,
            completeness_points::smallint, days_in_stage, benchmark_days, days_since_activity, days_to_close,
            greatest(-days_to_close, 0) AS days_past_close, days_needed, contacts,
            days_since_activity >= %(stale)s AS is_stale_warning,
            days_since_activity >= %(very_stale)s AS is_stale_critical,
            coalesce(-days_to_close >= %(past_close)s, false) AS is_past_close
        FROM summed
    )"""
