"""The time of an organisation: the machine's, shifted or standing still."""

import time
from datetime import UTC, date, datetime, timedelta


def stamp(moment: datetime) -> str:
    """A moment as it is stored and as Bulk CSV shows it: one-second grain, UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


class Clock:
    """Now, for one organisation. ``covered_lag_seconds`` is how far ``latestDateCovered`` stays behind it."""

    def __init__(self, today: date | None = None) -> None:
        self._shift = timedelta(0)
        self._fixed: datetime | None = None
        self.covered_lag_seconds = 0.0
        if today is not None:
            self._shift = timedelta(days=(today - datetime.now(UTC).date()).days)

    def now(self) -> datetime:
        """The organisation's present moment, in UTC."""
        return self._fixed or datetime.fromtimestamp(time.time(), UTC) + self._shift

    def stamp(self) -> str:
        """The present moment as text."""
        return stamp(self.now())

    def covered(self) -> datetime:
        """Up to where change lists are complete: behind now while a long transaction is open."""
        return self.now() - timedelta(seconds=self.covered_lag_seconds)

    def fix(self, moment: datetime) -> None:
        """Stand still at a moment."""
        self._fixed = moment.astimezone(UTC)

    def advance(self, seconds: float) -> None:
        """Jump ahead, and go on as before: standing or running."""
        if self._fixed is not None:
            self._fixed += timedelta(seconds=seconds)
        self._shift += timedelta(seconds=seconds)

    def run(self) -> None:
        """Go on from the machine's time, without any shift."""
        self._fixed, self._shift = None, timedelta(0)
