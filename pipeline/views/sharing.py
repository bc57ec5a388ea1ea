"""Sharing a deal or an account from its page, with a look at who would see it before anybody does; ending a share."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from isolation import context
from isolation.errors import NotFound
from pages.forms import carried_out
from pages.objects import Crumb, Page
from pipeline.access.preview import preview
from pipeline.shown_shares import SentShare, share_form, subject_url, told
from pipeline.views.account import account_shown
from pipeline.views.deal import deal_shown
from rbac.forms_roles import EndForm
from rbac.forms_shares import ShareForm
from rbac.held import database_now
from rbac.models import Share, ShareKind
from rbac.permissions import SHARES_EDIT
from rbac.requests import Workspace, WorkspaceRequest, workspace_view
from rbac.shared import Subject, subject_of
from rbac.shares import share_end, share_give
from rbac.sharing import share_partner
from rbac.sightings import teams_of

_Shown = Callable[[WorkspaceRequest, str, SentShare], HttpResponse]


@workspace_view(SHARES_EDIT)
@require_POST
def deal_share(request: WorkspaceRequest, external_id: str) -> HttpResponse:
    """``/w/<tenant>/deals/<external_id>/share/``: share it, or with ``preview`` only tell who would see it."""
    return _share(request, ShareKind.DEAL, external_id, deal_shown)


@workspace_view(SHARES_EDIT)
@require_POST
def account_share(request: WorkspaceRequest, external_id: str) -> HttpResponse:
    """``/w/<tenant>/accounts/<external_id>/share/``: the same for an account."""
    return _share(request, ShareKind.ACCOUNT, external_id, account_shown)


def _share(request: WorkspaceRequest, kind: ShareKind, external_id: str, shown: _Shown) -> HttpResponse:
    workspace = request.workspace
    subject = subject_of(workspace.tenant.id, kind, external_id)
    if subject is None:
        raise NotFound(what=f"{kind.label.lower()} of yours")
    form = share_form(workspace, request.POST)
    if "preview" in request.POST:
        lines: list[str] = []
        if carried_out(form, lambda: lines.extend(_would_see(workspace, subject, form))):
            return shown(request, external_id, SentShare(form, lines))
    elif carried_out(form, lambda: _give(workspace, subject, form)):
        messages.success(request, f"“{subject.label}” is shared.")
        return redirect(subject_url(workspace.tenant.slug, kind, external_id))
    return shown(request, external_id, SentShare(form))


def _give(workspace: Workspace, subject: Subject, form: ShareForm) -> Share:
    given, actor = form.cleaned_data, workspace.actor
    member = share_partner(workspace.tenant, given["member"], subject, actor)
    return share_give(
        tenant=workspace.tenant, subject=subject, member=member, access=form.access, reason=given["reason"],
        with_team=given["with_team"], until=form.end(database_now()), acting_user=actor,
    )  # fmt: skip


def _would_see(workspace: Workspace, subject: Subject, form: ShareForm) -> list[str]:
    """Who would see what by the share, tried and undone. Raises: what sharing refuses with."""
    tenant = workspace.tenant
    member = share_partner(tenant, form.cleaned_data["member"], subject, workspace.actor)
    with context.tenant_wide(tenant.id):
        team = teams_of(tenant.id, [member.id])[member.id] if form.cleaned_data["with_team"] else {member.id}
        return told(preview(tenant.id, lambda: _give(workspace, subject, form), members=team).gains)


@workspace_view(SHARES_EDIT)
@require_POST
def share_end_view(request: WorkspaceRequest, share_id: UUID) -> HttpResponse:
    """``/w/<tenant>/shares/<share_id>/end/``: end a share at once."""
    workspace = request.workspace
    found = Share.objects.select_related("member").filter(tenant_id=workspace.tenant.id, pk=share_id).first()
    if found is None:
        raise NotFound(what="such share")
    form = EndForm(request.POST)

    def write() -> None:
        reason = form.cleaned_data["reason"]
        share_end(
            tenant_id=workspace.tenant.id, share_id=share_id, reason=reason, acting_user=workspace.actor
        )

    if carried_out(form, write):
        messages.success(request, f"“{found.label}” is not shared with {found.member} any more.")
        return redirect(_next(request, found))
    page = Page(title="End a share", crumbs=[Crumb("Shares", f"/w/{workspace.tenant.slug}/shares/")])
    return render(request, "pipeline/share_end.html", {"page": page, "form": form}, status=400)


def _next(request: WorkspaceRequest, share: Share) -> str:
    """Back to where it was ended; who gives a share back may not see its page any more."""
    slug = request.workspace.tenant.slug
    is_list = "list" in request.POST or share.member_id == request.workspace.actor.member_id
    return f"/w/{slug}/shares/" if is_list else subject_url(slug, share.kind, share.external_id)
