"""One CRM owner: whose the deals are and were, and giving them to a member."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from crm_sync.models import HolderOrigin, Owner
from crm_sync.owners import owner_assign, owner_follow_email
from isolation import context
from isolation.errors import NotFound
from isolation.requests import workspace_view
from pages.forms import carried_out
from pages.objects import Action, Crumb, Definition, Page, TimelineEntry
from pages.templatetags.formats import local_date, local_time
from pipeline import permissions
from pipeline.access.figures import owner_figures
from pipeline.access.owners import former_holders, owner_named
from pipeline.views.changes import Place, Trial, previewed
from pipeline.views.owners import NOBODY, figures_text, origin_of, owner_url
from rbac.forms import MemberSeenForm
from rbac.forms_people import MemberField
from rbac.requests import Workspace, WorkspaceRequest
from rbac.selectors import manager_candidates
from rbac.sightings import chain_above
from tenants.models import Crm, Member
from tenants.permissions import PEOPLE_EDIT, PEOPLE_VIEW


class OwnerForm(MemberSeenForm):
    """Whose a CRM owner's deals shall be."""

    def __init__(self, data: QueryDict | None, *, tenant_id: int, current: UUID | None = None) -> None:
        super().__init__(data, chosen="member", current=current)
        self.fields["member"] = MemberField(
            people=manager_candidates(tenant_id, current=current),
            label="Whose deals these are",
            nobody="Nobody’s here",
        )

    @property
    def member(self) -> Member | None:
        """The member that was chosen."""
        chosen: Member | None = self.cleaned_data["member"]
        return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerPage(Page):
    """One CRM owner. ``form`` is None where the reader gives nothing away."""

    facts: list[Definition]
    former: list[TimelineEntry]
    form: OwnerForm | None
    urls: dict[str, str]


def _found(workspace: Workspace, source: str, external_id: str) -> Owner:
    """Raises: NotFound, also for an owner whose rows the reader does not see."""
    found = owner_named(workspace.tenant.id, source, external_id)
    if found is None:
        raise NotFound(what="CRM owner")
    return found


@workspace_view(PEOPLE_VIEW)
@require_safe
def owner(request: WorkspaceRequest, source: str, external_id: str) -> HttpResponse:
    """One CRM owner: whose, why, and whose before."""
    return _shown(request, _found(request.workspace, source, external_id))


@workspace_view(PEOPLE_EDIT)
@require_POST
def assign(request: WorkspaceRequest, source: str, external_id: str) -> HttpResponse:
    """Say whose the owner's deals are."""
    workspace = request.workspace
    found = _found(workspace, source, external_id)
    form = OwnerForm(request.POST, tenant_id=workspace.tenant.id, current=found.member_id)

    def write() -> None:
        owner_assign(owner=found, member=form.member, acting_user=workspace.actor, seen=form.member_seen)

    if carried_out(form, write):
        messages.success(request, f"The deals of {found} are {form.member or 'nobody'}’s now.")
        return redirect(owner_url(workspace.tenant.slug, found))
    return _shown(request, _found(workspace, source, external_id), form)


@workspace_view(PEOPLE_EDIT)
@require_POST
def follow(request: WorkspaceRequest, source: str, external_id: str) -> HttpResponse:
    """Let the e-mail say again whose the owner's deals are."""
    workspace = request.workspace
    found = _found(workspace, source, external_id)
    owner_follow_email(owner=found, acting_user=workspace.actor)
    messages.success(request, f"{found} follows the e-mail address again.")
    return redirect(owner_url(workspace.tenant.slug, found))


@workspace_view(PEOPLE_EDIT)
@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: WorkspaceRequest, source: str, external_id: str) -> HttpResponse:
    """Who would gain and who would lose deals if the owner were another member's."""
    workspace = request.workspace
    tenant = workspace.tenant
    found = _found(workspace, source, external_id)  # under the reader's own sight, unlike the trial
    form = OwnerForm(
        request.POST if request.method == "POST" else None,
        tenant_id=tenant.id,
        current=found.member_id,
    )
    place = Place(
        title=f"Whose deals are {found}’s",
        save_url=owner_url(tenant.slug, found, "owner_assign"),
        save_label="Save",
        back_url=owner_url(tenant.slug, found),
        crumbs=_crumbs(workspace, found),
        kept={},
    )
    with context.tenant_wide(tenant.id):
        return previewed(request, form, lambda: _trial(workspace, found, form), place)


