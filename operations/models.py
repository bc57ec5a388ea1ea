"""What waits for the customer desk."""

from __future__ import annotations

import re
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from isolation.ids import uuid7
from isolation.models import TenantModel


class ItemKind(models.TextChoices):
    """What the person wants."""

    COMPLAINT = "complaint", "Complaint"
    REFUND = "refund", "Refund"
    BOOKING = "booking", "Booking"
    QUESTION = "question", "Question"
    OTHER = "other", "Other"


class ItemState(models.TextChoices):
    """Whether somebody has to look. Only open items are scored anew."""

    OPEN = "open", "Open"
    REVIEWED = "reviewed", "Reviewed"
    CLOSED = "closed", "Closed"


LONGEST = {
    "subject": 200,
    "message_snippet": 1000,
    "contact_name": 150,
    "contact_mobile": 32,
    "contact_email": 254,
}
"""Characters that each text may have."""
FACTORS = ("intent_confidence", "sentiment_urgency", "time_decay", "user_history")


def _within(name: str, high: int) -> models.CheckConstraint:
    # NaN counts as greater than every number in PostgreSQL, so the upper bound keeps it out too.
    condition = Q(**{f"{name}__gte": 0, f"{name}__lte": high})
    return models.CheckConstraint(condition=condition, name=f"operations_item_{name}")


class PriorityItem(TenantModel):
    """One message from a customer, with the four factors of its priority, each from 0 to 1.

    Intent and sentiment come with the item; time decay, user history and the score belong to the scoring job.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=10, choices=ItemKind.choices)
    subject = models.CharField(max_length=LONGEST["subject"])
    subject_masked = models.TextField(default="")
    """The subject as readers without full access see and search it; written with it."""
    message_snippet = models.CharField(max_length=LONGEST["message_snippet"], blank=True)
    contact_name = models.CharField(max_length=LONGEST["contact_name"], blank=True)
    contact_mobile = models.CharField(max_length=LONGEST["contact_mobile"], blank=True)
    contact_email = models.CharField(max_length=LONGEST["contact_email"], blank=True)
    contact_key = models.CharField(max_length=254, blank=True)
    """What makes two items the same person's: the e-mail address, else the digits of the number, else nothing."""
    intent_confidence = models.FloatField()
    sentiment_urgency = models.FloatField()
    time_decay = models.FloatField(default=0)
    user_history = models.FloatField(default=0)
    score = models.FloatField(default=0)
    scored_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=8, choices=ItemState.choices, default=ItemState.OPEN)
    created_at = models.DateTimeField(db_default=Now())
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=254, blank=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=254, blank=True)

    class Meta:
        constraints: ClassVar = [*(_within(name, 1) for name in FACTORS), _within("score", 100)]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "state", "-score", "-id"], name="operations_item_queue"),
            models.Index(fields=["tenant", "-score", "-id"], name="operations_item_by_score"),
            models.Index(fields=["tenant", "contact_key", "created_at"], name="operations_item_contact"),
        ]

    def __str__(self) -> str:
        return self.subject


def contact_key(email: str, mobile: str) -> str:
    """See ``PriorityItem.contact_key``."""
    return email.strip().lower() or re.sub(r"\D", "", mobile)
