"""The workspace's log of the vendor's staff in its data: who, why, how long, how much was read; and the end of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from audit.permissions import VIEW
from isolation import context
from isolation.errors import InvalidInput, NotFound
from isolation.requests import workspace_view
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import Column, EmptyState, ListPage, Table
from pages.sheets import csv_response
from pages.templatetags.formats import count
from pages.times import day_end, day_start
from rbac.breakglass.selectors import stays_in_force, stays_of
from rbac.breakglass.services import break_glass_end
from rbac.breakglass.shown import StayRow, stay_row
from rbac.held import database_now
from rbac.models_breakglass import BreakGlass
from rbac.redaction import masks
from rbac.requests import Workspace, WorkspaceRequest
from tenants.models import Tenant
from tenants.permissions import PEOPLE_EDIT

PAGE_SIZE = 50
_BATCH = 500
_STATES = {"open": "In force", "over": "Over"}
_ORDERS = {"since": ("started_at", "id"), "-since": ("-started_at", "-id")}
_HEADS = (
    "id", "operator", "reason", "ticket", "from_utc", "until_utc", "ended_utc", "ended_by", "pages_opened",
)  # fmt: skip
_NEVER = EmptyState(
    "Nobody was here",
    "None of the vendor’s staff has entered this workspace’s data. When somebody does, your admins get a mail and every page says so.",
    icon="shield-lock",
)
_NO_MATCH = EmptyState("Nothing matches", "Take a filter away, or choose a longer time.", icon="search")


@workspace_view(VIEW, is_wide=True)
@require_safe
def log(request: WorkspaceRequest) -> HttpResponse:
    """Every stay, newest first."""
    workspace, asked = request.workspace, Asked.of(request)
    found = _asked_for(asked, workspace.tenant)
    sort = asked.sort(("since",), "-since")
    rows = rows_of(found, order=_ORDERS[sort], cursor=asked.cursor, size=PAGE_SIZE)
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    page = _page(workspace, asked, rows, sort)
    return render(request, "rbac/breakglass/log.html", {"page": page}, status=status)


@workspace_view(VIEW, is_wide=True)
@require_safe
def export(request: WorkspaceRequest) -> HttpResponseBase:
    """The same as CSV. Raises: InvalidInput for a bad filter."""
    tenant, asked = request.workspace.tenant, Asked.of(request)
    found = _asked_for(asked, tenant).order_by(*_ORDERS["-since"])
    if asked.has_errors:
        raise InvalidInput(problem=" ".join(asked.filters().errors))
    name = f"{tenant.slug}-vendor-access-{timezone.now():%Y-%m-%d}"
    return csv_response(name, _HEADS, _sheet_rows(tenant, found))


@workspace_view(PEOPLE_EDIT)
@require_POST
def end(request: WorkspaceRequest, stay_id: UUID) -> HttpResponse:
    """End a stay at once."""
    workspace = request.workspace
    stay = BreakGlass.objects.filter(tenant_id=workspace.tenant.id, pk=stay_id).first()
    if stay is None:
        raise NotFound(what="such access of the vendor's staff")
    break_glass_end(stay=stay, acting_user=workspace.actor)
    messages.success(request, f"{stay.operator_label} cannot read this workspace any more.")
    where = "break_glass:log" if workspace.may(VIEW) else "people:people"
    return redirect(reverse(where, kwargs={"tenant": workspace.tenant.slug}))


def _asked_for(asked: Asked, tenant: Tenant) -> QuerySet[BreakGlass]:
    operator = asked.text("operator", "Who", placeholder="E-mail")
    state = asked.choice("state", "State", _STATES)
    since, until = asked.days()
    wanted = Q()
    if since:
        wanted &= Q(started_at__gte=day_start(since, tenant.timezone))
    if until:
        wanted &= Q(started_at__lt=day_end(until, tenant.timezone))
    is_in_force = state == "open" if state else None
    return stays_of(tenant.id, operator=operator, is_in_force=is_in_force, between=wanted)


def _page(workspace: Workspace, asked: Asked, rows: Rows[BreakGlass], sort: str) -> ListPage[StayRow]:
    tenant, now, may_end = workspace.tenant, database_now(), workspace.may(PEOPLE_EDIT)
    table = Table(
        caption="Stays of the vendor's staff, newest first",
        columns=[
            Column("Who, and why"), asked.column(f"From ({tenant.timezone.replace('_', ' ')})", "since", sort),
            Column("State"), Column("Pages opened", align="end"), Column("End", is_label_hidden=True),
        ],
        rows=[stay_row(stay, tenant, now=now, may_end=may_end) for stay in rows.rows],
        row_template="rbac/breakglass/_stay_row.html",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        export_url=asked.at(reverse("break_glass:export", kwargs={"tenant": tenant.slug})),
        empty=_NO_MATCH if asked.chips else _NEVER,
    )  # fmt: skip
    return ListPage(
        title="Vendor access", lead=_lead(stays_in_force(tenant.id)), table=table, filters=asked.filters()
    )


def _lead(inside: list[BreakGlass]) -> str:
    if not inside:
        return "None of the vendor’s staff can read this workspace’s data now."
    return f"{count(len(inside), 'person', 'people')} of the vendor’s staff can read this workspace’s data now, and change nothing."


def _sheet_rows(tenant: Tenant, found: QuerySet[BreakGlass]) -> Iterator[tuple[Any, ...]]:
    # Read after the view has returned and its context has ended, so the generator opens its own.
    with context.tenant_wide(tenant.id):
        for stay in found.iterator(chunk_size=_BATCH):
            yield (
                str(stay.id), stay.operator_label, masks.text(stay.reason), masks.text(stay.ticket), _utc(stay.started_at),
                _utc(stay.until), _utc(stay.ended_at), stay.ended_by, vars(stay)["reads"],
            )  # fmt: skip


def _utc(instant: datetime | None) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds") if instant else ""
