"""Rules, what they found, and every message that left because of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from alerts import wording
from alerts.registry import Metric, Unit, find
from isolation.ids import uuid7
from isolation.models import SameTenantForeignKey, TenantModel
from tenants.models import Member


class Comparison(models.TextChoices):
    """Which side of the threshold is bad."""

    ABOVE = "above", "is above"
    BELOW = "below", "is below"


class Severity(models.TextChoices):
    """How soon somebody should look."""

    INFO = "info", "Info"
    WARNING = "warning", "Warning"
    CRITICAL = "critical", "Critical"


class RuleState(models.TextChoices):
    """What the last evaluation found."""

    OK = "ok", "OK"
    FIRING = "firing", "Firing"


class DeliveryState(models.TextChoices):
    """How far a message got. ``sending`` rows whose lease ran out are due again."""

    PENDING = "pending", "Waiting"
    SENDING = "sending", "Being sent"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"


class DeliveryKind(models.TextChoices):
    """What a message tells."""

    OPENED = "opened", "Alert"
    REMINDER = "reminder", "Reminder"
    CLOSED = "closed", "Recovery"


class Audience(models.TextChoices):
    """Who reads a notice: everybody who may see alerts, or only those who may change them."""

    EVERYONE = "everyone", "Everyone"
    ADMINS = "admins", "Admins"


class Watched(models.Model):
    """A metric, compared with a threshold: shared by a rule and by the alert that keeps a copy of it."""

    metric = models.CharField(max_length=80)
    comparison = models.CharField(max_length=6, choices=Comparison.choices, default=Comparison.ABOVE)
    threshold = models.FloatField()
    severity = models.CharField(max_length=8, choices=Severity.choices, default=Severity.WARNING)

    class Meta:
        abstract = True

    @property
    def declared_metric(self) -> Metric:
        """The registered metric; where the app that had it is gone, one that goes by its code."""
        return find(self.metric) or Metric(self.metric, self.metric, Unit.COUNT, sql="")

    @property
    def condition(self) -> str:
        """When it is bad: "Share of open deals without recent activity is above 10 %"."""
        metric = self.declared_metric
        verb = Comparison(self.comparison).label
        return f"{metric.sentence} {verb} {wording.number(self.threshold, metric.unit)}"

    def finding(self, value: float) -> str:
        """What was measured: "Share … is 14 %, above the limit of 10 %."."""
        metric = self.declared_metric
        shown, limit = wording.number(value, metric.unit), wording.number(self.threshold, metric.unit)
        return f"{metric.sentence} is {shown}, {self.comparison} the limit of {limit}."


class Rule(Watched, TenantModel):
    """One thing that a workspace watches; the state columns belong to the evaluation alone."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=60)
    cooldown_minutes = models.PositiveIntegerField(default=60)
    is_enabled = models.BooleanField(default=True)
    state = models.CharField(max_length=6, choices=RuleState.choices, default=RuleState.OK)
    last_value = models.FloatField(null=True)
    since = models.DateTimeField(db_default=Now())
    last_evaluated_at = models.DateTimeField(null=True)
    last_fired_at = models.DateTimeField(null=True)
    """When messages last left for this rule: the cooldown counts from here."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "name"], name="alerts_rule_name")]
        # Not by tenant first: the evaluation reads one metric's rules of all workspaces.
        indexes: ClassVar = [models.Index(fields=["metric", "tenant"], name="alerts_rule_by_metric")]

    def __str__(self) -> str:
        return self.name


class Alert(Watched, TenantModel):
    """One stretch of time in which a rule fired, with a copy of what the rule said when it began."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    rule = SameTenantForeignKey(Rule, on_delete=models.PROTECT, related_name="+")
    rule_name = models.CharField(max_length=60)
    value = models.FloatField()
    opened_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)
    closed_value = models.FloatField(null=True)
    rounds = models.PositiveIntegerField(default=0)
    """How often messages left: the first, then reminders."""
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=254, blank=True)

    class Meta:
        constraints: ClassVar = [
            # Two evaluations at once cannot open a second alert for the same stretch.
            models.UniqueConstraint(
                fields=["tenant", "rule"], condition=Q(closed_at=None), name="alerts_alert_open_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-opened_at", "-id"], name="alerts_alert_newest"),
            models.Index(
                fields=["tenant", "opened_at"], condition=Q(closed_at=None), name="alerts_alert_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name}: {self.sentence}"

    @property
    def sentence(self) -> str:
        """What was found when the alert opened."""
        return self.finding(self.value)

    @property
    def is_open(self) -> bool:
        """Whether the rule still fires."""
        return self.closed_at is None


class Channel(TenantModel):
    """Whether a workspace wants messages by that channel; which channels there are, ``alerts.channels`` says."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20)
    is_enabled = models.BooleanField(default=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "kind"], name="alerts_channel_kind")
        ]


class BlockedRecipient(TenantModel):
    """A recipient whose channel said "never": nothing more is sent there until somebody lifts it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    channel = models.CharField(max_length=20)
    recipient = models.CharField(max_length=254)
    reason = models.TextField()
    blocked_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "channel", "recipient"], name="alerts_blocked_once")
        ]


class Delivery(TenantModel):
    """One message to one recipient: written before it is sent, marked sent only after. At least once, never lost."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    alert = SameTenantForeignKey(Alert, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=8, choices=DeliveryKind.choices)
    round = models.PositiveIntegerField()
    channel = models.CharField(max_length=20)
    recipient = models.CharField(max_length=254)
    value = models.FloatField(null=True)
    """What the metric was when the message was written; None where there was nothing left to measure."""
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    """Tries since the row was last made pending; also the fence that a late sender runs into."""
    resends = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "alert", "channel", "recipient", "kind", "round"],
                name="alerts_delivery_once",
            ),
        ]
        indexes: ClassVar = [
            # Not by tenant first: the dispatcher asks what is due in all workspaces.
            models.Index(
                fields=["next_attempt_at", "tenant"],
                condition=Q(state__in=["pending", "sending"]),
                name="alerts_delivery_due",
            ),
        ]

    @property
    def idempotency_key(self) -> str:
        """The same for every try of one message, another for a message that somebody asked to send again."""
        return f"{self.id}.{self.resends}"


class Notice(TenantModel):
    """One message of the in-app channel, or of the program to a workspace's admins."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=80)
    audience = models.CharField(max_length=8, choices=Audience.choices, default=Audience.EVERYONE)
    severity = models.CharField(max_length=8, choices=Severity.choices)
    title = models.CharField(max_length=160)
    text = models.TextField()
    path = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "key"], name="alerts_notice_key")]
        indexes: ClassVar = [models.Index(fields=["tenant", "-at", "-id"], name="alerts_notice_newest")]


class NoticeMark(TenantModel):
    """Up to when a member has read the notices."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    member = SameTenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "member"], name="alerts_mark_member")
        ]
