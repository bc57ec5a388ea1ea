"""The deals list and its export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote, urlencode

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from crm_sync.personal import CRM_CONTACTS
from isolation import context
from isolation.context import Context
from isolation.errors import InvalidInput
from pages.keyset import PARAMETER
from pages.objects import HEALTH_BADGES, Badge, Column, EmptyState, ListPage, SortDirection, Table, Tone
from pages.sheets import csv_response
from pages.templatetags.formats import count, day, major, money, number
from pipeline import permissions
from pipeline.errors import SearchTooSlow
from pipeline.filters import DealFilters, ParsedFilters, SortKey
from pipeline.listing import DealRow
from pipeline.selectors import PAGE_SIZE, DealPage, deal_filters_of, deals_streamed, deals_visible
from pipeline.services import deals_export_record
from pipeline.views.filters import Address, filter_form
from rbac.redaction.reading import Door, Redactor, streaming
from rbac.requests import Workspace, WorkspaceRequest, workspace_view

WON = Badge("Won", "good", "check")
LOST = Badge("Lost", "neutral", "x")
UNSCORED = Badge("Not scored yet")
COLUMNS = (
    ("Deal", SortKey.NAME, "start"),
    ("Owner", None, "start"),
    ("Stage", None, "start"),
    ("Amount", SortKey.AMOUNT, "end"),
    ("Close date", SortKey.CLOSE_ON, "start"),
    ("In stage", SortKey.STAGE_AGE, "end"),
    ("Health", SortKey.SCORE, "start"),
)  # fmt: skip
EXPORT_HEADS = (
    "deal_id", "name", "account", "owner", "owner_email", "stage", "amount", "currency", "close_date", "state", "score",
    "band", "days_in_stage", "days_since_activity", "is_stale", "is_past_close", "next_step",
)  # fmt: skip


def deals_url(slug: str, **filters: Any) -> str:
    """The deals list, filtered."""
    return f"/w/{slug}/deals/{'?' if filters else ''}{urlencode(filters, doseq=True)}"


def deal_url(slug: str, external_id: str) -> str:
    """One deal's page."""
    return f"/w/{slug}/deals/{quote(external_id, safe='')}/"


@dataclass(frozen=True, slots=True)
class DealLine:
    """One row of the list, ready to show. ``score`` is "" where there is none; ``silence`` only where a deal is stale."""

    url: str
    name: str
    account: str
    owner: str
    stage: str
    amount: str
    close: str
    is_past_close: bool
    stage_age: str
    score: str
    band: str
    tone: Tone
    silence: str
    is_shared: bool


def line_of(row: DealRow, slug: str, seen: Context) -> DealLine:
    """The row in the reader's words, who sees ``seen``."""
    scored = row.score is not None and not row.is_closed
    ended = WON if row.is_won else LOST
    badge = HEALTH_BADGES[row.band] if scored and row.band else ended if row.is_closed else UNSCORED
    return DealLine(
        url=deal_url(slug, row.external_id),
        name=row.name,
        account=row.account_name,
        owner=row.owner_name or "No owner",
        stage=row.stage,
        amount=money(row.amount_minor, row.currency),
        close=day(row.close_on),
        is_past_close=bool(row.is_past_close),
        stage_age=count(row.days_in_stage, "day") if row.days_in_stage is not None else "–",
        score=str(row.score) if scored else "",
        band=badge.label,
        tone=badge.tone,
        silence=count(row.days_since_activity or 0, "day") if row.is_stale_warning else "",
        is_shared=row.id in seen.shares.deal and row.owner_id not in seen.owner_ids,
    )


@workspace_view(permissions.VIEW)
@require_GET
def deals(request: WorkspaceRequest) -> HttpResponse:
    """``/w/<tenant>/deals/``."""
    workspace = request.workspace
    tenant = workspace.tenant
    parsed = deal_filters_of(request.GET, tenant_id=tenant.id, currency=tenant.currency)
    address = Address(request.path, request.GET)
    try:
        found = deals_visible(
            parsed.filters, tenant_id=tenant.id, cursor=request.GET.get(PARAMETER, ""), size=PAGE_SIZE
        )
    except SearchTooSlow as refusal:
        parsed.errors["q"] = refusal.message
        found = DealPage((), None, None, None)
    page = ListPage(
        title="Deals",
        lead=_lead(found, parsed),
        table=_table(found, parsed, address, workspace),
        filters=filter_form(parsed, address, tenant_id=tenant.id),
    )
    return TemplateResponse(request, "pipeline/deals.html", {"page": page})


