"""The reporting tree as a picture: a level at a time, each person with role, team and the deals seen; moving leads to a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from isolation.errors import NotFound
from isolation.requests import workspace_view
from pages.asking import Asked
from pages.keyset import PARAMETER, Rows, rows_of
from pages.objects import Action, Badge, Crumb, Filters, Page
from pages.templatetags.formats import count, money_short
from pipeline import permissions
from pipeline.access.figures import Figures, team_figures
from rbac.models import Sight
from rbac.requests import Workspace, WorkspaceRequest
from rbac.selectors import team_of
from rbac.sightings import sights
from rbac.tree import LEVEL_ORDER, Reports, chains_above, level_of, people_named, reports_of
from tenants.models import Member
from tenants.permissions import PEOPLE_EDIT, PEOPLE_VIEW

PAGE_SIZE = 50
OPENED = 3
PART = "part"
LEFT = Badge("Deactivated", "neutral", "circle-x")


@dataclass(frozen=True, slots=True)
class TreeNode:
    """One person of the tree. ``below_url`` is "" where nobody reports to them, ``move_url`` and ``drop_id`` where the reader moves nobody."""

    id: str
    name: str
    email: str
    url: str
    role: str
    state: Badge | None
    reports: str
    figures: str
    chain: Sequence[Crumb]
    below_url: str
    part_url: str
    is_open: bool
    move_url: str
    drop_id: str


@dataclass(frozen=True, slots=True)
class Level:
    """Some people on one level, and where the next of them are ("" for none)."""

    nodes: Sequence[TreeNode]
    more_url: str
    more_part_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TreePage(Page):
    """The tree from the top, from one person down, or the people found. ``can_move`` says whether the reader moves people."""

    level: Level
    filters: Filters | None
    can_move: bool
    empty: str


@workspace_view(PEOPLE_VIEW)
@require_safe
def tree(request: WorkspaceRequest) -> HttpResponse:
    """The whole tree from its top, or the people that a search finds."""
    workspace, asked = request.workspace, Asked.of(request)
    search = asked.text("q", "Search", placeholder="Name or e-mail")
    tenant_id = workspace.tenant.id
    found = people_named(tenant_id, search) if search else level_of(tenant_id, None)
    rows = rows_of(found, order=LEVEL_ORDER, cursor=asked.cursor, size=PAGE_SIZE)
    level = _level(
        workspace, asked, rows, is_search=bool(search), opened=0 if search or asked.cursor else OPENED
    )
    if PART in request.GET:
        return _part(request, level, workspace)
    lead = "Who reports to whom. Managers see the deals of everyone below them."
    page = TreePage(
        title="Reporting tree",
        lead=_found_lead(level, search) if search else lead,
        crumbs=[_people_crumb(workspace)],
        level=level, filters=asked.filters(), can_move=workspace.may(PEOPLE_EDIT),
        empty=f"Nobody’s name or e-mail holds “{search}”." if search else "There is nobody here yet.",
    )  # fmt: skip
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "pipeline/tree.html", {"page": page}, status=status)


def _found_lead(level: Level, search: str) -> str:
    many = (
        f"The first {len(level.nodes)} people"
        if level.more_url
        else count(len(level.nodes), "person", "people")
    )
    return f"{many} with “{search}” in name or e-mail, each with the managers above."


@workspace_view(PEOPLE_VIEW)
@require_safe
def below(request: WorkspaceRequest, member_id: UUID) -> HttpResponse:
    """Those who report to one person: as a page, or the part that the tree unfolds."""
    workspace, asked = request.workspace, Asked.of(request)
    leader = Member.objects.filter(tenant_id=workspace.tenant.id, pk=member_id).first()
    if leader is None:
        raise NotFound(what="person")
    found = level_of(workspace.tenant.id, leader.id)
    rows = rows_of(found, order=LEVEL_ORDER, cursor=asked.cursor, size=PAGE_SIZE)
    level = _level(workspace, asked, rows, is_search=False, opened=0)
    if PART in request.GET:
        return _part(request, level, workspace)
    above = chains_above(workspace.tenant.id, [leader.id]).get(leader.id, [])
    tops = [Crumb("Reporting tree", _url(workspace, "tree"))]
    page = TreePage(
        title=f"Who reports to {leader}",
        lead="Managers see the deals of everyone below them.",
        crumbs=[_people_crumb(workspace), *tops, *(_node_crumb(workspace, one) for one in above)],
        actions=[Action("Whole tree", _url(workspace, "tree"), icon="hierarchy")],
        level=level, filters=None, can_move=workspace.may(PEOPLE_EDIT),
        empty=f"Nobody reports to {leader}.",
    )  # fmt: skip
    return render(request, "pipeline/tree.html", {"page": page})


def _part(request: WorkspaceRequest, level: Level, workspace: Workspace) -> HttpResponse:
    values = {"level": level, "can_move": workspace.may(PEOPLE_EDIT)}
    return render(request, "pipeline/_tree_level.html", values)


def _level(workspace: Workspace, asked: Asked, rows: Rows[Member], *, is_search: bool, opened: int) -> Level:
    people, tenant_id = rows.rows, workspace.tenant.id
    ids = [one.id for one in people]
    reports, chains = reports_of(tenant_id, ids), chains_above(tenant_id, ids) if is_search else {}
    figures = _figures(workspace, ids)
    nodes = [
        _node(
            workspace, one, reports.get(one.id, Reports()), figures.get(one.id, ""),
            chains.get(one.id, []), is_open=place < opened,
        )
        for place, one in enumerate(people)
    ]  # fmt: skip
    if not rows.next:
        return Level(nodes, "", "")
    return Level(
        nodes,
        more_url=asked.url(**{PARAMETER: rows.next, PART: None}),
        more_part_url=asked.url(**{PARAMETER: rows.next, PART: "1"}),
    )


def _figures(workspace: Workspace, ids: Sequence[UUID]) -> Mapping[UUID, str]:
    """What each person sees by the own place in the tree, in words; only of people whose deals the reader sees as well."""
    if not workspace.may(permissions.VIEW):
        return {}
    shown = set(ids) if workspace.actor.owner_ids is None else set(ids) & _own_people(workspace)
    widths = sights(workspace.tenant.id, members=shown) if shown else {}
    sums = team_figures(workspace.tenant.id, {one: width is Sight.TEAM for one, width in widths.items()})
    return {one: _figure(width, sums.get(one, Figures())) for one, width in widths.items()}


def _own_people(workspace: Workspace) -> set[UUID]:
    member = workspace.member
    assert member is not None, "the vendor's staff sees the whole workspace"
    return set(team_of(member)) if workspace.actor.sight == Sight.TEAM else {member.id}


def _figure(width: Sight, sums: Figures) -> str:
    if width is Sight.EVERYTHING:
        return "Sees every deal"
    money = ", ".join(money_short(minor, currency) for currency, minor in sums.money)
    return f"{count(sums.deals, 'open deal')}{', ' if money else ''}{money}"


def _node(
    workspace: Workspace,
    member: Member,
    reports: Reports,
    figures: str,
    chain: Sequence[Member],
    *,
    is_open: bool,
) -> TreeNode:
    may_move = workspace.may(PEOPLE_EDIT)
    below_url = _url(workspace, "below", member_id=member.id) if reports.direct else ""
    return TreeNode(
        id=str(member.id),
        name=str(member),
        email=member.email if member.name else "",
        url=_person_url(workspace, member),
        role=member.get_role_display(),
        state=None if member.is_active else LEFT,
        reports=_reports(reports),
        figures=figures,
        chain=[_node_crumb(workspace, one) for one in chain],
        below_url=below_url,
        part_url=f"{below_url}?{PART}=1" if below_url else "",
        is_open=is_open,
        move_url=_url(workspace, "change", member_id=member.id, kind="manager") if may_move else "",
        drop_id=str(member.id) if may_move and member.is_active else "",
    )


def _reports(reports: Reports) -> str:
    if reports.total == reports.direct:
        return count(reports.direct, "report")
    return f"{count(reports.direct, 'report')}, {count(reports.total, 'person', 'people')} in all"


def _person_url(workspace: Workspace, member: Member) -> str:
    return reverse("people:person", kwargs={"tenant": workspace.tenant.slug, "member_id": member.id})


def _node_crumb(workspace: Workspace, member: Member) -> Crumb:
    return Crumb(str(member), _url(workspace, "below", member_id=member.id))


def _people_crumb(workspace: Workspace) -> Crumb:
    return Crumb("People", reverse("people:people", kwargs={"tenant": workspace.tenant.slug}))


def _url(workspace: Workspace, name: str, **where: object) -> str:
    return reverse(f"access:{name}", kwargs={"tenant": workspace.tenant.slug, **where})
