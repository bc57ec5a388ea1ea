"""Rows and parts of the queue's pages, in the reader's words and time zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.urls import reverse

from operations.models import ItemKind, ItemState
from operations.scoring import DECAY_HORIZON, HISTORY_FULL, HISTORY_WINDOW, WEIGHTS
from operations.selectors import QueueItem
from pages.objects import Action, Badge, Definition, ListPage, Page, Score, ScorePart
from pages.templatetags.formats import local_time
from pages.times import ago
from tenants.models import Tenant

_STATES: Mapping[str, Badge] = {
    ItemState.OPEN: Badge("Open", "brand", "inbox"),
    ItemState.REVIEWED: Badge("Reviewed", "good", "check"),
    ItemState.CLOSED: Badge("Closed", "neutral", "circle-x"),
}
# Where a score counts as high: a page's colours, not a rule of the business.
_BANDS = (
    (70.0, Badge("High", "danger", "flame")),
    (40.0, Badge("Medium", "warning", "alert-triangle")),
    (0.0, Badge("Low", "neutral", "minus")),
)
PART_LABELS = {
    "intent_confidence": "Intent",
    "sentiment_urgency": "Urgency",
    "time_decay": "Waiting time",
    "user_history": "Earlier contacts",
}
_REASONS = {
    "intent_confidence": "How sure it is what the person wants.",
    "sentiment_urgency": "How negative or pressing the message sounds.",
    "time_decay": f"Rises evenly until {int(DECAY_HORIZON.total_seconds() // 3600)} hours have passed.",
    "user_history": f"Items of the same contact in the {HISTORY_WINDOW.days} days before; {HISTORY_FULL} and more count fully.",
}


def url(name: str, tenant: Tenant, **ids: object) -> str:
    """The address of this room's page ``name`` in that workspace."""
    return reverse(f"operations:{name}", kwargs={"tenant": tenant.slug, **ids})


@dataclass(frozen=True)
class ItemRow:
    """One item in the queue."""

    subject: str
    url: str
    snippet: str
    kind: str
    contact: str
    mobile: str
    email: str
    score: Score
    parts: str
    state: Badge
    waiting: str
    created: str
    review: Action | None


@dataclass(frozen=True, kw_only=True)
class QueuePage(ListPage[ItemRow]):
    """The queue; ``note`` says whether contact data is masked."""

    note: str


@dataclass(frozen=True, kw_only=True)
class ItemPage(Page):
    """One item with the parts of its score."""

    score: Score
    definitions: Sequence[Definition]
    snippet: str


def score_of(item: QueueItem) -> Score:
    """The score with its four parts."""
    band = next(badge for least, badge in _BANDS if item.score >= least)
    parts = [
        ScorePart(PART_LABELS[name], round(points, 1), WEIGHTS[name], _REASONS[name])
        for name, points in item.parts.items()
    ]
    return Score(item.score, band, parts)


def item_row(item: QueueItem, tenant: Tenant, *, may_review: bool) -> ItemRow:
    """How the queue shows an item."""
    score = score_of(item)
    return ItemRow(
        subject=item.subject,
        url=url("item", tenant, item_id=item.id),
        snippet=item.message_snippet,
        kind=ItemKind(item.kind).label,
        contact=item.contact_name or "–",
        mobile=item.contact_mobile,
        email=item.contact_email,
        score=score,
        parts=", ".join(f"{part.label} {part.points:g}" for part in score.parts),
        state=_STATES[item.state],
        waiting=ago(item.created_at),
        created=item.created_at.isoformat(),
        review=review_action(item, tenant, may_review=may_review),
    )


def review_action(item: QueueItem, tenant: Tenant, *, may_review: bool) -> Action | None:
    """The button, where there is something to review and the reader may."""
    if not may_review or item.state != ItemState.OPEN:
        return None
    return Action("Mark reviewed", url("review", tenant, item_id=item.id), icon="check", method="post")


def close_action(item: QueueItem, tenant: Tenant, *, may_review: bool) -> Action | None:
    """The button that takes an item out of the queue."""
    if not may_review or item.state == ItemState.CLOSED:
        return None
    question = "The item leaves the queue for good. It stays in the list of closed items."
    return Action("Close", url("close", tenant, item_id=item.id), icon="x", method="post", confirm=question)


def definitions_of(item: QueueItem, tenant: Tenant) -> list[Definition]:
    """What is known of an item."""
    reviewed = (
        f"{item.reviewed_by}, {local_time(item.reviewed_at, tenant.timezone)}" if item.reviewed_at else ""
    )
    return [
        Definition("State", _STATES[item.state]),
        Definition("Kind", ItemKind(item.kind).label),
        Definition("Contact", item.contact_name),
        Definition("Mobile", item.contact_mobile),
        Definition("E-mail", item.contact_email),
        Definition("Came in", local_time(item.created_at, tenant.timezone)),
        Definition("Scored", local_time(item.scored_at, tenant.timezone)),
        Definition("Reviewed by", reviewed),
    ]
