"""The list of shares: with the reader, by the reader, or all of them; and its export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import DateTimeField, QuerySet, Value
from django.db.models.functions import Coalesce, Lower
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from isolation import context
from isolation.errors import InvalidInput
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import Column, EmptyState, ListPage, Table
from pages.sheets import csv_response
from pipeline import permissions
from pipeline.services import shares_export_record
from pipeline.shown_shares import ShareLine, is_over, share_line
from rbac.held import database_now
from rbac.models import Share
from rbac.permissions import SHARES_EDIT
from rbac.requests import Workspace, WorkspaceRequest, workspace_view
from rbac.sharing import Whose, shares_listed

PAGE_SIZE = 50
_ORDERS = {"since": ("valid_from", "id"), "what": ("lower_label", "id"), "until": ("ends", "id")}
_STATES: Mapping[str, bool | None] = {"": True, "ended": False, "any": None}
_NEVER = datetime(2999, 1, 1, tzinfo=UTC)
_CHOICES = {
    Whose.ALL: "All of the workspace",
    Whose.WITH_ME: "Shared with me",
    Whose.BY_ME: "Shared by me",
}
_LEADS = {
    Whose.WITH_ME: "What others let you see besides your own and your team's.",
    Whose.BY_ME: "What you let others see.",
    Whose.ALL: "Everything that somebody in the workspace lets somebody else see.",
}
_EMPTY = {
    Whose.WITH_ME: EmptyState("Nothing is shared with you", "What colleagues share with you shows here and among your deals.", icon="share"),
    Whose.BY_ME: EmptyState("You share nothing", "Open a deal or an account of yours and choose “Share…”.", icon="share"),
    Whose.ALL: EmptyState("Nothing is shared", "People share deals and accounts from their pages.", icon="share"),
}  # fmt: skip
_NO_MATCH = EmptyState(
    "No share matches", "Take a filter away, or look for another part of the name.", icon="filter-off"
)
EXPORT_HEADS = (
    "kind", "id", "name", "with", "and_team", "access", "from", "until", "shared_by", "reason", "state", "ended_by", "ended_because",
)  # fmt: skip


@dataclass(frozen=True)
class _List:
    asked: Asked
    whose: Whose
    sort: str
    shares: QuerySet[Share]


def _read(request: WorkspaceRequest) -> _List:
    """The list that the address asks for. Raises: InvalidInput for a sort order that there is not."""
    workspace, asked = request.workspace, Asked.of(request)
    # Who sees every deal anyhow looks for what others may see.
    usual = Whose.ALL if workspace.actor.owner_ids is None else Whose.WITH_ME
    choices = {one.value: label for one, label in _CHOICES.items() if one not in (usual, Whose.ALL)}
    search = asked.text("q", "Search", placeholder="Deal, account or person")
    whose = Whose(asked.choice("whose", "Show", choices, everything=_CHOICES[usual]) or usual)
    states = {"ended": "Ended", "any": "In force and ended"}
    state = _STATES[asked.choice("state", "State", states, everything="In force")]
    if workspace.actor.member_id is None:  # the vendor's staff: nothing is shared with or by a visitor
        whose = Whose.ALL
    found = shares_listed(
        workspace.tenant.id,
        whose=whose,
        member_id=workspace.actor.member_id,
        search=search,
        is_in_force=state,
    )
    ends = Coalesce("valid_until", Value(_NEVER), output_field=DateTimeField())
    return _List(
        asked, whose, asked.sort(_ORDERS, "-since"), found.annotate(lower_label=Lower("label"), ends=ends)
    )


@workspace_view(permissions.VIEW)
@require_GET
def shares(request: WorkspaceRequest) -> HttpResponse:
    """``/w/<tenant>/shares/``."""
    found = _read(request)
    rows = rows_of(found.shares, order=_ordered(found.sort), cursor=found.asked.cursor, size=PAGE_SIZE)
    page = ListPage(
        title="Shares",
        lead=_LEADS[found.whose],
        table=_table(request.workspace, found, rows),
        filters=found.asked.filters(),
    )
    status = 400 if found.asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "pipeline/shares.html", {"page": page}, status=status)


def _ordered(sort: str) -> tuple[str, ...]:
    names = _ORDERS[sort.lstrip("-")]
    return tuple(f"-{name}" for name in names) if sort.startswith("-") else names


def _table(workspace: Workspace, found: _List, rows: Rows[Share]) -> Table[ShareLine]:
    asked, now = found.asked, database_now()
    may_export = workspace.may(permissions.EXPORT) and not asked.has_errors
    return Table(
        caption="Shares",
        columns=[
            asked.column("What", "what", found.sort), Column("With"), asked.column("Since", "since", found.sort),
            asked.column("Until", "until", found.sort), Column("By and why"), Column("End it", is_label_hidden=True),
        ],
        rows=[_line(share, workspace, now) for share in rows.rows],
        row_template="pipeline/_share_row.html",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        export_url=asked.at(f"/w/{workspace.tenant.slug}/shares/export/") if may_export else "",
        empty=_NO_MATCH if asked.query.get("q") or asked.query.get("state") else _EMPTY[found.whose],
    )  # fmt: skip


def _line(share: Share, workspace: Workspace, now: datetime) -> ShareLine:
    actor = workspace.actor
    own = actor.member_id in (share.member_id, share.shared_by_member_id)
    can_end = workspace.may(SHARES_EDIT) and (own or actor.owner_ids is None)
    return share_line(share, workspace, now=now, can_end=can_end)


@workspace_view(permissions.EXPORT)
@require_GET
def shares_export(request: WorkspaceRequest) -> HttpResponseBase:
    """``/w/<tenant>/shares/export/``: the whole list under the same filters. Raises: InvalidInput for one it cannot read."""
    workspace = request.workspace
    found = _read(request)
    for field in found.asked.fields:
        for problem in field.errors:  # a file with other rows than asked for would mislead
            raise InvalidInput(field=field.name, problem=problem)
    described = request.GET.urlencode() or "shared with me, in force"
    shares_export_record(tenant_id=workspace.tenant.id, filters=described[:500], acting_user=workspace.actor)
    shares = found.shares.order_by(*_ordered(found.sort))
    return csv_response(f"{workspace.tenant.slug}-shares", EXPORT_HEADS, _cells(shares, workspace))


def _cells(shares: QuerySet[Share], workspace: Workspace) -> Iterator[Sequence[object]]:
    with context.of_actor(workspace.actor, workspace.tenant.id):
        now = database_now()
        for share in shares.iterator(chunk_size=2_000):
            until = share.valid_until.isoformat() if share.valid_until else None
            yield (
                share.kind, share.external_id, share.label, str(share.member), share.with_team, share.access,
                share.valid_from.isoformat(), until, share.shared_by, share.reason, "ended" if is_over(share, now) else "in force",
                share.revoked_by, share.revoked_reason,
            )  # fmt: skip
