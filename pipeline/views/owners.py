"""Whose the CRM owners' deals are: the list, its export, one owner with former holders, and giving an owner to a member."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from crm_sync.models import HolderOrigin, Owner
from crm_sync.owners import owners_export_record
from isolation import context
from isolation.actors import require
from isolation.errors import InvalidInput
from isolation.requests import workspace_view
from pages.asking import Asked
from pages.keyset import rows_of
from pages.objects import (
    Badge,
    Column,
    Crumb,
    EmptyState,
    ListPage,
    Table,
)
from pages.sheets import csv_response
from pages.templatetags.formats import count, money, money_short
from pipeline import permissions
from pipeline.access.figures import Figures, owner_figures
from pipeline.access.owners import Whose, owners_of
from rbac.requests import Workspace, WorkspaceRequest
from tenants.permissions import PEOPLE_VIEW

PAGE_SIZE = 50
NOBODY = "Nobody here"
LEFT = Badge("Has left", "warning", "user-x")
_ORDERS = {"name": ("label", "id"), "email": ("email", "id"), "deals": ("open_deals", "id")}
_HEADS = (
    "crm",
    "owner_id",
    "name",
    "email",
    "is_active_in_crm",
    "member",
    "member_email",
    "origin",
    "open_deals",
    "money",
)


@dataclass(frozen=True, slots=True)
class OwnerRow:
    """One line of the list. ``member`` is "" where the deals are nobody's; ``figures`` where the reader may not see deals."""

    name: str
    email: str
    url: str
    member: str
    member_url: str
    state: Badge | None
    origin: str
    figures: str


def figures_text(sums: Figures | None) -> str:
    """``12 open deals, $1.2M``."""
    if sums is None:
        return "No open deals"
    amounts = ", ".join(money_short(minor, currency) for currency, minor in sums.money)
    return f"{count(sums.deals, 'open deal')}, {amounts}"


@workspace_view(PEOPLE_VIEW)
@require_safe
def owners(request: WorkspaceRequest) -> HttpResponse:
    """The CRM owners whose rows the reader sees."""
    workspace, asked = request.workspace, Asked.of(request)
    search = asked.text("q", "Search", placeholder="Name or e-mail in the CRM")
    whose = asked.choice("whose", "Whose", {one.value: one.label for one in Whose})
    sort = asked.sort(_sorts(workspace), "name")
    found = owners_of(workspace.tenant.id, search=search, whose=whose)
    order = [f"-{name}" if sort.startswith("-") else name for name in _ORDERS[sort.lstrip("-")]]
    rows = rows_of(found, order=order, cursor=asked.cursor, size=PAGE_SIZE)
    page = ListPage(
        title="CRM owners",
        lead=_lead(workspace),
        crumbs=[Crumb("People", reverse("people:people", args=[workspace.tenant.slug]))],
        table=_table(workspace, asked, sort, _rows(workspace, rows.rows), rows.next, rows.previous),
        filters=asked.filters(),
    )
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "pipeline/owners.html", {"page": page}, status=status)


def _sorts(workspace: Workspace) -> list[str]:
    return [name for name in _ORDERS if name != "deals" or workspace.may(permissions.VIEW)]


def _lead(workspace: Workspace) -> str:
    tenant_id = workspace.tenant.id
    nobodys = owners_of(tenant_id, whose=Whose.NOBODY).count()
    if nobodys:
        verb = "is" if nobodys == 1 else "are"
        return f"{count(nobodys, 'CRM owner')} {verb} nobody’s here: only who sees every deal of the workspace sees theirs."
    return "Every CRM owner is somebody’s here: deals show to that person and the managers above."


