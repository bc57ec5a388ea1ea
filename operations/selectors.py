"""Reads of the priority queue. Contact data leaves this module through the reader's redactor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from operations.models import ItemState, PriorityItem
from operations.scoring import WEIGHTS
from rbac.redaction.reading import Redactor


@dataclass(frozen=True)
class QueueItem:
    """An item as its reader may see it."""

    id: UUID
    kind: str
    subject: str
    message_snippet: str
    contact_name: str
    contact_mobile: str
    contact_email: str
    score: float
    parts: dict[str, float]
    """Points of each factor, by its name; they add up to the score."""
    state: str
    created_at: datetime
    scored_at: datetime | None
    reviewed_at: datetime | None
    reviewed_by: str


@dataclass(frozen=True)
class QueueFilters:
    """What of the queue to show; empty fields ask for everything."""

    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    min_score: float = 0
    search: str = ""
    is_masked: bool = True
    """Whether the search may only find what the masked subject says."""


HIGHEST_FIRST = ("-score", "-id")


def queue_of(tenant_id: int, filters: QueueFilters) -> QuerySet[PriorityItem]:
    """The items that fit, highest score first; ``score`` and ``id`` are the keyset. For ``seen_by``, never for a page itself."""
    items = PriorityItem.objects.filter(tenant_id=tenant_id)
    if filters.states:
        items = items.filter(state__in=filters.states)
    if filters.kinds:
        items = items.filter(kind__in=filters.kinds)
    if filters.min_score:
        items = items.filter(score__gte=filters.min_score)
    if filters.search:
        subject = "subject_masked" if filters.is_masked else "subject"
        items = items.filter(**{f"{subject}__icontains": filters.search})
    return items.order_by(*HIGHEST_FIRST)


def open_item_count(tenant_id: int) -> int:
    """How many items wait."""
    return PriorityItem.objects.filter(tenant_id=tenant_id, state=ItemState.OPEN).count()


def seen(item: PriorityItem, redactor: Redactor) -> QueueItem:
    """The item as the redactor's reader may see it."""
    see = redactor.row(item.id)
    return QueueItem(
        id=item.id,
        kind=item.kind,
        # The stored mask, because it is what a masked reader's search runs over.
        subject=item.subject_masked if see.is_masking else see.text(item.subject),
        message_snippet=see.text(item.message_snippet),
        contact_name=see.text(item.contact_name),
        contact_mobile=see.phone(item.contact_mobile),
        contact_email=see.email(item.contact_email),
        score=item.score,
        parts={name: weight * getattr(item, name) for name, weight in WEIGHTS.items()},
        state=item.state,
        created_at=item.created_at,
        scored_at=item.scored_at,
        reviewed_at=item.reviewed_at,
        reviewed_by=item.reviewed_by,
    )
