"""The formula of a deal's health, written by hand from docs/formulas.md and not from the program."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor


@dataclass(frozen=True)
class Facts:
    """What the formula looks at. ``days_after`` is the sum of the benchmarks of the stages behind the present one."""

    days_in_stage: int
    benchmark: int
    days_after: int
    days_since_activity: int
    days_to_close: int | None
    contacts: int
    filled: int
    stale: int = 7
    very_stale: int = 14


def _rounded(weight: int, share: Fraction) -> int:
    share = min(max(share, Fraction(0)), Fraction(1))
    return floor(weight * share + Fraction(1, 2))


def parts(facts: Facts) -> tuple[int, int, int, int, int]:
    """Pace, activity, close date, contacts, completeness."""
    pace = 1 - Fraction(facts.days_in_stage - facts.benchmark, 2 * facts.benchmark)
    slope = facts.very_stale - facts.stale
    activity = 1 - Fraction(facts.days_since_activity - facts.stale, 2 * slope)
    needed = max(facts.benchmark - facts.days_in_stage, 0) + facts.days_after
    if facts.days_to_close is None or facts.days_to_close < 0:
        close = Fraction(0)
    elif facts.days_to_close >= needed:
        close = Fraction(1)
    else:
        close = Fraction(facts.days_to_close, needed)
    contacts = 5 * min(facts.contacts, 3)
    return _rounded(30, pace), _rounded(25, activity), _rounded(20, close), contacts, 2 * facts.filled


def band(score: int) -> str:
    """The band under the default thresholds."""
    return "critical" if score < 40 else "at_risk" if score < 60 else "monitor" if score < 80 else "healthy"
