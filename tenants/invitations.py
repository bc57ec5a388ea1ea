"""Mails with the link by which a new person sets a password: written with the member, sent by a job, at least once."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from uuid import UUID

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse

from accounts.models import User
from accounts.selectors import user_by_id
from isolation import context
from isolation.actors import Actor
from tenants.models import Invitation

BATCH = 20
# A try that fails, or a worker that dies in it, waits for the next of these; after the last one a person must act.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (2, 10, 60, 360, 1440))


def send_due() -> int:
    """Send every invitation that is due, each in steps of its own; returns how many were tried."""
    claims = _claim()
    for tenant_id, invitation_id in claims:
        _send(tenant_id, invitation_id)
    return len(claims)


def _claim() -> list[tuple[int, UUID]]:
    with context.platform("claim invitations that are due", Actor.system("tenants.invitations")):
        due = Invitation.objects.select_for_update(skip_locked=True).filter(
            sent_at=None, next_attempt_at__lte=Now(), attempts__lt=len(WAITS)
        )
        claims = [(one.tenant_id, one.id, one.attempts) for one in due[:BATCH]]
        for tenant_id, invitation_id, attempts in claims:
            Invitation.objects.filter(tenant_id=tenant_id, pk=invitation_id).update(
                attempts=F("attempts") + 1, next_attempt_at=Now() + WAITS[attempts]
            )
    return [(tenant_id, invitation_id) for tenant_id, invitation_id, _ in claims]


def _send(tenant_id: int, invitation_id: UUID) -> None:
    with context.tenant_wide(tenant_id):
        invitation = Invitation.objects.select_related("member", "tenant").get(
            tenant_id=tenant_id, pk=invitation_id
        )
    user = user_by_id(invitation.member.user_id)
    try:
        if not user.has_usable_password():  # whoever has set one meanwhile needs no link
            _mail(invitation, user).send()
    except (smtplib.SMTPException, OSError) as error:
        _note(invitation, error=f"The mail server did not take the message: {error}")
    else:
        _note(invitation, error="")


def _note(invitation: Invitation, *, error: str) -> None:
    with context.tenant_wide(invitation.tenant_id):
        row = Invitation.objects.filter(tenant_id=invitation.tenant_id, pk=invitation.pk)
        if error:
            row.update(error=error[:500])
        else:
            row.update(error="", sent_at=Now())


def _mail(invitation: Invitation, user: User) -> EmailMessage:
    facts = {
        "invitation": invitation,
        "link": password_link(user),
        "days": settings.PASSWORD_RESET_TIMEOUT // 86_400,
    }
    return EmailMessage(
        subject=f"You were added to {invitation.tenant.name}".replace("\n", " "),
        body=render_to_string("tenants/email/invitation.txt", facts),
        to=[user.email],
        headers={"Auto-Submitted": "auto-generated"},
    )


def password_link(user: User) -> str:
    """The address at which ``user`` sets a password; it works once, until another password is set or it is too old."""
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
    with context.accounts():  # the token covers the person's addresses
        key = f"{user_pk_to_url_str(user)}-{default_token_generator.make_token(user)}"
    return settings.WEB_URL.rstrip("/") + path.replace("UID-KEY", key)
