"""The sync runs of a connection: started, under way, and over."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from audit.services import record
from crm_sync import selectors
from crm_sync.doors import connection_here
from crm_sync.events import SyncRunsExported
from crm_sync.failures import FailureClass, class_of, of_class
from crm_sync.models import Connection, RunKind, RunState, SyncRun
from crm_sync.permissions import SYNC, VIEW
from crm_sync.services.runs import sync_request
from crm_sync.shown import crumbs, problem_of, source_name, url
from crm_sync.shown.runs import (
    ObjectRow,
    RunPage,
    RunRow,
    object_row,
    progress_of,
    run_facts,
    run_row,
    what_of,
)
from isolation import context
from isolation.errors import InvalidInput, NotFound
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import Action, Column, EmptyState, ListPage, Progress, Table
from pages.sheets import csv_response
from pages.templatetags.formats import count, local_time
from rbac.requests import WorkspaceRequest, workspace_view
from tenants.models import Tenant

PAGE_SIZE = 50
_EXPORT_BATCH = 2_000
_OF_A_RUN = ("Read", "New", "Changed", "Deleted", "Kept aside", "Took", "Rows/s")
_OF_AN_OBJECT = ("Read", "New", "Changed", "Unchanged", "Deleted", "Kept aside", "Took", "Rows/s")
_WANTED = {
    "changes": (RunKind.SYNC, False),
    "everything": (RunKind.SYNC, True),
    "comparison": (RunKind.CHECK, False),
    "calculated": (RunKind.REFRESH, False),
}
_SHEET = (
    "run", "kind", "state", "trigger", "requested_by", "requested_at", "started_at", "finished_at", "rows_read", "rows_inserted",
    "rows_changed", "rows_unchanged", "rows_deleted", "rows_rejected", "error_class", "error_code", "error_message",
)  # fmt: skip


@require_POST
@workspace_view(SYNC)
def sync_now(request: WorkspaceRequest, source: str) -> HttpResponse:
    """Queue a run of the kind that ``what`` in the address names."""
    wanted = _WANTED.get(request.GET.get("what", ""))
    if wanted is None:
        raise InvalidInput(field="what", problem=f"Say what to do, one of: {', '.join(_WANTED)}.")
    kind, is_full = wanted
    run = sync_request(
        connection=connection_here(request, source), kind=kind, is_full=is_full, acting_user=request.workspace.actor
    )  # fmt: skip
    return redirect(url("run", request.workspace.tenant, source=source, run_id=run.id))


@require_safe
@workspace_view(VIEW)
def runs(request: WorkspaceRequest, source: str) -> HttpResponse:
    """All runs of a connection."""
    tenant, connection, asked = request.workspace.tenant, connection_here(request, source), Asked.of(request)
    found = rows_of(
        _wanted(connection, asked), order=("-requested_at", "-id"), cursor=asked.cursor, size=PAGE_SIZE
    )
    page = ListPage(
        title="Sync runs",
        lead="What each run read and wrote, newest first.",
        crumbs=crumbs(tenant, source),
        table=runs_table(found, tenant, source, asked),
        filters=asked.filters(),
    )
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "crm_sync/list.html", {"page": page}, status=status)


def _wanted(connection: Connection, asked: Asked) -> QuerySet[SyncRun]:
    found = selectors.runs_of(connection)
    if state := asked.choice("state", "State", dict(RunState.choices)):
        found = found.filter(state=state)
    if failure := asked.choice("failure", "Failure", dict(FailureClass.choices)):
        found = found.filter(of_class(FailureClass(failure)))
    if kind := asked.choice("kind", "Kind", dict(RunKind.choices)):
        found = found.filter(kind=kind)
    return found


def runs_table(
    found: Rows[SyncRun], tenant: Tenant, source: str, asked: Asked | None = None
) -> Table[RunRow]:
    """Runs as a list; with its pager and export where ``asked`` says which list it is."""
    busy = selectors.busy_seconds(found.rows)
    columns = [Column(f"Started ({tenant.timezone})"), Column("State")]
    return Table(
        caption="Sync runs, newest first",
        columns=columns + [Column(name, align="end") for name in _OF_A_RUN],
        rows=[run_row(run, tenant, source, busy) for run in found.rows],
        row_template="crm_sync/_run_row.html",
        count_label="Newest first" if asked else "",
        next_url=asked.pager(found.next) if asked else "",
        previous_url=asked.pager(found.previous) if asked else "",
        export_url=asked.at(url("runs_export", tenant, source=source)) if asked else "",
        empty=_no_runs(asked),
    )


def _no_runs(asked: Asked | None) -> EmptyState:
    if asked is not None and asked.chips:
        return EmptyState("No run fits the filters", "Take one away to see more.", icon="filter")
    return EmptyState("No syncs so far", "The first one reads everything.", icon="refresh")


@require_safe
@workspace_view(VIEW)
def runs_export(request: WorkspaceRequest, source: str) -> HttpResponseBase:
    """The same runs as CSV, all of them."""
    workspace, connection = request.workspace, connection_here(request, source)
    wanted = _wanted(connection, Asked.of(request))
    event = SyncRunsExported(target_id=str(connection.id), target_label=source_name(source))
    record(event, acting_user=workspace.actor)

    def lines() -> Iterator[list[object]]:
        with context.of_actor(workspace.actor, workspace.tenant.id):
            for run in wanted.order_by("-requested_at", "-id").iterator(_EXPORT_BATCH):
                yield _line(run)

    return csv_response(f"{workspace.tenant.slug}-{source}-runs", _SHEET, lines())


def _line(run: SyncRun) -> list[object]:
    found = class_of(run.error_code)
    values: dict[str, object] = {"run": str(run.id), "error_class": str(found or "")}
    return [values.get(name, getattr(run, name, "")) for name in _SHEET]


def run_of(request: WorkspaceRequest, source: str, run_id: UUID) -> SyncRun:
    """The run of that id, of this workspace and that CRM. Raises: NotFound."""
    own = SyncRun.objects.filter(tenant_id=request.workspace.tenant.id, connection__source=source)
    run: SyncRun | None = own.filter(pk=run_id).first()
    if run is None:
        raise NotFound(what="sync run")
    return run


@require_safe
@workspace_view(VIEW)
def run_detail(request: WorkspaceRequest, source: str, run_id: UUID) -> HttpResponse:
    """What one run did, object by object."""
    tenant, run = request.workspace.tenant, run_of(request, source, run_id)
    busy = selectors.busy_seconds([run]).get(run.id, 0.0)
    kept = Action("Rows kept aside", url("rejected", tenant, source=source), icon="inbox")
    title = "The sync failed" if not run.is_active else "Put off"
    page = RunPage(
        title=f"{what_of(run)}, {local_time(run.started_at or run.requested_at, tenant.timezone)}",
        lead=_run_lead(run, tenant),
        crumbs=crumbs(tenant, source),
        actions=[kept] if run.rows_rejected else [],
        facts=run_facts(run, tenant, busy),
        problem=problem_of(title, run.error_code, run.error_message),
        progress=live_progress(run, tenant, source),
        objects=_objects_table(run),
    )
    return render(request, "crm_sync/run.html", {"page": page})


def _run_lead(run: SyncRun, tenant: Tenant) -> str:
    if run.is_active and run.error_code:
        return f"Put off; it goes on by itself at {local_time(run.ready_at, tenant.timezone)}."
    if run.is_active:
        return "Under way."
    changed = run.rows_inserted + run.rows_changed + run.rows_deleted
    return f"{count(run.rows_read, 'row')} read, {count(changed, 'row')} written."


def _objects_table(run: SyncRun) -> Table[ObjectRow]:
    return Table(
        caption="What was done with each object",
        columns=[Column("Object"), Column("State"), *(Column(name, align="end") for name in _OF_AN_OBJECT)],
        rows=[object_row(result, run) for result in selectors.results_of(run)],
        row_template="crm_sync/_object_row.html",
        empty=EmptyState("Nothing read yet", "A worker takes the run within seconds.", icon="clock"),
    )


@require_safe
@workspace_view(VIEW)
def run_progress(request: WorkspaceRequest, source: str, run_id: UUID) -> HttpResponse:
    """The progress component of an active run; once it is over, the page is told to load anew."""
    progress = live_progress(run_of(request, source, run_id), request.workspace.tenant, source)
    if progress is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "components/progress.html", {"progress": progress})


def live_progress(run: SyncRun, tenant: Tenant, source: str) -> Progress | None:
    """How far a run is; None for one that is over."""
    return progress_of(run, selectors.results_of(run), tenant, source)


def comparison_action(tenant: Tenant, source: str) -> Action:
    """The button that starts a comparison."""
    question = "Compare every row with the CRM? What differs is mended; it takes some of the day's calls."
    where = f"{url('sync', tenant, source=source)}?what=comparison"
    return Action("Compare now", where, icon="arrows-exchange", method="post", confirm=question)
