"""The outbox: rows are claimed with a lease, sent outside every transaction, and marked sent only afterwards.

A sender that dies leaves its row leased; when the lease has run out somebody else sends it. So a message may go out twice
under the same idempotency key, but never not at all.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now
from django.urls import reverse

from alerts import wording
from alerts.channels.base import ChannelError, Message, PermanentError, find
from alerts.models import (
    Alert,
    Audience,
    BlockedRecipient,
    Delivery,
    DeliveryKind,
    DeliveryState,
    Notice,
    Severity,
)
from isolation import context
from tenants.models import Tenant

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
BATCH = 200
MAX_ATTEMPTS = 12  # with the waits below: about six hours of an absent server
FIRST_WAIT = timedelta(seconds=30)
LONGEST_WAIT = timedelta(hours=1)
JITTER = (0.5, 1.5)

# Each workspace's oldest rows come first in turn, so that one with thousands does not keep the others waiting.
_CLAIM = """
    WITH due AS (
        SELECT tenant_id, id, row_number() OVER (PARTITION BY tenant_id ORDER BY next_attempt_at) AS turn
        FROM alerts_delivery
        WHERE next_attempt_at <= now() AND (state = 'pending' OR (state = 'sending' AND leased_until < now()))
    ),
    free AS (
        SELECT d.tenant_id, d.id FROM alerts_delivery d JOIN due ON due.tenant_id = d.tenant_id AND due.id = d.id
        WHERE d.state = 'pending' OR (d.state = 'sending' AND d.leased_until < now())
        ORDER BY due.turn, d.next_attempt_at
        LIMIT %(batch)s
        FOR UPDATE OF d SKIP LOCKED
    )
    UPDATE alerts_delivery d
    SET state = 'sending', attempts = d.attempts + 1, leased_until = now() + make_interval(secs => %(lease)s)
    FROM free WHERE d.tenant_id = free.tenant_id AND d.id = free.id
    RETURNING d.tenant_id, d.id, d.attempts
"""


# A message whose senders die again and again, whatever the reason, must not be handed out for ever.
_GIVE_UP = """
    UPDATE alerts_delivery SET state = 'failed', leased_until = NULL, error = %(error)s
    WHERE state = 'sending' AND leased_until < now() AND attempts >= %(most)s
    RETURNING id
