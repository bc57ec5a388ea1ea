"""Rows and parts of this room's pages, in the reader's words and time zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from alerts import wording
from alerts.channels.in_app import WHOLE_WORKSPACE
from alerts.models import (
    Alert,
    BlockedRecipient,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Notice,
    Rule,
    RuleState,
)
from alerts.selectors import ChannelStatus
from pages.objects import SEVERITY_BADGES, Action, Badge, Definition, ListPage, Page, Table
from pages.templatetags.formats import count, local_time
from pages.times import ago, duration
from tenants.models import Tenant

_EVERYONE = "Everyone in the workspace"
_OPEN = Badge("Open", "danger", "bell")
_TAKEN_ON = Badge("Acknowledged", "info", "user")
_CLOSED = Badge("Closed", "good", "check")
_RULE_STATES: Mapping[str, Badge] = {
    RuleState.FIRING: Badge("Firing", "danger", "bell"),
    RuleState.OK: Badge("OK", "good", "check"),
}
_RULE_OFF = Badge("Off", "neutral", "circle-x")
_RULE_UNMEASURED = Badge("Nothing to measure", "neutral", "minus")
_RULE_NEW = Badge("Not judged yet", "neutral", "clock")
_DELIVERY_STATES: Mapping[str, Badge] = {
    DeliveryState.PENDING: Badge("Waiting", "neutral", "clock"),
    DeliveryState.SENDING: Badge("Being sent", "brand", "send"),
    DeliveryState.SENT: Badge("Sent", "good", "check"),
    DeliveryState.FAILED: Badge("Failed", "danger", "alert-circle"),
}


def url(name: str, tenant: Tenant, **ids: object) -> str:
    """The address of this room's page ``name`` in that workspace."""
    return reverse(f"alerts:{name}", kwargs={"tenant": tenant.slug, **ids})


@dataclass(frozen=True)
class AlertRow:
    """One alert in a list."""

    title: str
    url: str
    sentence: str
    severity: Badge
    state: Badge
    opened: str
    opened_instant: str
    lasted: str
    acknowledge: Action | None


@dataclass(frozen=True)
class RuleRow:
    """One rule in the list of rules."""

    name: str
    url: str
    condition: str
    severity: Badge
    state: Badge
    now: str
    judged: str
    cooldown: str


@dataclass(frozen=True)
class DeliveryRow:
    """One message of an alert."""

    what: str
    channel: str
    recipient: str
    state: Badge
    when: str
    tries: int
    error: str
    resend: Action | None


@dataclass(frozen=True)
class NoticeRow:
    """One notice."""

    title: str
    url: str
    text: str
    severity: Badge
    when: str
    instant: str
    is_unread: bool


@dataclass(frozen=True)
class BlockedRow:
    """A recipient that gets nothing any more."""

    recipient: str
    reason: str
    when: str
    lift: Action


@dataclass(frozen=True)
class ChannelCard:
    """A channel, whom it reaches, and whom it no longer reaches; addresses are for those who may change them."""

    label: str
    state: Badge
    recipients: str
    blocked: Sequence[BlockedRow]
    switch: Action | None


@dataclass(frozen=True, kw_only=True)
class DetailPage(Page):
    """One alert with its messages."""

    definitions: Sequence[Definition]
    deliveries: Table[DeliveryRow]


@dataclass(frozen=True, kw_only=True)
class RulesPage(ListPage[RuleRow]):
    """The rules, and where alerts go."""

    channels: Sequence[ChannelCard]


def alert_state(alert: Alert) -> Badge:
    """Open, acknowledged or closed."""
    if not alert.is_open:
        return _CLOSED
    return _TAKEN_ON if alert.acknowledged_at else _OPEN


def acknowledge_action(alert: Alert, tenant: Tenant, *, may_edit: bool) -> Action | None:
    """The button, where there is something to acknowledge and the reader may."""
    if not (may_edit and alert.is_open and alert.acknowledged_at is None):
        return None
    return Action("Acknowledge", url("acknowledge", tenant, alert_id=alert.id), icon="check", method="post")


def alert_row(alert: Alert, tenant: Tenant, now: datetime, *, may_edit: bool) -> AlertRow:
    """How a list shows an alert."""
    lasted = duration(((alert.closed_at or now) - alert.opened_at).total_seconds())
    return AlertRow(
        title=alert.rule_name,
        url=url("detail", tenant, alert_id=alert.id),
        sentence=alert.sentence,
        severity=SEVERITY_BADGES[alert.severity],
        state=alert_state(alert),
        opened=local_time(alert.opened_at, tenant.timezone),
        opened_instant=alert.opened_at.isoformat(),
        lasted=f"for {lasted}" if alert.is_open else f"lasted {lasted}",
        acknowledge=acknowledge_action(alert, tenant, may_edit=may_edit),
    )


