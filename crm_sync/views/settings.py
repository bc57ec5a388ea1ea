"""Setting a connection up: adding it, its credentials, its schedule, and removing it."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from crm_sync import selectors
from crm_sync.doors import connection_here, usable_connection_here
from crm_sync.forms.connections import ConnectionForm, RemovalForm, ScheduleForm, TokenForm
from crm_sync.models import Connection, SyncSchedule
from crm_sync.permissions import EDIT
from crm_sync.schedules import BOUNDS
from crm_sync.services.connections import (
    connection_add,
    connection_save,
    connection_test,
    connection_token_save,
)
from crm_sync.services.removal import connection_remove as remove
from crm_sync.services.schedules import connection_reserve_set, sync_schedule_set
from crm_sync.shown import crumbs, source_name, url
from crm_sync.shown.settings import SettingsPage, consent_action, webhook_of
from isolation.errors import InvalidInput, NotFound
from pages.forms import carried_out
from pages.objects import Action
from rbac.requests import WorkspaceRequest, workspace_view
from tenants.models import Crm, Tenant, Tier

_LEADS = {
    Crm.SALESFORCE: "The program signs in as the connected app's run-as user, or with a person's consent, and only reads.",
    Crm.HUBSPOT: "The program signs in with the token of a private app, and only reads.",
}


@require_POST
@workspace_view(EDIT)
def connection_begin(request: WorkspaceRequest) -> HttpResponse:
    """Add the CRM that ``source`` in the address names."""
    workspace, source = request.workspace, request.GET.get("source", "")
    connection = connection_add(tenant=workspace.tenant, source=source, acting_user=workspace.actor)
    messages.success(request, f"{source_name(source)} was added. Enter its credentials.")
    return redirect(url("connection", workspace.tenant, source=connection.source))


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(EDIT)
def connection_edit(request: WorkspaceRequest, source: str) -> HttpResponse:
    """The credentials."""
    tenant, connection = request.workspace.tenant, usable_connection_here(request, source)
    given = request.POST if request.method == "POST" else None
    form = (TokenForm if source == Crm.HUBSPOT else ConnectionForm)(given, connection=connection)
    if request.method == "POST" and carried_out(form, _saving(form, connection, request)):
        messages.success(request, "The connection was saved. Test it, or start a sync.")
        return redirect(url("connection", tenant, source=source))
    page = SettingsPage(
        title="Connection",
        lead=_LEADS[Crm(source)],
        crumbs=crumbs(tenant, source),
        actions=_connection_actions(connection, tenant),
        cancel=Action("Cancel", url("detail", tenant, source=source)),
        webhook=webhook_of(request, tenant) if source == Crm.HUBSPOT else None,
    )
    facts = {"page": page, "form": form}
    return render(request, "crm_sync/form.html", facts, status=400 if form.errors else 200)


def _saving(
    form: ConnectionForm | TokenForm, connection: Connection, request: WorkspaceRequest
) -> Callable[[], object]:
    actor = request.workspace.actor
    if isinstance(form, TokenForm):
        return lambda: connection_token_save(connection=connection, acting_user=actor, **form.cleaned_data)
    return lambda: connection_save(connection=connection, acting_user=actor, **form.cleaned_data)


def _connection_actions(connection: Connection, tenant: Tenant) -> list[Action]:
    def at(name: str) -> str:
        return url(name, tenant, source=connection.source)

    actions = [consent_action(connection, tenant)] if connection.source == Crm.SALESFORCE else []
    if connection.secret_encrypted or connection.tokens_encrypted:
        actions.append(
            Action("Test the connection", at("connection_test"), icon="plug-connected", method="post")
        )
    if connection.tokens_encrypted:
        question = "Disconnect? The consent is taken back at the CRM, and nothing is read until somebody connects again."
        actions.append(Action("Disconnect", at("disconnect"), icon="unlink", method="post", confirm=question))
    return [*actions, Action("Remove", at("connection_remove"), icon="trash")]


@require_POST
@workspace_view(EDIT, is_inside=False)
def connection_try(request: WorkspaceRequest, source: str) -> HttpResponse:
    """Sign in with what is saved, and say what was found."""
    tenant = request.workspace.tenant
    found = connection_test(tenant_id=tenant.id, source=source, acting_user=request.workspace.actor)
    messages.success(request, found)
    return redirect(url("detail", tenant, source=source))


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(EDIT)
def connection_remove(request: WorkspaceRequest, source: str) -> HttpResponse:
    """Remove a connection after its name was typed."""
    tenant, connection = request.workspace.tenant, connection_here(request, source)
    name = source_name(source)
    form = RemovalForm(request.POST if request.method == "POST" else None, name=name)

    def write() -> None:
        remove(connection=connection, acting_user=request.workspace.actor, **form.cleaned_data)

    if request.method == "POST" and carried_out(form, write):
        messages.success(request, f"{name} was removed. Its deals leave the pages within a minute.")
        return redirect(url("index", tenant))
    page = SettingsPage(
        title=f"Remove {name}",
        lead="Its credentials, schedule, runs and everything that was read from it are deleted here. The CRM itself is left as it is.",
        crumbs=crumbs(tenant, source),
        cancel=Action("Cancel", url("detail", tenant, source=source)),
        submit="Remove it",
        submit_kind="danger",
    )
    facts = {"page": page, "form": form}
    return render(request, "crm_sync/form.html", facts, status=400 if form.errors else 200)


def _schedule(request: WorkspaceRequest, source: str) -> tuple[Connection, SyncSchedule]:
    connection = usable_connection_here(request, source)
    schedule = selectors.schedule_of(connection)
    if schedule is None:
        raise NotFound(what="sync schedule")
    return connection, schedule


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(EDIT)
def schedule_edit(request: WorkspaceRequest, source: str) -> HttpResponse:
    """How often to sync, and how much of the day's calls that may take."""
    tenant, actor = request.workspace.tenant, request.workspace.actor
    connection, schedule = _schedule(request, source)
    given = request.POST if request.method == "POST" else None
    form = ScheduleForm(given, connection=connection, schedule=schedule, bounds=BOUNDS[Tier(tenant.tier)])

    def write() -> None:
        wanted = dict(form.cleaned_data)
        connection_reserve_set(
            connection=connection, reserve_percent=wanted.pop("reserve_percent"), acting_user=actor
        )
        sync_schedule_set(schedule=schedule, acting_user=actor, **wanted)

    if request.method == "POST" and carried_out(form, write):
        messages.success(request, "The schedule was saved.")
        return redirect(url("detail", tenant, source=source))
    page = SettingsPage(
        title="Schedule and budget",
        lead="A sync reads what changed since the last one.",
        crumbs=crumbs(tenant, source),
        cancel=Action("Cancel", url("detail", tenant, source=source)),
    )
    facts = {"page": page, "form": form}
    return render(request, "crm_sync/form.html", facts, status=400 if form.errors else 200)


@require_POST
@workspace_view(EDIT)
def schedule_pause(request: WorkspaceRequest, source: str) -> HttpResponse:
    """Pause the schedule (``is=1``), or go on with it (``is=0``)."""
    tenant, (_, schedule) = request.workspace.tenant, _schedule(request, source)
    wanted = {"1": True, "0": False}.get(request.GET.get("is", ""))
    if wanted is None:
        raise InvalidInput(field="is", problem="Say whether to pause: is=1 pauses, is=0 goes on.")
    sync_schedule_set(
        schedule=schedule, every_minutes=schedule.every_minutes, is_paused=wanted, acting_user=request.workspace.actor
    )  # fmt: skip
    messages.success(request, "Paused: nothing is read by itself." if wanted else "The schedule goes on.")
    return redirect(url("detail", tenant, source=source))
