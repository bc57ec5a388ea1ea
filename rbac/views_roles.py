"""The roles of a workspace: the list, the matrix of rights, one role, and making the workspace's own ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from isolation import permissions
from isolation.errors import NotFound
from isolation.requests import workspace_view
from pages.asking import Asked
from pages.forms import carried_out
from pages.objects import Action, Column, Crumb, Definition, EmptyState, ListPage, Page, Table
from pages.sheets import csv_response
from pages.templatetags.formats import count, local_time
from rbac.custom_roles import custom_role_archive, custom_role_change, custom_role_create
from rbac.forms_roles import CustomRoleForm
from rbac.held import custom_roles_of, facts_of, holder_counts, roles_offered
from rbac.models import CustomRole, CustomRoleVersion
from rbac.permissions import ROLES_EDIT
from rbac.requests import Workspace, WorkspaceRequest
from rbac.shown_roles import (
    ARCHIVED,
    BUILT_IN_ROLE,
    OWN_ROLE,
    MatrixGroup,
    RightsGroup,
    RoleRow,
    matrix_of,
    rights_of,
    sight_words,
)
from rbac.standing import RoleFacts, built_in, may_touch
from tenants.permissions import PEOPLE_EDIT, PEOPLE_VIEW
from tenants.services import roles_of

_KINDS = {"built_in": "Built-in", "own": "The workspace's own", "archived": "Archived"}
_ORDERS: dict[str, Callable[[RoleRow], tuple[object, ...]]] = {
    "name": lambda row: (row.name.casefold(),),
    "level": lambda row: (row.level, row.name.casefold()),
    "holders": lambda row: (row.holders, row.name.casefold()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixPage(Page):
    """Roles across, rights down."""

    roles: list[RoleRow]
    groups: list[MatrixGroup]
    export_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolePage(Page):
    """One role."""

    facts: list[Definition]
    groups: list[RightsGroup]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleFormPage(Page):
    """A role of the workspace's own, being made or changed."""

    form: CustomRoleForm
    button: str
    cancel_url: str


@workspace_view(PEOPLE_VIEW)
@require_safe
def roles(request: WorkspaceRequest) -> HttpResponse:
    """Every role, with how many hold it."""
    workspace = request.workspace
    asked = Asked.of(request)
    search = asked.text("q", "Search", placeholder="Name of a role or right").casefold()
    kind = asked.choice("kind", "Kind", _KINDS)
    sort = asked.sort(_ORDERS, "level")
    found = [one for one in _of_kind(workspace, kind) if _fits(one, search)]
    holders = holder_counts(workspace.tenant.id)
    rows = [_row(workspace, one, holders, is_archived=kind == "archived") for one in found]
    rows.sort(key=_ORDERS[sort.lstrip("-")], reverse=sort.startswith("-"))
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    page = _list_page(workspace, asked, rows, sort)
    return render(request, "rbac/roles.html", {"page": page}, status=status)


def _of_kind(workspace: Workspace, kind: str) -> list[RoleFacts]:
    if kind == "archived":
        own = custom_roles_of(workspace.tenant.id, with_archived=True).exclude(role__archived_at=None)
        return [facts_of(version) for version in own]
    offered = roles_offered(workspace.tenant)
    return [one for one in offered if not kind or (one.custom_id is None) is (kind == "built_in")]


def _fits(role: RoleFacts, search: str) -> bool:
    known = permissions.all_permissions()
    words = [role.name, role.sentence, *role.permissions]
    words += [known[code].sentence for code in role.permissions & known.keys()]
    return not search or any(search in one.casefold() for one in words)


def _row(
    workspace: Workspace, role: RoleFacts, holders: dict[str, int], *, is_archived: bool = False
) -> RoleRow:
    own = ARCHIVED if is_archived else OWN_ROLE
    return RoleRow(
        name=role.name, url=role_url(workspace, role.code), sentence=role.sentence,
        kind=own if role.custom_id else BUILT_IN_ROLE, level=role.level, sight=sight_words(role),
        rights=len(role.permissions), holders=holders.get(role.code, 0), holders_url=holders_url(workspace, role.code),
    )  # fmt: skip


def role_url(workspace: Workspace, code: str) -> str:
    """The page of a role."""
    return _url(workspace, "role_page", code)


def holders_url(workspace: Workspace, code: str) -> str:
    """The people who hold a role."""
    return f"{_url(workspace, 'people')}?{urlencode({'role': code})}"


def _url(workspace: Workspace, name: str, code: str = "") -> str:
    where = {"tenant": workspace.tenant.slug} | ({"role": code} if code else {})
    return reverse(f"people:{name}", kwargs=where)


