"""The priority queue: what waits, why it is first, and marking it as done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from isolation import context
from isolation.actors import require
from isolation.errors import InvalidInput, NotFound
from operations import permissions, selectors, services, shown
from operations.models import ItemKind, ItemState, PriorityItem
from operations.personal import QUEUE_CONTACTS
from operations.scoring import WEIGHTS
from operations.selectors import HIGHEST_FIRST, QueueFilters, QueueItem
from operations.shown import url
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import Column, Crumb, EmptyState, Table
from pages.sheets import csv_response
from pages.templatetags.formats import count
from rbac.redaction.reading import Door, Redactor, reading, streaming
from rbac.requests import Workspace, WorkspaceRequest, workspace_view

PAGE_SIZE = 50
_BATCH = 1000
_MIN_SCORES = {"80": "80 and more", "60": "60 and more", "40": "40 and more", "20": "20 and more"}
_ANY = "any"
_STATES = {ItemState.REVIEWED.value: "Reviewed", ItemState.CLOSED.value: "Closed", _ANY: "Any state"}
_EXPORT_HEADS = (
    "score", *(f"{name}_points" for name in WEIGHTS), "kind", "subject", "message_snippet", "contact_name", "contact_mobile",
    "contact_email", "state", "created_at_utc",
)  # fmt: skip
_MASKED = "Numbers and addresses are masked: your role does not show contact data."
_UNMASKED = "You see contact data unmasked. Each look at it is recorded in the audit log."


@require_safe
@workspace_view(permissions.VIEW)
def queue(request: WorkspaceRequest) -> HttpResponse:
    """The items that fit the filters, highest score first."""
    workspace, asked = request.workspace, Asked.of(request)
    wanted = _filters(asked, workspace)
    rows = rows_of(
        selectors.queue_of(workspace.tenant.id, wanted),
        order=HIGHEST_FIRST,
        cursor=asked.cursor,
        size=PAGE_SIZE,
    )
    with _reading(request) as redactor:
        items = [selectors.seen(item, redactor) for item in rows.rows]
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    page = _queue_page(workspace, asked, rows, items)
    return render(request, "operations/queue.html", {"page": page}, status=status)


def _reading(request: WorkspaceRequest) -> AbstractContextManager[Redactor]:
    workspace, door = request.workspace, Door.of(request)
    return reading(QUEUE_CONTACTS, acting_user=workspace.actor, tenant_id=workspace.tenant.id, door=door)


def _sees_contacts(workspace: Workspace) -> bool:
    return QUEUE_CONTACTS.seen_by(workspace.actor, workspace.tenant.id)


def _filters(asked: Asked, workspace: Workspace) -> QueueFilters:
    search = asked.text("q", "Search subjects")
    state = asked.choice("state", "State", _STATES, everything="Open") or ItemState.OPEN.value
    kinds = asked.choices("kind", "Kind", dict(ItemKind.choices))
    least = asked.choice("score", "Score", _MIN_SCORES, everything="Any score")
    return QueueFilters(
        states=() if state == _ANY else (state,),
        kinds=tuple(kinds),
        min_score=float(least or 0),
        search=search,
        is_masked=not _sees_contacts(workspace),
    )


def _queue_page(
    workspace: Workspace, asked: Asked, rows: Rows[PriorityItem], items: list[QueueItem]
) -> shown.QueuePage:
    tenant, may_review = workspace.tenant, workspace.may(permissions.REVIEW)
    table = Table(
        caption="Priority queue, highest score first",
        columns=[
            Column("Item"),
            Column("Score"),
            Column("Contact"),
            Column("State"),
            Column("Actions", is_label_hidden=True),
        ],
        rows=[shown.item_row(item, tenant, may_review=may_review) for item in items],
        row_template="operations/_item_row.html",
        count_label="Highest score first",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        export_url=asked.at(url("export", tenant)) if workspace.may(permissions.EXPORT) else "",
        empty=_empty(asked),
    )
    return shown.QueuePage(
        title="Priority queue",
        lead=_lead(tenant.id),
        table=table,
        filters=asked.filters(),
        note=_UNMASKED if _sees_contacts(workspace) else _MASKED,
    )


def _lead(tenant_id: int) -> str:
    waiting = selectors.open_item_count(tenant_id)
    return (
        f"{count(waiting, 'item')} to look at, the most pressing first."
        if waiting
        else "Nothing waits to be looked at."
    )


def _empty(asked: Asked) -> EmptyState:
    if asked.chips:
        return EmptyState("No items match", "Take a filter away.", icon="search")
    return EmptyState(
        "The queue is empty", "Messages that come in are scored here within a minute.", icon="inbox"
    )


@require_safe
@workspace_view(permissions.VIEW)
def export(request: WorkspaceRequest) -> HttpResponseBase:
    """Everything that fits the filters as CSV, masked as on the page. Raises: Forbidden; InvalidInput for a bad filter."""
    workspace, asked = request.workspace, Asked.of(request)
    require(workspace.actor, permissions.EXPORT, workspace.tenant.id)
    wanted = _filters(asked, workspace)
    if asked.has_errors:
        raise InvalidInput(problem=" ".join(asked.filters().errors))
    redactor = streaming(
        QUEUE_CONTACTS, acting_user=workspace.actor, tenant_id=workspace.tenant.id, door=Door.of(request),
        rows=_asked_for(workspace, wanted),
    )  # fmt: skip
    name = f"{workspace.tenant.slug}-queue-{timezone.now():%Y-%m-%d}"
    return csv_response(name, _EXPORT_HEADS, _sheet_rows(workspace, wanted, redactor))


def _asked_for(workspace: Workspace, wanted: QueueFilters) -> list[str]:
    """The ids that go into the record of an unmasked export; a masked one has none."""
    if not _sees_contacts(workspace):
        return []
    return [str(pk) for pk in selectors.queue_of(workspace.tenant.id, wanted).values_list("id", flat=True)]


def _sheet_rows(workspace: Workspace, wanted: QueueFilters, redactor: Redactor) -> Iterator[tuple[Any, ...]]:
    # Read after the view has returned and its context has ended, so the generator opens its own.
    with context.of_actor(workspace.actor, workspace.tenant.id):
        for item in selectors.queue_of(workspace.tenant.id, wanted).iterator(chunk_size=_BATCH):
            yield _sheet_row(selectors.seen(item, redactor))


def _sheet_row(item: QueueItem) -> tuple[Any, ...]:
    points = (round(item.parts[name], 1) for name in WEIGHTS)
    contact = (item.contact_name, item.contact_mobile, item.contact_email)
    created = item.created_at.astimezone(UTC).isoformat(timespec="seconds")
    return (item.score, *points, item.kind, item.subject, item.message_snippet, *contact, item.state, created)


@require_safe
@workspace_view(permissions.VIEW)
def detail(request: WorkspaceRequest, item_id: UUID) -> HttpResponse:
    """One item: why its score is what it is, and whom to call."""
    workspace = request.workspace
    tenant, may_review = workspace.tenant, workspace.may(permissions.REVIEW)
    with _reading(request) as redactor:
        item = selectors.seen(_one(workspace, item_id), redactor)
    actions = [
        shown.review_action(item, tenant, may_review=may_review),
        shown.close_action(item, tenant, may_review=may_review),
    ]
    page = shown.ItemPage(
        title=item.subject,
        crumbs=[Crumb("Priority queue", url("queue", tenant))],
        actions=[action for action in actions if action],
        score=shown.score_of(item),
        definitions=shown.definitions_of(item, tenant),
        snippet=item.message_snippet,
    )
    return render(request, "operations/item.html", {"page": page})


def _one(workspace: Workspace, item_id: UUID) -> PriorityItem:
    item: PriorityItem | None = PriorityItem.objects.filter(tenant_id=workspace.tenant.id, pk=item_id).first()
    if item is None:
        raise NotFound(what="item of the priority queue")
    return item


@require_POST
@workspace_view(permissions.REVIEW)
def review(request: WorkspaceRequest, item_id: UUID) -> HttpResponse:
    """Mark one item as reviewed."""
    workspace = request.workspace
    services.item_review(item=_one(workspace, item_id), acting_user=workspace.actor)
    messages.success(request, "The item was marked as reviewed.")
    return redirect(url("queue", workspace.tenant))


@require_POST
@workspace_view(permissions.REVIEW)
def close(request: WorkspaceRequest, item_id: UUID) -> HttpResponse:
    """Take one item out of the queue."""
    workspace = request.workspace
    services.item_close(item=_one(workspace, item_id), acting_user=workspace.actor)
    messages.success(request, "The item was closed.")
    return redirect(url("queue", workspace.tenant))
