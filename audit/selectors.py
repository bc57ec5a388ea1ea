"""Reads of the log, and its codes in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from django.db import connection
from django.db.models import Q, QuerySet

from audit.models import Event, EventColumns
from audit.registry import all_events
from pages.times import day_end, day_start

E = TypeVar("E", bound=EventColumns)
NEWEST_FIRST = ("-at", "-id")

# One index probe for each known code instead of a DISTINCT over the whole log.
_SEEN = """
    SELECT known.code
    FROM unnest(%(codes)s::text[]) AS known (code)
    WHERE EXISTS (SELECT FROM audit_event e WHERE e.tenant_id = %(tenant)s AND e.code = known.code)
"""


@dataclass(frozen=True)
class EventFilters:
    """What to show; empty fields ask for everything. Days are whole days of ``zone``, both ends included."""

    codes: tuple[str, ...] = ()
    person: str = ""
    target_kind: str = ""
    target_id: str = ""
    since: date | None = None
    until: date | None = None
    zone: str = "UTC"

    def condition(self) -> Q:
        """As a condition on a table of events."""
        wanted = Q()
        if self.codes:
            wanted &= Q(code__in=self.codes)
        if self.person:
            wanted &= Q(actor_label__icontains=self.person) | Q(target_label__icontains=self.person)
        if self.target_kind:
            wanted &= Q(target_kind=self.target_kind)
        if self.target_id:
            wanted &= Q(target_id=self.target_id)
        return wanted & between(self.since, self.until, self.zone)


def between(since: date | None, until: date | None, zone: str) -> Q:
    """The condition that ``at`` lies in those days of ``zone``."""
    wanted = Q()
    if since:
        wanted &= Q(at__gte=day_start(since, zone))
    if until:
        wanted &= Q(at__lt=day_end(until, zone))
    return wanted


def events_of(tenant_id: int, filters: EventFilters) -> QuerySet[Event]:
    """The workspace's events that fit, newest first. Needs a context that may read the log."""
    found: QuerySet[Event] = Event.objects.filter(filters.condition(), tenant_id=tenant_id)
    return found.order_by(*NEWEST_FIRST)


def codes_seen(tenant_id: int) -> list[str]:
    """The registered codes that occur in the workspace's log."""
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, {"codes": sorted(all_events()), "tenant": tenant_id})
        return [code for (code,) in cursor.fetchall()]


def code_words(codes: Iterable[str]) -> dict[str, str]:
    """Codes as people read them, in alphabetical order of the words: tenants.member_added → Member added."""
    words = {code: in_words(code.rpartition(".")[2]) for code in codes}
    return dict(sorted(words.items(), key=lambda pair: pair[1]))


def target_kinds(codes: Iterable[str]) -> dict[str, str]:
    """The kinds of target that events of these codes have, in words."""
    registered = all_events()
    kinds = {registered[code].target_kind for code in codes if code in registered}
    return {kind: in_words(kind) for kind in sorted(kinds)}


def in_words(name: str) -> str:
    """member_added → Member added."""
    return name.replace("_", " ").capitalize()