def _lead(found: DealPage, parsed: ParsedFilters) -> str:
    if found.count is None:
        return "Deals that match the search."
    kind = f"{parsed.filters.state} deal" if parsed.filters.state != "all" else "deal"
    deals = f"More than {number(found.count)} {kind}s" if found.is_count_capped else count(found.count, kind)
    narrowed = "match the filters" if found.count != 1 else "matches the filters"
    order = f"sorted by {_ORDERS[parsed.filters.sort]}"
    return f"{deals}, {order}." if parsed.filters.is_default else f"{deals} {narrowed}, {order}."


_ORDERS = {
    SortKey.CLOSE_ON: "close date",
    SortKey.AMOUNT: "amount",
    SortKey.SCORE: "health score",
    SortKey.NAME: "name",
    SortKey.STAGE_AGE: "time in the stage",
}


def _table(found: DealPage, parsed: ParsedFilters, address: Address, workspace: Workspace) -> Table[DealLine]:
    may_export, seen = workspace.may(permissions.EXPORT) and not parsed.errors, context.current()
    return Table(
        caption="Deals",
        columns=[_column(label, key, align, parsed.filters, address) for label, key, align in COLUMNS],
        rows=[line_of(row, workspace.tenant.slug, seen) for row in found.rows],
        row_template="pipeline/_deal_row.html",
        count_label=_count_label(found),
        next_url=address.url(**{PARAMETER: found.next_cursor}) if found.next_cursor else "",
        previous_url=address.url(**{PARAMETER: found.previous_cursor}) if found.previous_cursor else "",
        export_url=address.at(f"/w/{workspace.tenant.slug}/deals/export/") if may_export else "",
        empty=_empty(parsed, address),
    )


def _column(label: str, key: SortKey | None, align: Any, filters: DealFilters, address: Address) -> Column:
    if key is None:
        return Column(label, align=align)
    direction: SortDirection | None = None
    if filters.sort is key:
        direction = "desc" if filters.is_descending else "asc"
    turned = f"-{key}" if direction == "asc" else str(key)
    return Column(label, sort_url=address.url(sort=turned), sorted=direction, align=align)


def _count_label(found: DealPage) -> str:
    shown = len(found.rows)
    whole = "" if found.count is None else number(found.count)
    whole = f"more than {whole}" if found.is_count_capped else whole
    if found.next_cursor is None and found.previous_cursor is None:
        return count(shown, "deal")
    if found.previous_cursor is None:
        return f"1 to {shown} of {whole} deals" if whole else f"The first {shown} deals"
    return f"{shown} of {whole} deals" if whole else f"{shown} more deals"


def _empty(parsed: ParsedFilters, address: Address) -> EmptyState:
    if "q" in parsed.errors:
        return EmptyState("Nothing was searched", parsed.errors["q"], icon="search")
    if parsed.filters.is_default:
        text = "Deals show here after the CRM has been synced; you see your own and those of your team."
        return EmptyState("No open deals", text, icon="briefcase")
    text = "Take a filter away to see more."
    if parsed.filters.words:
        text = f"A search finds words of deals and accounts by their beginnings, and a deal by its CRM id. {text}"
    return EmptyState("No deal matches these filters", text, icon="filter-off")


@workspace_view(permissions.EXPORT)
@require_GET
def deals_export(request: WorkspaceRequest) -> HttpResponseBase:
    """``/w/<tenant>/deals/export/``: the whole list under the same filters. Raises: InvalidInput for one it cannot read."""
    tenant, actor = request.workspace.tenant, request.workspace.actor
    parsed = deal_filters_of(request.GET, tenant_id=tenant.id, currency=tenant.currency)
    for field, problem in parsed.errors.items():  # a file with other rows than asked for would mislead
        raise InvalidInput(field=field, problem=problem)
    described = request.GET.urlencode() or "all open deals"
    deals_export_record(tenant_id=tenant.id, filters=described[:500], acting_user=actor)
    redactor = streaming(CRM_CONTACTS, acting_user=actor, tenant_id=tenant.id, door=Door.of(request))
    rows = deals_streamed(parsed.filters, actor=actor, tenant_id=tenant.id)
    return csv_response(f"{tenant.slug}-deals", EXPORT_HEADS, _cells(rows, redactor))


def _cells(rows: Iterator[DealRow], redactor: Redactor) -> Iterator[Sequence[object]]:
    for row in rows:
        state = "open" if not row.is_closed else "won" if row.is_won else "lost"
        amount = None if row.amount_minor is None else major(row.amount_minor, row.currency)
        yield (
            row.external_id, row.name, row.account_name, row.owner_name, row.owner_email, row.stage, amount, row.currency,
            _iso(row.close_on), state, row.score, row.band, row.days_in_stage, row.days_since_activity,
            row.is_stale_warning, row.is_past_close, redactor.text(row.next_step),
        )  # fmt: skip


def _iso(value: date | None) -> str | None:
    return value.isoformat() if value else None
