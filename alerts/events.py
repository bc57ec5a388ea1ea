from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.registry import AuditEvent


@dataclass(frozen=True, kw_only=True)
class RuleSaved(AuditEvent):
    code: ClassVar = "alerts.rule_saved"
    target_kind: ClassVar = "alert_rule"
    sentence: ClassVar = "Alert rule {target_label} was saved: {condition}, {severity}, at most every {cooldown_minutes} minutes"
    personal: ClassVar = frozenset[str]()

    condition: str
    severity: str
    cooldown_minutes: int
    changed: list[str]


@dataclass(frozen=True, kw_only=True)
class RuleSwitched(AuditEvent):
    code: ClassVar = "alerts.rule_switched"
    target_kind: ClassVar = "alert_rule"
    sentence: ClassVar = "Alert rule {target_label} was switched {word}"
    personal: ClassVar = frozenset[str]()

    word: str


@dataclass(frozen=True, kw_only=True)
class AlertAcknowledged(AuditEvent):
    code: ClassVar = "alerts.alert_acknowledged"
    target_kind: ClassVar = "alert"
    sentence: ClassVar = "Alert {target_label} was acknowledged"
    personal: ClassVar = frozenset[str]()


@dataclass(frozen=True, kw_only=True)
class DeliveryResent(AuditEvent):
    code: ClassVar = "alerts.delivery_resent"
    target_kind: ClassVar = "delivery"
    sentence: ClassVar = "A message of alert {target_label} to {recipient} is sent again by {channel}"
    personal: ClassVar = frozenset({"recipient"})

    channel: str
    recipient: str


@dataclass(frozen=True, kw_only=True)
class ChannelSwitched(AuditEvent):
    code: ClassVar = "alerts.channel_switched"
    target_kind: ClassVar = "alert_channel"
    sentence: ClassVar = "Alert channel {target_label} was switched {word}"
    personal: ClassVar = frozenset[str]()

    word: str


@dataclass(frozen=True, kw_only=True)
class RecipientUnblocked(AuditEvent):
    code: ClassVar = "alerts.recipient_unblocked"
    target_kind: ClassVar = "alert_channel"
    sentence: ClassVar = "The block of {recipient} on {target_label} was lifted: {reason}"
    personal: ClassVar = frozenset({"recipient", "reason"})

    recipient: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class TestMessageSent(AuditEvent):
    code: ClassVar = "alerts.test_message_sent"
    target_kind: ClassVar = "alert_channel"
    sentence: ClassVar = "A test message went out by {target_label} to {recipients}"
    personal: ClassVar = frozenset({"recipients"})

    recipients: list[str]