def rule_state(rule: Rule) -> Badge:
    """Off, firing, OK, or why nothing can be said."""
    if not rule.is_enabled:
        return _RULE_OFF
    if rule.last_evaluated_at is None:
        return _RULE_NEW
    return _RULE_UNMEASURED if rule.last_value is None else _RULE_STATES[rule.state]


def rule_row(rule: Rule, tenant: Tenant, *, may_edit: bool) -> RuleRow:
    """How the list shows a rule."""
    unit = rule.declared_metric.unit
    return RuleRow(
        name=rule.name,
        url=url("rule", tenant, rule_id=rule.id) if may_edit else "",
        condition=rule.condition,
        severity=SEVERITY_BADGES[rule.severity],
        state=rule_state(rule),
        now="–" if rule.last_value is None else wording.number(rule.last_value, unit),
        judged=ago(rule.last_evaluated_at),
        cooldown=duration(rule.cooldown_minutes * 60),
    )


def delivery_row(
    delivery: Delivery, tenant: Tenant, *, labels: Mapping[str, str], may_edit: bool
) -> DeliveryRow:
    """How an alert's page shows a message."""
    finished = delivery.state in (DeliveryState.SENT, DeliveryState.FAILED)
    again = Action("Send again", url("resend", tenant, delivery_id=delivery.id), icon="send", method="post")
    return DeliveryRow(
        what=DeliveryKind(delivery.kind).label,
        channel=labels.get(delivery.channel, delivery.channel),
        recipient=recipient_words(delivery.recipient) if may_edit else _unnamed(delivery.recipient),
        state=_DELIVERY_STATES[delivery.state],
        when=_delivery_when(delivery, tenant.timezone),
        tries=delivery.attempts,
        error=delivery.error if may_edit else "",  # it may quote the address
        resend=again if finished and may_edit else None,
    )


def _delivery_when(delivery: Delivery, zone: str) -> str:
    if delivery.sent_at:
        return local_time(delivery.sent_at, zone)
    if delivery.state == DeliveryState.PENDING and delivery.attempts:
        return f"next try {ago(delivery.next_attempt_at)}"
    return local_time(delivery.created_at, zone)


def recipient_words(recipient: str) -> str:
    """A recipient as people call it."""
    return _EVERYONE if recipient == WHOLE_WORKSPACE else recipient


def _unnamed(recipient: str) -> str:
    """A recipient for readers who need not know the address."""
    return _EVERYONE if recipient == WHOLE_WORKSPACE else "1 recipient"


def _reached_words(recipients: Sequence[str], *, may_edit: bool) -> str:
    if not recipients:
        return "Nobody: add addresses to the settings, or an admin to the workspace."
    if may_edit or recipients == [WHOLE_WORKSPACE]:
        return ", ".join(map(recipient_words, recipients))
    return count(len(recipients), "recipient")


def notice_row(notice: Notice, zone: str, seen: datetime | None) -> NoticeRow:
    """How the list shows a notice."""
    return NoticeRow(
        title=notice.title,
        url=notice.path,
        text=notice.text,
        severity=SEVERITY_BADGES[notice.severity],
        when=local_time(notice.at, zone),
        instant=notice.at.isoformat(),
        is_unread=seen is None or notice.at > seen,
    )


def channel_card(
    status: ChannelStatus, blocked: Sequence[BlockedRecipient], tenant: Tenant, *, may_edit: bool
) -> ChannelCard:
    """How the rules page shows a channel."""
    is_on, here = status.channel.is_enabled, [b for b in blocked if b.channel == status.channel.kind]
    stopped = {b.recipient for b in here}
    reached = [r for r in status.recipients if r not in stopped]
    switch = Action(
        "Switch off" if is_on else "Switch on",
        url("channel_switch", tenant, channel_id=status.channel.id) + f"?to={'off' if is_on else 'on'}",
        method="post",
    )
    return ChannelCard(
        label=status.label,
        state=Badge("On", "good", "check") if is_on else Badge("Off", "neutral", "circle-x"),
        recipients=_reached_words(reached, may_edit=may_edit),
        blocked=[_blocked_row(b, tenant) for b in here] if may_edit else [],
        switch=switch if may_edit else None,
    )


def _blocked_row(blocked: BlockedRecipient, tenant: Tenant) -> BlockedRow:
    lift = Action("Try again", url("unblock", tenant, blocked_id=blocked.id), icon="refresh", method="post")
    return BlockedRow(
        recipient=blocked.recipient,
        reason=blocked.reason,
        when=local_time(blocked.blocked_at, tenant.timezone),
        lift=lift,
    )
