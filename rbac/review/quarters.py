"""The part of a review that needs nobody: each quarter's campaign begins, and what has ended meanwhile is marked.

All statements work on many workspaces at once and in the platform context.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection

from isolation import context, jobs
from isolation.actors import Actor
from rbac.models_review import ReviewCampaign
from rbac.review.services import reviews_settle
from rbac.review.stock import stock_take
from tenants.settings_schema import AccessReview

JOB = "rbac.reviews"
BATCH = 200

# A workspace that is younger than the quarter waits for the next one; a partner is alone and has nobody to review.
_BEGIN = """
    WITH newest AS (
        SELECT DISTINCT ON (tenant_id) tenant_id, data FROM tenants_settingsversion ORDER BY tenant_id, version DESC
    ),
    here AS (
        SELECT t.id, t.timezone, t.created_at, now() AT TIME ZONE t.timezone AS local
        FROM tenants_tenant t
        WHERE t.is_active AND t.kind = 'customer'
          AND EXISTS (SELECT FROM tenants_member m WHERE m.tenant_id = t.id AND m.is_active)
    )
    INSERT INTO rbac_reviewcampaign (id, tenant_id, quarter, name, started_by, due_on, closed_by)
    SELECT gen_random_uuid(), here.id, to_char(here.local, 'YYYY"-Q"Q'), to_char(here.local, '"Q"Q YYYY'), %(by)s,
           here.local::date + coalesce((newest.data #>> '{access_review,days_to_decide}')::int, %(days)s), ''
    FROM here LEFT JOIN newest ON newest.tenant_id = here.id
    WHERE here.created_at < date_trunc('quarter', here.local) AT TIME ZONE here.timezone
      AND NOT EXISTS (SELECT FROM rbac_reviewcampaign c
                      WHERE c.tenant_id = here.id AND c.quarter = to_char(here.local, 'YYYY"-Q"Q'))
    ORDER BY here.id
    LIMIT %(batch)s
    ON CONFLICT DO NOTHING
    RETURNING id
"""


@dataclass(frozen=True)
class Tended:
    """What one run did: campaigns begun, items marked as ended."""

    started: int
    ended: int


def reviews_tend(acting_user: Actor) -> Tended:
    """Begin what is due and settle what is open, in the platform context that is open already. Safe to run again."""
    begun = _begun(acting_user)
    if begun:
        stock_take(begun, acting_user)
    if len(begun) == BATCH:
        with context.shared_tables():
            jobs.wake(JOB)
    return Tended(len(begun), _settled(acting_user))


def _begun(acting_user: Actor) -> list[ReviewCampaign]:
    values: dict[str, Any] = {"by": acting_user.label, "days": AccessReview().days_to_decide, "batch": BATCH}
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, values)
        ids: list[UUID] = [row[0] for row in cursor.fetchall()]
    return list(ReviewCampaign.objects.filter(pk__in=ids))


def _settled(acting_user: Actor) -> int:
    """Campaigns in which somebody is deciding right now are settled by that."""
    running = ReviewCampaign.objects.select_for_update(no_key=True, skip_locked=True).filter(closed_at=None)
    campaigns = list(running.order_by("tenant_id"))
    batches = [campaigns[start : start + BATCH] for start in range(0, len(campaigns), BATCH)]
    return sum(reviews_settle(batch, acting_user=acting_user) for batch in batches)
