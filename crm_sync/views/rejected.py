"""The rows of a CRM that were kept aside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from audit.services import record
from crm_sync import selectors
from crm_sync.doors import connection_here
from crm_sync.events import RejectedRowsExported
from crm_sync.models import Connection, RejectedRow
from crm_sync.permissions import VIEW
from crm_sync.personal import CRM_CONTACTS
from crm_sync.shown import crumbs, source_name, url
from crm_sync.shown.runs import KeptRow, kept_row
from crm_sync.views.replay import replay_actions
from isolation import context
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import Column, EmptyState, ListPage, Table
from pages.sheets import csv_response
from pages.templatetags.formats import count
from rbac.redaction.reading import Door, reading, streaming
from rbac.requests import WorkspaceRequest, workspace_view
from tenants.models import Tenant

PAGE_SIZE = 50
_EXPORT_BATCH = 2_000


@require_safe
@workspace_view(VIEW)
def rejected(request: WorkspaceRequest, source: str) -> HttpResponse:
    """The rows that could not be used, and why."""
    tenant, connection, asked = request.workspace.tenant, connection_here(request, source), Asked.of(request)
    rows = rows_of(
        _wanted(request, connection, asked),
        order=("-rejected_at", "-id"),
        cursor=asked.cursor,
        size=PAGE_SIZE,
    )
    actor = request.workspace.actor
    with reading(CRM_CONTACTS, acting_user=actor, tenant_id=tenant.id, door=Door.of(request)) as redactor:
        lines = [kept_row(row, tenant.timezone, redactor) for row in rows.rows]
    page = ListPage(
        title="Rows kept aside",
        lead="They are not in the deals and reports. Mend them in the CRM: the next sync takes them up.",
        crumbs=crumbs(tenant, source),
        actions=replay_actions(request, source, asked, has_rows=bool(rows.rows)),
        table=_table(rows, lines, asked, connection, tenant),
        filters=asked.filters(),
    )
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "crm_sync/list.html", {"page": page}, status=status)


def _table(
    rows: Rows[RejectedRow], lines: list[KeptRow], asked: Asked, connection: Connection, tenant: Tenant
) -> Table[KeptRow]:
    heads = ("Row", "Object", "Field", "Value", "Why", f"Since ({tenant.timezone})")
    return Table(
        caption="Rows kept aside, newest first",
        columns=list(map(Column, heads)),
        rows=lines,
        row_template="crm_sync/_kept_row.html",
        count_label=f"{count(selectors.rejected_count(connection), 'row')} in all",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        export_url=asked.at(url("rejected_export", tenant, source=connection.source)),
        empty=EmptyState("No rows kept aside", "Every row of the CRM could be used.", icon="check"),
    )


def _wanted(request: WorkspaceRequest, connection: Connection, asked: Asked) -> QuerySet[RejectedRow]:
    rows = selectors.rejected_of(connection)
    names = {name: name for name in selectors.rejected_objects(connection)}
    if name := asked.choice("object", "Object", names):
        rows = rows.filter(object_name=name)
    if text := asked.text("q", "Search", placeholder="Row id or value"):
        found = rows.filter(external_id__startswith=text)
        # Whoever reads values masked must not learn them by asking for their beginnings.
        is_masked = not CRM_CONTACTS.seen_by(request.workspace.actor, connection.tenant_id)
        rows = found if is_masked else found | rows.filter(value__startswith=text)
    return rows


@require_safe
@workspace_view(VIEW)
def rejected_export(request: WorkspaceRequest, source: str) -> HttpResponseBase:
    """The same rows as CSV, all of them."""
    workspace, connection, asked = request.workspace, connection_here(request, source), Asked.of(request)
    wanted = _wanted(request, connection, asked)
    event = RejectedRowsExported(target_id=str(connection.id), target_label=source_name(source))
    record(event, acting_user=workspace.actor)
    redactor = streaming(
        CRM_CONTACTS, acting_user=workspace.actor, tenant_id=workspace.tenant.id, door=Door.of(request)
    )

    def lines() -> Iterator[list[str | datetime]]:
        with context.of_actor(workspace.actor, workspace.tenant.id):
            for row in wanted.order_by("-rejected_at", "-id").iterator(_EXPORT_BATCH):
                value, reason = redactor.text(row.value), redactor.text(row.reason)
                yield [row.external_id, row.object_name, row.field, value, reason, row.rejected_at]

    heads = ("row", "object", "field", "value", "reason", "rejected_at")
    return csv_response(f"{workspace.tenant.slug}-{source}-kept-aside", heads, lines())
