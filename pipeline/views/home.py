"""The workspace's first page: three numbers, the pipeline by stage, what changed, what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from alerts.permissions import VIEW as ALERTS_VIEW
from alerts.selectors import open_alerts
from pages.objects import (
    HEALTH_BADGES,
    SEVERITY_BADGES,
    Action,
    Badge,
    Chart,
    EmptyState,
    Page,
    Series,
    Stat,
    TimelineEntry,
    Tone,
)
from pages.templatetags.formats import count, local_time, major, money, money_short, number, percent
from pipeline import permissions
from pipeline.models import Band, BuildState
from pipeline.selectors import Move, Slice, latest_builds, pipeline_slices, recent_moves, stages_in_use
from pipeline.views.deals import deal_url, deals_url
from rbac.requests import Workspace, WorkspaceRequest, workspace_view
from tenants.selectors import settings_of

MOVES_SHOWN = 8
ALERTS_SHOWN = 5
_TONES: dict[Band, Tone] = {
    Band.CRITICAL: "danger",
    Band.AT_RISK: "warning",
    Band.MONITOR: "info",
    Band.HEALTHY: "good",
}
_ENDANGERED = (Band.CRITICAL, Band.AT_RISK)


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One open alert as the home page lists it."""

    sentence: str
    badge: Badge
    since: str
    instant: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage(Page):
    """What the home page shows; ``empty`` stands for everything where there is no open deal.

    ``shared_url`` leads to the deals that are shared with the reader, which no sum here holds; "" where there are none.
    """

    stats: Sequence[Stat]
    chart: Chart
    moves: Sequence[TimelineEntry]
    alerts: Sequence[AlertLine] | None
    alerts_url: str
    as_of: str
    shared_url: str
    empty: EmptyState | None


@workspace_view(permissions.VIEW, is_front=True)
@require_GET
def home(request: WorkspaceRequest) -> HttpResponse:
    """``/w/<tenant>/``."""
    workspace = request.workspace
    tenant = workspace.tenant
    slices = pipeline_slices(tenant.id)
    main = main_currency(slices, tenant.currency)
    shown = [one for one in slices if one.currency == main]
    page = HomePage(
        title="Home",
        lead=_lead(shown, main),
        stats=_stats(slices, shown, main, tenant.slug),
        chart=_chart(shown, main, workspace),
        moves=[_entry(move, workspace) for move in recent_moves(tenant.id, at_most=MOVES_SHOWN)],
        alerts=_alerts(workspace),
        alerts_url=f"/w/{tenant.slug}/alerts/",
        as_of=_as_of(workspace),
        shared_url=deals_url(tenant.slug, shared="with_me") if workspace.actor.shares.deal else "",
        empty=None if slices else _empty(workspace),
    )
    return TemplateResponse(request, "pipeline/home.html", {"page": page})


def main_currency(slices: Sequence[Slice], preferred: str) -> str:
    """The workspace's currency where any deal is in it, else the one with the most deals."""
    deals: Counter[str] = Counter()
    for one in slices:
        deals[one.currency] += one.deals
    return preferred if preferred in deals or not deals else deals.most_common(1)[0][0]


def _lead(shown: Sequence[Slice], currency: str) -> str:
    amount = sum(one.amount_minor for one in shown)
    if not shown:
        return "No open deals yet."
    share = _share(_amount(shown, _ENDANGERED), amount)
    deals = count(sum(one.deals for one in shown), "open deal")
    return f"{money_short(amount, currency)} in {deals}; {percent(share)} of it is at risk or critical."


def _amount(slices: Sequence[Slice], bands: Sequence[Band]) -> int:
    return sum(one.amount_minor for one in slices if one.band in bands)


def _share(part: int, whole: int) -> float:
    return part / whole if whole > 0 else 0.0


def _stats(slices: Sequence[Slice], shown: Sequence[Slice], currency: str, slug: str) -> list[Stat]:
    if not slices:
        return []
    amount, endangered = sum(one.amount_minor for one in shown), _amount(shown, _ENDANGERED)
    share = _share(endangered, amount)
    deals, stale = sum(one.deals for one in slices), sum(one.stale_deals for one in slices)
    past = sum(one.past_close_deals for one in slices)
    endangered_deals = sum(one.deals for one in shown if one.band in _ENDANGERED)
    weighted = money_short(sum(one.weighted_minor for one in shown), currency)
    return [
        Stat(
            "Open pipeline",
            money_short(amount, currency),
            hint=f"{count(deals, 'deal')}, {weighted} weighted by probability{_others(slices, currency)}",
            href=deals_url(slug),
        ),
        Stat(
            "At risk or critical",
            percent(share),
            hint=f"{money_short(endangered, currency)} in {count(endangered_deals, 'deal')}",
            href=deals_url(slug, band=list(_ENDANGERED), sort="-amount"),
            tone="danger" if share >= 0.5 else "warning" if share >= 0.25 else "good",
        ),
        Stat(
            "Stale deals",
            number(stale),
            hint=f"{percent(_share(stale, deals))} of all open deals; {number(past)} past their close date",
            href=deals_url(slug, hygiene=["stale"]),
            tone="warning" if stale else "good",
        ),
    ]


