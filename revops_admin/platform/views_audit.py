"""The platform's own log: what happened outside every workspace, and who entered the platform context for what."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from audit.models import PlatformEntry, PlatformEvent
from audit.redaction import AS_RECORDED, seen
from audit.registry import all_events
from audit.selectors import NEWEST_FIRST, EventFilters, between, code_words
from audit.wording import EventRow, actor_kind_words, event_row
from isolation import context
from isolation.actors import ActorKind
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import Column, EmptyState, ListPage, Table
from pages.templatetags.formats import local_time
from revops_admin.platform.access import OperatorRequest, operator_view

PAGE_SIZE = 50
ZONE = "UTC"
_REASON = "operator reads the platform's log"
_EMPTY = EmptyState("No entries match", "Take a filter away, or choose a longer time.", icon="search")
_KINDS = {ActorKind.OPERATOR.value: "Vendor's staff", ActorKind.SYSTEM.value: "The program"}


@dataclass(frozen=True)
class EntryRow:
    """One entry into the platform context."""

    when: str
    instant: str
    reason: str
    actor: str
    actor_kind: str


@dataclass(frozen=True)
class Tab:
    """One of the two logs."""

    label: str
    url: str
    is_current: bool


@operator_view
@require_safe
def events(request: OperatorRequest) -> HttpResponse:
    """Sign-ins, accounts, sessions, keys."""
    asked = Asked.of(request)
    person = asked.text("person", "Person", placeholder="Name or e-mail")
    codes = asked.choices("event", "Event", code_words(all_events()))
    since, until = asked.days()
    wanted = EventFilters(tuple(codes), person, since=since, until=until, zone=ZONE)
    with context.platform(_REASON, request.operator):
        found = PlatformEvent.objects.filter(wanted.condition())
        rows = rows_of(found, order=NEWEST_FIRST, cursor=asked.cursor, size=PAGE_SIZE)
    table = _event_table(asked, rows)
    lead = "Sign-ins, accounts, sessions and keys: what happened outside every workspace."
    return _shown(
        request, asked, ListPage(title="Audit log", lead=lead, table=table, filters=asked.filters())
    )


def _event_table(asked: Asked, rows: Rows[PlatformEvent]) -> Table[EventRow]:
    return Table(
        caption="Platform events, newest first",
        columns=[Column("What happened"), Column("By"), Column("Concerns"), Column(f"When ({ZONE})")],
        rows=[event_row(seen(event, AS_RECORDED), ZONE) for event in rows.rows],
        row_template="audit/_event_row.html",
        count_label="Newest first",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        empty=_EMPTY,
    )


@operator_view
@require_safe
def entries(request: OperatorRequest) -> HttpResponse:
    """Every time somebody or some job looked over all workspaces, and why."""
    asked = Asked.of(request)
    reason = asked.text("reason", "Reason")
    person = asked.text("person", "Person or job", placeholder="Person or job")
    kind = asked.choice("kind", "By", _KINDS)
    since, until = asked.days()
    wanted = between(since, until, ZONE)
    for name, value in (
        ("reason__icontains", reason),
        ("actor_label__icontains", person),
        ("actor_kind", kind),
    ):
        if value:
            wanted &= Q(**{name: value})
    with context.platform(_REASON, request.operator):
        found = PlatformEntry.objects.filter(wanted)
        rows = rows_of(found, order=NEWEST_FIRST, cursor=asked.cursor, size=PAGE_SIZE)
    lead = "Every time a person or a job looked over all workspaces, and why."
    page = ListPage(title="Audit log", lead=lead, table=_entry_table(asked, rows), filters=asked.filters())
    return _shown(request, asked, page)


def _entry_table(asked: Asked, rows: Rows[PlatformEntry]) -> Table[EntryRow]:
    return Table(
        caption="Entries into the platform context, newest first",
        columns=[Column("Reason"), Column("By"), Column(f"When ({ZONE})")],
        rows=[_entry_row(entry) for entry in rows.rows],
        row_template="platform/_entry_row.html",
        count_label="Newest first",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        empty=_EMPTY,
    )


def _entry_row(entry: PlatformEntry) -> EntryRow:
    return EntryRow(
        when=local_time(entry.at, ZONE),
        instant=entry.at.isoformat(),
        reason=entry.reason,
        actor=entry.actor_label,
        actor_kind=actor_kind_words(entry.actor_kind),
    )


def _shown(
    request: OperatorRequest, asked: Asked, page: ListPage[EventRow] | ListPage[EntryRow]
) -> HttpResponse:
    places = (("Events", reverse("platform:audit")), ("Platform access", reverse("platform:audit_entries")))
    tabs = [Tab(label, url, url == request.path) for label, url in places]
    status = 400 if asked.has_errors and not request.headers.get("HX-Request") else 200
    return render(request, "platform/audit.html", {"page": page, "tabs": tabs}, status=status)
