"""The CRM connection of a workspace, its syncs, and the rows that were kept aside."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit.services import record
from crm_sync import selectors, services, shown
from crm_sync.connectors import OPENERS
from crm_sync.events import RejectedRowsExported
from crm_sync.forms import ConnectionForm, ScheduleForm
from crm_sync.models import Connection, ConnectionState, RejectedRow, SyncRun
from crm_sync.permissions import EDIT, SYNC, VIEW
from crm_sync.schedules import BOUNDS
from crm_sync.shown import url
from isolation import context
from isolation.errors import InvalidInput, NotFound
from pages.asking import Asked
from pages.forms import carried_out
from pages.keyset import Rows, rows_of
from pages.objects import Action, Column, Crumb, EmptyState, ListPage, Page, Progress, Table
from pages.sheets import csv_response
from pages.templatetags.formats import count, local_time
from rbac.requests import WorkspaceRequest, workspace_view
from tenants.models import Tenant, Tier

RUNS_SHOWN = 20
PAGE_SIZE = 50
_EXPORT_BATCH = 2_000
_COUNTED = ("Read", "New", "Changed", "Unchanged", "Deleted", "Kept aside", "Took")


def _connection(request: WorkspaceRequest) -> Connection:
    connection = selectors.connection_of(request.workspace.tenant.id)
    if connection is None:
        raise NotFound(what="CRM connection")
    return connection


def _usable_connection(request: WorkspaceRequest) -> Connection:
    connection = _connection(request)
    services.require_connector(connection)
    return connection


def _crumb(tenant: Tenant) -> Crumb:
    return Crumb("CRM sync", url("index", tenant))


@require_safe
@workspace_view(VIEW)
def index(request: WorkspaceRequest) -> HttpResponse:
    """The connection and its runs."""
    tenant, connection, asked = request.workspace.tenant, _connection(request), Asked.of(request)
    runs = rows_of(
        selectors.runs_of(connection), order=("-requested_at", "-id"), cursor=asked.cursor, size=RUNS_SHOWN
    )
    is_usable = connection.source in OPENERS
    active = selectors.active_run(connection) if is_usable else None
    page = shown.IndexPage(
        title="CRM sync",
        lead=_lead(connection),
        actions=_index_actions(request, connection, active) if is_usable else [],
        connection=shown.connection_facts(
            connection, selectors.schedule_of(connection), selectors.rejected_count(connection), tenant
        ),
        problem=connection.error_message if is_usable else "",
        progress=_progress(active, tenant) if active else None,
        runs=_runs_table(runs, asked, tenant) if is_usable else None,
    )
    return render(request, "crm_sync/index.html", {"page": page})


def _lead(connection: Connection) -> str:
    name = shown.source_name(connection.source)
    if connection.source not in OPENERS:
        return f"There is no {name} connector yet, so nothing is read from it."
    if connection.state == ConnectionState.NEW:
        return f"{name} is not connected yet: enter the credentials of its connected app."
    if connection.state == ConnectionState.NEEDS_ATTENTION:
        return f"{name} cannot be read until somebody mends the connection."
    return (
        f"{name} is connected." if connection.last_synced_at else f"{name} is connected and was not read yet."
    )


def _index_actions(request: WorkspaceRequest, connection: Connection, active: SyncRun | None) -> list[Action]:
    workspace = request.workspace
    actions = []
    if workspace.may(SYNC) and active is None and connection.state != ConnectionState.NEW:
        where = url("sync", workspace.tenant)
        question = "Read everything again? It takes longer, and finds rows that vanished without a trace."
        actions.append(
            Action("Sync now", f"{where}?what=changes", icon="refresh", method="post", kind="primary")
        )
        actions.append(
            Action("Full sync", f"{where}?what=everything", icon="database", method="post", confirm=question)
        )
    if workspace.may(EDIT):
        actions.append(Action("Connection", url("connection", workspace.tenant), icon="plug-connected"))
        actions.append(Action("Schedule", url("schedule", workspace.tenant), icon="clock"))
    return actions


def _progress(run: SyncRun, tenant: Tenant) -> Progress | None:
    return shown.progress_of(run, selectors.results_of(run), tenant)


def _runs_table(runs: Rows[SyncRun], asked: Asked, tenant: Tenant) -> Table[shown.RunRow]:
    return Table(
        caption="Sync runs, newest first",
        columns=[
            Column(f"Started ({tenant.timezone})"),
            Column("State"),
            *(Column(name, align="end") for name in _COUNTED),
        ],
        rows=[shown.run_row(run, tenant) for run in runs.rows],
        row_template="crm_sync/_run_row.html",
        count_label="Newest first",
        next_url=asked.pager(runs.next),
        previous_url=asked.pager(runs.previous),
        empty=EmptyState("No syncs so far", "The first one reads everything.", icon="refresh"),
    )


# Connection and schedule


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(EDIT)
def connection_edit(request: WorkspaceRequest) -> HttpResponse:
    """The credentials."""
    tenant, connection = request.workspace.tenant, _usable_connection(request)
    form = ConnectionForm(request.POST if request.method == "POST" else None, connection=connection)
    if request.method == "POST" and carried_out(form, lambda: _save(form, connection, request)):
        messages.success(request, "The connection was saved. Test it, or start a sync.")
        return redirect(url("connection", tenant))
    page = Page(
        title=f"{shown.source_name(connection.source)} connection",
        lead="The program signs in as the connected app's run-as user and only reads.",
        crumbs=[_crumb(tenant)],
        actions=_connection_actions(connection, tenant),
    )
    facts = {"page": page, "form": form, "cancel": Action("Cancel", url("index", tenant))}
    return render(request, "crm_sync/form.html", facts, status=400 if form.errors else 200)


def _save(form: ConnectionForm, connection: Connection, request: WorkspaceRequest) -> None:
    services.connection_save(connection=connection, acting_user=request.workspace.actor, **form.cleaned_data)


def _connection_actions(connection: Connection, tenant: Tenant) -> list[Action]:
    if not connection.secret_encrypted:
        return []
    return [
        Action("Test the connection", url("connection_test", tenant), icon="plug-connected", method="post")
    ]


@require_POST
@workspace_view(EDIT, is_inside=False)
def connection_try(request: WorkspaceRequest) -> HttpResponse:
    """Sign in with what is saved, and say what was found."""
    tenant = request.workspace.tenant
    found = services.connection_test(tenant_id=tenant.id, acting_user=request.workspace.actor)
    messages.success(request, found)
    return redirect(url("connection", tenant))


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(EDIT)
def schedule_edit(request: WorkspaceRequest) -> HttpResponse:
    """How often to sync."""
    tenant = request.workspace.tenant
    schedule = selectors.schedule_of(_usable_connection(request))
    if schedule is None:
        raise NotFound(what="sync schedule")
    given = request.POST if request.method == "POST" else None
    form = ScheduleForm(given, schedule=schedule, bounds=BOUNDS[Tier(tenant.tier)])

    def save() -> None:
        services.sync_schedule_set(
            schedule=schedule, acting_user=request.workspace.actor, **form.cleaned_data
        )

    if request.method == "POST" and carried_out(form, save):
        messages.success(request, "The schedule was saved.")
        return redirect(url("index", tenant))
    page = Page(
        title="Sync schedule", lead="A sync reads what changed since the last one.", crumbs=[_crumb(tenant)]
    )
    facts = {"page": page, "form": form, "cancel": Action("Cancel", url("index", tenant))}
    return render(request, "crm_sync/form.html", facts, status=400 if form.errors else 200)


# Runs


@require_POST
@workspace_view(SYNC)
def sync_now(request: WorkspaceRequest) -> HttpResponse:
    """Queue a sync, of ``what`` in the address."""
    what = request.GET.get("what", "")
    if what not in {"changes", "everything"}:
        raise InvalidInput(field="what", problem="Say what to read: “changes” or “everything”.")
    run = services.sync_request(
        connection=_connection(request), is_full=what == "everything", acting_user=request.workspace.actor
    )
    return redirect(url("run", request.workspace.tenant, run_id=run.id))


def _run(request: WorkspaceRequest, run_id: UUID) -> SyncRun:
    run: SyncRun | None = SyncRun.objects.filter(tenant_id=request.workspace.tenant.id, pk=run_id).first()
    if run is None:
        raise NotFound(what="sync run")
    return run


@require_safe
@workspace_view(VIEW)
def run_detail(request: WorkspaceRequest, run_id: UUID) -> HttpResponse:
    """What one run did, object by object."""
    tenant, run = request.workspace.tenant, _run(request, run_id)
    page = shown.RunPage(
        title=f"Sync of {local_time(run.started_at or run.requested_at, tenant.timezone)}",
        lead=_run_lead(run),
        crumbs=[_crumb(tenant)],
        actions=[Action("Rows kept aside", url("rejected", tenant), icon="inbox")]
        if run.rows_rejected
        else [],
        facts=shown.run_facts(run, tenant),
        problem=run.error_message,
        progress=_progress(run, tenant),
        objects=_objects_table(run),
    )
    return render(request, "crm_sync/run.html", {"page": page})


def _run_lead(run: SyncRun) -> str:
    if run.is_active:
        return "Under way."
    changed = run.rows_inserted + run.rows_changed + run.rows_deleted
    return f"{count(run.rows_read, 'row')} read, {count(changed, 'row')} written."


def _objects_table(run: SyncRun) -> Table[shown.ObjectRow]:
    return Table(
        caption="What was done with each object",
        columns=[Column("Object"), Column("State"), *(Column(name, align="end") for name in _COUNTED)],
        rows=[shown.object_row(result, run) for result in selectors.results_of(run)],
        row_template="crm_sync/_object_row.html",
        empty=EmptyState("Nothing read yet", "A worker takes the run within seconds.", icon="clock"),
    )


@require_safe
@workspace_view(VIEW)
def run_progress(request: WorkspaceRequest, run_id: UUID) -> HttpResponse:
    """The progress component of an active run; once it is over, the page is told to load anew."""
    run = _run(request, run_id)
    progress = _progress(run, request.workspace.tenant)
    if progress is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "components/progress.html", {"progress": progress})


# Rows kept aside


@require_safe
@workspace_view(VIEW)
def rejected(request: WorkspaceRequest) -> HttpResponse:
    """The rows that could not be used, and why."""
    tenant, connection, asked = request.workspace.tenant, _connection(request), Asked.of(request)
    rows = rows_of(
        _wanted(connection, asked), order=("-rejected_at", "-id"), cursor=asked.cursor, size=PAGE_SIZE
    )
    heads = ("Row", "Object", "Field", "Value", "Why", f"Since ({tenant.timezone})")
    page = ListPage(
        title="Rows kept aside",
        lead="They are not in the deals and reports. Mend them in the CRM: the next sync takes them up.",
        crumbs=[_crumb(tenant)],
        table=Table(
            caption="Rows kept aside, newest first",
            columns=list(map(Column, heads)),
            rows=[shown.kept_row(row, tenant.timezone) for row in rows.rows],
            row_template="crm_sync/_kept_row.html",
            count_label=f"{count(selectors.rejected_count(connection), 'row')} in all",
            next_url=asked.pager(rows.next),
            previous_url=asked.pager(rows.previous),
            export_url=asked.at(url("rejected_export", tenant)),
            empty=EmptyState("No rows kept aside", "Every row of the CRM could be used.", icon="check"),
        ),
        filters=asked.filters(),
    )
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "crm_sync/rejected.html", {"page": page}, status=status)


def _wanted(connection: Connection, asked: Asked) -> QuerySet[RejectedRow]:
    rows = selectors.rejected_of(connection)
    names = {name: name for name in selectors.rejected_objects(connection)}
    if name := asked.choice("object", "Object", names):
        rows = rows.filter(object_name=name)
    if text := asked.text("q", "Search", placeholder="Row id or value"):
        rows = rows.filter(external_id__startswith=text) | rows.filter(value__startswith=text)
    return rows


@require_safe
@workspace_view(VIEW)
def rejected_export(request: WorkspaceRequest) -> HttpResponseBase:
    """The same rows as CSV, all of them."""
    workspace, connection, asked = request.workspace, _connection(request), Asked.of(request)
    wanted = _wanted(connection, asked)
    event = RejectedRowsExported(
        target_id=str(connection.id), target_label=shown.source_name(connection.source)
    )
    record(event, acting_user=workspace.actor)

    def lines() -> Iterator[list[str | datetime]]:
        with context.of_actor(workspace.actor, workspace.tenant.id):
            for row in wanted.order_by("-rejected_at", "-id").iterator(_EXPORT_BATCH):
                yield [row.external_id, row.object_name, row.field, row.value, row.reason, row.rejected_at]

    heads = ("row", "object", "field", "value", "reason", "rejected_at")
    return csv_response(f"{workspace.tenant.slug}-kept-aside", heads, lines())
