"""Who saw a deal at an instant, answered from the histories of tree, ownership, roles and shares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crm_sync.models import Opportunity
from pipeline.access.reasons import Reason, Standing, standing
from tenants.models import Member


@dataclass(frozen=True)
class Viewer:
    """Somebody who saw the deal, with every reason; the plainest first."""

    member: Member
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class PastAnswer:
    """Everybody who saw the deal at ``at`` (None: now), by name. ``is_before_first_seen``: it was not here yet, so nobody did."""

    at: datetime | None
    standing: Standing
    viewers: tuple[Viewer, ...]
    is_before_first_seen: bool = False


def who_saw(deal: Opportunity, *, at: datetime | None = None) -> PastAnswer:
    """Who could see the deal at ``at`` (None: now). Needs the tenant-wide context."""
    decided = standing(deal, at=at)
    if at is not None and at < deal.first_seen_at:
        return PastAnswer(at, decided, (), is_before_first_seen=True)
    found = {member_id: tuple(decided.reasons(member_id)) for member_id in decided.sights}
    seen = {member_id: reasons for member_id, reasons in found.items() if reasons}
    members = Member.objects.filter(tenant_id=deal.tenant_id, pk__in=seen).order_by("name", "email")
    return PastAnswer(at, decided, tuple(Viewer(member, seen[member.id]) for member in members))
