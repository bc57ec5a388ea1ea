"""The workspace's audit log: a list with filters, and the same as a sheet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from audit.events import AuditExported
from audit.models import Event
from audit.permissions import VIEW
from audit.redaction import Redactor, SeenEvent, reading, seen, streaming
from audit.selectors import NEWEST_FIRST, EventFilters, code_words, codes_seen, events_of, target_kinds
from audit.services import record
from audit.wording import EventRow, event_row
from isolation import context
from isolation.errors import InvalidInput
from isolation.requests import InWorkspace, TenantFacts, workspace_view
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import Column, EmptyState, ListPage, Table
from pages.sheets import csv_response

PAGE_SIZE = 50
_BATCH = 2000
_HEADS = ("at_utc", "event", "sentence", "by", "by_kind", "target_kind", "target_id", "target", "facts")
_EMPTY = EmptyState(
    "No events match", "Take a filter away, or choose a longer time.", icon="search"
)  # a workspace is never without events: its provisioning is the first


@workspace_view(VIEW, is_wide=True)
@require_safe
def events(request: InWorkspace) -> HttpResponse:
    """The newest events that fit the filters."""
    tenant = request.workspace.tenant
    asked = Asked.of(request)
    wanted = _filters(asked, tenant)
    rows = rows_of(events_of(tenant.id, wanted), order=NEWEST_FIRST, cursor=asked.cursor, size=PAGE_SIZE)
    with reading(request) as redactor:
        lines = [event_row(seen(event, redactor), tenant.timezone) for event in rows.rows]
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "audit/events.html", {"page": _page(asked, tenant, rows, lines)}, status=status)


@workspace_view(VIEW, is_wide=True)
@require_safe
def export(request: InWorkspace) -> HttpResponseBase:
    """Everything that fits the filters as CSV; the export is itself on record. Raises: InvalidInput for a bad filter."""
    workspace = request.workspace
    asked = Asked.of(request)
    wanted = _filters(asked, workspace.tenant)
    if asked.has_errors:
        raise InvalidInput(problem=" ".join(asked.filters().errors))
    chosen = ", ".join(chip.label for chip in asked.chips) or "everything"
    record(
        AuditExported(target_label=workspace.tenant.name, filters=chosen[:300]), acting_user=workspace.actor
    )
    name = f"{workspace.tenant.slug}-audit-{timezone.now():%Y-%m-%d}"
    return csv_response(name, _HEADS, _sheet_rows(request, wanted, streaming(request)))


def _sheet_rows(request: InWorkspace, wanted: EventFilters, redactor: Redactor) -> Iterator[tuple[Any, ...]]:
    # Read after the view has returned and its context has ended, so the generator opens its own.
    workspace = request.workspace
    with context.tenant_wide(workspace.tenant.id):
        for event in events_of(workspace.tenant.id, wanted).iterator(chunk_size=_BATCH):
            yield _sheet_row(seen(event, redactor))


def _sheet_row(event: SeenEvent) -> tuple[Any, ...]:
    at = event.at.astimezone(UTC).isoformat(timespec="microseconds")
    target = (event.target_kind, event.target_id, event.target_label)
    return (
        at,
        event.code,
        event.sentence,
        event.actor_label,
        event.actor_kind,
        *target,
        json.dumps(event.facts, ensure_ascii=False),
    )


def _filters(asked: Asked, tenant: TenantFacts) -> EventFilters:
    seen = codes_seen(tenant.id)
    person = asked.text("person", "Person", placeholder="Name or e-mail")
    codes = asked.choices("event", "Event", code_words(seen))
    kind = asked.choice("target", "Concerns", target_kinds(seen), everything="Everything")
    target = asked.text("id", "Its id", placeholder="As under Details")
    since, until = asked.days()
    return EventFilters(tuple(codes), person, kind, target, since, until, tenant.timezone)


def _page(asked: Asked, tenant: TenantFacts, rows: Rows[Event], lines: list[EventRow]) -> ListPage[EventRow]:
    table = Table(
        caption="Audit events, newest first",
        columns=[
            Column("What happened"),
            Column("By"),
            Column("Concerns"),
            Column(f"When ({tenant.timezone})"),
        ],
        rows=lines,
        row_template="audit/_event_row.html",
        count_label="Newest first",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        export_url=asked.at(reverse("audit:export", kwargs={"tenant": tenant.slug})),
        empty=_EMPTY,
    )
    lead = "Everything that was changed here, by whom and when. The program itself cannot alter or remove an entry."
    return ListPage(title="Audit log", lead=lead, table=table, filters=asked.filters())
