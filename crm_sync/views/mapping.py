"""Which CRM field fills which of ours: choosing, trying, saving, history, export and import."""

from __future__ import annotations

import json

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from crm_sync.connectors import OBJECTS_READ
from crm_sync.doors import usable_connection_here
from crm_sync.errors import ConnectionNotSetUp, ConnectionRefused, ObjectUnreadable
from crm_sync.forms.mapping import MappingForm, MappingImportForm
from crm_sync.mapping.document import complete, from_json, is_mappable
from crm_sync.mapping.services import MappingInvalid, Saved, mapping_restore, mapping_save
from crm_sync.mapping.trial import Looked, Trial, deals_of, mapping_look, mapping_try
from crm_sync.mapping.versions import in_force, versions_of
from crm_sync.models import Connection
from crm_sync.permissions import EDIT, SYNC, VIEW
from crm_sync.personal import CRM_CONTACTS
from crm_sync.services.runs import sync_request
from crm_sync.shown import crumbs, source_name, url
from crm_sync.shown.mapping import (
    Known,
    MappingPage,
    Typed,
    custom_rows,
    field_rows,
    options_of,
    refused_line,
    tabs,
    trial_table,
    typed_of,
    version_line,
)
from isolation import context
from isolation.actors import require
from isolation.errors import DomainError, NotFound
from pages.objects import Action, Crumb, Page
from rbac.redaction.reading import Door, Redactor, reading
from rbac.requests import Workspace, WorkspaceRequest, workspace_view
from tenants.models import Tenant

_UNREACHED = (ConnectionRefused, ConnectionNotSetUp)


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(VIEW, is_inside=False)
def mapping(request: WorkspaceRequest, source: str) -> HttpResponse:
    """The mapping of one object: shown, tried on rows of the CRM, or saved."""
    looked, problem = _looked(request, source)
    if request.method != "POST":
        typed = typed_of(looked.spec, looked.current.document.get(looked.spec.name, {}))
        return _shown(request, looked, typed, problem=problem)
    require(request.workspace.actor, EDIT, request.workspace.tenant.id)
    form = MappingForm(request.POST, looked.spec)
    if form.errors:
        return _shown(request, looked, form.typed, status=400)
    try:
        if request.POST.get("do") == "try":
            return _shown(request, looked, form.typed, trial=_tried(request, looked, form))
        saved = _saved(request, looked, form)
    except MappingInvalid as refused:
        return _shown(request, looked, form.refused(refused.faults), status=400)
    except (*_UNREACHED, ObjectUnreadable) as refused:
        return _shown(request, looked, form.typed, problem=refused.message, status=400)
    return _after_save(request, source, saved, f"?object={looked.spec.name}")


def _looked(request: WorkspaceRequest, source: str) -> tuple[Looked, str]:
    """The object beside the CRM's fields; without them, and with a sentence that says why, where the CRM cannot be asked."""
    workspace, name = request.workspace, request.GET.get("object") or request.POST.get("object", "")
    with context.of_actor(workspace.actor, workspace.tenant.id):
        connection = usable_connection_here(request, source)
    try:
        return mapping_look(
            tenant_id=workspace.tenant.id, source=source, name=name, acting_user=workspace.actor
        ), ""
    except _UNREACHED as refused:
        return _from_memory(request, connection, name), refused.message


def _from_memory(request: WorkspaceRequest, connection: Connection, name: str) -> Looked:
    specs = {spec.name: spec for spec in OBJECTS_READ[connection.source] if is_mappable(spec)}
    with context.of_actor(request.workspace.actor, request.workspace.tenant.id):
        current = in_force(connection)
    if name and name not in specs:
        raise NotFound(what="object of that name")
    return Looked(connection, specs[name or deals_of(specs)], list(specs), current, {}, [])


def _tried(request: WorkspaceRequest, looked: Looked, form: MappingForm) -> Trial:
    workspace = request.workspace
    return mapping_try(
        tenant_id=workspace.tenant.id, source=looked.connection.source, name=looked.spec.name,
        fields=form.fields, acting_user=workspace.actor,
    )  # fmt: skip


def _saved(request: WorkspaceRequest, looked: Looked, form: MappingForm) -> Saved:
    workspace = request.workspace
    return mapping_save(
        tenant_id=workspace.tenant.id, source=looked.connection.source, document={looked.spec.name: form.fields},
        base_version=form.base_version, acting_user=workspace.actor,
    )  # fmt: skip


def _after_save(request: WorkspaceRequest, source: str, saved: Saved, query: str = "") -> HttpResponse:
    workspace = request.workspace
    if not saved.changes:
        messages.info(request, f"Nothing was changed: version {saved.version} is in force.")
    else:
        messages.success(
            request, f"Version {saved.version} of the mapping is in force. {_reread(request, source, saved)}"
        )
    return redirect(url("mapping", workspace.tenant, source=source) + query)


