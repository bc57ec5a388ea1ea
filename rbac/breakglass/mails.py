"""Mails that tell a workspace's people of a stay: written with it, sent by a job, at least once."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse

from isolation import context
from isolation.actors import Actor
from pages.templatetags.formats import local_time
from rbac.held import roles_held
from rbac.models_breakglass import BreakGlassMail
from rbac.redaction import masks
from rbac.standing import standing_of
from tenants.models import Member
from tenants.permissions import PEOPLE_EDIT

BATCH = 20
# A try that fails, or a worker that dies in it, waits for the next of these. A stay is over after hours, so they begin short.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 1440))


def send_due() -> int:
    """Send every mail that is due, each in steps of its own; returns how many were tried."""
    claims = _claim()
    for tenant_id, mail_id in claims:
        _send(tenant_id, mail_id)
    return len(claims)


def _claim() -> list[tuple[int, UUID]]:
    with context.platform("claim mails about the vendor's staff", Actor.system("rbac.break_glass_mails")):
        due = BreakGlassMail.objects.select_for_update(skip_locked=True).filter(
            sent_at=None, next_attempt_at__lte=Now(), attempts__lt=len(WAITS)
        )
        claims = [(one.tenant_id, one.id, one.attempts) for one in due[:BATCH]]
        for tenant_id, mail_id, attempts in claims:
            BreakGlassMail.objects.filter(tenant_id=tenant_id, pk=mail_id).update(
                attempts=F("attempts") + 1, next_attempt_at=Now() + WAITS[attempts]
            )
    return [(tenant_id, mail_id) for tenant_id, mail_id, _ in claims]


def _send(tenant_id: int, mail_id: UUID) -> None:
    with context.tenant_wide(tenant_id):
        owed = BreakGlassMail.objects.select_related("stay", "member", "tenant").get(
            tenant_id=tenant_id, pk=mail_id
        )
    try:
        if owed.member.is_active:
            _mail(owed).send()
    except (smtplib.SMTPException, OSError) as error:
        _note(owed, error=f"The mail server did not take the message: {error}"[:500])
    else:
        _note(owed, error="", sent_at=Now())


def _note(owed: BreakGlassMail, **columns: object) -> None:
    with context.tenant_wide(owed.tenant_id):
        BreakGlassMail.objects.filter(tenant_id=owed.tenant_id, pk=owed.pk).update(**columns)


def _may_end(member: Member) -> bool:
    with context.tenant_wide(member.tenant_id):
        held = roles_held([member])[member.id]
    return PEOPLE_EDIT in standing_of([one.role for one in held]).permissions


def _mail(owed: BreakGlassMail) -> EmailMessage:
    stay, tenant = owed.stay, owed.tenant
    facts = {
        "stay": stay,
        "member": owed.member,
        "tenant": tenant,
        # A mail leaves the house, and nobody's right to read it is judged.
        "reason": masks.text(stay.reason),
        "ticket": masks.text(stay.ticket),
        "since": local_time(stay.started_at, tenant.timezone),
        "until": local_time(stay.until, tenant.timezone),
        "can_end": _may_end(owed.member),
        "zone": tenant.timezone.replace("_", " "),
        "link": settings.WEB_URL.rstrip("/") + reverse("break_glass:log", kwargs={"tenant": tenant.slug}),
    }
    return EmailMessage(
        subject=" ".join(
            f"[{tenant.name}] The vendor's staff can read your data until {facts['until']}".split()
        ),
        body=render_to_string("rbac/breakglass/mail.txt", facts),
        to=[owed.member.email],
        headers={"Auto-Submitted": "auto-generated"},
    )