def _trial(workspace: Workspace, owner: Owner, form: OwnerForm) -> Trial:
    member = form.member
    places = {one for one in (owner.member_id, member.id if member else None) if one}
    return Trial(
        f"If the deals of {owner} were {member or 'nobody'}’s",
        lambda: owner_assign(owner=owner, member=member, acting_user=workspace.actor),
        {one for place in places for one in chain_above(workspace.tenant.id, place)},
    )


def _crumbs(workspace: Workspace, owner: Owner | None = None) -> list[Crumb]:
    slug = workspace.tenant.slug
    found = [
        Crumb("People", reverse("people:people", args=[slug])),
        Crumb("CRM owners", reverse("access:owners", args=[slug])),
    ]
    return [*found, Crumb(str(owner), owner_url(slug, owner))] if owner else found


def _shown(request: WorkspaceRequest, owner: Owner, form: OwnerForm | None = None) -> HttpResponse:
    workspace, slug = request.workspace, request.workspace.tenant.slug
    may_edit = workspace.may(PEOPLE_EDIT)
    fresh = OwnerForm(None, tenant_id=workspace.tenant.id, current=owner.member_id) if may_edit else None
    follow_url = owner_url(slug, owner, "owner_follow")
    has_choice = owner.holder_origin != HolderOrigin.EMAIL
    again = Action("Follow the e-mail again", follow_url, icon="refresh", method="post")
    page = OwnerPage(
        title=str(owner) or owner.external_id,
        lead=_owner_lead(owner),
        crumbs=_crumbs(workspace),
        actions=[again] if may_edit and has_choice else [],
        facts=_facts(workspace, owner),
        former=_former(workspace, owner),
        form=form or fresh,
        urls={name: owner_url(slug, owner, f"owner_{name}") for name in ("assign", "preview")},
    )
    return render(request, "pipeline/owner.html", {"page": page}, status=400 if form else 200)


def _owner_lead(owner: Any) -> str:
    name = owner.member_name or owner.member_email
    if not name:
        return "Nobody here: only who sees every deal of the workspace sees these."
    left = "" if owner.member_is_active else ", who has left; managers above still see them"
    return f"These deals are {name}’s{left}."


def _facts(workspace: Workspace, owner: Any) -> list[Definition]:
    member = owner.member_name or owner.member_email
    slug = workspace.tenant.slug
    found = [
        Definition("CRM", Crm(owner.source).label if owner.source in Crm.values else owner.source),
        Definition("CRM id", owner.external_id),
        Definition("E-mail in the CRM", owner.email),
        Definition("In the CRM", "Active" if owner.is_active else "Not active"),
        Definition(
            "Whose deals",
            member or NOBODY,
            reverse("people:person", args=[slug, owner.member_id]) if member else "",
        ),
        Definition("Why", origin_of(owner)),
    ]
    if workspace.may(permissions.VIEW):
        found.append(
            Definition("Deals", figures_text(owner_figures(workspace.tenant.id, [owner.id]).get(owner.id)))
        )
    return found


def _former(workspace: Workspace, owner: Owner) -> list[TimelineEntry]:
    """Whose the deals were, the latest first; since when is the end of the one before."""
    zone = workspace.tenant.timezone
    return [
        TimelineEntry(
            title=f"{one.name or NOBODY}",
            when=f"until {local_time(one.until, zone)}",
            instant=one.until.isoformat(),
            text=f"from {local_date(one.since, zone)} on" if one.since else "from the beginning",
            href=reverse("people:person", args=[workspace.tenant.slug, one.member_id]) if one.name else "",
            icon="user",
        )
        for one in former_holders(owner)
    ]
