"""Messages by e-mail, to the addresses in the workspace's settings or else to its active admins."""

from __future__ import annotations

import smtplib
from dataclasses import replace
from email.utils import parseaddr
from typing import ClassVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.validators import validate_email
from django.template.loader import render_to_string

from alerts.channels.base import Message, PassingError, PermanentError, SilentError, register
from alerts.models import DeliveryKind
from rbac.redaction import masks

_RECIPIENTS = """
    WITH newest AS (
        SELECT DISTINCT ON (tenant_id) tenant_id, data FROM tenants_settingsversion ORDER BY tenant_id, version DESC
    ),
    named AS (
        SELECT DISTINCT n.tenant_id, lower(btrim(address)) AS recipient
        FROM newest n, jsonb_array_elements_text(coalesce(n.data -> 'alert_email_recipients', '[]')) AS address
        WHERE btrim(address) <> ''
    )
    SELECT tenant_id, recipient FROM named
    UNION
    SELECT m.tenant_id, lower(m.email) FROM tenants_member m
    WHERE m.role = 'customer_admin' AND m.is_active AND m.tenant_id NOT IN (SELECT tenant_id FROM named)
"""
PERMANENT = range(500, 600)


class Email:
    """Sends through Django's mail back end. A 5xx answer to the address itself blocks the address; all else is tried again."""

    code: ClassVar[str] = "email"
    label: ClassVar[str] = "E-mail"
    kinds: ClassVar[frozenset[DeliveryKind]] = frozenset({DeliveryKind.OPENED, DeliveryKind.REMINDER})
    recipients_sql: ClassVar[str] = _RECIPIENTS
    is_local: ClassVar[bool] = False

    def send(self, message: Message, recipient: str) -> None:
        """Hand the mail to the server; returns when the server has taken it."""
        try:
            validate_email(recipient)
        except ValidationError as error:
            raise PermanentError(f"“{recipient}” is not an e-mail address.") from error
        try:
            _mail(message, recipient).send()
        except smtplib.SMTPRecipientsRefused as error:
            raise _refusal(error, recipient) from error
        except (smtplib.SMTPException, OSError) as error:
            raise _away(error) from error


def _away(error: OSError) -> PassingError:
    # smtplib reports a time-out while it reads an answer as a lost connection, raised in its handler.
    is_silent = isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
    kind = SilentError if is_silent else PassingError
    return kind(f"The mail server did not take the message: {error}")


def _refusal(error: smtplib.SMTPRecipientsRefused, recipient: str) -> PassingError | PermanentError:
    code, answer = next(iter(error.recipients.values()))
    words = answer.decode(errors="replace") if isinstance(answer, bytes) else str(answer)
    kind = PermanentError if code in PERMANENT else PassingError
    return kind(f"The mail server refused {recipient}: {code} {words}")


def _mail(message: Message, recipient: str) -> EmailMultiAlternatives:
    # A mail leaves the house, and nobody's right to read it is judged.
    message = replace(message, title=masks.text(message.title), sentence=masks.text(message.sentence))
    facts = {
        "message": message,
        "link": f"{settings.WEB_URL.rstrip('/')}{message.path}" if message.path else "",
    }
    mail = EmailMultiAlternatives(
        subject=" ".join(f"[{message.workspace}] {message.title}".split()),
        body=render_to_string("alerts/email/message.txt", facts),
        to=[recipient],
        headers={"Message-ID": message_id(message.key), "Auto-Submitted": "auto-generated"},
    )
    mail.attach_alternative(render_to_string("alerts/email/message.html", facts), "text/html")
    return mail


def message_id(key: str) -> str:
    """The Message-ID of the message with that idempotency key: mail servers and readers drop a second copy by it."""
    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    return f"<{key}@{sender.rpartition('@')[2] or 'revops-hub.localhost'}>"


register(Email())
