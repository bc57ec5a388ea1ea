"""The outbox: rows are claimed with a lease, sent outside every transaction, and marked sent only afterwards.

A claim only keeps other dispatchers off for a while. The try counts, and its lease begins, when the sender starts: a message that
waited in line too long is simply due again. A sender that dies leaves its row leased; when the lease has run out somebody else
sends it. So a message may go out twice under the same idempotency key, but never not at all.
"""

from __future__ import annotations

import itertools
import logging
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.urls import reverse

from alerts import reach, wording
from alerts.channels.base import ChannelError, Message, PermanentError, SilentError, find
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
IN_ONE_HAND = 20  # messages of one workspace and channel that one worker sends in turn
ONE_HANDS_TIME = timedelta(seconds=30)
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
    SET state = 'sending', leased_until = now() + make_interval(secs => %(lease)s)
    FROM free WHERE d.tenant_id = free.tenant_id AND d.id = free.id
    RETURNING d.tenant_id, d.channel, d.id, d.attempts
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
    """One row to send. ``tries`` before this one are the fence: of several claims of a row only one can be started."""

    tenant_id: int
    channel: str
    delivery_id: UUID
    tries: int


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


def in_hands(claims: Sequence[Claim]) -> Iterator[list[Claim]]:
    """The claims in small batches, each of one workspace and one channel."""

    def place(claim: Claim) -> tuple[int, str]:
        return claim.tenant_id, claim.channel

    for _, some in itertools.groupby(sorted(claims, key=place), key=place):
        alike = list(some)
        yield from (alike[start : start + IN_ONE_HAND] for start in range(0, len(alike), IN_ONE_HAND))


def send_in_turn(claims: Sequence[Claim]) -> None:
    """Send these one after the other for about half a minute; what is left then is due again at once."""
    end = time.monotonic() + ONE_HANDS_TIME.total_seconds()
    for claim in claims:
        if time.monotonic() < end:
            send(claim)
        else:
            _put_back(claim, timedelta(0))


def send(claim: Claim) -> DeliveryState | None:
    """Send one claimed row and note what came of it; None where somebody else has it now or it is done.

    ``PENDING`` without a counted try where the far side is known to keep silent.
    """
    if not _is_reachable(claim.channel):
        return _put_back(claim, reach.PAUSE * _jitter())
    delivery = _started(claim)
    if delivery is None:
        return None
    with context.tenant_wide(claim.tenant_id):
        message = message_of(delivery)
    try:
        _hand_over(delivery, message)
    except ChannelError as error:
        (reach.kept_silent if isinstance(error, SilentError) else reach.answered)(claim.channel)
        return _not_sent(delivery, error)
    reach.answered(claim.channel)
    return DeliveryState.SENT


def _is_reachable(channel: str) -> bool:
    kind = find(channel)
    return kind is None or kind.is_local or reach.may_try(channel)


def _put_back(claim: Claim, wait: timedelta) -> DeliveryState | None:
    with context.tenant_wide(claim.tenant_id):
        is_mine = _claimed(claim).update(
            state=DeliveryState.PENDING, leased_until=None, next_attempt_at=Now() + wait
        )
    return DeliveryState.PENDING if is_mine else None


def _claimed(claim: Claim) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        tenant_id=claim.tenant_id,
        pk=claim.delivery_id,
        attempts=claim.tries,
        state=DeliveryState.SENDING,
    )


def _started(claim: Claim) -> Delivery | None:
    """Count the try and begin its lease, with the row as it is now; None where another sender was first."""
    with context.tenant_wide(claim.tenant_id):
        if not _claimed(claim).update(attempts=F("attempts") + 1, leased_until=Now() + LEASE):
            return None
        rows = Delivery.objects.select_related("alert", "tenant").filter(tenant_id=claim.tenant_id)
        return rows.filter(pk=claim.delivery_id).first()


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


def _not_sent(delivery: Delivery, error: ChannelError) -> DeliveryState | None:
    tries = delivery.attempts
    final = isinstance(error, PermanentError) or tries >= MAX_ATTEMPTS
    state = DeliveryState.FAILED if final else DeliveryState.PENDING
    with context.tenant_wide(delivery.tenant_id):
        mine = Delivery.objects.filter(pk=delivery.pk, attempts=tries, state=DeliveryState.SENDING)
        if not mine.update(
            state=state,
            error=str(error),
            leased_until=None,
            next_attempt_at=Now() + wait_after(tries),
        ):
            return None
        if isinstance(error, PermanentError):
            _block(delivery, str(error))
        elif final:
            _tell_admins(delivery, f"{MAX_ATTEMPTS} tries failed. The last answer was: {error}")
    logger.warning("Message %s was not sent at try %s: %s", delivery.idempotency_key, tries, error)
    return state


def wait_after(attempt: int) -> timedelta:
    """How long to wait after the ``attempt``-th failed try: doubling from 30 s up to an hour, each half to one and a half times."""
    doubled = FIRST_WAIT * (1 << min(attempt - 1, 10))
    return min(doubled, LONGEST_WAIT) * _jitter()


def _jitter() -> float:
    return random.uniform(*JITTER)  # noqa: S311  # spreads load, guards nothing


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
