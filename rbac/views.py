"""Who is in the workspace: the list, adding somebody, and one person's role, manager and access."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from isolation.errors import NotFound
from isolation.requests import workspace_view
from pages.asking import Asked
from pages.forms import carried_out
from pages.keyset import Rows, rows_of
from pages.objects import (
    STATE_BADGES,
    Action,
    Badge,
    Column,
    Crumb,
    Definition,
    EmptyState,
    ListPage,
    Page,
    Table,
    TimelineEntry,
)
from pages.templatetags.formats import local_date
from rbac.forms import AddForm, DeactivateForm, ManagerForm, RoleChangeForm, manager_form_of
from rbac.held import roles_held, roles_offered
from rbac.parts import PersonPart, person_parts, preview_url
from rbac.requests import Workspace, WorkspaceRequest
from rbac.selectors import manager_candidates, people_of
from rbac.services import reporting_line_set
from rbac.standing import HeldRole, built_in, may_touch
from rbac.tree import lines_of
from tenants.models import Member, RoleCode
from tenants.permissions import PEOPLE_DEACTIVATE, PEOPLE_EDIT, PEOPLE_VIEW
from tenants.services import member_deactivate, member_invite, member_reactivate, member_role_change, roles_of

PAGE_SIZE = 50
_ORDERS = {"name": ("label", "id"), "joined": ("joined_at", "id")}
_STATES = {"active": "Active", "deactivated": "Deactivated"}


@dataclass(frozen=True)
class PersonRow:
    """One line of the list."""

    name: str
    email: str
    url: str
    role: str
    manager: str
    state: Badge
    joined: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPage(Page):
    """One member. Forms are None where the reader may not use them, or where they make no sense now."""

    facts: list[Definition]
    lines: list[TimelineEntry]
    parts: list[PersonPart]
    role_form: RoleChangeForm | None
    manager_form: ManagerForm | None
    deactivate_form: DeactivateForm | None
    urls: dict[str, str]


@workspace_view(PEOPLE_VIEW)
@require_safe
def people(request: WorkspaceRequest) -> HttpResponse:
    """Every member, with search and filters."""
    workspace = request.workspace
    asked = Asked.of(request)
    search = asked.text("q", "Search", placeholder="Name or e-mail")
    role = asked.choice("role", "Role", {one.code: one.name for one in roles_offered(workspace.tenant)})
    state = asked.choice("state", "State", _STATES)
    sort = asked.sort(_ORDERS, "name")
    is_active = state == "active" if state else None
    found = people_of(workspace.tenant.id, search=search, role=role, is_active=is_active)
    rows = rows_of(found, order=_ordered(sort), cursor=asked.cursor, size=PAGE_SIZE)
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(
        request, "rbac/people.html", {"page": _list_page(workspace, asked, rows, sort)}, status=status
    )


def _ordered(sort: str) -> tuple[str, ...]:
    names = _ORDERS[sort.lstrip("-")]
    return tuple(f"-{name}" for name in names) if sort.startswith("-") else names


def _list_page(workspace: Workspace, asked: Asked, rows: Rows[Member], sort: str) -> ListPage[PersonRow]:
    held = roles_held(rows.rows, also_later=True)
    table = Table(
        caption="Members",
        columns=[
            asked.column("Name", "name", sort), Column("Roles"), Column("Reports to"), Column("State"),
            asked.column("Joined", "joined", sort),
        ],
        rows=[_person_row(workspace, member, held[member.id]) for member in rows.rows],
        row_template="rbac/_person_row.html",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        empty=EmptyState("Nobody matches", "Take a filter away, or look for another part of the name.", icon="users"),
    )  # fmt: skip
    buttons = [
        Action("Reporting tree", reverse("access:tree", args=[workspace.tenant.slug]), icon="hierarchy"),
        Action("CRM owners", reverse("access:owners", args=[workspace.tenant.slug]), icon="user-check"),
        Action("Roles", _url(workspace, "roles"), icon="shield"),
    ]
    if workspace.may(PEOPLE_EDIT):
        buttons.append(Action("Add a person", _url(workspace, "add"), icon="plus", kind="primary"))
    return ListPage(
        title="People",
        lead="Who may open this workspace, as what, and who reports to whom.",
        actions=buttons,
        table=table,
        filters=asked.filters(),
    )


def _person_row(workspace: Workspace, member: Member, held: Sequence[HeldRole]) -> PersonRow:
    return PersonRow(
        name=member.name or member.email,
        email=member.email if member.name else "",
        url=_url(workspace, "person", member.id),
        role=", ".join(dict.fromkeys(one.role.name for one in held)),
        manager=member.manager_name or member.manager_email or "",  # type: ignore[attr-defined]  # annotated by people_of
        state=_state(member),
        joined=local_date(member.joined_at, workspace.tenant.timezone),
    )


def _state(member: Member) -> Badge:
    return STATE_BADGES["active"] if member.is_active else Badge("Deactivated", "neutral", "circle-x")


def _url(workspace: Workspace, name: str, member_id: UUID | None = None) -> str:
    where: dict[str, str | UUID] = {"tenant": workspace.tenant.slug}
    return reverse(f"people:{name}", kwargs=where | ({"member_id": member_id} if member_id else {}))


@workspace_view(PEOPLE_EDIT, is_wide=True)
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: WorkspaceRequest) -> HttpResponse:
    """A new member; somebody without an account gets a mail with the link to set a password."""
    workspace = request.workspace
    tenant = workspace.tenant
    form = AddForm(
        _sent(request),
        tenant=tenant,
        candidates=manager_candidates(tenant.id),
        offered=offered_roles(workspace),
    )

    def write() -> None:
        given = form.cleaned_data
        member = member_invite(
            tenant=tenant,
            email=given["email"],
            name=given["name"],
            role=form.role,
            acting_user=workspace.actor,
        )
        if form.manager:
            reporting_line_set(member=member, manager=form.manager, acting_user=workspace.actor)

    if request.method == "POST" and carried_out(form, write):
        note = f"{form.cleaned_data['email']} was added. Who is new here gets a mail with the link to set a password."
        messages.success(request, note)
        return redirect("people:people", tenant=tenant.slug)
    page = Page(
        title="Add a person",
        lead="The person can open this workspace at once.",
        crumbs=[Crumb("People", _url(workspace, "people"))],
    )
    status = 400 if form.errors else 200
    return render(request, "rbac/add.html", {"page": page, "form": form}, status=status)


def offered_roles(workspace: Workspace) -> list[RoleCode]:
    """The base roles that the reader may give."""
    return [code for code in roles_of(workspace.tenant) if may_touch(workspace.actor, built_in(code))]


def _sent(request: HttpRequest) -> QueryDict | None:
    """What was sent, also where it is empty; None where the form is only asked for."""
    return request.POST if request.method == "POST" else None


@workspace_view(PEOPLE_VIEW)
@require_safe
def person(request: WorkspaceRequest, member_id: UUID) -> HttpResponse:
    """One member."""
    return _person(request, _member(request, member_id))


@workspace_view(PEOPLE_EDIT)
@require_POST
def role_change(request: WorkspaceRequest, member_id: UUID) -> HttpResponse:
    """Give the member another role."""
    member = _member(request, member_id)
    offered = offered_roles(request.workspace)
    form = RoleChangeForm(request.POST, tenant=member.tenant, current=member.role, offered=offered)
    actor = request.workspace.actor

    def write() -> None:
        member_role_change(member=member, role=form.role, acting_user=actor, seen=form.role_seen)

    if carried_out(form, write):
        return _done(request, member, f"{member} is {form.role.label} now.")
    return _person(request, _member(request, member_id), role_form=form)


@workspace_view(
    PEOPLE_EDIT, is_wide=True
)  # the tree is the whole workspace's, whatever deals the reader sees
@require_POST
def manager_set(request: WorkspaceRequest, member_id: UUID) -> HttpResponse:
    """Put the member, with everyone below, under another manager."""
    member = _member(request, member_id)
    form = manager_form_of(member, request.POST)
    actor = request.workspace.actor

    def write() -> None:
        reporting_line_set(member=member, manager=form.manager, acting_user=actor, seen=form.member_seen)

    if carried_out(form, write):
        return _done(request, member, f"{member} reports to {form.manager or 'nobody'} now.")
    return _person(request, member, manager_form=form)


# Deals are passed on whole, however few of them the reader sees; so is the match of a new member's CRM owner.
@workspace_view(PEOPLE_DEACTIVATE, is_wide=True)
@require_POST
def deactivate(request: WorkspaceRequest, member_id: UUID) -> HttpResponse:
    """End the member's access to this workspace."""
    member = _member(request, member_id)
    form = DeactivateForm(request.POST, candidates=manager_candidates(member.tenant_id, besides=member.id))
    actor = request.workspace.actor
    if carried_out(
        form,
        lambda: member_deactivate(
            member=member, reason=form.cleaned_data["reason"], heir=form.heir, acting_user=actor
        ),
    ):
        messages.success(request, f"{member} cannot open this workspace any more.")
        return redirect("people:people", tenant=member.tenant.slug)
    return _person(request, _member(request, member_id), deactivate_form=form)


