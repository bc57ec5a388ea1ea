"""Access reviews as the pages show them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_datetime

from pages.objects import Badge
from pages.templatetags.formats import count, day, local_date, local_time
from rbac.models_review import ReviewCampaign, ReviewDecision, ReviewItem
from rbac.review import sources
from rbac.review.quarters import JOB
from tenants.models import Tenant

STATES = {
    ReviewDecision.OPEN: Badge("To decide", "warning", "clock"),
    ReviewDecision.KEEP: Badge("Kept", "good", "check"),
    ReviewDecision.REVOKE: Badge("Revoked", "danger", "circle-x"),
    ReviewDecision.ENDED: Badge("Ended already", "neutral", "circle-check"),
}
OVERDUE = Badge("Overdue", "danger", "alert-triangle")
RUNNING = Badge("Running", "brand", "clock")
COMPLETE = Badge("Complete", "good", "check")
NO_VISIT = "No visit on record"
OWN = "Yours: somebody else decides this."


@dataclass(frozen=True)
class CampaignRow:
    """One line of the list of reviews."""

    name: str
    url: str
    state: Badge
    progress: str
    due: str
    started: str
    closed: str


@dataclass(frozen=True)
class PersonHead:
    """The member above the lines of what that member holds."""

    name: str
    email: str
    url: str
    roles: list[Badge]
    seen: str
    facts: list[str]


@dataclass(frozen=True)
class ItemRow:
    """One thing held. ``head`` is set where another person's lines begin; ``decide_url`` is empty where nothing can be decided."""

    id: str
    head: PersonHead | None
    person: str
    kind: str
    label: str
    facts: str
    origin: str
    state: Badge
    note: str
    decide_url: str


def started_by(campaign: ReviewCampaign) -> str:
    """Who began it, for people."""
    return "by itself" if campaign.started_by == JOB else f"by {campaign.started_by}"


def state_of(campaign: ReviewCampaign, *, is_late: bool) -> Badge:
    """Complete, running or overdue."""
    if campaign.closed_at is not None:
        return COMPLETE
    return OVERDUE if is_late else RUNNING


def campaign_row(campaign: ReviewCampaign, tenant: Tenant, *, url: str, is_late: bool) -> CampaignRow:
    """A campaign that ``campaigns_of`` found."""
    items, undecided = campaign.items, campaign.undecided  # type: ignore[attr-defined]  # annotated by campaigns_of
    return CampaignRow(
        name=campaign.name,
        url=url,
        state=state_of(campaign, is_late=is_late),
        progress=f"{items - undecided:,} of {items:,}",
        due=day(campaign.due_on),
        started=f"{local_date(campaign.started_at, tenant.timezone)}, {started_by(campaign)}",
        closed=local_date(campaign.closed_at, tenant.timezone),
    )


@dataclass(frozen=True)
class Viewer:
    """For whom the items are shown: the workspace, who looks (account), what is held now, and how addresses are made."""

    tenant: Tenant
    user_id: UUID | None
    held: Collection[tuple[int, str, str]]
    person_url: Any
    decide_url: Any


def item_rows(items: Sequence[ReviewItem], viewer: Viewer) -> list[ItemRow]:
    """The lines, a head above the first of each person."""
    begins = [True, *(one.member_id != other.member_id for one, other in pairwise(items))]
    return [_item_row(item, viewer, is_first=first) for item, first in zip(items, begins, strict=False)]


def _item_row(item: ReviewItem, viewer: Viewer, *, is_first: bool) -> ItemRow:
    source = sources.find(item.source)
    state = state_now(item, viewer.held)
    is_own = item.member.user_id == viewer.user_id
    is_open = state is ReviewDecision.OPEN
    return ItemRow(
        id=str(item.id),
        head=_head(item, viewer) if is_first else None,
        person=item.name or item.email,
        kind=source.label if source else item.source,
        label=item.label,
        facts=_facts(item, viewer.tenant.timezone),
        origin=_origin(item),
        state=STATES[state],
        note=OWN if is_open and is_own else _note(item, viewer.tenant.timezone),
        decide_url=viewer.decide_url(item.id) if is_open and not is_own else "",
    )


def state_now(item: ReviewItem, held: Collection[tuple[int, str, str]]) -> ReviewDecision:
    """The decision; what is over since the last settling counts as ended at once."""
    if not item.decision and (item.tenant_id, item.source, item.subject) not in held:
        return ReviewDecision.ENDED
    return ReviewDecision(item.decision)


def _head(item: ReviewItem, viewer: Viewer) -> PersonHead:
    person = item.snapshot["person"]
    return PersonHead(
        name=item.name or item.email,
        email=item.email if item.name else "",
        url=viewer.person_url(item.member_id),
        roles=[Badge(role) for role in person["roles"]],
        seen=seen(item.last_seen_on),
        facts=[f"{one['label']}: {one['value']}" for one in person["facts"]],
    )


def seen(on: date | None) -> str:
    """When somebody opened the workspace last."""
    return NO_VISIT if on is None else f"Last seen {day(on)}"


def _facts(item: ReviewItem, zone: str) -> str:
    held = item.snapshot["held"]
    since, until = _instant(held["since"]), _instant(held["until"])
    parts = [
        f"level {item.level}" if item.level is not None else "",
        count(held["rights"], "right") if held["rights"] is not None else "",
        f"since {local_date(since, zone)}" if since else "",
        f"until {local_time(until, zone)}" if until else "",
    ]
    return ", ".join(part for part in parts if part)


def _origin(item: ReviewItem) -> str:
    held = item.snapshot["held"]
    given = f"Given by {held['by']}" if held["by"] else ""
    return ": ".join(part for part in (given, held["reason"]) if part)


def _instant(text: str | None) -> datetime | None:
    return parse_datetime(text) if text else None


def _note(item: ReviewItem, zone: str) -> str:
    if not item.decided_by:
        return ""
    return f"{item.decided_by}, {local_time(item.decided_at, zone)}: {item.reason}"
