"""Connections in the words of the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crm_sync.connectors import OPENERS
from crm_sync.connectors.salesforce.rest import ROWS_A_CALL
from crm_sync.engine.pace import Pace
from crm_sync.models import Connection, ConnectionState, SignIn, SyncSchedule
from crm_sync.schedules import every
from crm_sync.selectors import Checked
from crm_sync.shown import Problem, source_name, url
from crm_sync.shown.runs import RunRow
from crm_sync.standing import Report, Standing
from pages.objects import Badge, Definition, Page, Progress, Stat, Table, Tone
from pages.templatetags.formats import count, local_time, number
from pages.times import ago
from tenants.models import Tenant

BADGES: Mapping[Standing, Badge] = {
    Standing.HEALTHY: Badge("Healthy", "good", "check"),
    Standing.READING: Badge("Reading", "brand", "refresh"),
    Standing.PAUSED: Badge("Paused", "neutral", "clock"),
    Standing.UNREAD: Badge("Not read yet", "info", "clock"),
    Standing.WAITING: Badge("Put off", "warning", "clock"),
    Standing.LATE: Badge("Late", "warning", "alert-triangle"),
    Standing.NEW: Badge("Not set up", "neutral", "plug-connected"),
    Standing.BROKEN: Badge("Needs attention", "danger", "alert-circle"),
    Standing.NO_CONNECTOR: Badge("No connector yet", "neutral", "plug-connected"),
}
_NOTHING = "–"


@dataclass(frozen=True, slots=True)
class ConnectionRow:
    """A connection in the list of connections."""

    url: str
    name: str
    account: str
    state: Badge
    last: str
    next: str
    calls: str
    kept: str


@dataclass(frozen=True, slots=True)
class Budget:
    """A CRM's daily calls as a bar: shares in percent of the whole, as text for the drawing."""

    text: str
    hint: str
    used: str
    reserve: str
    reserve_from: str
    tone: Tone


