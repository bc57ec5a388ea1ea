"""The last comparison of the mirror with the CRM, month by month."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from audit.services import record
from crm_sync import selectors
from crm_sync.doors import connection_here
from crm_sync.events import CheckedMonthsExported
from crm_sync.models import CheckedMonth, Connection, ConnectionState
from crm_sync.permissions import SYNC, VIEW
from crm_sync.shown import crumbs, source_name, url
from crm_sync.shown.runs import MonthRow, month_row
from crm_sync.views.runs import comparison_action
from isolation import context
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import Action, Column, EmptyState, ListPage, Table
from pages.sheets import csv_response
from pages.templatetags.formats import count
from rbac.requests import WorkspaceRequest, workspace_view
from tenants.models import Tenant

PAGE_SIZE = 100
_EXPORT_BATCH = 2_000
_ORDER = ("-differs", "-month_or_never", "-object_name", "-id")
_SHEET = (
    "object",
    "month",
    "crm_rows",
    "mirror_rows",
    "crm_checksum",
    "mirror_checksum",
    "healed_rows",
    "checked_at",
)


@require_safe
@workspace_view(VIEW)
def checked(request: WorkspaceRequest, source: str) -> HttpResponse:
    """How many rows each side had, the months that differed first."""
    tenant, connection, asked = request.workspace.tenant, connection_here(request, source), Asked.of(request)
    rows = rows_of(_wanted(connection, asked), order=_ORDER, cursor=asked.cursor, size=PAGE_SIZE)
    page = ListPage(
        title="Comparison with the CRM",
        lead=_lead(connection),
        crumbs=crumbs(tenant, source),
        actions=_actions(request, connection),
        table=_table(rows, asked, connection, tenant),
        filters=asked.filters(),
    )
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "crm_sync/list.html", {"page": page}, status=status)


def _actions(request: WorkspaceRequest, connection: Connection) -> list[Action]:
    may_start = request.workspace.may(SYNC) and connection.state != ConnectionState.NEW
    if not may_start or selectors.active_run(connection):
        return []
    return [comparison_action(request.workspace.tenant, connection.source)]


def _lead(connection: Connection) -> str:
    totals = selectors.checked_totals(connection)
    if totals is None:
        return "The mirror was not compared with the CRM yet."
    if not totals.differing:
        return f"All {count(totals.months, 'month')} were the same on both sides."
    return f"{totals.differing:,} of {count(totals.months, 'month')} differed; {count(totals.healed, 'row')} mended."


def _wanted(connection: Connection, asked: Asked) -> QuerySet[Any]:
    rows = selectors.checked_of(connection)
    names = rows.order_by("object_name").values_list("object_name", flat=True).distinct()
    if name := asked.choice("object", "Object", {name: name for name in names}):
        rows = rows.filter(object_name=name)
    if which := asked.choice("state", "State", {"differed": "Differed", "same": "Same"}):
        rows = rows.filter(differs__gt=0) if which == "differed" else rows.filter(differs=0)
    return rows


def _table(rows: Rows[CheckedMonth], asked: Asked, connection: Connection, tenant: Tenant) -> Table[MonthRow]:
    numbers = ("In the CRM", "Here", "Mended")
    columns = [Column("Object"), Column("Created in"), Column("State")]
    columns += [*(Column(name, align="end") for name in numbers), Column(f"Compared ({tenant.timezone})")]
    return Table(
        caption="Months of the last comparison, those that differed first",
        columns=columns,
        rows=[month_row(row, tenant.timezone) for row in rows.rows],
        row_template="crm_sync/_month_row.html",
        count_label="Those that differed first",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        export_url=asked.at(url("checked_export", tenant, source=connection.source)),
        empty=EmptyState(
            "No comparison", "One runs every week; “Compare now” starts one.", icon="arrows-exchange"
        ),
    )


@require_safe
@workspace_view(VIEW)
def checked_export(request: WorkspaceRequest, source: str) -> HttpResponseBase:
    """The same months as CSV, with the checksums."""
    workspace, connection = request.workspace, connection_here(request, source)
    wanted = _wanted(connection, Asked.of(request))
    event = CheckedMonthsExported(target_id=str(connection.id), target_label=source_name(source))
    record(event, acting_user=workspace.actor)

    def lines() -> Iterator[list[object]]:
        with context.of_actor(workspace.actor, workspace.tenant.id):
            for row in wanted.order_by(*_ORDER).iterator(_EXPORT_BATCH):
                yield [row.object_name, row.month or "", *(getattr(row, name) for name in _SHEET[2:])]

    return csv_response(f"{workspace.tenant.slug}-{source}-comparison", _SHEET, lines())
