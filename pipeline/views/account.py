"""One account: what the CRM says of it, those of its deals that the reader sees, and with whom it is shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from crm_sync.models import Account, Opportunity, Owner
from isolation.errors import NotFound
from pages.objects import Badge, Crumb, Definition, Page
from pages.templatetags.formats import count, day, money, number
from pipeline import permissions
from pipeline.shown_shares import SentShare, SharingCard, sharing_card
from pipeline.views.deals import LOST, WON, deal_url, deals_url
from rbac.models import ShareKind
from rbac.requests import WorkspaceRequest, workspace_view
from rbac.shared import Subject, subject_of

DEALS_SHOWN = 50
_OPEN = Badge("Open", "brand", "briefcase")


@dataclass(frozen=True, slots=True)
class AccountDeal:
    """One of the account's deals."""

    name: str
    url: str
    stage: str
    amount: str
    close: str
    state: Badge


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage(Page):
    """``more`` says that not all deals are shown."""

    facts: Sequence[Definition]
    deals: Sequence[AccountDeal]
    more: str
    sharing: SharingCard


@workspace_view(permissions.VIEW)
@require_GET
def account(request: WorkspaceRequest, external_id: str) -> HttpResponse:
    """``/w/<tenant>/accounts/<external_id>/``. Raises: NotFound."""
    return account_shown(request, external_id)


def account_shown(request: WorkspaceRequest, external_id: str, sent: SentShare | None = None) -> HttpResponse:
    """The account's page, with a share form that came back. Raises: NotFound."""
    tenant = request.workspace.tenant
    subject = subject_of(tenant.id, ShareKind.ACCOUNT, external_id)
    if subject is None:
        raise NotFound(what="account of yours")
    found = _deals(subject, tenant.id)
    page = AccountPage(
        title=subject.label,
        lead=_lead(found),
        crumbs=[Crumb("Deals", deals_url(tenant.slug))],
        facts=_facts(Account.objects.get(tenant_id=tenant.id, pk=subject.id)),
        deals=[_line(deal, tenant.slug) for deal in found[:DEALS_SHOWN]],
        more=f"The first {DEALS_SHOWN} are shown." if len(found) > DEALS_SHOWN else "",
        sharing=sharing_card(request.workspace, subject, sent),
    )
    return TemplateResponse(
        request, "pipeline/account.html", {"page": page}, status=sent.status if sent else 200
    )


def _deals(subject: Subject, tenant_id: int) -> list[Opportunity]:
    deals = Opportunity.objects.filter(tenant_id=tenant_id, account_id=subject.id)
    return list(deals.order_by("is_closed", "close_on", "id")[: DEALS_SHOWN + 1])


def _lead(found: Sequence[Opportunity]) -> str:
    if not found:
        return "You see no deal with this account."
    many = f"More than {DEALS_SHOWN} deals" if len(found) > DEALS_SHOWN else count(len(found), "deal")
    running = sum(not deal.is_closed for deal in found[:DEALS_SHOWN])
    return f"{many} of this account that you see, {number(running)} of them open."


def _facts(account: Account) -> list[Definition]:
    owner = Owner.objects.filter(tenant_id=account.tenant_id, id=account.owner_id).first()
    return [
        Definition("Owner", owner.name if owner else "No owner that you see"),
        Definition("Industry", account.industry or "–"),
        Definition("Country", account.country or "–"),
        Definition("Website", account.website or "–"),
        Definition("Employees", number(account.employees)),
        Definition("Id in the CRM", account.external_id),
    ]


def _line(deal: Opportunity, slug: str) -> AccountDeal:
    ended = WON if deal.is_won else LOST
    return AccountDeal(
        name=deal.name,
        url=deal_url(slug, deal.external_id),
        stage=deal.stage,
        amount=money(deal.amount_minor, deal.currency),
        close=day(deal.close_on),
        state=ended if deal.is_closed else _OPEN,
    )
