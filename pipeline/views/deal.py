"""One deal: why its score is what it is, its history, its activities, its contacts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from crm_sync.models import StageChange
from crm_sync.personal import CRM_CONTACTS
from pages.objects import Badge, Crumb, Definition, Page, Score, TimelineEntry
from pages.templatetags.formats import count, day, local_date, local_time, money
from pipeline import permissions
from pipeline.access.explain import own_reasons
from pipeline.explain import score_of
from pipeline.selectors import CHILDREN_SHOWN, DealActivity, DealContact, DealDetail, deal_detail
from pipeline.shown_shares import SentShare, SharingCard, sharing_card, subject_url
from pipeline.views.deals import LOST, WON, deal_url, deals_url
from rbac.models import ShareKind
from rbac.permissions import ACCESS_EXPLAIN
from rbac.redaction.reading import Door, reading
from rbac.requests import WorkspaceRequest, workspace_view
from rbac.shared import Subject
from tenants.selectors import settings_of


@dataclass(frozen=True, slots=True)
class ContactLine:
    """A contact on the deal; ``name`` says so where the reader may not see the person. ``mail_url`` is "" for a masked address."""

    name: str
    title: str
    role: str
    email: str
    mail_url: str
    is_primary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DealDetailPage(Page):
    """``score`` is None for closed deals and for those that no build has seen; ``unscored`` says which."""

    score: Score | None
    unscored: str
    flags: Sequence[Badge]
    facts: Sequence[Definition]
    history: Sequence[TimelineEntry]
    activities: Sequence[TimelineEntry]
    contacts: Sequence[ContactLine]
    own_reasons: str
    access_url: str
    sharing: SharingCard


@workspace_view(permissions.VIEW)
@require_GET
def deal(request: WorkspaceRequest, external_id: str) -> HttpResponse:
    """``/w/<tenant>/deals/<external_id>/``. Raises: NotFound."""
    return deal_shown(request, external_id)


def deal_shown(request: WorkspaceRequest, external_id: str, sent: SentShare | None = None) -> HttpResponse:
    """The deal's page, with a share form that came back. Raises: NotFound."""
    tenant = request.workspace.tenant
    actor = request.workspace.actor
    with reading(CRM_CONTACTS, acting_user=actor, tenant_id=tenant.id, door=Door.of(request)) as redactor:
        found = deal_detail(tenant.id, external_id, redactor)
    hygiene = settings_of(tenant.id).thresholds.hygiene
    health = None if found.deal.is_closed else found.health
    page = DealDetailPage(
        title=found.deal.name,
        lead=_lead(found),
        crumbs=[Crumb("Deals", deals_url(tenant.slug))],
        score=score_of(health, found.deal, hygiene) if health else None,
        unscored="A closed deal has no score."
        if found.deal.is_closed
        else "The next build scores this deal.",
        flags=list(_flags(found)),
        facts=_facts(found, tenant.timezone, tenant.slug),
        history=_history(found.history, found.deal.currency, tenant.timezone),
        activities=[_activity(activity) for activity in found.activities],
        contacts=[_contact(contact) for contact in found.contacts],
        own_reasons=own_reasons(found.deal, request.workspace.member) if request.workspace.member else "",
        access_url=f"{deal_url(tenant.slug, external_id)}access/"
        if request.workspace.may(ACCESS_EXPLAIN)
        else "",
        sharing=sharing_card(request.workspace, _subject(found), sent),
    )
    return TemplateResponse(
        request,
        "pipeline/deal.html",
        {"page": page, "most": CHILDREN_SHOWN},
        status=sent.status if sent else 200,
    )


def _subject(found: DealDetail) -> Subject:
    deal = found.deal
    return Subject(ShareKind.DEAL, deal.source, deal.external_id, deal.name, deal.id, deal.owner_id)


def _lead(found: DealDetail) -> str:
    deal = found.deal
    amount, account = (
        money(deal.amount_minor, deal.currency),
        f" with {deal.account_name}" if deal.account_name else "",
    )
    if deal.is_closed:
        return f"{amount}{account}, {'won' if deal.is_won else 'lost'} on {day(deal.close_on)}."
    close = f"closes on {day(deal.close_on)}" if deal.close_on else "has no close date"
    return f"{amount}{account}, in {deal.stage}; {close}."


