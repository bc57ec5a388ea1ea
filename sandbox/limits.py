"""The limits of an organisation: calls and Bulk jobs in 24 hours, and calls at one time."""

import threading
import time
from collections import deque
from datetime import datetime, timedelta
from http import HTTPStatus

from sandbox.errors import ApiError
from sandbox.rules import LimitRules

_DAY = timedelta(hours=24)


class Usage:
    """What an organisation has used. The counts of a day begin anew when its clock has passed 24 hours since the first."""

    def __init__(self) -> None:
        self.calls = 0
        self.bulk_jobs = 0
        self._since: datetime | None = None
        self._lock = threading.Lock()

    def count_call(self, rules: LimitRules, now: datetime) -> None:
        """One more call of the API. Raises: ApiError REQUEST_LIMIT_EXCEEDED."""
        with self._lock:
            self._turn(now)
            if self.calls >= rules.daily:
                raise _refused(
                    "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", HTTPStatus.FORBIDDEN
                )
            self.calls += 1

    def count_job(self, rules: LimitRules, now: datetime) -> None:
        """One more Bulk query job. Raises: ApiError LIMIT_EXCEEDED."""
        with self._lock:
            self._turn(now)
            if self.bulk_jobs >= rules.bulk_jobs:
                message = f"Max bulk v2 query jobs ({rules.bulk_jobs}) per 24 hrs has been reached ({self.bulk_jobs})"
                raise _refused("LIMIT_EXCEEDED", message, HTTPStatus.BAD_REQUEST)
            self.bulk_jobs += 1

    def turn(self, now: datetime) -> None:
        """Begin anew if the day is over."""
        with self._lock:
            self._turn(now)

    def _turn(self, now: datetime) -> None:
        if self._since is None or not self._since <= now < self._since + _DAY:
            if self._since is not None:
                self.calls = self.bulk_jobs = 0
            self._since = now


class Traffic:
    """Calls in flight and calls a second, and the most there ever were of each. Only the event loop's thread writes."""

    def __init__(self) -> None:
        self.in_flight = self.most_in_flight = self.most_in_a_second = self.refused = 0
        self._last_second: deque[float] = deque()

    def begin(self, most: int) -> None:
        """A call arrives. Raises: ApiError REQUEST_LIMIT_EXCEEDED, where ``most`` are in flight; 0 is no limit."""
        now = time.monotonic()
        self._last_second.append(now)
        while self._last_second[0] <= now - 1:
            self._last_second.popleft()
        self.most_in_a_second = max(self.most_in_a_second, len(self._last_second))
        if most and self.in_flight >= most:
            self.refused += 1
            raise _refused(
                "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", HTTPStatus.FORBIDDEN
            )
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

    def end(self) -> None:
        """A call that had begun is over."""
        self.in_flight -= 1

    def clear(self) -> None:
        """Forget the records, not what is in flight."""
        self.most_in_flight, self.most_in_a_second, self.refused = self.in_flight, 0, 0
        self._last_second.clear()

    def shown(self) -> dict[str, int]:
        """The figures, as the control address gives them."""
        return {
            "in_flight": self.in_flight, "most_in_flight": self.most_in_flight, "most_in_a_second": self.most_in_a_second,
            "refused_as_concurrent": self.refused,
        }  # fmt: skip


def limit_info(rules: LimitRules, used: int, app: str) -> str | None:
    """The value of Sforce-Limit-Info in the form that is set, or None where there is to be none."""
    plain = f"api-usage={used}/{rules.daily}"
    match rules.info:
        case "none":
            return None
        case "per_app":
            return f"{plain}; per-app-api-usage={min(used, 250)}/250(appName={app})"
        case "bursts":
            return f"{plain}; api-bursts={min(used, 100)}/100"
    return plain


def _refused(code: str, message: str, status: HTTPStatus) -> ApiError:
    return ApiError(status, code, message)
