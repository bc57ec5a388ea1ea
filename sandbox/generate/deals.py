"""Courses to rows: a deal with its history, contact roles, tasks and events."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from sandbox.generate.accounts import Directory, account_name, contacts_of, deal_size
from sandbox.generate.course import WON, Change, Course, CourseMaker
from sandbox.generate.names import DESCRIPTIONS, EVENT_SUBJECTS, NEXT_STEPS, NOTES, TASK_SUBJECTS
from sandbox.ids import id_maker
from sandbox.objects import DEAL_TYPES, LEAD_SOURCES, ROLES_ON_A_DEAL, STAGES
from sandbox.schema import CUSTOM, STANDARD

Row = tuple[str | None, ...]
_STAGES = [(name, *facts) for name, facts in STAGES.items()]
_CONTACTS_ON_A_DEAL = (0, 1, 1, 2, 2, 3)
_PROJECTS = ("Platform", "Rollout", "Renewal", "Expansion", "Pilot", "Migration", "Licences")
_DELETED_SHARE, _NEXT_TASK_SHARE, _OWN_ACCOUNT_SHARE = 0.004, 0.35, 0.7
_EARLIEST_DAY, _LATEST_DAY = -1800, 400
_CUSTOM_REGIONS = CUSTOM["Opportunity"]["Region__c"].values
_TIMES = [f"T{8 + place // 60:02}:{place % 60:02}:{place * 7 % 60:02}.000Z" for place in range(600)]

_AUDIT = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp", "IsDeleted")
COLUMNS: dict[str, tuple[str, ...]] = {
    "Opportunity": (
        "Id", "Name", "AccountId", "OwnerId", "StageName", "Amount", "Probability", "ExpectedRevenue", "CloseDate", "Type",
        "LeadSource", "NextStep", "Description", "ForecastCategory", "ForecastCategoryName", "IsClosed", "IsWon", "PushCount",
        "LastActivityDate", "LastStageChangeDate", *_AUDIT,
        "Region__c", "Contract_Value__c", "Renewal_Date__c", "Is_Strategic__c", "Notes__c"),
    "OpportunityContactRole": ("Id", "OpportunityId", "ContactId", "Role", "IsPrimary", *_AUDIT),
    "OpportunityHistory": (
        "Id", "OpportunityId", "StageName", "Amount", "PrevAmount", "CloseDate", "PrevCloseDate", "Probability",
        "ExpectedRevenue", "ForecastCategory", "CreatedDate", "CreatedById", "SystemModstamp", "IsDeleted"),
    "Task": (
        "Id", "Subject", "WhoId", "WhatId", "AccountId", "OwnerId", "Status", "Priority", "ActivityDate", "IsClosed",
        "TaskSubtype", "CompletedDateTime", *_AUDIT),
    "Event": (
        "Id", "Subject", "WhoId", "WhatId", "AccountId", "OwnerId", "Location", "StartDateTime", "EndDateTime",
        "DurationInMinutes", "ActivityDate", "ActivityDateTime", "IsAllDayEvent", *_AUDIT),
}  # fmt: skip


@dataclass(slots=True)
class _Deal:
    """A deal and what its children share with it. ``last_touch`` is the day and time of its latest change."""

    id: str
    account: int
    account_id: str
    owner_id: str
    contact_ids: list[str]
    course: Course
    is_deleted: str
    created: str = ""
    staged: str = ""
    last_touch: str = ""


class DealMaker:
    """Makes the deals of an organisation, one after the other."""

    def __init__(self, directory: Directory, random: Random) -> None:
        self._directory = directory
        self._random = random.random
        self._choice = random.choice
        self._courses = CourseMaker(random)
        self._account_id = id_maker("001", directory.pod)
        self._contact_id = id_maker("003", directory.pod)
        self._makers = {name: id_maker(STANDARD[name].prefix, directory.pod) for name in COLUMNS}
        self._made = dict.fromkeys(COLUMNS, 0)
        self._days = {
            day: (directory.today + timedelta(days=day)).isoformat()
            for day in range(_EARLIEST_DAY, _LATEST_DAY)
        }

    def batches(self, scale: int, deals_at_once: int = 1000) -> Iterator[dict[str, list[Row]]]:
        """All ``scale`` deals, as rows by object in the order of ``COLUMNS``; only one batch is alive at a time."""
        for start in range(0, scale, deals_at_once):
            batch: dict[str, list[Row]] = {name: [] for name in COLUMNS}
            for _ in range(min(deals_at_once, scale - start)):
                self._make(batch)
            yield batch

    def _next_id(self, name: str) -> str:
        self._made[name] = number = self._made[name] + 1
        return self._makers[name](number)

    def _make(self, batch: dict[str, list[Row]]) -> None:
        deal = self._start()
        batch["OpportunityHistory"].extend(self._history_rows(deal))
        batch["Task"].extend(self._task_rows(deal))
        batch["Event"].extend(self._event_rows(deal))
        batch["OpportunityContactRole"].extend(self._role_rows(deal))
        batch["Opportunity"].append(self._deal_row(deal))

    def _start(self) -> _Deal:
        account = int(self._random() ** 1.25 * self._directory.accounts)
        lots = self._directory.lots
        owner = (
            self._directory.owner_of(account)
            if self._random() < _OWN_ACCOUNT_SHARE
            else lots[int(self._random() * len(lots))]
        )
        wanted = self._choice(_CONTACTS_ON_A_DEAL)
        return _Deal(
            self._next_id("Opportunity"), account, self._account_id(account + 1), self._directory.owner_ids[owner],
            [self._contact_id(number + 1) for number in contacts_of(account)[:wanted]],
            self._courses.course(deal_size(account)), "true" if self._random() < _DELETED_SHARE else "false",
        )  # fmt: skip

    def _moment(self, day: int, order: int) -> str:
        """A time in office hours; a higher ``order`` is never earlier on the same day."""
        return self._days[day] + _TIMES[min(order * 40 + int(self._random() * 40), len(_TIMES) - 1)]

    def _touch(self, deal: _Deal, moment: str) -> None:
        if moment > deal.last_touch:
            deal.last_touch = moment

    def _history_rows(self, deal: _Deal) -> Iterator[Row]:
        before: Change | None = None
        for order, change in enumerate(deal.course.changes):
            moment = self._moment(change.day, order)
            deal.created = deal.created or moment
            if before is None or before.stage != change.stage:
                deal.staged = moment
            self._touch(deal, moment)
            name, probability, category, _ = _STAGES[change.stage]
            yield (
                self._next_id("OpportunityHistory"), deal.id, name, _money(change.amount),
                _money(before.amount) if before else None, self._days[change.close_day],
                self._days[before.close_day] if before else None, f"{probability}.0",
                _expected(change.amount, probability), category, moment, deal.owner_id, moment, deal.is_deleted,
            )  # fmt: skip
            before = change

    def _task_rows(self, deal: _Deal) -> Iterator[Row]:
        for day in deal.course.activity_days:
            yield self._task_row(deal, day, day, is_done=True)
        if deal.course.is_open and self._random() < _NEXT_TASK_SHARE:
            yield self._task_row(
                deal, deal.course.changes[-1].day, 1 + int(self._random() * 14), is_done=False
            )

    def _task_row(self, deal: _Deal, day: int, due: int, *, is_done: bool) -> Row:
        moment, subject = self._moment(day, 8), self._choice(TASK_SUBJECTS)
        self._touch(deal, moment)
        kind = "Call" if subject.startswith("Call") else "Email" if subject.startswith("Email") else "Task"
        return (
            self._next_id("Task"), subject, deal.contact_ids[0] if deal.contact_ids else None, deal.id, deal.account_id,
            deal.owner_id, "Completed" if is_done else "Not Started", "Normal", self._days[due],
            "true" if is_done else "false", kind, moment if is_done else None,
            moment, deal.owner_id, moment, deal.owner_id, moment, deal.is_deleted,
        )  # fmt: skip

    def _event_rows(self, deal: _Deal) -> Iterator[Row]:
        for day in deal.course.event_days:
            start, end = f"{self._days[day]}T15:00:00.000Z", f"{self._days[day]}T15:45:00.000Z"
            made = self._moment(day, 4)
            self._touch(deal, end)
            yield (
                self._next_id("Event"), self._choice(EVENT_SUBJECTS), deal.contact_ids[0] if deal.contact_ids else None,
                deal.id, deal.account_id, deal.owner_id, "Video call", start, end, "45", self._days[day], start, "false",
                made, deal.owner_id, made, deal.owner_id, made, deal.is_deleted,
            )  # fmt: skip

    def _role_rows(self, deal: _Deal) -> Iterator[Row]:
        for place, contact_id in enumerate(deal.contact_ids):
            yield (
                self._next_id("OpportunityContactRole"), deal.id, contact_id, self._choice(ROLES_ON_A_DEAL),
                "false" if place else "true", deal.created, deal.owner_id, deal.created, deal.owner_id, deal.created,
                deal.is_deleted,
            )  # fmt: skip

    def _deal_row(self, deal: _Deal) -> Row:
        course, last = deal.course, deal.course.changes[-1]
        name, probability, category, category_name = _STAGES[last.stage]
        activity_day = max((*course.activity_days, *course.event_days), default=None)
        return (
            deal.id, f"{account_name(deal.account)} – {self._choice(_PROJECTS)}", deal.account_id, deal.owner_id, name,
            _money(last.amount), f"{probability}.0", _expected(last.amount, probability), self._days[last.close_day],
            self._choice(DEAL_TYPES), self._choice(LEAD_SOURCES), self._choice(NEXT_STEPS) if course.is_open else None,
            self._choice(DESCRIPTIONS), category, category_name, "false" if course.is_open else "true",
            "true" if last.stage == WON else "false", str(course.pushes),
            None if activity_day is None else self._days[activity_day], deal.staged,
            deal.created, deal.owner_id, deal.last_touch, deal.owner_id, deal.last_touch, deal.is_deleted,
            *self._custom(deal, last),
        )  # fmt: skip

    def _custom(self, deal: _Deal, last: Change) -> Row:
        """Values of the custom fields: from the deal's number, so that drawing them leaves the other draws as they were."""
        draw = self._made["Opportunity"] * 0x9E3779B1 >> 7
        is_won = last.stage == WON
        return (
            _CUSTOM_REGIONS[deal.account % len(_CUSTOM_REGIONS)],
            _money(last.amount * 12 if draw % 3 == 0 else last.amount) if last.amount is not None and is_won else None,
            self._days[last.close_day + 365] if is_won and last.close_day + 365 < _LATEST_DAY else None,
            "true" if draw % 20 == 0 else "false", NOTES[draw % len(NOTES)],
        )  # fmt: skip


def _money(amount: int | None) -> str | None:
    return None if amount is None else f"{amount}.0"


def _expected(amount: int | None, probability: int) -> str | None:
    return None if amount is None else f"{amount * probability / 100:.1f}"