def _others(slices: Sequence[Slice], main: str) -> str:
    amounts: Counter[str] = Counter()
    for one in slices:
        if one.currency != main:
            amounts[one.currency] += one.amount_minor
    return "".join(f", plus {money_short(amount, currency)}" for currency, amount in amounts.most_common())


def _chart(shown: Sequence[Slice], currency: str, workspace: Workspace) -> Chart:
    used = {one.stage.lower() for one in shown}
    settings = settings_of(workspace.tenant.id)
    stages = [stage for stage in stages_in_use(workspace.tenant.id, settings) if stage.lower() in used]
    return Chart(
        id="pipeline-by-stage",
        kind="stacked",
        title="Pipeline by stage",
        summary=f"Open amount in {currency} by stage, coloured by the health of the deals.",
        labels=stages,
        series=[_series(shown, stages, band, currency, workspace.tenant.slug) for band in Band],
        label_heading="Stage",
    )


def _series(shown: Sequence[Slice], stages: Sequence[str], band: Band, currency: str, slug: str) -> Series:
    amounts: Counter[str] = Counter()
    for one in shown:
        if one.band == band:
            amounts[one.stage.lower()] += one.amount_minor
    values = [amounts[stage.lower()] for stage in stages]
    return Series(
        HEALTH_BADGES[band].label,
        [float(major(value, currency)) for value in values],
        texts=[money(value, currency) for value in values],
        tone=_TONES[band],
        hrefs=[deals_url(slug, stage=[stage], band=[band]) for stage in stages],
    )


def _entry(move: Move, workspace: Workspace) -> TimelineEntry:
    deal, tenant = move.deal, workspace.tenant
    title = (
        f"{deal.name} moved to {move.to_stage}"
        if move.from_stage
        else f"{deal.name} is new, in {move.to_stage}"
    )
    is_end = deal.is_closed and deal.stage == move.to_stage
    amount = money(deal.amount_minor, deal.currency)
    return TimelineEntry(
        title=title,
        when=local_time(move.changed_at, tenant.timezone),
        instant=move.changed_at.isoformat(),
        text=f"{amount}, {f'was in {move.from_stage}' if move.from_stage else deal.account_name}",
        icon=("check" if deal.is_won else "x") if is_end else ("arrow-right" if move.from_stage else "plus"),
        tone=("good" if deal.is_won else "danger") if is_end else "brand",
        href=deal_url(tenant.slug, deal.external_id),
    )


def _alerts(workspace: Workspace) -> list[AlertLine] | None:
    if not workspace.may(ALERTS_VIEW):
        return None
    tenant = workspace.tenant
    return [
        AlertLine(
            sentence=alert.sentence,
            badge=SEVERITY_BADGES[alert.severity],
            since=local_time(alert.opened_at, tenant.timezone),
            instant=alert.opened_at.isoformat(),
            url=f"/w/{tenant.slug}/alerts/",
        )
        for alert in open_alerts(tenant.id)[:ALERTS_SHOWN]
    ]


def _as_of(workspace: Workspace) -> str:
    last = latest_builds(workspace.tenant.id, state=BuildState.SUCCEEDED, at_most=1)
    return f"Scores as of {local_time(last[0].finished_at, workspace.tenant.timezone)}" if last else ""


def _empty(workspace: Workspace) -> EmptyState:
    if workspace.may("crm.view"):
        action = Action(
            "Open the CRM connection", f"/w/{workspace.tenant.slug}/settings/crm/", icon="plug-connected"
        )
        text = "As soon as the CRM has been synced, its open deals are scored and summed up here."
        return EmptyState("No open deals yet", text, icon="briefcase", action=action)
    text = "Deals that you own in the CRM show here after the next sync."
    return EmptyState("No open deals of yours yet", text, icon="briefcase")
