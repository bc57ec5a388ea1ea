"""Who is asking: a person's place in a workspace, with rights and visibility judged at this request."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from accounts.models import User
from accounts.signals import is_key_session
from isolation.actors import Actor
from isolation.requests import InWorkspace, workspace_view
from rbac.breakglass.door import visit
from rbac.models_breakglass import BreakGlass
from rbac.selectors import actor_of
from tenants.models import Member, Tenant
from tenants.selectors import Membership, memberships_of
from tenants.visits import visit_note

__all__ = ["Workspace", "WorkspaceRequest", "memberships_here", "workspace_of", "workspace_view"]


@dataclass(frozen=True)
class Workspace:
    """What a workspace page knows before it starts: the tenant, who is there, the acting user, the person's workspaces.

    Who is there is a member, or one of the vendor's staff for a stay: exactly one of ``member`` and ``stay`` is set.
    """

    tenant: Tenant
    member: Member | None
    actor: Actor
    memberships: tuple[Membership, ...]
    stay: BreakGlass | None = None

    def may(self, code: str) -> bool:
        """Whether to show the button."""
        return self.actor.may(code, self.tenant.id)


class WorkspaceRequest(InWorkspace):
    """A request that came in through ``workspace_view``."""

    workspace: Workspace


def memberships_here(request: HttpRequest) -> list[Membership]:
    """The workspaces that this session opens: a key's session opens design partners' only, whoever else the person is."""
    user = request.user
    assert isinstance(user, User)
    return memberships_of(user.id, partners_only=is_key_session(request))


def workspace_of(request: HttpRequest, slug: str) -> Workspace:
    """The signed-in person's place in that workspace. Raises: NotFound, also where it is somebody else's; ReadOnlyStay."""
    memberships = memberships_here(request)
    mine = next((m for m in memberships if m.tenant.slug == slug), None)
    if mine is None:
        stay, actor = visit(request, slug)
        return Workspace(stay.tenant, None, actor, tuple(memberships), stay)
    visit_note(mine)
    return Workspace(mine.tenant, mine.member, actor_of(mine.member), tuple(memberships))
