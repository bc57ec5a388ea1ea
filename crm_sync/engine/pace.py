"""What reading a CRM was measured to take, and so which way is quicker for how many rows.

Two ways: many small calls that answer at once (``rest``), and one order that takes its time and then streams (``bulk``). Only time
that is spent waiting for the CRM counts, not what the database takes meanwhile. Newer measures weigh more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

# A CRM's speed changes within hours: after five measures the first one weighs a sixth.
_WEIGHT_OF_NEW = 0.3
# Under so many rows a rate says more about the clock than about the CRM.
_ROWS_THAT_TELL = 50
# However quick: what comes by small calls is one page, and read from its beginning after a break.
MOST_ROWS_TO_CHOOSE = 100_000
_CALLS_OF_AN_ORDER = 3  # to place it, to ask for it once, to fetch it
CALLS, RATE, START = "seconds_per_call", "rows_per_second", "seconds_before_first_row"


class Stopwatch:
    """Adds up the time spent waiting."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of the body."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began

    def waits_for(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The chunks, with the time that each was waited for counted."""
        left = iter(chunks)
        while True:
            with self.running():
                chunk = next(left, None)
            if chunk is None:
                return
            yield chunk


@dataclass
class Pace:
    """The measures of one connection. ``rows_a_call`` is how many rows a small call gives at most."""

    rows_a_call: int
    measures: dict[str, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Mapping[str, Any], rows_a_call: int) -> Pace:
        """From ``Connection.pace``; what does not look like a measure is left out."""
        ways = {way: found for way in ("rest", "bulk") if isinstance(found := stored.get(way), Mapping)}
        return cls(rows_a_call, {way: _numbers(found) for way, found in ways.items()})

    def note_call(self, seconds: float) -> None:
        """A small call that gave next to nothing took so long."""
        self._note("rest", CALLS, seconds)

    def note_rest(self, rows: int, seconds: float) -> None:
        """Small calls gave so many rows."""
        self._note_rate("rest", rows, seconds, calls=math.ceil(rows / self.rows_a_call))

    def note_order(self, seconds: float, rows: int = 0) -> None:
        """An order of so many rows took so long until its first row could be fetched.

        Large ones take longer, and between them and small calls there is nothing to choose: they do not count.
        """
        if rows <= MOST_ROWS_TO_CHOOSE:
            self._note("bulk", START, seconds)

    def note_bulk(self, rows: int, seconds: float) -> None:
        """A page of an order's result came in so many seconds."""
        self._note_rate("bulk", rows, seconds, calls=1)

    def _note_rate(self, way: str, rows: int, seconds: float, *, calls: int) -> None:
        """What the calls themselves take, however few rows they give, is not counted into the rate.

        A read that took hardly longer than its calls tells nothing of the rows.
        """
        apart = calls * self.measures.get("rest", {}).get(CALLS, 0.0)
        if rows >= _ROWS_THAT_TELL and seconds > 2 * apart:
            self._note(way, RATE, rows / max(seconds - apart, 1e-6))

    def _note(self, way: str, name: str, value: float) -> None:
        known = self.measures.setdefault(way, {})
        old = known.get(name, value)
        known[name] = round(old + _WEIGHT_OF_NEW * (value - old), 6)

    @property
    def threshold_rows(self) -> int | None:
        """Up to how many rows small calls are quicker; None, as long as either way was not measured."""
        rest, bulk = self.measures.get("rest", {}), self.measures.get("bulk", {})
        if not (CALLS in rest and RATE in rest and START in bulk and RATE in bulk):
            return None
        head_start = bulk[START] + (_CALLS_OF_AN_ORDER - 1) * rest[CALLS]
        slower_by = rest[CALLS] / self.rows_a_call + 1 / rest[RATE] - 1 / bulk[RATE]
        return int(head_start / slower_by) if slower_by > head_start / _FAR else _FAR


_FAR = 1_000_000


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float) and math.isfinite(value) and value >= 0
    }
