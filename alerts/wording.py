"""Numbers as people read them: a ratio as a percentage, minutes as hours and days where they are many."""

from __future__ import annotations

from alerts.registry import Unit

_HOUR = 60
_DAY = 24 * _HOUR


def number(value: float, unit: Unit) -> str:
    """``value`` with its unit, rounded so that no digit is noise: 0.1234 as a ratio is "12.3 %", 61 minutes are "61 minutes"."""
    if unit is Unit.RATIO:
        return f"{_plain(value * 100)} %"
    if unit is Unit.PERCENT:
        return f"{_plain(value)} %"
    if unit is Unit.MINUTES:
        return _duration(value)
    return _plain(value)


def _plain(value: float) -> str:
    rounded = round(value, 1)
    return f"{rounded:,.0f}" if rounded == int(rounded) else f"{rounded:,.1f}"


def _duration(minutes: float) -> str:
    if minutes >= 2 * _DAY:
        return f"{_plain(minutes / _DAY)} days"
    if minutes >= 2 * _HOUR:
        return f"{_plain(minutes / _HOUR)} hours"
    return "1 minute" if round(minutes, 1) == 1 else f"{_plain(minutes)} minutes"
