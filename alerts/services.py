"""Writes about rules, alerts, channels and messages. What the evaluation writes is in ``evaluation.py``."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from alerts import permissions, registry
from alerts.errors import AlertClosed, DeliveryUnderWay, RecipientIsBlocked
from alerts.evaluation import DELIVERY_JOB, JOB
from alerts.events import (
    AlertAcknowledged,
    ChannelSwitched,
    DeliveryResent,
    RecipientUnblocked,
    RuleSaved,
    RuleSwitched,
)
from alerts.models import (
    Alert,
    BlockedRecipient,
    Channel,
    Comparison,
    Delivery,
    DeliveryState,
    NoticeMark,
    Rule,
    RuleState,
    Severity,
)
from alerts.registry import Unit
from audit.services import record
from isolation import context, jobs
from isolation.actors import Actor, require
from isolation.errors import InvalidInput
from tenants.models import Member

LONGEST_COOLDOWN_MINUTES = 7 * 24 * 60
SHORTEST_COOLDOWN_MINUTES = 5
# Notices carry the database's clock, which may run a little ahead of ours.
_CLOCK_SLACK = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What a threshold of that unit may be, and how the bound is said.
BOUNDS: dict[Unit, tuple[float, float, str]] = {
    Unit.RATIO: (0, 1, "from 0 % to 100 %, that is from 0 to 1"),
    Unit.PERCENT: (0, 100, "from 0 % to 100 %"),
    Unit.SCORE: (0, 100, "from 0 to 100"),
    Unit.COUNT: (0, 1_000_000_000, "from 0 to 1,000,000,000"),
    Unit.MINUTES: (0, 525_600, "from 0 to 525,600 minutes (a year)"),
}


@dataclass(frozen=True)
class RuleValues:
    """What people may set on a rule."""

    threshold: float
    severity: str
    cooldown_minutes: int
    comparison: str = Comparison.ABOVE

    def checked(self, metric: str) -> RuleValues:
        """The same values if all are within bounds. Raises: InvalidInput, naming the field and what would be right."""
        declared = registry.find(metric)
        if declared is None:
            raise InvalidInput(
                field="metric", problem=f"Nothing measures “{metric}” any more, so a rule cannot watch it."
            )
        low, high, words = BOUNDS[declared.unit]
        if not (math.isfinite(self.threshold) and low <= self.threshold <= high):
            raise InvalidInput(field="threshold", problem=f"The threshold must be {words}.")
        if not SHORTEST_COOLDOWN_MINUTES <= self.cooldown_minutes <= LONGEST_COOLDOWN_MINUTES:
            raise InvalidInput(
                field="cooldown_minutes",
                problem=f"The cooldown must be from {SHORTEST_COOLDOWN_MINUTES} minutes to {LONGEST_COOLDOWN_MINUTES:,} (a week).",
            )
        _one_of("severity", self.severity, Severity.values)
        _one_of("comparison", self.comparison, Comparison.values)
        return self


def _one_of(field: str, value: str, allowed: list[str]) -> None:
    if value not in allowed:
        raise InvalidInput(
            field=field, problem=f"“{value}” is not a {field}. Use one of: {', '.join(allowed)}."
        )


@transaction.atomic
def rule_save(*, rule: Rule, values: RuleValues, acting_user: Actor) -> Rule:
    """Change what a rule says; the next evaluation, woken at once, judges by it. Raises: Forbidden, InvalidInput."""
    require(acting_user, permissions.EDIT, rule.tenant_id)
    wanted = asdict(values.checked(rule.metric))
    rule = Rule.objects.select_for_update(no_key=True).get(pk=rule.pk)
    changed = sorted(name for name, value in wanted.items() if getattr(rule, name) != value)
    for name, value in wanted.items():
        setattr(rule, name, value)
    rule.save(update_fields=list(wanted))
    event = RuleSaved(
        target_id=str(rule.id),
        target_label=rule.name,
        condition=rule.condition,
        severity=rule.severity,
        cooldown_minutes=rule.cooldown_minutes,
        changed=changed,
    )
    record(event, acting_user=acting_user, tenant_id=rule.tenant_id)
    with context.shared_tables():
        jobs.wake(JOB)
    return rule


@transaction.atomic
def rule_enable(*, rule: Rule, acting_user: Actor) -> Rule:
    """Let a rule be evaluated again. Raises: Forbidden."""
    return _rule_switch(rule, is_enabled=True, acting_user=acting_user)


@transaction.atomic
def rule_disable(*, rule: Rule, acting_user: Actor) -> Rule:
    """Stop evaluating a rule; its open alert, if there is one, is closed. Raises: Forbidden."""
    rule = _rule_switch(rule, is_enabled=False, acting_user=acting_user)
    Alert.objects.filter(rule=rule, closed_at=None).update(closed_at=Now(), closed_value=rule.last_value)
    return rule


def _rule_switch(rule: Rule, *, is_enabled: bool, acting_user: Actor) -> Rule:
    require(acting_user, permissions.EDIT, rule.tenant_id)
    rule = Rule.objects.select_for_update(no_key=True).get(pk=rule.pk)
    if rule.is_enabled == is_enabled:
        return rule
    rule.is_enabled, rule.state, rule.since = is_enabled, RuleState.OK, timezone.now()
    rule.save(update_fields=["is_enabled", "state", "since"])
    event = RuleSwitched(target_id=str(rule.id), target_label=rule.name, word=_word(is_enabled))
    record(event, acting_user=acting_user, tenant_id=rule.tenant_id)
    return rule


def _word(is_enabled: bool) -> str:
    return "on" if is_enabled else "off"


@transaction.atomic
def alert_acknowledge(*, alert: Alert, acting_user: Actor) -> Alert:
    """Say that somebody is on it: reminders stop. Doing it twice changes nothing. Raises: Forbidden, AlertClosed."""
    require(acting_user, permissions.EDIT, alert.tenant_id)
    alert = Alert.objects.select_for_update(no_key=True).get(pk=alert.pk)
    if alert.acknowledged_at is not None:
        return alert
    if not alert.is_open:
        raise AlertClosed
    alert.acknowledged_at, alert.acknowledged_by = timezone.now(), acting_user.label
    alert.save(update_fields=["acknowledged_at", "acknowledged_by"])
    event = AlertAcknowledged(target_id=str(alert.id), target_label=alert.rule_name)
    record(event, acting_user=acting_user, tenant_id=alert.tenant_id)
    return alert


@transaction.atomic
def delivery_resend(*, delivery: Delivery, acting_user: Actor) -> Delivery:
    """Send a finished message once more, under a new idempotency key.

    Raises: Forbidden; DeliveryUnderWay, while it is still being sent; RecipientIsBlocked.
    """
    require(acting_user, permissions.EDIT, delivery.tenant_id)
    delivery = Delivery.objects.select_for_update(no_key=True).select_related("alert").get(pk=delivery.pk)
    if delivery.state not in (DeliveryState.SENT, DeliveryState.FAILED):
        raise DeliveryUnderWay
    _refuse_blocked(delivery)
    Delivery.objects.filter(pk=delivery.pk).update(
        state=DeliveryState.PENDING,
        resends=F("resends") + 1,
        attempts=0,
        next_attempt_at=Now(),
        sent_at=None,
        error="",
    )
    delivery.refresh_from_db()
    event = DeliveryResent(
        target_id=str(delivery.id),
        target_label=delivery.alert.rule_name,
        channel=delivery.channel,
        recipient=delivery.recipient,
    )
    record(event, acting_user=acting_user, tenant_id=delivery.tenant_id)
    with context.shared_tables():
        jobs.wake(DELIVERY_JOB)
    return delivery


def _refuse_blocked(delivery: Delivery) -> None:
    blocked = BlockedRecipient.objects.filter(channel=delivery.channel, recipient=delivery.recipient).first()
    if blocked is not None:
        raise RecipientIsBlocked(recipient=blocked.recipient, reason=blocked.reason.rstrip("."))


@transaction.atomic
def channel_switch(*, channel: Channel, is_enabled: bool, acting_user: Actor) -> Channel:
    """Stop or resume writing messages for a channel; what is already written still goes out. Raises: Forbidden."""
    require(acting_user, permissions.EDIT, channel.tenant_id)
    channel = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
    if channel.is_enabled == is_enabled:
        return channel
    channel.is_enabled = is_enabled
    channel.save(update_fields=["is_enabled"])
    event = ChannelSwitched(target_id=str(channel.id), target_label=channel.kind, word=_word(is_enabled))
    record(event, acting_user=acting_user, tenant_id=channel.tenant_id)
    return channel


@transaction.atomic
def recipient_unblock(*, blocked: BlockedRecipient, acting_user: Actor) -> None:
    """Let messages go to a recipient again that once refused for good. Raises: Forbidden."""
    require(acting_user, permissions.EDIT, blocked.tenant_id)
    event = RecipientUnblocked(
        target_id=str(blocked.id),
        target_label=blocked.channel,
        recipient=blocked.recipient,
        reason=blocked.reason,
    )
    record(event, acting_user=acting_user, tenant_id=blocked.tenant_id)
    blocked.delete()


@transaction.atomic
def notices_mark_read(*, member: Member, until: datetime, acting_user: Actor) -> None:
    """Note that ``member`` has read the notices up to ``until``; never moves back.

    Raises: Forbidden; InvalidInput for an instant in the future or before 1970.
    """
    require(acting_user, permissions.VIEW, member.tenant_id)
    if not _EPOCH <= until <= timezone.now() + _CLOCK_SLACK:
        problem = (
            "“until” lies in the future or before 1970. Use the instant of the newest notice that was read."
        )
        raise InvalidInput(field="until", problem=problem)
    NoticeMark.objects.bulk_create(
        [NoticeMark(tenant_id=member.tenant_id, member=member, seen_at=until)], ignore_conflicts=True
    )
    NoticeMark.objects.filter(member=member, seen_at__lt=until).update(seen_at=until)
