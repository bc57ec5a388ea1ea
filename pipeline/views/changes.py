"""What a change of one person would show and hide, before it is saved: one page for every kind of change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.db import transaction
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from isolation.errors import NotFound
from isolation.requests import workspace_view
from pages.forms import carried_out
from pages.objects import Crumb, HiddenField, Page
from pipeline.access.preview import Preview, preview, touched_by_move
from pipeline.views.preview import PreviewRow, may_see_preview, preview_rows, preview_sentence
from rbac.errors import RoleHeldAlready
from rbac.forms import DeactivateForm, ManagerForm, RoleChangeForm, manager_form_of
from rbac.forms_roles import GrantForm
from rbac.grants import Term, role_grant
from rbac.held import roles_offered
from rbac.requests import Workspace, WorkspaceRequest
from rbac.selectors import manager_candidates, people_of
from rbac.services import reporting_line_set
from rbac.sightings import chain_above
from rbac.views import offered_roles
from rbac.views_standing import offered_grants
from tenants.models import Member
from tenants.permissions import PEOPLE_EDIT
from tenants.services import member_deactivate, member_role_change

_HIDDEN_ROWS = (
    "Who gains and who loses which deals is shown to those who see every deal of the workspace and may ask who else does. "
    "The change itself is allowed."
)


@dataclass(frozen=True)
class Trial:
    """A change to be tried: ``sentence`` says it ("If Rita reported to Hugo"), ``members`` are those whose sight it can touch."""

    sentence: str
    write: Callable[[], object]
    members: set[UUID]
    note: str = ""


@dataclass(frozen=True)
class Place:
    """Where a preview stands: the page's title before anything is tried, and the addresses to save at and to go back to."""

    title: str
    save_url: str
    save_label: str
    back_url: str
    crumbs: Sequence[Crumb]
    kept: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewPage(Page):
    """``rows`` is None where they are not for this reader; ``is_tried`` is False while the form waits for an answer."""

    form: forms.Form
    place: Place
    is_tried: bool
    rows: list[PreviewRow] | None
    note: str
    hidden: list[HiddenField]


def previewed(
    request: WorkspaceRequest, form: forms.Form, trial: Callable[[], Trial], place: Place
) -> HttpResponse:
    """The page of a preview: the form while nothing valid was sent, then the differences with Save and Cancel.

    Needs the tenant-wide context. Nothing of what is tried stays; a refusal stands in the form.
    """
    workspace, done = request.workspace, list[tuple[Trial, Preview]]()
    may_see = may_see_preview(workspace.actor, workspace.tenant.id)

    def look() -> None:
        tried = trial()
        members = tried.members if may_see else set[UUID]()
        done.append((tried, preview(workspace.tenant.id, tried.write, members=members)))

    if request.method == "POST" and carried_out(form, look):
        tried, found = done[0]
        lead = preview_sentence(found) if may_see else _HIDDEN_ROWS
        rows = preview_rows(found, workspace.tenant.slug) if may_see else None
        page = _page(form, place, title=tried.sentence, lead=lead, rows=rows, is_tried=True, note=tried.note)
    else:
        lead = "See who would gain and who would lose which deals. Nothing is saved yet."
        page = _page(form, place, title=place.title, lead=lead)
    return render(request, "pipeline/preview.html", {"page": page}, status=400 if form.errors else 200)


