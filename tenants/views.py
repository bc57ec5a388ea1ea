"""Where a person goes after signing in."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.models import User
from accounts.signals import is_key_session
from pages.objects import WorkspaceLink
from tenants.models import RoleCode
from tenants.selectors import Membership, memberships_of


def workspace_link(membership: Membership, *, current_slug: str = "") -> WorkspaceLink:
    """A workspace as the switcher shows it."""
    tenant = membership.tenant
    return WorkspaceLink(
        name=tenant.name,
        url=f"/w/{tenant.slug}/",
        role=RoleCode(membership.member.role).label,
        is_current=tenant.slug == current_slug,
    )


@login_required
def home(request: HttpRequest) -> HttpResponse:
    """Operators to the platform, members of one workspace into it, everybody else to the choice."""
    user = request.user
    assert isinstance(user, User)
    if user.is_operator:
        return redirect("platform:workspaces")
    memberships = memberships_of(user.id, partners_only=is_key_session(request))
    if len(memberships) == 1:
        return redirect(f"/w/{memberships[0].tenant.slug}/")
    links = [workspace_link(membership) for membership in memberships]
    return render(request, "tenants/choose_workspace.html", {"workspaces": links})
