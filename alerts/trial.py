"""Sending a message now, by hand, to see whether a channel works."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

from accounts.selectors import operators
from alerts.channels.base import ChannelError, ChannelKind, Message, all_channels, find
from alerts.errors import ChannelUnknown, NoRecipients
from alerts.events import TestMessageSent
from alerts.models import DeliveryKind, Severity
from alerts.selectors import recipients_of
from audit.services import record, record_platform
from isolation import context
from isolation.actors import Actor
from isolation.errors import InvalidInput
from tenants.models import Tenant


@dataclass(frozen=True)
class Outcome:
    """What came of one recipient; ``error`` is empty where the message was taken."""

    recipient: str
    error: str = ""


def channel_of(code: str) -> ChannelKind:
    """The channel of that code. Raises: ChannelUnknown."""
    channel = find(code)
    if channel is None:
        raise ChannelUnknown(channel=code, known=", ".join(sorted(all_channels())))
    return channel


def send_trial(
    *, channel: ChannelKind, text: str, tenant: Tenant | None, to: list[str], acting_user: Actor
) -> list[Outcome]:
    """Send ``text`` to ``to``, or else to whom the channel reaches in ``tenant``, or else to the platform's operators.

    Each recipient is tried once and at once, past the outbox. Raises: InvalidInput for an empty text, or for addresses on a
    channel that has none; NoRecipients.
    """
    if not text.strip():
        raise InvalidInput(field="message", problem="The message is empty. Say what the reader should see.")
    if channel.is_local:
        _refuse_away(channel, tenant, to)
    recipients = to or _recipients(channel, tenant)
    if not recipients:
        raise NoRecipients(
            channel=channel.code,
            remedy="name an address with --to, or a workspace with admins with --customer.",
        )
    outcomes = [_try(channel, _message(text, tenant), recipient) for recipient in recipients]
    _note([outcome.recipient for outcome in outcomes if not outcome.error], channel, tenant, acting_user)
    return outcomes


def _refuse_away(channel: ChannelKind, tenant: Tenant | None, to: list[str]) -> None:
    if to:
        problem = f"{channel.code} has no addresses: it reaches everybody in a workspace. Name the workspace with --customer instead."
        raise InvalidInput(field="to", problem=problem)
    if tenant is None:
        raise NoRecipients(
            channel=channel.code, remedy="it writes into a workspace, so name one with --customer."
        )


def _recipients(channel: ChannelKind, tenant: Tenant | None) -> list[str]:
    if tenant is not None:
        with context.tenant_wide(tenant.id):
            return recipients_of(channel.code, tenant.id)
    return [user.email for user in operators()]


def _message(text: str, tenant: Tenant | None) -> Message:
    return Message(
        key=f"test.{uuid4()}",
        tenant_id=tenant.id if tenant else 0,
        workspace=tenant.name if tenant else "RevOps Hub",
        kind=DeliveryKind.OPENED,
        severity=Severity.INFO,
        title="Test message",
        sentence=text.strip(),
    )


def _try(channel: ChannelKind, message: Message, recipient: str) -> Outcome:
    try:
        if channel.is_local:
            with context.tenant_wide(message.tenant_id):
                channel.send(message, recipient)
        else:
            channel.send(message, recipient)
    except ChannelError as error:
        return Outcome(recipient, str(error))
    return Outcome(recipient)


def _note(taken: list[str], channel: ChannelKind, tenant: Tenant | None, acting_user: Actor) -> None:
    if not taken:
        return
    event = TestMessageSent(target_id=channel.code, target_label=channel.label, recipients=taken)
    if tenant is None:
        record_platform(event, acting_user=acting_user)
        return
    with context.tenant_wide(tenant.id):
        record(event, acting_user=acting_user)
