"""The CRM connections of a workspace, and one of them at first sight."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from crm_sync import selectors
from crm_sync.connectors import OPENERS
from crm_sync.doors import connection_here
from crm_sync.failures import FailureClass, class_of
from crm_sync.models import Connection, ConnectionState, SignIn, SyncRun, SyncSchedule
from crm_sync.permissions import EDIT, SYNC, VIEW
from crm_sync.shown import Problem, crumbs, problem_of, source_name, url
from crm_sync.shown.connections import (
    ConnectionPage,
    ConnectionRow,
    Counts,
    IndexPage,
    budget_of,
    connection_row,
    facts_of,
    stats_of,
)
from crm_sync.shown.runs import RunRow
from crm_sync.standing import Report, report_of
from crm_sync.views.runs import comparison_action, live_progress, runs_table
from pages.keyset import Rows
from pages.objects import Action, Column, EmptyState, Table
from rbac.requests import Workspace, WorkspaceRequest, workspace_view
from tenants.models import Crm

RUNS_SHOWN = 5
_HEADS = ("CRM", "State", "Last complete sync", "Next", "Calls today", "Kept aside")


@require_safe
@workspace_view(VIEW)
def index(request: WorkspaceRequest) -> HttpResponse:
    """The workspace's connections."""
    workspace = request.workspace
    connections = selectors.connections_of(workspace.tenant.id)
    found = [_found(connection, workspace) for connection in connections]
    page = IndexPage(
        title="CRM sync",
        lead=" ".join(report.sentence for report, _ in found) or "No CRM is connected yet.",
        actions=_addable(workspace, {connection.source for connection in connections}),
        table=_connections_table([row for _, row in found], workspace),
    )
    return render(request, "crm_sync/index.html", {"page": page})


def _found(connection: Connection, workspace: Workspace) -> tuple[Report, ConnectionRow]:
    schedule, active = selectors.schedule_of(connection), selectors.active_run(connection)
    report = report_of(connection, schedule, active, workspace.tenant)
    kept = selectors.rejected_count(connection)
    return report, connection_row(connection, report, schedule, kept, workspace.tenant)


def _connections_table(rows: list[ConnectionRow], workspace: Workspace) -> Table[ConnectionRow]:
    zone = workspace.tenant.timezone
    columns = [
        Column(
            f"{name} ({zone})" if name == "Next" else name, align="end" if name in _HEADS[-2:] else "start"
        )
        for name in _HEADS
    ]
    return Table(
        caption="CRM connections",
        columns=columns,
        rows=rows,
        row_template="crm_sync/_connection_row.html",
        empty=EmptyState("No CRM is connected", "Add the one where your deals live.", icon="plug-connected"),
    )


def _addable(workspace: Workspace, there: set[str]) -> list[Action]:
    if not workspace.may(EDIT):
        return []
    where = url("add", workspace.tenant)
    return [
        Action(f"Add {crm.label}", f"{where}?source={crm}", icon="plus", method="post")
        for crm in Crm
        if crm in OPENERS and crm not in there
    ]


@require_safe
@workspace_view(VIEW)
def detail(request: WorkspaceRequest, source: str) -> HttpResponse:
    """One connection: whether all is well, what to do if not, and what ran."""
    workspace, connection = request.workspace, connection_here(request, source)
    schedule, active = selectors.schedule_of(connection), selectors.active_run(connection)
    tenant, is_usable = workspace.tenant, source in OPENERS
    report, counts = report_of(connection, schedule, active, tenant), _counts(connection)
    page = ConnectionPage(
        title=source_name(source),
        lead=report.sentence,
        crumbs=crumbs(tenant),
        actions=_actions(workspace, connection, schedule, active) if is_usable else [],
        problem=_problem(connection, active),
        problem_tone="danger" if connection.error_code else "warning",
        progress=live_progress(active, tenant, source) if active else None,
        stats=stats_of(connection, schedule, counts, tenant) if is_usable else [],
        budget=budget_of(connection, tenant.timezone),
        facts=facts_of(connection, report, schedule, counts, tenant, workspace.may(EDIT)),
        runs=_last_runs(connection, workspace) if is_usable else None,
        runs_url=url("runs", tenant, source=source),
    )
    return render(request, "crm_sync/detail.html", {"page": page})


def _counts(connection: Connection) -> Counts:
    return Counts(
        kept=selectors.rejected_count(connection),
        violations=selectors.open_violations(connection),
        checked=selectors.checked_totals(connection),
        mapping_version=selectors.mapping_version(connection),
    )


def _problem(connection: Connection, active: SyncRun | None) -> Problem | None:
    """What keeps the connection from being read; else what put its run off."""
    if connection.error_code or active is None:
        return problem_of("Needs attention", connection.error_code, connection.error_message)
    return problem_of("Put off", active.error_code, active.error_message)


def _last_runs(connection: Connection, workspace: Workspace) -> Table[RunRow]:
    runs = selectors.last_runs(connection, RUNS_SHOWN)
    return runs_table(Rows(runs, "", ""), workspace.tenant, connection.source)


def _actions(
    workspace: Workspace, connection: Connection, schedule: SyncSchedule | None, active: SyncRun | None
) -> list[Action]:
    """What mends a connection comes first; one that is well begins with what reads it."""
    mending = _mending_actions(workspace, connection) if workspace.may(EDIT) else []
    if connection.state == ConnectionState.NEW:
        return mending
    reading = _sync_actions(workspace, connection) if workspace.may(SYNC) and active is None else []
    if mending:
        reading = [replace(action, kind="secondary") for action in reading]
    return [
        *mending,
        *reading,
        *(_edit_actions(workspace, connection, schedule) if workspace.may(EDIT) else []),
    ]


def _mending_actions(workspace: Workspace, connection: Connection) -> list[Action]:
    def at(name: str) -> str:
        return url(name, workspace.tenant, source=connection.source)

    if connection.state == ConnectionState.NEW:
        return [Action("Set up the connection", at("connection"), icon="plug-connected", kind="primary")]
    if class_of(connection.error_code) is not FailureClass.AUTH:
        return []
    if connection.sign_in == SignIn.OAUTH:
        return [Action("Reconnect", at("oauth_begin"), icon="link", method="post", kind="primary")]
    return [Action("Mend the connection", at("connection"), icon="pencil", kind="primary")]


def _sync_actions(workspace: Workspace, connection: Connection) -> list[Action]:
    where = url("sync", workspace.tenant, source=connection.source)
    everything = "Read everything again? It takes longer, and finds rows that vanished without a trace."
    return [
        Action("Sync now", f"{where}?what=changes", icon="refresh", method="post", kind="primary"),
        Action("Full sync", f"{where}?what=everything", icon="database", method="post", confirm=everything),
        comparison_action(workspace.tenant, connection.source),
    ]


def _edit_actions(
    workspace: Workspace, connection: Connection, schedule: SyncSchedule | None
) -> list[Action]:
    def at(name: str) -> str:
        return url(name, workspace.tenant, source=connection.source)

    actions = [Action("Test", at("connection_test"), icon="plug-connected", method="post")]
    if schedule is not None:
        label, icon = ("Resume", "player-play") if schedule.is_paused else ("Pause", "player-pause")
        where = f"{at('schedule_pause')}?is={int(not schedule.is_paused)}"
        actions.append(Action(label, where, icon=icon, method="post"))
    return actions