@dataclass(frozen=True)
class Counts:
    """What is counted for a connection's page."""

    kept: int
    violations: int
    checked: Checked | None
    mapping_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPage(Page):
    """The workspace's connections."""

    table: Table[ConnectionRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPage(Page):
    """One connection: how it is, what runs now, what ran, and how it is set up."""

    problem: Problem | None
    problem_tone: Tone
    progress: Progress | None
    stats: Sequence[Stat]
    budget: Budget | None
    facts: Sequence[Definition]
    runs: Table[RunRow] | None
    runs_url: str


def connection_row(
    connection: Connection, report: Report, schedule: SyncSchedule | None, kept: int, tenant: Tenant
) -> ConnectionRow:
    """A connection in the list."""
    return ConnectionRow(
        url=url("detail", tenant, source=connection.source),
        name=source_name(connection.source),
        account=connection.account_label,
        state=BADGES[report.standing],
        last=ago(connection.last_synced_at).capitalize(),
        next=_next(connection, schedule, tenant.timezone),
        calls=_calls(connection),
        kept=number(kept),
    )


def _next(connection: Connection, schedule: SyncSchedule | None, zone: str) -> str:
    if schedule is None or connection.state != ConnectionState.ACTIVE:
        return _NOTHING  # the dispatcher leaves it alone until somebody acts
    return "Paused" if schedule.is_paused else local_time(schedule.due_at, zone)


def _calls(connection: Connection) -> str:
    if not connection.api_calls_limit:
        return _NOTHING
    return f"{connection.api_calls_used or 0:,} of {connection.api_calls_limit:,}"


def budget_of(connection: Connection, zone: str) -> Budget | None:
    """The daily calls as a bar; None while the CRM has not told them."""
    limit, used = connection.api_calls_limit, connection.api_calls_used or 0
    if not limit:
        return None
    reserve = limit * connection.reserve_percent // 100
    left = max(0, limit - reserve - used)
    tone: Tone = "danger" if not left else "warning" if left < limit / 10 else "brand"
    seen = f"as of {local_time(connection.api_calls_seen_at, zone)}" if connection.api_calls_seen_at else ""
    return Budget(
        text=f"{used:,} of {limit:,} calls used, {left:,} left for the sync",
        hint=", ".join(
            filter(None, [f"{reserve:,} ({connection.reserve_percent} %) are kept for other programs", seen])
        ),
        used=f"{min(100.0, 100 * used / limit):.1f}",
        reserve=f"{connection.reserve_percent}",
        reserve_from=f"{100 - connection.reserve_percent}",
        tone=tone,
    )


def stats_of(
    connection: Connection, schedule: SyncSchedule | None, counts: Counts, tenant: Tenant
) -> list[Stat]:
    """The numbers that tell whether all is well."""
    source = {"source": connection.source}
    words = _schedule_words(schedule)
    checked = counts.checked
    return [
        Stat("Last complete sync", _short(ago(connection.last_synced_at)).capitalize(), hint=words),
        Stat(
            "Rows kept aside", number(counts.kept), href=url("rejected", tenant, **source), tone="warning" if counts.kept else "neutral",
            hint="They are not in the deals" if counts.kept else "Every row could be used",
        ),
        Stat(
            "Contract violations", number(counts.violations), href=url("contract", tenant, **source), tone="warning" if counts.violations else "neutral",
            hint="Fields that are not as expected" if counts.violations else "Fields are as expected",
        ),
        Stat(
            "Months that differed", number(checked.differing) if checked else _NOTHING, href=url("checked", tenant, **source),
            hint=f"{count(checked.healed, 'row')} mended, {ago(connection.checked_at)}" if checked else "Not compared with the CRM yet",
        ),
    ]  # fmt: skip


_SHORT = {"seconds": "s", "second": "s", "minutes": "min", "minute": "min", "hours": "h", "hour": "h"}


def _short(words: str) -> str:
    """ "3 min ago": the large figures of a card have room for no more."""
    return " ".join(_SHORT.get(word, word) for word in words.split())


def _schedule_words(schedule: SyncSchedule | None) -> str:
    if schedule is None:
        return ""
    words = every(schedule.every_minutes).capitalize()
    return f"{words}, paused" if schedule.is_paused else words


def facts_of(
    connection: Connection,
    report: Report,
    schedule: SyncSchedule | None,
    counts: Counts,
    tenant: Tenant,
    may_edit: bool,
) -> list[Definition]:
    """How a connection is set up; each thing that can be changed leads to its form."""
    state = Definition("State", BADGES[report.standing])
    if connection.source not in OPENERS:
        return [state]
    form, timing = (
        url(name, tenant, source=connection.source) if may_edit else "" for name in ("connection", "schedule")
    )
    zone = tenant.timezone
    facts = [
        state,
        Definition("Account", connection.account_label or _NOTHING),
        Definition("Sign-in", _sign_in(connection), href=form),
        Definition("Address", connection.login_url or _NOTHING),
        Definition("Schedule", _schedule_words(schedule) or _NOTHING, href=timing),
        Definition("Next sync", _next(connection, schedule, zone)),
        Definition(
            "Kept for other programs", f"{connection.reserve_percent} % of the daily calls", href=timing
        ),
        Definition(
            "Field mapping",
            _mapping(counts.mapping_version),
            href=url("mapping", tenant, source=connection.source),
        ),
    ]
    return facts + _history(connection, zone)


def _mapping(version: int) -> str:
    return f"Version {version}" if version else "As it comes with the connector"


def _history(connection: Connection, zone: str) -> list[Definition]:
    facts = []
    if connection.refreshed_at:
        facts.append(Definition("Calculated fields read", local_time(connection.refreshed_at, zone)))
    if connection.checked_at:
        facts.append(Definition("Compared with the CRM", local_time(connection.checked_at, zone)))
    facts += [Definition(f"Pace by {way}", words) for way, words in _paces(connection.pace)]
    return facts + _bulk_from(connection.pace)


_WAYS = {"rest": "queries", "bulk": "Bulk jobs"}


def _paces(pace: Mapping[str, Mapping[str, float]]) -> list[tuple[str, str]]:
    """What reading was measured to take, in words: ``{"bulk": {"rows_per_second": 2e4, "seconds_before_first_row": 3}}``."""
    found = []
    for way, name in _WAYS.items():
        measured = pace.get(way, {})
        if measured.get("rows_per_second"):
            words = f"{number(round(measured['rows_per_second']))} rows a second"
            wait = measured.get("seconds_before_first_row")
            found.append((name, f"{words} after {wait:.1f} s" if wait else words))
    return found


def _bulk_from(pace: Mapping[str, Mapping[str, float]]) -> list[Definition]:
    threshold = Pace.of(pace, ROWS_A_CALL).threshold_rows
    return [] if threshold is None else [Definition("Bulk jobs from", f"{number(threshold)} changed rows on")]


def _sign_in(connection: Connection) -> str:
    if connection.state == ConnectionState.NEW:
        return "Enter credentials"
    return str(SignIn(connection.sign_in).label)