@workspace_view(PEOPLE_EDIT)
@require_POST
def reactivate(request: WorkspaceRequest, member_id: UUID) -> HttpResponse:
    """Let the member in again."""
    member = _member(request, member_id)
    member_reactivate(member=member, acting_user=request.workspace.actor)
    return _done(request, member, f"{member} can open this workspace again.")


def _member(request: WorkspaceRequest, member_id: UUID) -> Member:
    tenant = request.workspace.tenant
    member = people_of(tenant.id).select_related("tenant").filter(pk=member_id).first()
    if member is None:
        raise NotFound(what="person")
    return member


def _done(request: HttpRequest, member: Member, note: str) -> HttpResponse:
    messages.success(request, note)
    if request.POST.get("back") == "tree":
        return redirect("access:tree", tenant=member.tenant.slug)
    return redirect("people:person", tenant=member.tenant.slug, member_id=member.id)


def _person(
    request: WorkspaceRequest, member: Member, *,
    role_form: RoleChangeForm | None = None, manager_form: ManagerForm | None = None,
    deactivate_form: DeactivateForm | None = None,
) -> HttpResponse:  # fmt: skip
    workspace = request.workspace
    held = roles_held([member], also_later=True)[member.id]
    may_edit, is_below = workspace.may(PEOPLE_EDIT), _is_below(workspace, held)
    may_end = workspace.may(PEOPLE_DEACTIVATE) and is_below
    refused = next((form for form in (role_form, manager_form, deactivate_form) if form), None)
    page = PersonPage(
        title=str(member),
        lead=member.email if member.name else "",
        crumbs=[Crumb("People", _url(workspace, "people"))],
        actions=_actions(workspace, member, is_below=is_below),
        facts=_facts(workspace, member, held),
        lines=_lines(workspace, member),
        parts=person_parts(workspace, member),
        role_form=(
            role_form
            or RoleChangeForm(
                None, tenant=member.tenant, current=member.role, offered=offered_roles(workspace)
            )
        )
        if may_edit and may_touch(workspace.actor, built_in(member.role))
        else None,
        manager_form=(manager_form or manager_form_of(member)) if may_edit else None,
        deactivate_form=(
            deactivate_form
            or DeactivateForm(candidates=manager_candidates(member.tenant_id, besides=member.id))
        )
        if may_end and member.is_active
        else None,
        urls={
            name: _url(workspace, name, member.id) for name in ("role", "manager", "deactivate", "standing")
        }
        | {f"try_{kind}": preview_url(member, kind) for kind in ("role", "manager", "deactivate")},
    )
    return render(request, "rbac/person.html", {"page": page}, status=400 if refused else 200)


