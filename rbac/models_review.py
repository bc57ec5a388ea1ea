"""Access reviews: a campaign, and one line for each thing that somebody held when it began."""

from __future__ import annotations

from typing import ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from isolation.ids import uuid7
from isolation.models import SameTenantForeignKey, TenantModel
from tenants.models import Member


class ReviewDecision(models.TextChoices):
    """What became of a line. ``ended``: the thing was over before anybody decided, so nobody needs to."""

    OPEN = "", "To decide"
    KEEP = "keep", "Kept"
    REVOKE = "revoke", "Revoked"
    ENDED = "ended", "Ended already"


class ReviewCampaign(TenantModel):
    """One review of who holds what. ``quarter`` is like "2026-Q4", or "" for one that was started beside the quarterly ones."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=60)
    quarter = models.CharField(max_length=7, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    started_by = models.CharField(max_length=254)
    due_on = models.DateField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=254, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "quarter"], condition=~Q(quarter=""), name="rbac_review_quarter"
            )
        ]

    def __str__(self) -> str:
        return self.name


class ReviewItem(TenantModel):
    """One thing that a member held when the campaign began; all but the decision is as it was then.

    ``source`` and ``subject`` name the thing for the room that knows it (``rbac.review.sources``). ``name``, ``email`` and
    ``last_seen_on`` are the member's; ``snapshot`` holds the rest as JSON: {"person": {roles, facts}, "held": {since,
    until, by, reason, rights}}, instants in ISO 8601, UTC.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    campaign = SameTenantForeignKey(ReviewCampaign, on_delete=models.PROTECT, related_name="+")
    member = SameTenantForeignKey(Member, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=150, blank=True)
    email = models.CharField(max_length=254)
    last_seen_on = models.DateField(null=True)
    source = models.CharField(max_length=20)
    place = models.PositiveSmallIntegerField()
    subject = models.CharField(max_length=64)
    label = models.CharField(max_length=200)
    level = models.PositiveSmallIntegerField(null=True)
    snapshot = models.JSONField(encoder=DjangoJSONEncoder)
    decision = models.CharField(max_length=6, choices=ReviewDecision.choices, blank=True, db_default="")
    reason = models.CharField(max_length=300, blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=254, blank=True)
    decided_by_member = SameTenantForeignKey(Member, on_delete=models.PROTECT, related_name="+", null=True)
    outcome = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "campaign", "source", "subject"], name="rbac_reviewitem_once"
            ),
            models.CheckConstraint(
                condition=Q(decision="", decided_at=None) | (~Q(decision="") & Q(decided_at__isnull=False)),
                name="rbac_reviewitem_dated",
            ),
            models.CheckConstraint(
                condition=~Q(decision__in=["keep", "revoke"]) | ~Q(reason=""),
                name="rbac_reviewitem_reasoned",
            ),
            models.CheckConstraint(
                condition=Q(decided_by_member=None) | ~Q(decided_by_member=F("member")),
                name="rbac_reviewitem_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} of {self.name or self.email}"
