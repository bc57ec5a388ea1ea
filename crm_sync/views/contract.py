"""Where a CRM does not keep to what its mapping expects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from audit.services import record
from crm_sync.doors import connection_here, usable_connection_here
from crm_sync.events import ViolationsExported
from crm_sync.mapping.checking import contract_check, open_violations, violations_of
from crm_sync.models import Connection, ContractViolation, ViolationKind
from crm_sync.permissions import SYNC, VIEW
from crm_sync.shown import crumbs, source_name, url
from crm_sync.shown.contract import ViolationRow, violation_row
from isolation import context
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import Action, Column, EmptyState, ListPage, Table
from pages.sheets import csv_response
from pages.templatetags.formats import count
from rbac.requests import WorkspaceRequest, workspace_view
from tenants.models import Tenant

PAGE_SIZE = 50
_EXPORT_BATCH = 2_000
_ORDER = ("-rank", "-rows", "-id")
_SHEET = (
    "object",
    "field",
    "kind",
    "expected",
    "found",
    "rows",
    "examples",
    "detected_at",
    "seen_at",
    "resolved_at",
)


@require_safe
@workspace_view(VIEW)
def contract(request: WorkspaceRequest, source: str) -> HttpResponse:
    """Violations: those that last unless others are asked for."""
    tenant, connection, asked = request.workspace.tenant, connection_here(request, source), Asked.of(request)
    rows = rows_of(_wanted(connection, asked), order=_ORDER, cursor=asked.cursor, size=PAGE_SIZE)
    page = ListPage(
        title="Contract",
        lead=_lead(connection),
        crumbs=crumbs(tenant, source),
        actions=_actions(request, source),
        table=_table(rows, asked, connection, tenant),
        filters=asked.filters(),
    )
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "crm_sync/list.html", {"page": page}, status=status)


def _lead(connection: Connection) -> str:
    number = open_violations(connection).count()
    if not number:
        return f"{source_name(connection.source)} keeps to what the field mapping expects."
    return f"{count(number, 'way')} in which {source_name(connection.source)} does not keep to what the field mapping expects."


def _actions(request: WorkspaceRequest, source: str) -> list[Action]:
    tenant = request.workspace.tenant
    actions = []
    if request.workspace.may(SYNC):
        where = url("contract_check", tenant, source=source)
        actions.append(Action("Check now", where, icon="refresh", method="post", kind="primary"))
    actions.append(Action("Field mapping", url("mapping", tenant, source=source), icon="arrows-exchange"))
    actions.append(Action("Rows kept aside", url("rejected", tenant, source=source), icon="inbox"))
    return actions


def _wanted(connection: Connection, asked: Asked) -> QuerySet[Any]:
    rows = violations_of(connection)
    states = {"resolved": "Resolved", "all": "All"}
    state = asked.choice("state", "State", states, everything="Open")
    if state != "all":
        rows = rows.filter(resolved_at__isnull=state != "resolved")
    names = violations_of(connection).order_by("object_name").values_list("object_name", flat=True).distinct()
    if name := asked.choice("object", "Object", {name: name for name in names}):
        rows = rows.filter(object_name=name)
    if kinds := asked.choices("kind", "Kind", dict(ViolationKind.choices)):
        rows = rows.filter(kind__in=kinds)
    if text := asked.text("q", "Search", placeholder="Field"):
        rows = rows.filter(field__startswith=text)
    return rows


def _table(
    rows: Rows[ContractViolation], asked: Asked, connection: Connection, tenant: Tenant
) -> Table[ViolationRow]:
    heads = ("Field", "Kind", "What is wrong", "Rows", "Since")
    return Table(
        caption="Contract violations, those of whole fields first",
        columns=list(map(Column, heads)),
        rows=[violation_row(row, connection, tenant.timezone) for row in rows.rows],
        row_template="crm_sync/_violation_row.html",
        count_label=f"Those of whole fields first, then by rows; times in {tenant.timezone}",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        export_url=asked.at(url("contract_export", tenant, source=connection.source)),
        empty=EmptyState(
            "No violations",
            "Fields and values are what the mapping expects. Every sync looks again.",
            icon="check",
        ),
    )


@require_POST
@workspace_view(SYNC, is_inside=False)
def contract_check_now(request: WorkspaceRequest, source: str) -> HttpResponse:
    """Compare with the CRM's fields as they are this moment."""
    workspace = request.workspace
    with context.of_actor(workspace.actor, workspace.tenant.id):
        usable_connection_here(request, source)
    checked = contract_check(tenant_id=workspace.tenant.id, source=source, acting_user=workspace.actor)
    found = count(len(checked.violations), "violation") if checked.violations else "no violation"
    messages.success(request, f"{count(checked.objects, 'object')} compared: {found}.")
    return redirect(url("contract", workspace.tenant, source=source))


@require_safe
@workspace_view(VIEW)
def contract_export(request: WorkspaceRequest, source: str) -> HttpResponseBase:
    """The same violations as CSV."""
    workspace, connection = request.workspace, connection_here(request, source)
    wanted = _wanted(connection, Asked.of(request))
    event = ViolationsExported(target_id=str(connection.id), target_label=source_name(source))
    record(event, acting_user=workspace.actor)

    def lines() -> Iterator[list[object]]:
        with context.of_actor(workspace.actor, workspace.tenant.id):
            for row in wanted.order_by(*_ORDER).iterator(_EXPORT_BATCH):
                told = [
                    row.object_name,
                    row.field,
                    row.kind,
                    row.expected,
                    row.found,
                    row.rows,
                    " ".join(row.examples),
                ]
                yield [*told, row.detected_at, row.seen_at, row.resolved_at or ""]

    return csv_response(f"{workspace.tenant.slug}-{source}-contract-violations", _SHEET, lines())
