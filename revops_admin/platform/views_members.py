"""One member as operators see and change it: only they may make, change or end somebody on the level of an admin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from isolation import context
from isolation.errors import NotFound
from pages.forms import carried_out
from pages.objects import STATE_BADGES, Action, Badge, Crumb, Definition, Page
from pages.templatetags.formats import local_time
from rbac.forms import DeactivateForm, RoleChangeForm
from rbac.held import roles_held
from rbac.selectors import manager_candidates
from revops_admin.platform.access import OperatorRequest, operator_view
from tenants.models import Member, RoleCode
from tenants.services import member_deactivate, member_reactivate, member_role_change

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPage(Page):
    """One member. ``deactivate_form`` is None where access has ended already."""

    facts: list[Definition]
    role_form: RoleChangeForm
    deactivate_form: DeactivateForm | None
    role_url: str
    deactivate_url: str


@operator_view
@require_safe
def member(request: OperatorRequest, slug: str, member_id: UUID) -> HttpResponse:
    """What the member is, and what can be done about it."""
    return _shown(request, slug, member_id)


@operator_view
@require_POST
def member_role(request: OperatorRequest, slug: str, member_id: UUID) -> HttpResponse:
    """Give the member another base role, an admin's included."""

    def write(found: Member) -> RoleChangeForm | None:
        form = RoleChangeForm(request.POST, tenant=found.tenant, current=found.role)
        is_done = carried_out(
            form,
            lambda: member_role_change(
                member=found, role=form.role, acting_user=request.operator, seen=form.role_seen
            ),
        )
        return None if is_done else form

    refused = _with_member(request, slug, member_id, "changes the role of a person", write)
    if refused is not None:
        return _shown(request, slug, member_id, role_form=refused)
    messages.success(request, "The role was changed.")
    return redirect(_url("member", slug, member_id))


@operator_view
@require_POST
def member_end(request: OperatorRequest, slug: str, member_id: UUID) -> HttpResponse:
    """End the member's access to the workspace."""

    def write(found: Member) -> DeactivateForm | None:
        form = DeactivateForm(request.POST, candidates=_heirs(found))
        is_done = carried_out(
            form,
            lambda: member_deactivate(
                member=found, reason=form.cleaned_data["reason"], heir=form.heir, acting_user=request.operator
            ),
        )
        return None if is_done else form

    refused = _with_member(request, slug, member_id, "ends the access of a person", write)
    if refused is not None:
        return _shown(request, slug, member_id, deactivate_form=refused)
    messages.success(request, "The person cannot open this workspace any more.")
    return redirect(_url("member", slug, member_id))


@operator_view
@require_POST
def member_again(request: OperatorRequest, slug: str, member_id: UUID) -> HttpResponse:
    """Let the member in again."""
    _with_member(
        request, slug, member_id, "lets a person in again",
        lambda found: member_reactivate(member=found, acting_user=request.operator),
    )  # fmt: skip
    messages.success(request, "The person can open this workspace again.")
    return redirect(_url("member", slug, member_id))


def _with_member(
    request: OperatorRequest, slug: str, member_id: UUID, what: str, work: Callable[[Member], Outcome]
) -> Outcome:
    with context.platform(f"operator {what} in {slug}", request.operator):
        return work(_member(slug, member_id))


def _member(slug: str, member_id: UUID) -> Member:
    members = Member.objects.select_related("tenant").filter(tenant__slug=slug, pk=member_id)
    found: Member | None = members.first()
    if found is None:
        raise NotFound(what="person")
    return found


def _url(name: str, slug: str, member_id: UUID) -> str:
    return reverse(f"platform:{name}", kwargs={"slug": slug, "member_id": member_id})


def _shown(
    request: OperatorRequest, slug: str, member_id: UUID, *,
    role_form: RoleChangeForm | None = None, deactivate_form: DeactivateForm | None = None,
) -> HttpResponse:  # fmt: skip
    with context.platform(f"operator looks at a person of {slug}", request.operator):
        page = _page(_member(slug, member_id), role_form, deactivate_form)
    status = 400 if role_form or deactivate_form else 200
    return render(request, "platform/member.html", {"page": page}, status=status)


def _heirs(found: Member) -> QuerySet[Member]:
    return manager_candidates(found.tenant_id, besides=found.id)


def _page(
    found: Member, role_form: RoleChangeForm | None, deactivate_form: DeactivateForm | None
) -> MemberPage:
    slug = found.tenant.slug
    again = Action("Let in again", _url("member_again", slug, found.id), icon="check", method="post")
    return MemberPage(
        title=str(found),
        lead=found.email if found.name else "",
        crumbs=[
            Crumb("Workspaces", reverse("platform:workspaces")),
            Crumb(found.tenant.name, reverse("platform:workspace", kwargs={"slug": slug})),
        ],
        actions=[] if found.is_active else [again],
        facts=_facts(found),
        role_form=role_form or RoleChangeForm(None, tenant=found.tenant, current=found.role),
        deactivate_form=(deactivate_form or DeactivateForm(candidates=_heirs(found)))
        if found.is_active
        else None,
        role_url=_url("member_role", slug, found.id),
        deactivate_url=_url("member_end", slug, found.id),
    )


def _facts(found: Member) -> list[Definition]:
    _, *grants = roles_held([found])[found.id]
    return [
        Definition("Base role", RoleCode(found.role).label),
        Definition("Roles beside it", ", ".join(one.role.name for one in grants) or "None"),
        Definition(
            "State",
            STATE_BADGES["active"] if found.is_active else Badge("Deactivated", "neutral", "circle-x"),
        ),
        Definition("Joined", f"{local_time(found.joined_at, 'UTC')} UTC"),
    ]