def _flags(found: DealDetail) -> Iterator[Badge]:
    deal, health = found.deal, found.health
    if deal.is_closed:
        yield WON if deal.is_won else LOST
    elif health is not None:
        silence = count(health.days_since_activity, "day")
        if health.is_stale_critical:
            yield Badge(f"Very stale: {silence} without activity", "danger", "zzz")
        elif health.is_stale_warning:
            yield Badge(f"Stale: {silence} without activity", "warning", "zzz")
        if health.is_past_close:
            yield Badge(
                f"Close date passed {count(health.days_past_close, 'day')} ago", "danger", "calendar-event"
            )


def _facts(found: DealDetail, zone: str, slug: str) -> list[Definition]:
    deal, account = found.deal, found.account
    account_page = subject_url(slug, ShareKind.ACCOUNT, account.external_id) if account else ""
    probability = "–" if deal.probability_percent is None else f"{deal.probability_percent} %"
    return [
        Definition("Owner", found.owner.name if found.owner else "No owner"),
        Definition("Account", deal.account_name or "–", account_page if deal.account_name else ""),
        Definition("Industry", account.industry if account else "–"),
        Definition("Stage", deal.stage),
        Definition("Amount", money(deal.amount_minor, deal.currency)),
        Definition("Probability", probability),
        Definition("Close date", day(deal.close_on)),
        Definition("Forecast category", deal.forecast_category or "–"),
        Definition("Next step", found.next_step or "–"),
        Definition("Lead source", deal.lead_source or "–"),
        Definition("Kind", deal.kind or "–"),
        Definition("Created", local_date(deal.created_at, zone)),
        Definition("Id in the CRM", deal.external_id),
    ]


def _history(changes: Sequence[StageChange], currency: str, zone: str) -> list[TimelineEntry]:
    pairs = zip_longest(changes, changes[1:])
    return [_change(change, before, currency, zone) for change, before in pairs]


def _change(change: StageChange, before: StageChange | None, currency: str, zone: str) -> TimelineEntry:
    said = [f"Amount {money(change.amount_minor, currency)}", f"closes {day(change.close_on)}"]
    moved = before is None or before.stage != change.stage
    if before is not None and not moved:
        said = list(_differences(change, before, currency)) or said
    return TimelineEntry(
        title=f"Moved to {change.stage}"
        if moved and before
        else f"In {change.stage}"
        if moved
        else "Changed",
        when=local_time(change.changed_at, zone),
        instant=change.changed_at.isoformat(),
        text=", ".join(said),
        icon="arrow-right" if moved else "pencil",
        tone="brand" if moved else "neutral",
    )


def _differences(change: StageChange, before: StageChange, currency: str) -> Iterator[str]:
    if change.amount_minor != before.amount_minor:
        yield f"Amount {money(before.amount_minor, currency)} → {money(change.amount_minor, currency)}"
    if change.close_on != before.close_on:
        yield f"Close date {day(before.close_on)} → {day(change.close_on)}"


def _activity(activity: DealActivity) -> TimelineEntry:
    is_event = activity.kind == "event"
    done = "" if is_event else "done" if activity.is_closed else activity.status or "open"
    return TimelineEntry(
        title=activity.subject or ("Event" if is_event else "Task"),
        when=day(activity.happens_on),
        instant=activity.happens_on.isoformat() if activity.happens_on else "",
        text="Event" if is_event else f"Task, {done.lower()}",
        icon="calendar-event" if is_event else "checkbox",
        tone="good" if activity.is_closed else "neutral",
    )


def _contact(found: DealContact) -> ContactLine:
    return ContactLine(
        name=found.name or "A contact of another owner",
        title=found.title,
        role=found.role,
        email=found.email,
        mail_url=f"mailto:{found.email}" if found.email and not found.is_masked else "",
        is_primary=found.is_primary,
    )