def _lines(workspace: Workspace, member: Member) -> list[TimelineEntry]:
    """Whom the member reported to, the latest first."""
    zone = workspace.tenant.timezone
    return [
        TimelineEntry(
            title=f"Reports to {line.manager}" if line.valid_until is None else f"Reported to {line.manager}",
            when=f"since {local_date(line.valid_from, zone)}"
            if line.valid_until is None
            else f"{local_date(line.valid_from, zone)} until {local_date(line.valid_until, zone)}",
            instant=line.valid_from.isoformat(),
            actor=f"set by {line.set_by}" if line.set_by else "",
            href=_url(workspace, "person", line.manager_id),
            icon="hierarchy",
        )
        for line in lines_of(member)
    ]


def _actions(workspace: Workspace, member: Member, *, is_below: bool) -> list[Action]:
    found = [Action("Roles and rights", _url(workspace, "standing", member.id), icon="shield")]
    if not member.is_active and workspace.may(PEOPLE_EDIT) and is_below:
        address = _url(workspace, "reactivate", member.id)
        found.append(Action("Let in again", address, icon="check", method="post", kind="primary"))
    return found


def _is_below(workspace: Workspace, held: Sequence[HeldRole]) -> bool:
    """Whether all these roles are below the reader's level."""
    return all(may_touch(workspace.actor, one.role) for one in held)


def _facts(workspace: Workspace, member: Member, held: Sequence[HeldRole]) -> list[Definition]:
    zone = workspace.tenant.timezone
    manager = member.manager_name or member.manager_email or "Nobody"  # type: ignore[attr-defined]  # annotated by people_of
    beside = ", ".join(dict.fromkeys(one.role.name for one in held[1:])) or "No other role"
    facts = [
        Definition("E-mail", member.email),
        Definition("Base role", RoleCode(member.role).label),
        Definition("Beside it", beside, _url(workspace, "standing", member.id)),
        Definition("Reports to", manager),
        Definition("State", _state(member)),
        Definition("Joined", local_date(member.joined_at, zone)),
    ]
    if not member.is_active:
        facts += [
            Definition("Deactivated", local_date(member.deactivated_at, zone)),
            Definition("Reason", member.deactivation_reason),
        ]
    return facts
