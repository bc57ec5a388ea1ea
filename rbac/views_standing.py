"""What one member is: all roles with origin and end, the rights they add up to, giving and taking roles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from isolation.errors import NotFound
from isolation.requests import workspace_view
from pages.forms import carried_out
from pages.objects import Crumb, Definition, Page
from pages.templatetags.formats import count
from rbac.duties import duty_between
from rbac.forms_roles import EndForm, GrantForm
from rbac.grants import role_grant, role_grant_end
from rbac.held import custom_roles_of, database_now, facts_of, grants_of, roles_held, roles_offered
from rbac.models import RoleGrant
from rbac.parts import preview_url
from rbac.requests import Workspace, WorkspaceRequest
from rbac.shown_roles import GrantRow, RightsGroup, effective_rights, grant_row, may_end
from rbac.standing import HeldRole, RoleFacts, built_in, may_touch, standing_of
from rbac.views_roles import role_url
from tenants.models import Member
from tenants.permissions import PEOPLE_EDIT, PEOPLE_VIEW
from tenants.services import roles_of

GRANTS_SHOWN = 100


@dataclass(frozen=True)
class Refused:
    """A form that was sent and refused: the giving, or the end of one grant."""

    grant_form: GrantForm | None = None
    end_form: EndForm | None = None
    end_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingPage(Page):
    """One member's roles and rights. ``grant_form`` is None where the reader may give nothing here."""

    facts: list[Definition]
    grants: list[GrantRow]
    groups: list[RightsGroup]
    grant_form: GrantForm | None
    grant_url: str
    try_url: str
    refused: Refused


@workspace_view(PEOPLE_VIEW)
@require_safe
def standing(request: WorkspaceRequest, member_id: UUID) -> HttpResponse:
    """All roles and effective rights of a member."""
    return _shown(request, _member(request, member_id), Refused())


@workspace_view(PEOPLE_EDIT)
@require_POST
def grant(request: WorkspaceRequest, member_id: UUID) -> HttpResponse:
    """Give the member a role beside the base role."""
    member = _member(request, member_id)
    workspace = request.workspace
    form = GrantForm(request.POST, zone=workspace.tenant.timezone, offered=offered_grants(workspace, member))

    def write() -> None:
        role_grant(
            member=member, role=form.cleaned_data["role"], term=form.term, reason=form.cleaned_data["reason"],
            acting_user=workspace.actor,
        )  # fmt: skip

    if carried_out(form, write):
        messages.success(request, f"{member} was given the role.")
        return redirect(_url(member, "standing"))
    return _shown(request, member, Refused(grant_form=form))


@workspace_view(PEOPLE_EDIT)
@require_POST
def grant_end(request: WorkspaceRequest, member_id: UUID, grant_id: UUID) -> HttpResponse:
    """Take a granted role away at once."""
    member = _member(request, member_id)
    found: RoleGrant | None = grants_of(member).filter(pk=grant_id).first()
    if found is None:
        raise NotFound(what="grant of that person at this address")
    form = EndForm(request.POST)
    actor = request.workspace.actor
    if carried_out(
        form, lambda: role_grant_end(grant=found, reason=form.cleaned_data["reason"], acting_user=actor)
    ):
        messages.success(request, f"{member} does not hold the role any more.")
        return redirect(_url(member, "standing"))
    return _shown(request, member, Refused(end_form=form, end_url=_url(member, "grant_end", grant_id)))


def _member(request: WorkspaceRequest, member_id: UUID) -> Member:
    members = Member.objects.select_related("tenant").filter(tenant_id=request.workspace.tenant.id)
    found: Member | None = members.filter(pk=member_id).first()
    if found is None:
        raise NotFound(what="person")
    return found


def _url(member: Member, name: str, grant_id: UUID | None = None) -> str:
    where: dict[str, str | UUID] = {"tenant": member.tenant.slug, "member_id": member.id}
    return reverse(f"people:{name}", kwargs=where | ({"grant_id": grant_id} if grant_id else {}))


def offered_grants(workspace: Workspace, member: Member) -> list[RoleFacts]:
    """What the reader may give this member; what a duty keeps apart from the base role would only be refused."""
    base = built_in(member.role)
    return [
        role
        for role in roles_offered(workspace.tenant)
        if may_touch(workspace.actor, role) and role.code != base.code and duty_between(role, base) is None
    ]


def _shown(request: WorkspaceRequest, member: Member, refused: Refused) -> HttpResponse:
    workspace = request.workspace
    held = roles_held([member])[member.id]
    can_give = workspace.may(PEOPLE_EDIT) and member.is_active and member.id != workspace.actor.member_id
    offered = offered_grants(workspace, member) if can_give else []
    zone = workspace.tenant.timezone
    people = reverse("people:people", kwargs={"tenant": workspace.tenant.slug})
    page = StandingPage(
        title=f"Roles of {member}",
        lead=_lead(member, held),
        crumbs=[Crumb("People", people), Crumb(str(member), _url(member, "person"))],
        facts=_facts(workspace, member, held),
        grants=_grant_rows(workspace, member),
        groups=effective_rights(held),
        grant_form=refused.grant_form or (GrantForm(None, zone=zone, offered=offered) if offered else None),
        grant_url=_url(member, "grant"),
        try_url=preview_url(member, "grant"),
        refused=refused,
    )
    is_refused = refused.grant_form or refused.end_form
    return render(request, "rbac/standing.html", {"page": page}, status=400 if is_refused else 200)


def _lead(member: Member, held: list[HeldRole]) -> str:
    total = standing_of([one.role for one in held])
    rights = count(len(total.permissions), "right")
    many = count(len(held), "role")
    if not member.is_active:
        return (
            f"Deactivated: none of this holds until the person is let in again. {many} would give {rights}."
        )
    return f"{many} together give {rights}, on level {total.level}."


def _facts(workspace: Workspace, member: Member, held: list[HeldRole]) -> list[Definition]:
    total = standing_of([one.role for one in held])
    base = built_in(member.role)
    return [
        Definition("Base role", base.name, role_url(workspace, base.code)),
        Definition("Level", f"{total.level} (the highest of all roles held now)"),
        Definition("Deals shown", total.sight.label),
    ]


def _grant_rows(workspace: Workspace, member: Member) -> list[GrantRow]:
    own = [facts_of(one) for one in custom_roles_of(workspace.tenant.id, with_archived=True)]
    roles = [*own, *(built_in(code) for code in roles_of(workspace.tenant))]
    names = {role.code: role.name for role in roles}
    urls = {role.code: role_url(workspace, role.code) for role in roles}
    ending = may_end(workspace.actor, roles_held([member], also_later=True)[member.id])
    now, zone = database_now(), workspace.tenant.timezone
    rows = []
    for one in grants_of(member)[:GRANTS_SHOWN]:
        row = grant_row(one, names=names, urls=urls, zone=zone, now=now)
        can_end = one.id in ending and workspace.may(PEOPLE_EDIT)
        rows.append(replace(row, end_url=_url(member, "grant_end", one.id)) if can_end else row)
    return rows
