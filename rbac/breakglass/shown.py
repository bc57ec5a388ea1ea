"""Stays in words: the notice on every page, and the lines of the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.urls import reverse

from pages.objects import Action, Badge
from pages.templatetags.formats import local_time, number
from rbac.breakglass.events import BreakGlassRead
from rbac.models_breakglass import BreakGlass
from rbac.redaction import masks
from tenants.models import Tenant

_LONGEST_WHY = 120  # the notice stays in sight, on telephones, too; the log has the whole reason
_IN_FORCE = Badge("In force", "warning", "lock-open")
_ENDED = Badge("Ended", "neutral", "circle-x")
_OVER = Badge("Time is over", "neutral", "clock")


@dataclass(frozen=True)
class StayNotice:
    """What stands above every page while a stay is in force. ``is_own`` is the operator's, who can end it there."""

    text: str
    is_own: bool
    href: str = ""
    end: Action | None = None


@dataclass(frozen=True)
class StayRow:
    """One stay in the log. ``reads_url`` is empty for who may not read the audit log; ``end`` is None where there is nothing to end."""

    operator: str
    reason: str
    ticket: str
    state: Badge
    since: str
    until: str
    ended: str
    ended_by: str
    reads: str
    reads_url: str
    end: Action | None


def own_notice(stay: BreakGlass, end_url: str) -> StayNotice:
    """For the operator who is inside."""
    text = (
        f"You are in {stay.tenant.name}’s data as the vendor’s staff until {_clock(stay.until, stay.tenant)} "
        f"{stay.tenant.timezone.replace('_', ' ')} ({_why(stay)}). "
        "Every page you open is recorded."
    )
    return StayNotice(text, is_own=True, end=Action("End now", end_url, icon="logout", method="post"))


def notices(stays: Sequence[BreakGlass], tenant: Tenant) -> list[StayNotice]:
    """For the workspace's people who read the audit log."""
    log = reverse("break_glass:log", kwargs={"tenant": tenant.slug})
    return [
        StayNotice(
            f"Vendor’s staff ({stay.operator_label}) can read this workspace until {_clock(stay.until, tenant)}: {_why(stay)}.",
            is_own=False,
            href=log,
        )
        for stay in stays
    ]


def _clock(instant: datetime, tenant: Tenant) -> str:
    return f"{instant.astimezone(ZoneInfo(tenant.timezone)):%H:%M}"


def _why(stay: BreakGlass) -> str:
    reason = shorten(masks.text(stay.reason), _LONGEST_WHY, placeholder="…").rstrip(".")
    return f"{reason}, {masks.text(stay.ticket)}" if stay.ticket else reason


def stay_row(stay: BreakGlass, tenant: Tenant, *, now: datetime, may_end: bool) -> StayRow:
    """One stay; needs ``reads`` annotated."""
    zone = tenant.timezone
    is_open = stay.ended_at is None and stay.until > now
    return StayRow(
        operator=stay.operator_label,
        reason=masks.text(stay.reason),
        ticket=masks.text(stay.ticket),
        state=_IN_FORCE if is_open else _ENDED if stay.ended_at else _OVER,
        since=local_time(stay.started_at, zone),
        until=local_time(stay.until, zone),
        ended=local_time(stay.ended_at, zone) if stay.ended_at else "",
        ended_by=stay.ended_by,
        reads=number(vars(stay)["reads"]),
        reads_url=_reads_url(stay, tenant),
        end=_end(stay, tenant) if is_open and may_end else None,
    )


def _reads_url(stay: BreakGlass, tenant: Tenant) -> str:
    log = reverse("audit:events", kwargs={"tenant": tenant.slug})
    return f"{log}?{urlencode({'event': BreakGlassRead.code, 'id': stay.id})}" if vars(stay)["reads"] else ""


def _end(stay: BreakGlass, tenant: Tenant) -> Action:
    question = f"{stay.operator_label} sees nothing of this workspace any more, from the next page on."
    address = reverse("break_glass:end", kwargs={"tenant": tenant.slug, "stay_id": stay.id})
    return Action("End this access", address, icon="lock", method="post", kind="danger", confirm=question)
