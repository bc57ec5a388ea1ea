"""Courses to records: a deal with its history, who takes part in it, and what was done about it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from sandbox.generate.accounts import account_name, contacts_of, deal_size, scattered
from sandbox.generate.course import WON, Change, Course, CourseMaker
from sandbox.generate.names import DESCRIPTIONS, EVENT_SUBJECTS, NEXT_STEPS, TASK_SUBJECTS
from sandbox.hubspot.kinds import FIRST_OWN_LABEL, PAIRS, PRIMARY
from sandbox.hubspot.moments import iso
from sandbox.hubspot.pipelines import PIPELINES, STAGE_IDS, long_number
from sandbox.hubspot.store import compact, encode

Row = tuple[object, ...]
Batch = dict[str, list[Row]]
_DAY, _HOUR, _MINUTE = 86_400_000, 3_600_000, 60_000
_BASE_IDS = {"companies": 7_310_000_000, "contacts": 25_400_000_000, "deals": 18_433_000_000, "calls": 41_200_000_000,
             "meetings": 42_300_000_000, "emails": 43_400_000_000, "notes": 44_500_000_000, "tasks": 45_600_000_000}  # fmt: skip
_PROBABILITIES = {
    "default": (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 0.0), "754310958": (0.3, 0.5, 0.7, 0.85, 0.95, 1.0, 0.0),
}  # fmt: skip
_LONG = {value: long_number(value) for values in _PROBABILITIES.values() for value in values}
_CONTACTS_ON_A_DEAL = (0, 1, 1, 2, 2, 3)
_PROJECTS = ("Platform", "Rollout", "Renewal", "Expansion", "Pilot", "Migration", "Licences")
_REGIONS = ("North America", "EMEA", "APAC", "LATAM")
_FORECASTS = ("PIPELINE", "PIPELINE", "BEST_CASE", "BEST_CASE", "COMMIT", "CLOSED", "OMIT")
_SECOND_PIPELINE_SHARE, _NEXT_TASK_SHARE, _OWN_COMPANY_SHARE, _NOTE_SHARE = 0.15, 0.35, 0.7, 0.12
_ARCHIVED_SHARE = 250


@dataclass(frozen=True)
class Directory:
    """The companies, contacts and owners of a portal by their number. ``midnight_ms``: when its present day began."""

    companies: int
    owner_ids: Sequence[str]
    lots: Sequence[int]
    salt: int
    midnight_ms: int

    def id_of(self, kind: str, number: int) -> int:
        """The record id of the ``number``-th record of a kind: rising, with gaps."""
        return _BASE_IDS[kind] + self.salt % 9000 * 1000 + number * 3 + scattered(number, self.salt) % 3

    def company_id(self, number: int) -> int:
        """The record id of a company."""
        return self.id_of("companies", number)

    def contact_id(self, number: int) -> int:
        """The record id of a contact."""
        return self.id_of("contacts", number)

    def owner_of(self, company: int) -> str:
        """The id of a company's owner."""
        return self.owner_ids[self.lots[scattered(company, self.salt) % len(self.lots)]]

    def created_ms(self, company: int) -> int:
        """When a company came: three to five years ago."""
        draw = scattered(company, self.salt + 1)
        return self.midnight_ms - (1100 + draw % 700) * _DAY + 9 * _HOUR + draw % _HOUR

    def archived_ms(self, number: int, salt: int, since: int, share: int) -> int | None:
        """When a record was archived, within the last eighty days; one in ``share`` was."""
        draw = scattered(number, self.salt + salt)
        return None if draw % share else max(since, self.midnight_ms - draw // share % (80 * 24) * _HOUR)


@dataclass(slots=True)
class _Deal:
    """A deal and what its children share with it."""

    id: int
    company: int
    owner_id: str
    contact_ids: list[int]
    course: Course
    pipeline: str
    created: int = 0
    touched: int = 0
    last_activity: int = 0
    activities: int = 0
    history: dict[str, list[tuple[int, str | None]]] = field(default_factory=dict)


class DealMaker:
    """Makes the deals of a portal, one after the other."""

    def __init__(self, directory: Directory, random: Random) -> None:
        self._directory = directory
        self._random = random.random
        self._choice = random.choice
        self._courses = CourseMaker(random)
        self._made = dict.fromkeys(_BASE_IDS, 0)

    def batches(self, scale: int, deals_at_once: int = 1000) -> Iterator[Batch]:
        """All ``scale`` deals, as rows by table; only one batch is alive at a time."""
        tables = (
            "deals",
            "calls",
            "meetings",
            "emails",
            "notes",
            "tasks",
            *("_".join(pair) for pair in PAIRS),
        )
        for start in range(0, scale, deals_at_once):
            batch: Batch = {table: [] for table in tables}
            for _ in range(min(deals_at_once, scale - start)):
                self._make(batch)
            yield batch

    def _next_id(self, kind: str) -> int:
        self._made[kind] = number = self._made[kind] + 1
        return self._directory.id_of(kind, number)

    def _make(self, batch: Batch) -> None:
        deal = self._start()
        self._remember(deal)
        self._activities(deal, batch)
        self._associate(deal, batch)
        batch["deals"].append(self._deal_row(deal))

    def _start(self) -> _Deal:
        company = int(self._random() ** 1.25 * self._directory.companies)
        owner = (
            self._directory.owner_of(company)
            if self._random() < _OWN_COMPANY_SHARE
            else self._directory.owner_ids[self._choice(self._directory.lots)]
        )
        wanted = self._choice(_CONTACTS_ON_A_DEAL)
        contacts = [self._directory.contact_id(number) for number in contacts_of(company)[:wanted]]
        pipeline = PIPELINES[self._random() < _SECOND_PIPELINE_SHARE]
        return _Deal(
            self._next_id("deals"),
            company,
            owner,
            contacts,
            self._courses.course(deal_size(company)),
            pipeline,
        )

    def _moment(self, day: int, order: int) -> int:
        """A time in office hours, to the millisecond; a higher ``order`` is never earlier on the same day."""
        minutes = min(order * 40 + int(self._random() * 40), 599)
        return (
            self._directory.midnight_ms
            + day * _DAY
            + 8 * _HOUR
            + minutes * _MINUTE
            + int(self._random() * _MINUTE)
        )

    def _close(self, day: int) -> str:
        return iso(self._directory.midnight_ms + day * _DAY + 17 * _HOUR)

    def _remember(self, deal: _Deal) -> None:
        """The history of stage, amount and close date, the latest first."""
        before: Change | None = None
        stages = STAGE_IDS[deal.pipeline]
        history: dict[str, list[tuple[int, str | None]]] = {"dealstage": [], "amount": [], "closedate": []}
        for order, change in enumerate(deal.course.changes):
            moment = self._moment(change.day, order)
            deal.created = deal.created or moment
            deal.touched = max(deal.touched, moment)
            if before is None or before.stage != change.stage:
                history["dealstage"].insert(0, (moment, stages[change.stage]))
            if change.amount is not None and (before is None or before.amount != change.amount):
                history["amount"].insert(0, (moment, str(change.amount)))
            if before is None or before.close_day != change.close_day:
                history["closedate"].insert(0, (moment, self._close(change.close_day)))
            before = change
        deal.history = history

    def _activities(self, deal: _Deal, batch: Batch) -> None:
        for day in deal.course.activity_days:
            self._worked(deal, day, batch)
        for day in deal.course.event_days:
            start = self._directory.midnight_ms + day * _DAY + 15 * _HOUR
            self._done(deal, "meetings", start, batch, {
                "hs_meeting_title": self._choice(EVENT_SUBJECTS), "hs_meeting_start_time": iso(start),
                "hs_meeting_end_time": iso(start + 45 * _MINUTE), "hs_meeting_outcome": "COMPLETED",
                "hs_meeting_location": "Video call"})  # fmt: skip
        if self._random() < _NOTE_SHARE:
            note = self._choice(DESCRIPTIONS) or "Spoke about the next steps."
            self._done(deal, "notes", deal.touched, batch, {"hs_note_body": f"<p>{note}</p>"})
        if deal.course.is_open and self._random() < _NEXT_TASK_SHARE:
            due = self._directory.midnight_ms + (1 + int(self._random() * 14)) * _DAY + 9 * _HOUR
            self._task(deal, deal.touched, due, batch, is_done=False)

    def _worked(self, deal: _Deal, day: int, batch: Batch) -> None:
        subject, moment = self._choice(TASK_SUBJECTS), self._moment(day, 8)
        if subject.startswith("Call"):
            self._done(deal, "calls", moment, batch, {
                "hs_call_title": subject, "hs_call_body": "Agreed the next step.", "hs_call_direction": "OUTBOUND",
                "hs_call_duration": str(60_000 + int(self._random() * 1_800_000)), "hs_call_status": "COMPLETED"})  # fmt: skip
        elif subject.startswith("Email"):
            self._done(deal, "emails", moment, batch, {
                "hs_email_subject": subject, "hs_email_direction": "EMAIL", "hs_email_status": "SENT",
                "hs_email_text": "As discussed, please find the details below."})  # fmt: skip
        else:
            self._task(deal, moment, moment, batch, is_done=True)

    def _task(self, deal: _Deal, made: int, due: int, batch: Batch, *, is_done: bool) -> None:
        values = {
            "hs_task_subject": self._choice(TASK_SUBJECTS), "hs_task_status": "COMPLETED" if is_done else "NOT_STARTED",
            "hs_task_priority": "MEDIUM", "hs_task_type": "TODO", "hs_task_is_completed": "1" if is_done else "0",
            "hs_task_completion_date": iso(made) if is_done else None,
        }  # fmt: skip
        self._done(deal, "tasks", due, batch, values, made=made)

    def _done(
        self,
        deal: _Deal,
        kind: str,
        moment: int,
        batch: Batch,
        values: dict[str, str | None],
        made: int | None = None,
    ) -> None:
        """One activity with its associations to deal, company and first contact."""
        number, created = self._next_id(kind), moment if made is None else made
        modified = created + int(self._random() * 5000)
        values |= {"hs_timestamp": iso(moment), "hubspot_owner_id": deal.owner_id, "hs_createdate": iso(created),
                   "hs_lastmodifieddate": iso(modified), "hs_object_id": str(number)}  # fmt: skip
        batch[kind].append((number, created, modified, None, compact(values), None))
        batch[f"{kind}_deals"].append((number, deal.id, 0))
        batch[f"{kind}_companies"].append((number, self._directory.company_id(deal.company), 0))
        if deal.contact_ids:
            batch[f"{kind}_contacts"].append((number, deal.contact_ids[0], 0))
        deal.activities += 1
        deal.touched = max(deal.touched, modified)
        if moment <= self._directory.midnight_ms:
            deal.last_activity = max(deal.last_activity, moment)

    def _associate(self, deal: _Deal, batch: Batch) -> None:
        company_id = self._directory.company_id(deal.company)
        batch["deals_companies"] += [(deal.id, company_id, 0), (deal.id, company_id, PRIMARY)]
        for place, contact_id in enumerate(deal.contact_ids):
            batch["deals_contacts"].append((deal.id, contact_id, 0))
            draw = self._random()
            if draw < (0.2 if place else 0.6):
                batch["deals_contacts"].append((deal.id, contact_id, FIRST_OWN_LABEL + bool(place)))

    def _deal_row(self, deal: _Deal) -> Row:
        archived = self._directory.archived_ms(deal.id, 31, deal.touched, _ARCHIVED_SHARE)
        text, history = compact(self._values(deal)), encode(deal.history).decode()
        return deal.id, deal.created, deal.touched, archived, text, history

    def _values(self, deal: _Deal) -> dict[str, str | None]:
        last, is_open = deal.course.changes[-1], deal.course.is_open
        probability, amount = _PROBABILITIES[deal.pipeline][last.stage], last.amount
        value = None if amount is None else str(amount)
        return {
            "dealname": f"{account_name(deal.company)} – {self._choice(_PROJECTS)}", "amount": value,
            "amount_in_home_currency": value, "deal_currency_code": "USD", "closedate": self._close(last.close_day),
            "createdate": iso(deal.created), "hs_lastmodifieddate": iso(deal.touched), "dealstage": STAGE_IDS[deal.pipeline][last.stage],
            "pipeline": deal.pipeline, "hs_v2_date_entered_current_stage": iso(deal.history["dealstage"][0][0]), "dealtype": self._choice(("newbusiness", "existingbusiness")),
            "description": self._choice(DESCRIPTIONS), "hs_next_step": self._choice(NEXT_STEPS) if is_open else None,
            "hs_manual_forecast_category": _FORECASTS[last.stage], "hs_deal_stage_probability": _LONG[probability],
            "hs_forecast_amount": None if amount is None else long_number(amount * probability),
            "hs_is_closed": "false" if is_open else "true", "hs_is_closed_won": "true" if last.stage == WON else "false",
            "num_associated_contacts": str(len(deal.contact_ids)), "num_notes": str(deal.activities),
            "notes_last_updated": iso(deal.last_activity) if deal.last_activity else None,
            "hs_analytics_source": "OFFLINE", "hs_object_id": str(deal.id), "hubspot_owner_id": deal.owner_id,
            "hubspot_owner_assigneddate": iso(deal.created), "region": self._choice(_REGIONS),
            "contract_value": None if amount is None else str(amount * 3), "renewal_date": self._close(last.close_day + 365)[:10],
            "is_strategic": "true" if deal.id % 11 == 0 else "false", "push_count": str(deal.course.pushes),
        }  # fmt: skip