def _list_page(workspace: Workspace, asked: Asked, rows: list[RoleRow], sort: str) -> ListPage[RoleRow]:
    table = Table(
        caption="Roles",
        columns=[
            asked.column("Role", "name", sort), Column("Kind"), asked.column("Level", "level", sort), Column("Deals shown"),
            Column("Rights", align="end"), asked.column("Held by", "holders", sort),
        ],
        rows=rows,
        row_template="rbac/_role_row.html",
        count_label=count(len(rows), "role"),
        empty=EmptyState("No role matches", "Take a filter away, or look for another word.", icon="shield"),
    )  # fmt: skip
    actions = [Action("Rights of every role", _url(workspace, "matrix"), icon="list")]
    if workspace.may(ROLES_EDIT):
        actions.append(Action("Make a role", _url(workspace, "role_new"), icon="plus", kind="primary"))
    return ListPage(
        title="Roles",
        lead=_lead(workspace),
        actions=actions,
        crumbs=[Crumb("People", _url(workspace, "people"))],
        table=table,
        filters=asked.filters(),
    )


def _lead(workspace: Workspace) -> str:
    lead = "What people can be here, and what each role lets them do. Level 1 is the top"
    if not (workspace.may(PEOPLE_EDIT) or workspace.may(ROLES_EDIT)):
        return f"{lead}."
    return f"{lead}: you give, change and take roles below your own level, {workspace.actor.level}."


@workspace_view(PEOPLE_VIEW)
@require_safe
def matrix(request: WorkspaceRequest) -> HttpResponse:
    """Which role holds which right."""
    workspace = request.workspace
    offered = roles_offered(workspace.tenant)
    page = MatrixPage(
        title="Rights of every role",
        lead=f"{count(len(offered), 'role')} across, {count(len(permissions.all_permissions()), 'right')} down.",
        crumbs=[Crumb("People", _url(workspace, "people")), Crumb("Roles", _url(workspace, "roles"))],
        roles=[_row(workspace, role, {}) for role in offered],
        groups=matrix_of(offered),
        export_url=_url(workspace, "matrix_export"),
    )
    return render(request, "rbac/matrix.html", {"page": page})


@workspace_view(PEOPLE_VIEW)
@require_safe
def matrix_export(request: WorkspaceRequest) -> HttpResponseBase:
    """The matrix as CSV: a line for each right, "yes" where the role holds it."""
    tenant = request.workspace.tenant
    offered = roles_offered(tenant)
    rows = [
        (group.module, row.code, row.sentence, *("yes" if held else "" for held in row.cells))
        for group in matrix_of(offered)
        for row in group.rows
    ]
    heads = ("module", "right", "meaning", *(role.name for role in offered))
    return csv_response(f"{tenant.slug}-roles-{timezone.now():%Y-%m-%d}", heads, rows)


@workspace_view(PEOPLE_VIEW)
@require_safe
def role_page(request: WorkspaceRequest, role: str) -> HttpResponse:
    """One role: what it may do, what it shows, who holds it."""
    workspace = request.workspace
    if role in {one.value for one in roles_of(workspace.tenant)}:
        page = _role_page(workspace, built_in(role), None)
    else:
        version = _version(workspace, role)
        page = _role_page(workspace, facts_of(version), version)
    return render(request, "rbac/role.html", {"page": page})


def _version(workspace: Workspace, code: str) -> CustomRoleVersion:
    own = custom_roles_of(workspace.tenant.id, with_archived=True)
    found: CustomRoleVersion | None = own.filter(role__code=code).first()
    if found is None:
        raise NotFound(what="role of the workspace's own at this address")
    return found


def _role_page(workspace: Workspace, role: RoleFacts, version: CustomRoleVersion | None) -> RolePage:
    holders = holder_counts(workspace.tenant.id).get(role.code, 0)
    return RolePage(
        title=role.name,
        lead=role.sentence,
        crumbs=[Crumb("People", _url(workspace, "people")), Crumb("Roles", _url(workspace, "roles"))],
        actions=_role_actions(workspace, role, version),
        facts=[
            *_role_facts(workspace, role, version),
            Definition("Held by", count(holders, "person", "people"), holders_url(workspace, role.code)),
        ],
        groups=rights_of(role.permissions),
        note=_note(workspace, role, version),
    )