def _table(
    workspace: Workspace, asked: Asked, sort: str, rows: list[OwnerRow], next_: str, previous: str
) -> Table[OwnerRow]:
    columns = [
        asked.column("CRM owner", "name", sort), asked.column("E-mail in the CRM", "email", sort), Column("Whose deals"),
        Column("Why"),
    ]  # fmt: skip
    if workspace.may(permissions.VIEW):
        columns.append(asked.column("Open deals", "deals", sort))
    may_export = workspace.may(permissions.EXPORT) and not asked.has_errors
    return Table(
        caption="CRM owners",
        columns=columns,
        rows=rows,
        row_template="pipeline/_owner_row.html",
        next_url=asked.pager(next_),
        previous_url=asked.pager(previous),
        count_label=count(len(rows), "owner") if not next_ and not previous else "",
        export_url=asked.at(reverse("access:owners_export", args=[workspace.tenant.slug]))
        if may_export
        else "",
        empty=_empty(asked),
    )


def _empty(asked: Asked) -> EmptyState:
    if asked.chips:
        return EmptyState(
            "No owner matches", "Take a filter away, or look for another part of the name.", icon="filter-off"
        )
    text = "They come with the first sync of the CRM; you see your own and those of your team."
    return EmptyState("No CRM owners yet", text, icon="users")


def _rows(workspace: Workspace, found: Sequence[Owner]) -> list[OwnerRow]:
    may_see = workspace.may(permissions.VIEW)
    sums = owner_figures(workspace.tenant.id, [one.id for one in found]) if found and may_see else {}
    return [_row(workspace, one, figures_text(sums.get(one.id)) if may_see else "") for one in found]


def _row(workspace: Workspace, owner: Any, figures: str) -> OwnerRow:
    slug = workspace.tenant.slug
    member = owner.member_name or owner.member_email or ""
    return OwnerRow(
        name=owner.name or owner.external_id,
        email=owner.email,
        url=owner_url(slug, owner),
        member=member,
        member_url=reverse("people:person", args=[slug, owner.member_id]) if member else "",
        state=LEFT if member and not owner.member_is_active else None,
        origin=origin_of(owner),
        figures=figures,
    )


def origin_of(owner: Owner) -> str:
    """Why the owner's deals are whose they are, in words."""
    if owner.member_id is None and owner.holder_origin == HolderOrigin.EMAIL:
        return "Nobody has this e-mail"
    return str(owner.get_holder_origin_display())


def owner_url(slug: str, owner: Owner, name: str = "owner") -> str:
    """The address of an owner's page, or of what is done there."""
    where = {"tenant": slug, "source": owner.source, "external_id": owner.external_id}
    return reverse(f"access:{name}", kwargs=where)


@workspace_view(PEOPLE_VIEW)
@require_safe
def owners_export(request: WorkspaceRequest) -> HttpResponseBase:
    """The list under the same filters, as CSV. Raises: InvalidInput for a filter that it cannot read."""
    workspace, asked = request.workspace, Asked.of(request)
    tenant, actor = workspace.tenant, workspace.actor
    require(actor, permissions.EXPORT, tenant.id)
    search = asked.text("q", "Search")
    whose = asked.choice("whose", "Whose", {one.value: one.label for one in Whose})
    for field in asked.fields:  # a file with other rows than asked for would mislead
        for problem in field.errors:
            raise InvalidInput(field=field.name, problem=problem)
    described = request.GET.urlencode() or "all of them"
    owners_export_record(tenant_id=tenant.id, filters=described[:500], acting_user=actor)
    return csv_response(f"{tenant.slug}-crm-owners", _HEADS, _cells(workspace, search, whose))


def _cells(workspace: Workspace, search: str, whose: str) -> Iterator[Sequence[object]]:
    tenant_id = workspace.tenant.id
    with context.of_actor(workspace.actor, tenant_id):
        listed: Any = owners_of(tenant_id, search=search, whose=whose)
        found: list[Any] = list(listed.order_by("label", "id"))
        may_see = workspace.may(permissions.VIEW)
        sums = owner_figures(tenant_id, [one.id for one in found]) if may_see else {}
        for one in found:
            own = sums.get(one.id, Figures())
            amounts = "; ".join(f"{money(minor, currency)} {currency}" for currency, minor in own.money)
            deals = own.deals if may_see else None
            yield (
                one.source, one.external_id, one.name, one.email, one.is_active, one.member_name or "", one.member_email or "",
                origin_of(one), deals, amounts,
            )  # fmt: skip
