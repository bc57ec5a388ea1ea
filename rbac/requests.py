"""Who is asking: a person's place in a workspace, with rights and visibility judged at this request."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from isolation.actors import Actor
from isolation.errors import NotFound
from isolation.requests import InWorkspace, workspace_view
from rbac.selectors import actor_of
from tenants.models import Member, Tenant
from tenants.selectors import Membership, memberships_of

__all__ = ["Workspace", "WorkspaceRequest", "workspace_of", "workspace_view"]


@dataclass(frozen=True)
class Workspace:
    """What a workspace page knows before it starts: the tenant, the member, the acting user, the person's workspaces."""

    tenant: Tenant
    member: Member
    actor: Actor
    memberships: tuple[Membership, ...]

    def may(self, code: str) -> bool:
        """Whether to show the button."""
        return self.actor.may(code, self.tenant.id)


class WorkspaceRequest(InWorkspace):
    """A request that came in through ``workspace_view``."""

    workspace: Workspace


def workspace_of(user_id: UUID, slug: str) -> Workspace:
    """The person's place in the workspace of that slug. Raises: NotFound, also where it exists but is somebody else's."""
    memberships = memberships_of(user_id)
    mine = next((m for m in memberships if m.tenant.slug == slug), None)
    if mine is None:
        raise NotFound(what="workspace of yours")
    return Workspace(mine.tenant, mine.member, actor_of(mine.member), tuple(memberships))
