"""Moments as HubSpot writes them: milliseconds since 1970, or ISO text that leaves out milliseconds that are zero."""

import re
from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = -62_135_596_800_000, 253_402_300_799_999  # the years 1 and 9999


def iso(milliseconds: int) -> str:
    """``2026-01-02T09:03:05.123Z``, or ``2026-01-02T09:03:05Z`` where the milliseconds are zero."""
    seconds, rest = divmod(milliseconds, 1000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:03}Z" if rest else f"{text}Z"


def milliseconds_of(value: object) -> int | None:
    """The moment that milliseconds, a date or an ISO text name; None for anything else."""
    text = str(value).strip()
    if re.fullmatch(r"-?\d+", text):
        return int(text) if _EARLIEST <= int(text) <= _LATEST else None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return milliseconds_at(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def milliseconds_at(moment: datetime) -> int:
    """A moment as milliseconds since 1970."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
