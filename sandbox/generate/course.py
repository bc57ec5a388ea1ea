"""How one deal went: the days on which it changed stage, amount and close date, and on which someone worked on it.

Days are counted from today: -1 is yesterday. Everything that has happened happened by then.
"""

import math
from dataclasses import dataclass
from random import Random
from statistics import NormalDist

BENCHMARK_DAYS = (7, 14, 21, 7, 14)
WON, LOST = 5, 6
_OPEN_SHARE, _WON_SHARE = 0.34, 0.25
_OVERDUE_SHARE, _STUCK_SHARE = 0.16, 0.14
_SHORTEST_PLAN = 10
_PACE = [math.exp(0.55 * NormalDist().inv_cdf((place + 0.5) / 256)) for place in range(256)]
_SIZES = [
    round(180 * math.exp(0.8 * NormalDist().inv_cdf((place + 0.5) / 1024))) * 100 for place in range(1024)
]
_OPEN_STAGES = (0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4)
_LOST_FROM = (0, 0, 1, 1, 1, 2, 2, 3, 4)
_PUSHES = (0, 0, 0, 0, 1, 1, 1, 2, 2, 3)
_ACTIVITIES = (0, 0, 1, 1, 1, 2, 2, 3, 4, 5)
_EVENT_SHARE = 0.22


@dataclass(slots=True)
class Change:
    """A moment in a deal's history: what stage, amount and close date were from then on."""

    day: int
    stage: int
    amount: int | None
    close_day: int


@dataclass(slots=True)
class Course:
    """A deal's history, oldest change first, and the days of its activities, the latest first."""

    changes: list[Change]
    pushes: int
    activity_days: list[int]
    event_days: list[int]
    is_open: bool


class CourseMaker:
    """Draws courses."""

    def __init__(self, random: Random) -> None:
        self._random = random.random

    def course(self, size: float) -> Course:
        """The next deal's course; ``size`` scales its amount."""
        draw = self._random()
        is_open = draw < _OPEN_SHARE
        steps = self._open_steps() if is_open else self._closed_steps(draw < _OPEN_SHARE + _WON_SHARE)
        ended = -1 if is_open else steps[-1][0]
        pushes = min(_PUSHES[int(self._random() * len(_PUSHES))], (ended - steps[0][0]) // 25)
        changes = self._priced(steps, self._amount(size, is_open))
        self._date(changes, pushes, ended, is_open)
        changes.sort(key=_day_of)
        activities, events = self._activities(changes, is_open)
        return Course(changes, pushes, activities, events, is_open)

    def _stay(self, stage: int) -> int:
        return 1 + int(BENCHMARK_DAYS[stage] * _PACE[int(self._random() * 256)])

    def _open_steps(self) -> list[tuple[int, int]]:
        stage = _OPEN_STAGES[int(self._random() * len(_OPEN_STAGES))]
        stay = int(self._stay(stage) * self._random() * 1.6)
        if self._random() < _STUCK_SHARE:
            stay = stay * 3 + 20
        return self._steps_back(stage, -1 - stay)

    def _steps_back(self, stage: int, day: int) -> list[tuple[int, int]]:
        """Entering days of each stage, back from having entered ``stage`` on ``day``."""
        steps = [(day, stage)]
        while stage > 0:
            stage -= 1
            day -= self._stay(stage)
            steps.append((day, stage))
        steps.reverse()
        return steps

    def _closed_steps(self, is_won: bool) -> list[tuple[int, int]]:
        closed_on = -1 - int(600 * self._random() ** 1.2)
        last = 4 if is_won else _LOST_FROM[int(self._random() * len(_LOST_FROM))]
        steps = self._steps_back(last, closed_on - self._stay(last))
        steps.append((closed_on, WON if is_won else LOST))
        return steps

    def _amount(self, size: float, is_open: bool) -> int | None:
        if is_open and self._random() < 0.04:
            return None
        return int(_SIZES[int(self._random() * 1024)] * size) // 100 * 100

    def _priced(self, steps: list[tuple[int, int]], amount: int | None) -> list[Change]:
        """Changes with the amount of each time: a third of the deals were re-priced at the proposal."""
        first = amount
        if amount is not None and self._random() < 0.33:
            first = int(amount * (0.6 + self._random() * 0.7)) // 100 * 100
        return [
            Change(day, stage, first if stage < 3 and len(steps) > 3 else amount, 0) for day, stage in steps
        ]

    def _date(self, changes: list[Change], pushes: int, ended: int, is_open: bool) -> None:
        """Give every change its close date, and add a change for each time the date was pushed out."""
        last = changes[-1]
        close_day = self._open_close_day(last, changes[0].day) if is_open else last.day
        started = changes[0].day
        pushed_on = sorted(started + int(self._random() * (ended - started)) for _ in range(pushes))
        room = (close_day - started - _SHORTEST_PLAN) // max(pushes, 1)
        gaps = [max(1, min(14 + int(self._random() * 31), room)) for _ in range(pushes)]
        for change in changes:
            change.close_day = close_day - sum(
                gap for day, gap in zip(pushed_on, gaps, strict=True) if day >= change.day
            )
        if not is_open:
            last.close_day = last.day
        changes.extend(self._pushed(changes, pushed_on, gaps, close_day))

    def _open_close_day(self, last: Change, started: int) -> int:
        if self._random() < _OVERDUE_SHARE and started < -2 * _SHORTEST_PLAN:
            return max(-1 - int(self._random() * 45), started + _SHORTEST_PLAN)
        return 2 + int(self._random() * (130 - 22 * last.stage))

    def _pushed(
        self, changes: list[Change], days: list[int], gaps: list[int], close_day: int
    ) -> list[Change]:
        found = []
        for place, day in enumerate(days):
            before = [change for change in changes if change.day <= day][-1]
            found.append(Change(day, before.stage, before.amount, close_day - sum(gaps[place + 1 :])))
        return found

    def _activities(self, changes: list[Change], is_open: bool) -> tuple[list[int], list[int]]:
        wanted = _ACTIVITIES[int(self._random() * len(_ACTIVITIES))]
        first, last = changes[0].day, changes[-1].day
        latest = self._latest_open_activity(first) if is_open else last
        days = [latest, *(first + int(self._random() * (latest - first)) for _ in range(wanted - 1))][:wanted]
        events = [day for day in days if self._random() < _EVENT_SHARE]
        for day in events:
            days.remove(day)
        return days, events

    def _latest_open_activity(self, first: int) -> int:
        draw = self._random()
        if draw < 0.62:
            back = int(self._random() * 6)
        elif draw < 0.8:
            back = 6 + int(self._random() * 7)
        else:
            back = 14 + int(self._random() * 60)
        return max(first, -1 - back)


def _day_of(change: Change) -> int:
    return change.day
