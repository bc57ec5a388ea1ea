"""How a connection is doing, in one word and one sentence: the same for pages, API, commands and operators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from crm_sync.connectors import OPENERS
from crm_sync.failures import FailureClass, class_of
from crm_sync.models import Connection, ConnectionState, SyncRun, SyncSchedule
from crm_sync.schedules import every
from pages.templatetags.formats import local_time
from pages.times import ago
from tenants.models import Crm, Tenant

# A sync that is late by less than this may only be waiting for its turn.
_PATIENCE = timedelta(minutes=15)


class Standing(StrEnum):
    """What somebody who looks wants to know first, from good to bad."""

    HEALTHY = "healthy"
    READING = "reading"
    PAUSED = "paused"
    UNREAD = "unread"
    WAITING = "waiting"
    LATE = "late"
    NEW = "new"
    BROKEN = "broken"
    NO_CONNECTOR = "no_connector"


@dataclass(frozen=True)
class Report:
    """A connection's standing and the sentence that goes with it."""

    standing: Standing
    sentence: str


def report_of(
    connection: Connection, schedule: SyncSchedule | None, active: SyncRun | None, tenant: Tenant
) -> Report:
    """How a connection is doing. ``active`` is its run that is queued or at work."""
    name = Crm(connection.source).label
    if connection.source not in OPENERS:
        return Report(Standing.NO_CONNECTOR, f"There is no {name} connector yet, so nothing is read from it.")
    if connection.state == ConnectionState.NEW:
        return Report(Standing.NEW, f"{name} is not connected yet: enter its credentials.")
    if connection.state == ConnectionState.NEEDS_ATTENTION:
        return Report(Standing.BROKEN, f"{name} cannot be read until somebody mends the connection.")
    if active is not None and active.error_code:
        return Report(Standing.WAITING, _waiting(name, active, tenant))
    if active is not None and active.started_at:
        return Report(Standing.READING, f"{name} is being read.")
    return _at_rest(name, connection, schedule, tenant)


def _waiting(name: str, run: SyncRun, tenant: Tenant) -> str:
    at = local_time(run.ready_at, tenant.timezone)
    if class_of(run.error_code) is FailureClass.LIMITS:
        return f"{name}'s calls are used up for now; the sync goes on at {at}."
    return f"{name} had trouble; the sync goes on by itself at {at}."


def _at_rest(name: str, connection: Connection, schedule: SyncSchedule | None, tenant: Tenant) -> Report:
    if connection.last_synced_at is None:
        return Report(Standing.UNREAD, f"{name} is connected and was not read yet.")
    last = f"last read {ago(connection.last_synced_at)}"
    if schedule is None or schedule.is_paused:
        return Report(Standing.PAUSED, f"{name} is paused: {last}, and nothing is read by itself.")
    if _is_late(connection.last_synced_at, schedule):
        return Report(
            Standing.LATE, f"{name} is late: {last}, although it is due {every(schedule.every_minutes)}."
        )
    next_at = local_time(schedule.due_at, tenant.timezone)
    return Report(Standing.HEALTHY, f"{name} is healthy: {last}, next at {next_at}.")


def _is_late(last: datetime, schedule: SyncSchedule) -> bool:
    return datetime.now(UTC) - last > 2 * timedelta(minutes=schedule.every_minutes) + _PATIENCE
