"""Why a score is what it is: the same parts and numbers that the build wrote, as sentences."""

from __future__ import annotations

from crm_sync.models import Opportunity
from pages.objects import HEALTH_BADGES, Score, ScorePart
from pages.templatetags.formats import count
from pipeline.health import (
    ACTIVITY_WEIGHT,
    CLOSE_WEIGHT,
    COMPLETENESS_FIELDS,
    COMPLETENESS_WEIGHT,
    CONTACT_WEIGHT,
    CONTACTS_WANTED,
    PACE_WEIGHT,
)
from pipeline.models import DealHealth
from tenants.settings_schema import HygieneThresholds


def score_of(health: DealHealth, deal: Opportunity, hygiene: HygieneThresholds) -> Score:
    """The score with its five parts, each with the sentence that says why."""
    parts = (
        ScorePart("Pace in the stage", health.pace_points, PACE_WEIGHT, _pace(health, deal)),
        ScorePart("Recent activity", health.activity_points, ACTIVITY_WEIGHT, _activity(health, hygiene)),
        ScorePart("Realistic close date", health.close_points, CLOSE_WEIGHT, _close(health)),
        ScorePart("Contacts", health.contact_points, CONTACT_WEIGHT, _contacts(health)),
        ScorePart("Complete data", health.completeness_points, COMPLETENESS_WEIGHT, _completeness(deal)),
    )
    return Score(health.score, HEALTH_BADGES[health.band], parts)


def _pace(health: DealHealth, deal: Opportunity) -> str:
    stayed, benchmark = count(health.days_in_stage, "day"), count(health.benchmark_days, "day")
    if health.days_in_stage <= health.benchmark_days:
        return f"{stayed} in {deal.stage}, within its benchmark of {benchmark}."
    return f"{stayed} in {deal.stage}; its benchmark is {benchmark}."


def _activity(health: DealHealth, hygiene: HygieneThresholds) -> str:
    if health.days_since_activity == 0:
        return "The last activity was today."
    if not health.is_stale_warning:
        return f"The last activity was {count(health.days_since_activity, 'day')} ago."
    return (
        f"Nothing has happened for {count(health.days_since_activity, 'day')}; "
        f"from {count(hygiene.days_stale_warning, 'day')} on a deal counts as stale."
    )


def _close(health: DealHealth) -> str:
    if health.days_to_close is None:
        return "No close date is set."
    if health.days_to_close < 0:
        return f"The close date passed {count(health.days_past_close, 'day')} ago."
    left, needed = count(health.days_to_close, "day"), count(health.days_needed, "day")
    if health.days_to_close >= health.days_needed:
        return f"{left} are left until the close date; the stages ahead take {needed} at their benchmarks."
    return (
        f"Only {left} are left until the close date, but the stages ahead take {needed} at their benchmarks."
    )


def _contacts(health: DealHealth) -> str:
    if health.contacts >= CONTACTS_WANTED:
        return f"{health.contacts} contacts are on the deal."
    return f"{count(health.contacts, 'contact') if health.contacts else 'No contact'} on the deal; {CONTACTS_WANTED} earn all points."


def _completeness(deal: Opportunity) -> str:
    filled = (
        (deal.amount_minor or 0) > 0,
        deal.account_external_id,
        deal.close_on,
        deal.next_step,
        deal.lead_source,
    )
    missing = [name for name, value in zip(COMPLETENESS_FIELDS, filled, strict=True) if not value]
    return f"Missing: {', '.join(missing)}." if missing else "All fields that we look at are filled."
