"""Runs, kept-aside rows and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from crm_sync.connectors import OBJECTS_READ
from crm_sync.failures import class_of
from crm_sync.models import (
    CheckedMonth,
    RejectedRow,
    RunKind,
    RunState,
    RunTrigger,
    SyncObjectResult,
    SyncRun,
)
from crm_sync.shown import Problem, url
from pages.objects import STATE_BADGES, Badge, Definition, Page, Progress, Table
from pages.templatetags.formats import local_time, number
from pages.times import duration
from rbac.redaction.reading import Redactor
from tenants.models import Tenant

_LONGEST_SHOWN = 120
_DOING = {
    RunKind.CHECK: "Comparing",
    RunKind.REFRESH: "Refreshing",
    RunKind.NOTICE: "Reading what was noticed in",
}


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in the list of runs."""

    url: str
    when: str
    state: Badge
    failure: str
    what: str
    by: str
    read: str
    inserted: str
    changed: str
    unchanged: str
    deleted: str
    rejected: str
    took: str
    pace: str


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
    pace: str


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A row of the CRM that was kept aside."""

    row: str
    object: str
    field: str
    value: str
    reason: str
    when: str


@dataclass(frozen=True, slots=True)
class MonthRow:
    """A month of an object in the last comparison."""

    object: str
    month: str
    state: Badge
    crm: str
    mirror: str
    healed: str
    when: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage(Page):
    """One run."""

    facts: Sequence[Definition]
    problem: Problem | None
    progress: Progress | None
    objects: Table[ObjectRow]


def run_row(run: SyncRun, tenant: Tenant, source: str, busy: Mapping[UUID, float]) -> RunRow:
    """A run in the list. ``busy`` are the seconds at work by run."""
    failed = class_of(run.error_code) if run.state == RunState.FAILED else None
    return RunRow(
        url=url("run", tenant, source=source, run_id=run.id),
        when=local_time(run.started_at or run.requested_at, tenant.timezone),
        state=STATE_BADGES[run.state],
        failure=failed.label if failed else "",
        what=what_of(run),
        by=by_of(run),
        took=took(run),
        pace=pace(run.rows_read, busy.get(run.id, 0.0)),
        **_counted(run),
    )


def what_of(run: SyncRun) -> str:
    """What a run does or did, in a word or two."""
    if run.kind != RunKind.SYNC:
        return str(RunKind(run.kind).label)
    return "Everything" if run.is_full or run.touches_everything else "Changes"


def by_of(run: SyncRun) -> str:
    """Who or what asked for a run."""
    if run.trigger == RunTrigger.SCHEDULE:
        return "the schedule"
    return "a notice of the CRM" if run.trigger == RunTrigger.WEBHOOK else run.requested_by


def took(run: SyncRun) -> str:
    """How long a finished run worked."""
    if run.started_at is None or run.finished_at is None:
        return "–"
    return _seconds((run.finished_at - run.started_at).total_seconds())


def pace(rows: int, seconds: float) -> str:
    """Rows a second; a dash where there is too little to tell."""
    return number(round(rows / seconds)) if rows and seconds > 0 else "–"


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
        pace=pace(result.rows_read, result.seconds),
        **_counted(result),
    )


def run_facts(run: SyncRun, tenant: Tenant, busy: float) -> list[Definition]:
    """The head of a run's page. ``busy``: its seconds at work."""
    zone = tenant.timezone
    return [
        Definition("State", STATE_BADGES[run.state]),
        Definition("What", what_of(run)),
        Definition("Asked for by", by_of(run)),
        Definition("Started", local_time(run.started_at, zone)),
        Definition("Ended", local_time(run.finished_at, zone)),
        Definition("Took", took(run)),
        Definition("Rows a second", pace(run.rows_read, busy)),
        *(Definition(f"Rows {_ROWS.get(name, name)}", value) for name, value in _counted(run).items()),
    ]


_ROWS = {"inserted": "new", "rejected": "kept aside"}


def progress_of(
    run: SyncRun, results: Sequence[SyncObjectResult], tenant: Tenant, source: str
) -> Progress | None:
    """How far an active run is: each object is an equal share, within one the rows count. None for a run that is over."""
    if not run.is_active:
        return None
    objects = OBJECTS_READ.get(source, ())
    share = sum(1.0 if each.is_done else _share(each) for each in results)
    return Progress(
        id="sync-progress",
        label=_doing(run, results),
        percent=min(99, round(100 * share / max(1, len(objects), len(results)))),
        detail=_progress_detail(run, tenant),
        poll_url=url("progress", tenant, source=source, run_id=run.id),
        tone="warning" if run.error_code else "brand",
    )


def _doing(run: SyncRun, results: Sequence[SyncObjectResult]) -> str:
    verb = _DOING.get(RunKind(run.kind), "Reading")
    busy = next((each for each in results if each.is_begun and not each.is_done), None)
    if run.state == RunState.QUEUED:
        return "Put off" if run.error_code else "Waiting for a worker"
    return f"{verb} {busy.object_name}" if busy else verb


def _progress_detail(run: SyncRun, tenant: Tenant) -> str:
    detail = f"{run.rows_read:,} rows read."
    if not run.error_message:
        return detail
    return f"{detail} It goes on at {local_time(run.ready_at, tenant.timezone)}."


def _share(result: SyncObjectResult) -> float:
    return min(1.0, result.rows_read / result.rows_expected) if result.rows_expected else 0.0


def kept_row(row: RejectedRow, zone: str, redactor: Redactor) -> KeptRow:
    """A kept-aside row in the list, as the redactor's reader may see it."""
    see = redactor.row(row.external_id)
    value = see.text(row.value)
    value = value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…"
    return KeptRow(
        row=row.external_id,
        object=row.object_name,
        field=row.field,
        value=value or "(empty)",
        reason=f"{row.field} {see.text(row.reason)}.",
        when=local_time(row.rejected_at, zone),
    )


def month_row(month: CheckedMonth, zone: str) -> MonthRow:
    """A month of the last comparison in the list."""
    is_same = (month.crm_checksum, month.crm_rows) == (month.mirror_checksum, month.mirror_rows)
    return MonthRow(
        object=month.object_name,
        month=f"{month.month:%b %Y}" if month.month else "No date",
        state=Badge("Same", "good", "check") if is_same else Badge("Differed", "warning", "alert-triangle"),
        crm=number(month.crm_rows),
        mirror=number(month.mirror_rows),
        healed=number(month.healed_rows),
        when=local_time(month.checked_at, zone),
    )