"""
_DIED = f"The program stopped in the middle of sending, {MAX_ATTEMPTS} times."


@dataclass(frozen=True)
class Claim:
    """One row to send. ``attempt`` is the fence: a sender whose claim was passed on can no longer fail the row."""

    tenant_id: int
    delivery_id: UUID
    attempt: int


def claim_due(batch: int = BATCH) -> list[Claim]:
    """Take up to ``batch`` rows that are due; needs the platform context. Two callers at once never take the same row."""
    _give_up()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"batch": batch, "lease": LEASE.total_seconds()})
        return [Claim(*row) for row in cursor.fetchall()]


def _give_up() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_UP, {"error": _DIED, "most": MAX_ATTEMPTS})
        ids = [row[0] for row in cursor.fetchall()]
    for delivery in Delivery.objects.select_related("alert", "tenant").filter(pk__in=ids) if ids else ():
        _tell_admins(delivery, _DIED)


def send(claim: Claim) -> DeliveryState | None:
    """Send one claimed row and note what came of it; None where somebody else has it now or it is done."""
    with context.tenant_wide(claim.tenant_id):
        delivery = _claimed(claim)
        if delivery is None:
            return None
        message = message_of(delivery)
    try:
        _hand_over(delivery, message)
    except ChannelError as error:
        return _not_sent(claim, delivery, error)
    return DeliveryState.SENT


def _claimed(claim: Claim) -> Delivery | None:
    rows = Delivery.objects.select_related("alert", "tenant").filter(
        pk=claim.delivery_id, attempts=claim.attempt
    )
    return rows.filter(state=DeliveryState.SENDING).first()


def _hand_over(delivery: Delivery, message: Message) -> None:
    channel = find(delivery.channel)
    if channel is None:
        raise PermanentError(f"There is no channel {delivery.channel} any more.")
    if channel.is_local:  # then sending and marking are one transaction
        with context.tenant_wide(delivery.tenant_id):
            channel.send(message, delivery.recipient)
            _mark_sent(delivery)
        return
    channel.send(message, delivery.recipient)
    with context.tenant_wide(delivery.tenant_id):
        _mark_sent(delivery)


def _mark_sent(delivery: Delivery) -> None:
    # Not fenced by the attempt: it did go out, whoever holds the row by now.
    Delivery.objects.filter(pk=delivery.pk, resends=delivery.resends).update(
        state=DeliveryState.SENT, sent_at=Now(), leased_until=None, error=""
    )


def _not_sent(claim: Claim, delivery: Delivery, error: ChannelError) -> DeliveryState | None:
    final = isinstance(error, PermanentError) or claim.attempt >= MAX_ATTEMPTS
    state = DeliveryState.FAILED if final else DeliveryState.PENDING
    with context.tenant_wide(claim.tenant_id):
        mine = Delivery.objects.filter(pk=delivery.pk, attempts=claim.attempt, state=DeliveryState.SENDING)
        if not mine.update(
            state=state,
            error=str(error),
            leased_until=None,
            next_attempt_at=Now() + wait_after(claim.attempt),
        ):
            return None
        if isinstance(error, PermanentError):
            _block(delivery, str(error))
        elif final:
            _tell_admins(delivery, f"{MAX_ATTEMPTS} tries failed. The last answer was: {error}")
    logger.warning("Message %s was not sent at try %s: %s", delivery.idempotency_key, claim.attempt, error)
    return state


def wait_after(attempt: int) -> timedelta:
    """How long to wait after the ``attempt``-th failed try: doubling from 30 s up to an hour, each half to one and a half times."""
    doubled = FIRST_WAIT * (1 << min(attempt - 1, 10))
    jitter: float = random.uniform(*JITTER)  # noqa: S311  # spreads load, guards nothing
    return min(doubled, LONGEST_WAIT) * jitter


def _block(delivery: Delivery, reason: str) -> None:
    blocked = BlockedRecipient(
        tenant_id=delivery.tenant_id, channel=delivery.channel, recipient=delivery.recipient, reason=reason
    )
    BlockedRecipient.objects.bulk_create([blocked], ignore_conflicts=True)
    _tell_admins(delivery, f"{reason} Nothing more is sent there until an admin lifts the block.")


def _tell_admins(delivery: Delivery, text: str) -> None:
    notice = Notice(
        tenant_id=delivery.tenant_id,
        key=f"failed.{delivery.idempotency_key}",
        audience=Audience.ADMINS,
        severity=Severity.WARNING,
        title=f"A message to {delivery.recipient} could not be delivered"[:160],
        text=text,
        path=alert_path(delivery.tenant, delivery.alert),
    )
    Notice.objects.bulk_create([notice], ignore_conflicts=True)


def alert_path(tenant: Tenant, alert: Alert) -> str:
    """The address of an alert's page, without the host."""
    return reverse("alerts:detail", kwargs={"tenant": tenant.slug, "alert_id": alert.id})


_TITLES = {
    DeliveryKind.OPENED: "{severity}: {rule}",
    DeliveryKind.REMINDER: "Still firing: {rule}",
    DeliveryKind.CLOSED: "Recovered: {rule}",
}


def message_of(delivery: Delivery) -> Message:
    """What a delivery says; needs its alert and tenant loaded."""
    alert, kind = delivery.alert, DeliveryKind(delivery.kind)
    unit = alert.declared_metric.unit
    severity = Severity(alert.severity)
    return Message(
        key=delivery.idempotency_key,
        tenant_id=delivery.tenant_id,
        workspace=delivery.tenant.name,
        kind=kind,
        severity=Severity.INFO if kind is DeliveryKind.CLOSED else severity,
        title=_TITLES[kind].format(severity=severity.label, rule=alert.rule_name),
        sentence=_sentence(delivery),
        value="" if delivery.value is None else wording.number(delivery.value, unit),
        limit=wording.number(alert.threshold, unit),
        path=alert_path(delivery.tenant, alert),
    )


def _sentence(delivery: Delivery) -> str:
    alert: Alert = delivery.alert
    if delivery.kind != DeliveryKind.CLOSED:
        found = alert.finding(alert.value if delivery.value is None else delivery.value)
        return found if alert.is_open else f"{found} It has recovered since."
    if delivery.value is None:
        return f"{alert.declared_metric.sentence}: there is nothing left to measure, so the alert is closed."
    shown = wording.number(delivery.value, alert.declared_metric.unit)
    return f"{alert.declared_metric.sentence} is {shown}, within the limit again."
