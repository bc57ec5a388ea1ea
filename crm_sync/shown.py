"""Connections, runs and kept-aside rows in the words of the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from crm_sync.connectors import OBJECTS_READ, OPENERS
from crm_sync.models import (
    Connection,
    ConnectionState,
    RejectedRow,
    RunState,
    SyncObjectResult,
    SyncRun,
    SyncSchedule,
)
from crm_sync.schedules import every
from pages.objects import STATE_BADGES, Badge, Definition, Page, Progress, Table
from pages.templatetags.formats import local_time, number, percent
from pages.times import duration
from tenants.models import Tenant

CONNECTION_BADGES = {
    ConnectionState.NEW: Badge("Not set up", "neutral", "plug-connected"),
    ConnectionState.ACTIVE: Badge("Connected", "good", "check"),
    ConnectionState.NEEDS_ATTENTION: Badge("Needs attention", "danger", "alert-circle"),
}
NO_CONNECTOR = Badge("No connector yet", "neutral", "plug-connected")
SOURCE_NAMES = {"salesforce": "Salesforce", "hubspot": "HubSpot"}
_LONGEST_SHOWN = 120


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in the list of runs."""

    url: str
    when: str
    state: Badge
    what: str
    by: str
    read: str
    inserted: str
    changed: str
    unchanged: str
    deleted: str
    rejected: str
    took: str


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """What a run did with one object."""

    name: str
    note: str
    state: Badge
    read: str
    inserted: str
    changed: str
    unchanged: str
    deleted: str
    rejected: str
    took: str


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A row of the CRM that was kept aside."""

    row: str
    object: str
    field: str
    value: str
    reason: str
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPage(Page):
    """The connection, what runs now, and what ran."""

    connection: Sequence[Definition]
    problem: str
    progress: Progress | None
    runs: Table[RunRow] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage(Page):
    """One run."""

    facts: Sequence[Definition]
    problem: str
    progress: Progress | None
    objects: Table[ObjectRow]


def url(name: str, tenant: Tenant, **parts: object) -> str:
    """The address of a page of this room."""
    return reverse(f"crm_sync:{name}", kwargs={"tenant": tenant.slug, **parts})


def source_name(source: str) -> str:
    """A CRM as its maker writes it."""
    return SOURCE_NAMES.get(source, source)


def connection_facts(
    connection: Connection, schedule: SyncSchedule | None, kept: int, tenant: Tenant
) -> list[Definition]:
    """The connection card; of a CRM without a connector, only that."""
    if connection.source not in OPENERS:
        return [Definition("State", NO_CONNECTOR), Definition("CRM", source_name(connection.source))]
    zone = tenant.timezone
    facts = [
        Definition("State", CONNECTION_BADGES[ConnectionState(connection.state)]),
        Definition("CRM", source_name(connection.source)),
        Definition("Login address", connection.login_url or "–"),
        Definition("Schedule", _schedule_words(schedule, zone)),
        Definition("Last complete sync", local_time(connection.last_synced_at, zone)),
        Definition("Rows kept aside", number(kept), href=url("rejected", tenant) if kept else ""),
    ]
    if connection.api_calls_limit:
        used = connection.api_calls_used or 0
        share = percent(used / connection.api_calls_limit)
        facts.append(Definition("CRM calls today", f"{used:,} of {connection.api_calls_limit:,} ({share})"))
    return facts


def _schedule_words(schedule: SyncSchedule | None, zone: str) -> str:
    if schedule is None:
        return "–"
    words = every(schedule.every_minutes).capitalize()
    return f"{words}, paused" if schedule.is_paused else f"{words}, next {local_time(schedule.due_at, zone)}"


def run_row(run: SyncRun, tenant: Tenant) -> RunRow:
    """A run in the list."""
    return RunRow(
        url=url("run", tenant, run_id=run.id),
        when=local_time(run.started_at or run.requested_at, tenant.timezone),
        state=STATE_BADGES[run.state],
        what="Everything" if run.is_full or run.touches_everything else "Changes",
        by="the schedule" if run.trigger == "schedule" else run.requested_by,
        took=took(run),
        **_counted(run),
    )


def took(run: SyncRun) -> str:
    """How long a finished run worked."""
    if run.started_at is None or run.finished_at is None:
        return "–"
    return _seconds((run.finished_at - run.started_at).total_seconds())


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def _counted(counted: SyncRun | SyncObjectResult) -> dict[str, str]:
    names = ("read", "inserted", "changed", "unchanged", "deleted", "rejected")
    return {name: number(getattr(counted, f"rows_{name}")) for name in names}


def object_row(result: SyncObjectResult, run: SyncRun) -> ObjectRow:
    """What a run did with one object."""
    waiting = RunState.RUNNING if run.is_active and result.is_begun else RunState.QUEUED
    stopped = RunState.FAILED if run.state == RunState.FAILED else waiting
    return ObjectRow(
        name=result.object_name,
        note=result.note,
        state=STATE_BADGES[RunState.SUCCEEDED if result.is_done else stopped],
        took=_seconds(result.seconds),
        **_counted(result),
    )


def run_facts(run: SyncRun, tenant: Tenant) -> list[Definition]:
    """The head of a run's page."""
    zone = tenant.timezone
    return [
        Definition("State", STATE_BADGES[run.state]),
        Definition(
            "What",
            "Everything was read" if run.is_full or run.touches_everything else "What changed was read",
        ),
        Definition("Asked for by", "the schedule" if run.trigger == "schedule" else run.requested_by),
        Definition("Started", local_time(run.started_at, zone)),
        Definition("Ended", local_time(run.finished_at, zone)),
        Definition("Took", took(run)),
        *(Definition(f"Rows {name}", value) for name, value in _counted(run).items()),
    ]


def progress_of(run: SyncRun, results: Sequence[SyncObjectResult], tenant: Tenant) -> Progress | None:
    """How far an active run is: each object is an equal share, within one the rows count. None for a run that is over."""
    if not run.is_active:
        return None
    objects = OBJECTS_READ.get(run.connection.source, ())
    share = sum(1.0 if each.is_done else _share(each) for each in results)
    busy = next((each for each in results if each.is_begun and not each.is_done), None)
    label = f"Reading {busy.object_name}" if busy else "Waiting for a worker" if not results else "Reading"
    detail = f"{run.rows_read:,} rows read."
    if run.error_message:
        detail = (
            f"{detail} It is tried again at {local_time(run.ready_at, tenant.timezone)}: {run.error_message}"
        )
    return Progress(
        id="sync-progress",
        label=label,
        percent=min(99, round(100 * share / max(1, len(objects)))),
        detail=detail,
        poll_url=url("progress", tenant, run_id=run.id),
    )


def _share(result: SyncObjectResult) -> float:
    return min(1.0, result.rows_read / result.rows_expected) if result.rows_expected else 0.0


def kept_row(row: RejectedRow, zone: str) -> KeptRow:
    """A kept-aside row in the list."""
    value = row.value if len(row.value) <= _LONGEST_SHOWN else f"{row.value[:_LONGEST_SHOWN]}…"
    return KeptRow(
        row=row.external_id,
        object=row.object_name,
        field=row.field,
        value=value or "(empty)",
        reason=f"{row.field} {row.reason}.",
        when=local_time(row.rejected_at, zone),
    )
