"""Lengths of time, ages, days as ranges of instants; ``formats`` has the plain dates and times."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_STEPS = ((60, "second", 1), (3600, "minute", 60), (86_400, "hour", 3600), (float("inf"), "day", 86_400))


def ago(value: datetime | None, now: datetime | None = None) -> str:
    """ "5 minutes ago", "in 3 hours"; "never" for nothing."""
    if value is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - value).total_seconds()
    words = duration(abs(seconds))
    return f"in {words}" if seconds < -1 else f"{words} ago"


def duration(seconds: float) -> str:
    """A length of time in its largest fitting unit: "1 minute", "3 hours"."""
    unit, size = next((unit, size) for limit, unit, size in _STEPS if seconds < limit)
    count = int(seconds // size)
    return f"{count} {unit}{'' if count == 1 else 's'}"


def day_start(value: date, zone: str) -> datetime:
    """The instant at which that day begins in ``zone``."""
    return datetime.combine(value, time.min, tzinfo=ZoneInfo(zone))


def day_end(value: date, zone: str) -> datetime:
    """The instant at which the next day begins in ``zone``: exclusive, and right on days of 23 and 25 hours."""
    return day_start(value + timedelta(days=1), zone)