def _role_facts(workspace: Workspace, role: RoleFacts, version: CustomRoleVersion | None) -> list[Definition]:
    kind = BUILT_IN_ROLE if version is None else ARCHIVED if version.role.archived_at else OWN_ROLE
    facts = [
        Definition("Kind", kind),
        Definition("Level", str(role.level)),
        Definition("Deals shown", sight_words(role)),
        Definition("Code", role.code),
    ]
    if version is not None:
        changed = f"{local_time(version.valid_from, workspace.tenant.timezone)}, by {version.changed_by}"
        facts.append(Definition(f"Version {version.version} since", changed))
    return facts


def _may_change(workspace: Workspace, role: RoleFacts) -> bool:
    return workspace.may(ROLES_EDIT) and may_touch(workspace.actor, role)


def _note(workspace: Workspace, role: RoleFacts, version: CustomRoleVersion | None) -> str:
    """Why there is no button to change the role, where a reader would look for one."""
    if version is None or version.role.archived_at or not workspace.may(ROLES_EDIT):
        return ""
    if not may_touch(workspace.actor, role):
        return f"This role is level {role.level} and yours is {workspace.actor.level}: only who stands above it can change it."
    if not role.permissions <= workspace.actor.permissions:
        return "This role holds rights that you do not hold. If you change it, it keeps only those that you hold."
    return ""


def _role_actions(workspace: Workspace, role: RoleFacts, version: CustomRoleVersion | None) -> list[Action]:
    if version is None or version.role.archived_at or not _may_change(workspace, role):
        return []
    question = f"Archive “{role.name}”? Nobody can be given it any more. This cannot be undone; the name becomes free again."
    archive = Action(
        "Archive", _url(workspace, "role_archive", role.code), icon="archive", method="post", kind="danger", confirm=question,
    )  # fmt: skip
    return [Action("Change", _url(workspace, "role_edit", role.code), icon="pencil"), archive]


@workspace_view(ROLES_EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def role_new(request: WorkspaceRequest) -> HttpResponse:
    """Make a role of the workspace's own."""
    workspace = request.workspace
    form = CustomRoleForm(_sent(request), actor=workspace.actor)
    made: list[CustomRole] = []

    def write() -> None:
        role = custom_role_create(tenant=workspace.tenant, draft=form.draft, acting_user=workspace.actor)
        made.append(role)

    if request.method == "POST" and carried_out(form, write):
        messages.success(request, f"The role {form.draft.name} can be given now.")
        return redirect(role_url(workspace, made[0].code))
    page = _form_page(
        workspace, form, "Make a role", "It can hold what you hold yourself, below your own level."
    )
    return render(request, "rbac/role_form.html", {"page": page}, status=400 if form.errors else 200)


@workspace_view(ROLES_EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def role_edit(request: WorkspaceRequest, role: str) -> HttpResponse:
    """Change a role of the workspace's own, for everybody who holds it."""
    workspace = request.workspace
    current = _version(workspace, role)
    form = CustomRoleForm(_sent(request), actor=workspace.actor, current=current)

    def write() -> None:
        custom_role_change(
            role=current.role, draft=form.draft, version=form.cleaned_data["version"] or 0, acting_user=workspace.actor
        )  # fmt: skip

    if request.method == "POST" and carried_out(form, write):
        messages.success(request, f"The role {form.draft.name} was changed for everybody who holds it.")
        return redirect(role_url(workspace, role))
    if request.method != "POST" and not (
        _may_change(workspace, facts_of(current)) and not current.role.archived_at
    ):
        raise NotFound(what="role that you can change at this address")
    lead = f"What you save holds at once, for everybody who holds the role. {_note(workspace, facts_of(current), current)}"
    page = _form_page(workspace, form, f"Change {current.name}", lead, code=role)
    return render(request, "rbac/role_form.html", {"page": page}, status=400 if form.errors else 200)


def _sent(request: WorkspaceRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _form_page(
    workspace: Workspace, form: CustomRoleForm, title: str, lead: str, *, code: str = ""
) -> RoleFormPage:
    crumbs = [Crumb("People", _url(workspace, "people")), Crumb("Roles", _url(workspace, "roles"))]
    return RoleFormPage(
        title=title,
        lead=lead,
        crumbs=crumbs,
        form=form,
        button="Save the role" if code else "Make the role",
        cancel_url=role_url(workspace, code) if code else _url(workspace, "roles"),
    )


@workspace_view(ROLES_EDIT)
@require_POST
def role_archive(request: WorkspaceRequest, role: str) -> HttpResponse:
    """Put away a role that nobody holds."""
    workspace = request.workspace
    current = _version(workspace, role)
    custom_role_archive(role=current.role, acting_user=workspace.actor)
    messages.success(request, f"The role {current.name} is archived.")
    return redirect(_url(workspace, "roles"))
