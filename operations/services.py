"""Writes about the priority queue."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils import timezone

from audit.services import record
from isolation import context, jobs
from isolation.actors import Actor, require
from isolation.errors import InvalidInput
from operations import permissions
from operations.errors import ItemClosed
from operations.events import ItemClosedByHand, ItemCreated, ItemReviewed, ItemsImported
from operations.models import LONGEST, ItemKind, ItemState, PriorityItem, contact_key
from operations.scoring import JOB
from rbac.redaction import masks

BATCH = 1000
# A clock that runs a little ahead of ours is no reason to refuse an item.
_CLOCK_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class NewItem:
    """What an item comes with; ``created_at`` None means now."""

    kind: str
    subject: str
    intent_confidence: float
    sentiment_urgency: float
    message_snippet: str = ""
    contact_name: str = ""
    contact_mobile: str = ""
    contact_email: str = ""
    created_at: datetime | None = None

    def checked(self) -> NewItem:
        """The same item if every field can be used. Raises: InvalidInput, naming the field and what would be right."""
        if self.kind not in ItemKind.values:
            raise InvalidInput(
                field="kind",
                problem=f"“{self.kind}” is not a kind. Use one of: {', '.join(ItemKind.values)}.",
            )
        if not self.subject.strip():
            raise InvalidInput(
                field="subject", problem="The subject is empty. Say in a few words what it is about."
            )
        self._check_lengths()
        self._check_factor("intent_confidence", self.intent_confidence)
        self._check_factor("sentiment_urgency", self.sentiment_urgency)
        self._check_contact()
        self._check_age()
        return self

    def _check_lengths(self) -> None:
        for name, limit in LONGEST.items():
            text: str = getattr(self, name)
            if "\x00" in text:
                raise InvalidInput(field=name, problem=f"{name} holds a NUL character. Send plain text.")
            if len(text) > limit:
                raise InvalidInput(
                    field=name, problem=f"{name} has {len(text)} characters. Use at most {limit}."
                )

    def _check_factor(self, name: str, value: float) -> None:
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise InvalidInput(field=name, problem=f"{name} is {value:g}. Use a number from 0 to 1.")

    def _check_contact(self) -> None:
        if self.contact_email:
            try:
                validate_email(self.contact_email)
            except ValidationError as error:
                problem = "contact_email is not an e-mail address. Use one like name@example.com, or leave it empty."
                raise InvalidInput(field="contact_email", problem=problem) from error
        if self.contact_mobile and not any(character.isdigit() for character in self.contact_mobile):
            raise InvalidInput(
                field="contact_mobile",
                problem="contact_mobile holds no digits. Use a number, or leave it empty.",
            )

    def _check_age(self) -> None:
        if self.created_at and self.created_at > timezone.now() + _CLOCK_SLACK:
            raise InvalidInput(
                field="created_at",
                problem="created_at lies in the future. Use the instant at which the message came.",
            )

    def row(self, tenant_id: int) -> PriorityItem:
        """An unsaved row; the next run of the scoring job gives it its score."""
        return PriorityItem(
            tenant_id=tenant_id,
            kind=self.kind,
            subject=self.subject.strip(),
            subject_masked=masks.text(self.subject.strip()),
            message_snippet=self.message_snippet.strip(),
            contact_name=self.contact_name.strip(),
            contact_mobile=self.contact_mobile.strip(),
            contact_email=self.contact_email.strip().lower(),
            contact_key=contact_key(self.contact_email, self.contact_mobile),
            intent_confidence=self.intent_confidence,
            sentiment_urgency=self.sentiment_urgency,
            created_at=self.created_at or timezone.now(),
        )


@transaction.atomic
def item_create(*, tenant_id: int, item: NewItem, acting_user: Actor) -> PriorityItem:
    """Put one item into the queue. Raises: Forbidden, InvalidInput."""
    require(acting_user, permissions.REVIEW, tenant_id)
    row = item.checked().row(tenant_id)
    row.save(force_insert=True)
    event = ItemCreated(target_id=str(row.id), kind=row.kind)
    record(event, acting_user=acting_user, tenant_id=tenant_id)
    _score_soon()
    return row


@transaction.atomic
def items_import(*, tenant_id: int, items: Iterable[NewItem], rejected: int, acting_user: Actor) -> int:
    """Put many checked items into the queue at once, with one event for all; how many. Raises: Forbidden, InvalidInput."""
    require(acting_user, permissions.REVIEW, tenant_id)
    rows = [item.checked().row(tenant_id) for item in items]
    PriorityItem.objects.bulk_create(rows, batch_size=BATCH)
    event = ItemsImported(imported=len(rows), rejected=rejected)
    record(event, acting_user=acting_user, tenant_id=tenant_id)
    _score_soon()
    return len(rows)


def _score_soon() -> None:
    """A new item counts as 0 until it is scored, and would stand at the end of the queue for a minute."""
    with context.shared_tables():
        jobs.wake(JOB)


@transaction.atomic
def item_review(*, item: PriorityItem, acting_user: Actor) -> PriorityItem:
    """Note that somebody has looked at the item. Doing it twice changes nothing. Raises: Forbidden, ItemClosed."""
    require(acting_user, permissions.REVIEW, item.tenant_id)
    item = PriorityItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    if item.state == ItemState.REVIEWED:
        return item
    if item.state == ItemState.CLOSED:
        raise ItemClosed
    item.state, item.reviewed_at, item.reviewed_by = ItemState.REVIEWED, timezone.now(), acting_user.label
    item.save(update_fields=["state", "reviewed_at", "reviewed_by"])
    event = ItemReviewed(target_id=str(item.id), kind=item.kind)
    record(event, acting_user=acting_user, tenant_id=item.tenant_id)
    return item


@transaction.atomic
def item_close(*, item: PriorityItem, acting_user: Actor) -> PriorityItem:
    """Take the item out of the queue for good. Doing it twice changes nothing. Raises: Forbidden."""
    require(acting_user, permissions.REVIEW, item.tenant_id)
    item = PriorityItem.objects.select_for_update(no_key=True).get(pk=item.pk)
    if item.state == ItemState.CLOSED:
        return item
    item.state, item.closed_at, item.closed_by = ItemState.CLOSED, timezone.now(), acting_user.label
    item.save(update_fields=["state", "closed_at", "closed_by"])
    event = ItemClosedByHand(target_id=str(item.id), kind=item.kind)
    record(event, acting_user=acting_user, tenant_id=item.tenant_id)
    return item
