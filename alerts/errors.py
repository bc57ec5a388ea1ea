from __future__ import annotations

from http import HTTPStatus

from isolation.errors import DomainError


class AlertClosed(DomainError):
    code = "alerts.closed"
    sentence = "This alert has closed by itself, so there is nothing to acknowledge. Open the list to see what is still open."


class DeliveryUnderWay(DomainError):
    code = "alerts.delivery_under_way"
    sentence = (
        "This message is still being sent. Wait until it is marked as sent or failed, then send it again."
    )


class RecipientIsBlocked(DomainError):
    code = "alerts.recipient_blocked"
    sentence = (
        "{recipient} refused messages for good ({reason}). Lift the block under “Where alerts go” first."
    )


class ChannelUnknown(DomainError):
    code = "alerts.channel_unknown"
    status = HTTPStatus.BAD_REQUEST
    sentence = "“{channel}” is not a channel. Use one of: {known}."
    field = "channel"


class NoRecipients(DomainError):
    code = "alerts.no_recipients"
    sentence = "Nobody would get this message by {channel}: {remedy}"
    field = "to"