def _page(
    form: forms.Form, place: Place, *, title: str, lead: str, rows: list[PreviewRow] | None = None,
    is_tried: bool = False, note: str = "",
) -> PreviewPage:  # fmt: skip
    sent = {name: str(form.data.get(name, "")) for name in form.fields} | dict(place.kept)
    hidden = [HiddenField(name, value) for name, value in sent.items() if value]
    return PreviewPage(
        title=title, lead=lead, crumbs=place.crumbs, form=form, place=place, is_tried=is_tried, rows=rows, note=note,
        hidden=hidden,
    )  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of change: its form, what a filled form would do, and where the same form is saved (a route of ``people``)."""

    title: str
    save: str
    label: str
    form: Callable[[Workspace, Member, QueryDict | None], forms.Form]
    trial: Callable[[Workspace, Member, Any], Trial]


@workspace_view(PEOPLE_EDIT, is_wide=True)
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: WorkspaceRequest, member_id: UUID, kind: str) -> HttpResponse:
    """What a change of this kind would show and hide, and to whom."""
    workspace, asked = request.workspace, KINDS.get(kind)
    if asked is None:
        raise NotFound(what="preview")
    member = _member(workspace, member_id)
    form = asked.form(workspace, member, request.POST if request.method == "POST" else None)
    place = _place(request, member, asked)
    return previewed(request, form, lambda: asked.trial(workspace, member, form), place)


def _member(workspace: Workspace, member_id: UUID) -> Member:
    member = people_of(workspace.tenant.id).select_related("tenant").filter(pk=member_id).first()
    if member is None:
        raise NotFound(what="person")
    return member


def _place(request: WorkspaceRequest, member: Member, kind: Kind) -> Place:
    slug = request.workspace.tenant.slug
    person = reverse("people:person", kwargs={"tenant": slug, "member_id": member.id})
    tree = reverse("access:tree", kwargs={"tenant": slug})
    from_tree = (request.POST or request.GET).get("back") == "tree"
    # Read before anything is tried: what changed since then is noticed at saving.
    kept = {"seen": str(member.manager_id or "nobody")} if kind is KINDS["manager"] else {}  # type: ignore[attr-defined]  # annotated
    return Place(
        title=kind.title.format(member=member),
        save_url=reverse(f"people:{kind.save}", kwargs={"tenant": slug, "member_id": member.id}),
        save_label=kind.label,
        back_url=tree if from_tree else person,
        crumbs=[Crumb("People", reverse("people:people", kwargs={"tenant": slug})), Crumb(str(member), person)],
        kept=kept | ({"back": "tree"} if from_tree else {}),
    )  # fmt: skip


def _manager_form(workspace: Workspace, member: Member, data: QueryDict | None) -> ManagerForm:
    return manager_form_of(member, data)


def _move(workspace: Workspace, member: Member, form: ManagerForm) -> Trial:
    manager = form.manager
    return Trial(
        f"If {member} reported to {manager or 'nobody'}",
        lambda: reporting_line_set(member=member, manager=manager, acting_user=workspace.actor),
        touched_by_move(member, [manager]),
        note=f"{member} reports to {_manager_name(member)} now. Everyone below moves along.",
    )


def _manager_name(member: Member) -> str:
    return member.manager_name or member.manager_email or "nobody"  # type: ignore[attr-defined]  # annotated by people_of


def _role_form(workspace: Workspace, member: Member, data: QueryDict | None) -> RoleChangeForm:
    return RoleChangeForm(data, tenant=member.tenant, current=member.role, offered=offered_roles(workspace))


def _role(workspace: Workspace, member: Member, form: RoleChangeForm) -> Trial:
    return Trial(
        f"If {member} had the role {form.role.label}",
        lambda: member_role_change(member=member, role=form.role, acting_user=workspace.actor),
        {member.id},
        note=f"The role is {member.get_role_display()} now.",
    )


def _grant_form(workspace: Workspace, member: Member, data: QueryDict | None) -> GrantForm:
    return GrantForm(data, zone=workspace.tenant.timezone, offered=offered_grants(workspace, member))


def _grant(workspace: Workspace, member: Member, form: GrantForm) -> Trial:
    code, term = form.cleaned_data["role"], form.term
    names = {role.code: role.name for role in roles_offered(workspace.tenant)}

    def give(term: Term) -> None:
        reason = form.cleaned_data["reason"]
        role_grant(member=member, role=code, term=term, reason=reason, acting_user=workspace.actor)

    def write() -> None:
        if term.since is None:
            give(term)
            return
        with transaction.atomic():  # refused as it would be …
            give(term)
            transaction.set_rollback(True)
        with suppress(
            RoleHeldAlready
        ):  # … and shown as if it began now, where the role is not held until then anyway
            give(Term(None, term.until))

    note = "The role begins later; this is what it would show if it began now." if term.since else ""
    return Trial(f"If {member} had the role {names.get(code, code)} as well", write, {member.id}, note=note)


def _deactivate_form(workspace: Workspace, member: Member, data: QueryDict | None) -> DeactivateForm:
    return DeactivateForm(data, candidates=manager_candidates(workspace.tenant.id, besides=member.id))


def _deactivate(workspace: Workspace, member: Member, form: DeactivateForm) -> Trial:
    heir, reason = form.heir, form.cleaned_data["reason"]
    places = [member.id, *([heir.id] if heir else [])]
    return Trial(
        f"If {member} left" + (f" and {heir} took the deals over" if heir else ""),
        lambda: member_deactivate(
            member=member, reason=reason, heir=heir, acting_user=workspace.actor
        ),
        {one for place in places for one in chain_above(workspace.tenant.id, place)},
    )  # fmt: skip


KINDS: dict[str, Kind] = {
    "manager": Kind("A manager for {member}", "manager", "Save the move", _manager_form, _move),
    "role": Kind("A role for {member}", "role", "Save the role", _role_form, _role),
    "grant": Kind("One more role for {member}", "grant", "Give the role", _grant_form, _grant),
    "deactivate": Kind("End the access of {member}", "deactivate", "Deactivate", _deactivate_form, _deactivate),
}  # fmt: skip
