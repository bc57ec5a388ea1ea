"""The sidebar: what a member or an operator may open, and where they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from alerts.selectors import open_alert_count
from isolation import context
from isolation.requests import WorkspaceFacts
from pages.objects import NavEntry, WorkspaceLink
from rbac.breakglass.selectors import stays_in_force
from rbac.breakglass.shown import StayNotice, notices, own_notice
from rbac.requests import Workspace
from tenants.models import RoleCode
from tenants.views import workspace_link


@dataclass(frozen=True)
class _Place:
    label: str
    path: str
    icon: str
    permission: str
    section: str = ""


_DESK = "queue/"
_DEALS = "deals/"
_ACCOUNTS = "accounts/"
"""Pages of accounts have no place of their own; deals lead to them."""
_WORKSPACE = (
    _Place("Home", "", "home", "pipeline.view"),
    _Place("Deals", _DEALS, "briefcase", "pipeline.view"),
    _Place("Shares", "shares/", "share", "pipeline.view"),
    _Place("Alerts", "alerts/", "bell", "alerts.view"),
    _Place("Queue", _DESK, "list", "ops.priority_queue.view"),
    _Place("CRM sync", "settings/crm/", "refresh", "crm.view", "Workspace"),
    _Place("Datasets", "datasets/", "database", "pipeline.rebuild", "Workspace"),
    _Place("People", "settings/people/", "users", "people.view", "Workspace"),
    _Place("Access review", "settings/access-review/", "list-check", "access.review", "Workspace"),
    _Place("Settings", "settings/", "settings", "tenant.view", "Workspace"),
    _Place("Audit log", "audit/", "history", "audit.view", "Workspace"),
    _Place("Vendor access", "settings/break-glass/", "shield-lock", "audit.view", "Workspace"),
)
_PLATFORM = (
    ("Workspaces", "/platform/", "building"),
    ("Health", "/platform/health/", "activity"),
    ("Audit log", "/platform/audit/", "history"),
    ("Administration", "/admin/", "settings"),
)


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the layout's variables, for workspace pages and operators' pages."""
    workspace = getattr(request, "workspace", None)
    # The page of a refusal is rendered after the workspace's context has ended, and has no sidebar.
    if isinstance(workspace, Workspace) and context.current_tenant_id() == workspace.tenant.id:
        return _of_workspace(request, workspace)
    if isinstance(workspace, Workspace):
        return {"stay_notices": _own_notices(workspace)}
    if request.path.startswith("/platform/"):
        active = _active(request.path, [address for _, address, _ in _PLATFORM])
        return {"nav": [NavEntry(*place, is_active=place[1] == active) for place in _PLATFORM]}
    return {}


def landing_of(workspace: WorkspaceFacts) -> str:
    """Where a member starts who has no pipeline to look at: the desk's queue, else the first page of the sidebar."""
    places = [place.path for place in _WORKSPACE if workspace.may(place.permission)]
    first = next((path for path in (_DESK, *places) if path in places), None)
    return "" if first is None else f"/w/{workspace.tenant.slug}/{first}"


def _of_workspace(request: HttpRequest, workspace: Workspace) -> dict[str, Any]:
    root = f"/w/{workspace.tenant.slug}/"
    slug = workspace.tenant.slug
    return {
        "nav": _entries(request.path, root, workspace),
        "workspace": WorkspaceLink(name=workspace.tenant.name, url=root),
        "workspaces": [workspace_link(membership, current_slug=slug) for membership in workspace.memberships],
        "member_role": RoleCode(workspace.member.role).label
        if workspace.member
        else "Vendor’s staff, to read",
        "stay_notices": _own_notices(workspace) or _notices(workspace),
    }


def _own_notices(workspace: Workspace) -> list[StayNotice]:
    stay = workspace.stay
    if stay is None:
        return []
    end = reverse("platform:break_glass_end", kwargs={"slug": workspace.tenant.slug, "stay_id": stay.id})
    return [own_notice(stay, end)]


def _notices(workspace: Workspace) -> list[StayNotice]:
    if not workspace.may("audit.view"):
        return []
    return notices(stays_in_force(workspace.tenant.id), workspace.tenant)


def _entries(path: str, root: str, workspace: Workspace) -> list[NavEntry]:
    places = [place for place in _WORKSPACE if workspace.may(place.permission)]
    inside = path.removeprefix(root)
    active = _active(inside, [place.path for place in places])
    alerts = open_alert_count(workspace.tenant.id) if workspace.may("alerts.view") else 0
    return [
        NavEntry(
            label=place.label,
            url=root + place.path,
            icon=place.icon,
            is_active=place.path == active,
            badge=str(alerts) if place.path == "alerts/" and alerts else "",
            section=place.section,
        )
        for place in places
    ]


def _active(path: str, places: list[str]) -> str | None:
    """Where the reader is: the longest place that the path begins with; settings/crm/ is not settings/, and only "" is Home."""
    if path.startswith(_ACCOUNTS):
        return _DEALS
    found = [place for place in places if path.startswith(place) and (place or not path)]
    return max(found, key=len, default=None)
