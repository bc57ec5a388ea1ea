"""What a portal was asked, how near its limits that came, and whom it turns away."""

import re
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import date

from sandbox.clock import Clock
from sandbox.hubspot.errors import HubSpotError, rate_limited
from sandbox.hubspot.switches import Switches

Header = tuple[bytes, bytes]
_ID = re.compile(r"(?<=/)\d{2,}(?=/|$)")
_TEN_SECONDS, _SECOND = 10.0, 1.0


class Window:
    """Moments of the last so many seconds, and the most there ever were at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._moments: deque[float] = deque()
        self.peak = 0

    def count(self, now: float) -> int:
        """How many there are at ``now``."""
        while self._moments and self._moments[0] <= now - self._seconds:
            self._moments.popleft()
        return len(self._moments)

    def add(self, now: float) -> None:
        """One more, at ``now``."""
        self._moments.append(now)
        self.peak = max(self.peak, self.count(now))

    def oldest_leaves_in(self, now: float) -> float:
        """Seconds until there is room for another."""
        return self._moments[0] + self._seconds - now if self._moments else 0.0


class Traffic:
    """The calls of a portal. Two windows a limit: what was let in, which it goes by, and what was asked, which tests look at."""

    def __init__(self, switches: Callable[[], Switches], clock: Clock) -> None:
        self._switches = switches
        self._clock = clock
        self.used_today = 0
        self._day: date | None = None
        self.in_flight = 0
        self.forget()

    def forget(self) -> None:
        """Count from nothing again; what is within a limit's window goes with it."""
        self._let_in, self._searches_let_in = Window(_TEN_SECONDS), Window(_SECOND)
        self._asked, self._searches_asked = Window(_TEN_SECONDS), Window(_SECOND)
        self._calls: Counter[tuple[str, str, int]] = Counter()
        self.most_in_flight = 0
        self.refused: Counter[str] = Counter()

    def admit(self, *, is_search: bool) -> tuple[HubSpotError, float] | None:
        """Count a call; None to let it in, else the refusal and in how many seconds there is room again."""
        now = time.monotonic()
        self._asked.add(now)
        if is_search:
            self._searches_asked.add(now)
        refusal = self._refusal(now, is_search=is_search)
        if refusal is not None:
            self.refused[str(refusal[0].more["policyName"])] += 1
            return refusal
        self._let_in.add(now)
        if is_search:
            self._searches_let_in.add(now)
        self.used_today += 1
        return None

    def _refusal(self, now: float, *, is_search: bool) -> tuple[HubSpotError, float] | None:
        switches = self._switches()
        self._turn_the_day()
        if self.used_today >= switches.calls_per_day:
            return rate_limited("DAILY", "daily"), 3600.0
        if self._let_in.count(now) >= switches.calls_per_ten_seconds:
            return rate_limited(
                "TEN_SECONDLY_ROLLING", "ten_secondly_rolling"
            ), self._let_in.oldest_leaves_in(now)
        if is_search and self._searches_let_in.count(now) >= switches.searches_per_second:
            return rate_limited("SECONDLY", "secondly"), self._searches_let_in.oldest_leaves_in(now)
        return None

    def _turn_the_day(self) -> None:
        today = self._clock.now().date()
        if today != self._day:
            self._day, self.used_today = today, 0

    def headers(self) -> list[Header]:
        """How much of the limits is left. Search answers go without."""
        switches, now = self._switches(), time.monotonic()
        most, used = switches.calls_per_ten_seconds, self._let_in.count(now)
        told = {
            "Daily": switches.calls_per_day, "Daily-Remaining": max(0, switches.calls_per_day - self.used_today),
            "Interval-Milliseconds": 10_000, "Max": most, "Remaining": max(0, most - used), "Secondly": most // 10,
            "Secondly-Remaining": max(0, most // 10 - 1),
        }  # fmt: skip
        return [
            (f"x-hubspot-ratelimit-{name.lower()}".encode(), str(value).encode())
            for name, value in told.items()
        ]

    def note(self, method: str, path: str, status: int) -> None:
        """An answered call."""
        self._calls[method, _ID.sub("{id}", path), status] += 1

    def started(self) -> None:
        """A call has come in."""
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def shown(self) -> dict[str, object]:
        """Calls by method, path and status; how many were turned away by which limit; the peaks of what was asked."""
        return {
            "calls": [{"method": key[0], "path": key[1], "status": key[2], "calls": number}
                      for key, number in sorted(self._calls.items())],
            "total": sum(self._calls.values()), "refused": dict(self.refused), "used_today": self.used_today,
            "peak_calls_in_ten_seconds": self._asked.peak, "peak_searches_in_a_second": self._searches_asked.peak,
            "most_in_flight": self.most_in_flight,
        }  # fmt: skip