def _reread(request: WorkspaceRequest, source: str, saved: Saved) -> str:
    """Have the changed objects read at once, which judges the rows kept aside anew; gives a sentence about it."""
    workspace = request.workspace
    names = ", ".join(saved.reread)
    if not (names and workspace.may(SYNC)):
        return f"The next sync reads {names} anew." if names else ""
    with context.of_actor(workspace.actor, workspace.tenant.id):
        connection = usable_connection_here(request, source)
        try:
            sync_request(connection=connection, is_full=False, acting_user=workspace.actor)
        except DomainError:  # another kind of run is at work; the schedule's next one does it
            return f"The next sync reads {names} anew."
    return f"A sync that reads {names} anew, with the rows kept aside, has been asked for."


def _shown(
    request: WorkspaceRequest, looked: Looked, typed: Typed, *, problem: str = "", trial: Trial | None = None,
    status: int = 200,
) -> HttpResponse:  # fmt: skip
    workspace = request.workspace
    with context.of_actor(workspace.actor, workspace.tenant.id):
        with reading(
            CRM_CONTACTS, acting_user=workspace.actor, tenant_id=workspace.tenant.id, door=Door.of(request)
        ) as redactor:
            page = _page(workspace, looked, typed, redactor, problem, trial)
        return render(request, "crm_sync/mapping.html", {"page": page}, status=status)


def _page(
    workspace: Workspace, looked: Looked, typed: Typed, redactor: Redactor, problem: str, trial: Trial | None
) -> MappingPage:
    newest, source = versions_of(looked.connection).first(), looked.connection.source
    known = Known(looked.described, looked.samples, redactor)
    return MappingPage(
        title="Field mapping",
        lead=f"Which field of {source_name(source)} fills which of ours, and which more are kept.",
        crumbs=crumbs(workspace.tenant, source),
        actions=_actions(workspace.tenant, source, can_edit=workspace.may(EDIT)),
        object_name=looked.spec.name,
        tabs=tabs(workspace.tenant, source, looked.names, looked.spec.name),
        version=version_line(newest, workspace.tenant.timezone),
        base_version=looked.current.version,
        problem=problem,
        refused=refused_line(typed),
        can_edit=workspace.may(EDIT) and bool(looked.described),
        rows=field_rows(looked.spec, typed, known),
        custom=custom_rows(typed, known),
        options=options_of(looked.described),
        trial=trial_table(trial, redactor) if trial else None,
    )


def _actions(tenant: Tenant, source: str, *, can_edit: bool) -> list[Action]:
    actions = [
        Action("History", url("mapping_history", tenant, source=source), icon="history"),
        Action("Contract", url("contract", tenant, source=source), icon="list-check"),
        Action("Export", url("mapping_export", tenant, source=source), icon="download"),
    ]
    if can_edit:
        actions.append(Action("Import", url("mapping_import", tenant, source=source), icon="upload"))
    return actions


@require_safe
@workspace_view(VIEW)
def mapping_export(request: WorkspaceRequest, source: str) -> HttpResponse:
    """The whole mapping as JSON."""
    connection = usable_connection_here(request, source)
    document = complete(OBJECTS_READ[source], in_force(connection).document)
    name = f"{request.workspace.tenant.slug}-{source}-field-map.json"
    return HttpResponse(
        json.dumps(document, indent=2) + "\n", content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@workspace_view(EDIT, is_inside=False)
def mapping_import(request: WorkspaceRequest, source: str) -> HttpResponse:
    """A mapping from JSON, checked as if it had been typed."""
    workspace = request.workspace
    with context.of_actor(workspace.actor, workspace.tenant.id):
        usable_connection_here(request, source)
    is_sent = request.method == "POST"
    form = MappingImportForm(request.POST if is_sent else None, request.FILES if is_sent else None)
    if is_sent and form.is_valid():
        try:
            document = from_json(form.text)
            saved = mapping_save(
                tenant_id=workspace.tenant.id, source=source, document=document, note="Imported",
                acting_user=workspace.actor,
            )  # fmt: skip
            return _after_save(request, source, saved)
        except MappingInvalid as refused:
            form.tell([f"{fault.object_name}, {fault.key}: {fault.problem}" for fault in refused.faults])
        except DomainError as refused:
            form.tell([refused.message])
    return _import_shown(request, source, form)


def _import_shown(request: WorkspaceRequest, source: str, form: MappingImportForm) -> HttpResponse:
    workspace = request.workspace
    back = url("mapping", workspace.tenant, source=source)
    page = Page(
        title="Import a field mapping",
        lead="Objects that it names are replaced, the others stay. It becomes a new version, and the old ones are kept.",
        crumbs=[*crumbs(workspace.tenant, source), Crumb("Field mapping", back)],
    )
    with context.of_actor(workspace.actor, workspace.tenant.id):
        facts = {"page": page, "form": form, "cancel": Action("Cancel", back)}
        return render(request, "crm_sync/mapping_import.html", facts, status=400 if form.errors else 200)


@require_POST
@workspace_view(EDIT, is_inside=False)
def mapping_version_restore(request: WorkspaceRequest, source: str, version: int) -> HttpResponse:
    """Put an earlier version in force again."""
    workspace = request.workspace
    with context.of_actor(workspace.actor, workspace.tenant.id):
        usable_connection_here(request, source)
    saved = mapping_restore(
        tenant_id=workspace.tenant.id, source=source, version=version, acting_user=workspace.actor
    )
    return _after_save(request, source, saved)
