"""The filters of the deals list: read once from an address, used by page, export and API alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from pages.templatetags.formats import minor_digits
from pipeline.models import Band

T = TypeVar("T")
SEARCH_LENGTH = 100
SEARCH_WORDS = 6
_LARGEST = Decimal(10) ** 15


class DealState(StrEnum):
    """Which deals a list holds."""

    OPEN = "open"
    CLOSED = "closed"
    WON = "won"
    LOST = "lost"
    ALL = "all"


class Hygiene(StrEnum):
    """What may be wrong with how a deal is kept, by the workspace's thresholds."""

    STALE = "stale"
    STALE_CRITICAL = "stale_critical"
    PAST_CLOSE = "past_close"


class SortKey(StrEnum):
    """What a list can be sorted by; a leading minus in the address turns the order round."""

    CLOSE_ON = "close_on"
    AMOUNT = "amount"
    SCORE = "score"
    NAME = "name"
    STAGE_AGE = "stage_age"


@dataclass(frozen=True)
class DealFilters:
    """What a list is narrowed to. Owners are internal ids, amounts minor units; empty and None mean everything."""

    owners: tuple[int, ...] = ()
    stages: tuple[str, ...] = ()
    bands: tuple[Band, ...] = ()
    hygiene: tuple[Hygiene, ...] = ()
    amount_min_minor: int | None = None
    amount_max_minor: int | None = None
    close_from: date | None = None
    close_to: date | None = None
    state: DealState = DealState.OPEN
    is_shared: bool = False
    search: str = ""
    sort: SortKey = SortKey.CLOSE_ON
    is_descending: bool = False

    @property
    def words(self) -> list[str]:
        """The words as typed, whose beginnings name or account must hold, all of them; the whole may be the deal's CRM id."""
        return self.search.split()[:SEARCH_WORDS]

    @property
    def is_default(self) -> bool:
        """Whether nothing is narrowed down; the order does not count."""
        return replace(self, sort=SortKey.CLOSE_ON, is_descending=False) == DealFilters()


@dataclass(frozen=True)
class FilterFacts:
    """What the workspace knows about values: its currency, its stages, and how to find visible owners.

    ``owners_named`` gives the internal ids of those CRM ids or e-mail addresses that the reader can see.
    """

    currency: str
    stages: Sequence[str]
    owners_named: Callable[[Sequence[str]], Mapping[str, int]]


@dataclass
class ParsedFilters:
    """The filters that could be read, and a sentence for each field that could not; the rest still holds."""

    filters: DealFilters
    errors: dict[str, str] = field(default_factory=dict)
    stages: Sequence[str] = ()
    """The stages that could be asked for."""


class Parameters(Protocol):
    """The query part of an address: Django's ``QueryDict`` is one."""

    def getlist(self, key: str, /) -> list[Any]: ...

    def get(self, key: str, /) -> Any: ...


class _Refused(ValueError):
    """A value cannot be used; the text says what would be right. ``usable`` is what was asked for beside it."""

    def __init__(self, sentence: str, usable: tuple[Any, ...] = ()) -> None:
        super().__init__(sentence)
        self.usable = usable


class _Reading:
    """One reading of an address: gives values, remembers refusals."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.errors: dict[str, str] = {}

    def text(self, name: str) -> str:
        return str(self.parameters.get(name) or "").strip()

    def one(self, name: str, reader: Callable[[str], T]) -> T | None:
        try:
            return reader(self.text(name))
        except _Refused as refused:
            self.errors[name] = str(refused)
            return None

    def several(self, name: str, reader: Callable[[list[str]], tuple[Any, ...]]) -> tuple[Any, ...]:
        given = [str(value).strip() for value in self.parameters.getlist(name)]
        try:
            return reader([value for value in dict.fromkeys(given) if value])
        except _Refused as refused:
            self.errors[name] = str(refused)
            return refused.usable


def parse(parameters: Parameters, facts: FilterFacts) -> ParsedFilters:
    """Read the filters of an address. Never raises: what cannot be used is left out and explained."""
    read = _Reading(parameters)
    sort = read.one("sort", lambda value: _one_of(SortKey, value.removeprefix("-"), "sort order"))
    filters = DealFilters(
        owners=read.several("owner", lambda values: _owners(values, facts)),
        stages=read.several("stage", lambda values: _stages(values, facts)),
        bands=read.several("band", lambda values: _some_of(Band, values, "band")),
        hygiene=read.several("hygiene", lambda values: _some_of(Hygiene, values, "hygiene flag")),
        amount_min_minor=read.one("amount_min", lambda value: _amount(value, facts.currency)),
        amount_max_minor=read.one("amount_max", lambda value: _amount(value, facts.currency)),
        close_from=read.one("close_from", _day),
        close_to=read.one("close_to", _day),
        state=read.one("state", lambda value: _one_of(DealState, value, "state")) or DealState.OPEN,
        is_shared=read.one("shared", _yes) or False,
        search=read.one("q", _search) or "",
        sort=sort or SortKey.CLOSE_ON,
        is_descending=sort is not None and read.text("sort").startswith("-"),
    )
    return ParsedFilters(filters, {**read.errors, **_contradictions(filters)}, facts.stages)


def _contradictions(filters: DealFilters) -> dict[str, str]:
    found = {}
    if filters.close_from and filters.close_to and filters.close_from > filters.close_to:
        found["close_to"] = "The last close date lies before the first. Swap the two dates."
    low, high = filters.amount_min_minor, filters.amount_max_minor
    if low is not None and high is not None and low > high:
        found["amount_max"] = "The largest amount is below the smallest. Swap the two amounts."
    return found


def _one_of(allowed: type[StrEnum] | Any, value: str, what: str) -> Any:
    if not value:
        return None
    try:
        return allowed(value)
    except ValueError:
        raise _Refused(f"“{value[:60]}” is not a {what}. Use one of: {_listed(allowed)}.") from None


def _some_of(allowed: Any, values: Iterable[str], what: str) -> tuple[Any, ...]:
    return _usable(
        values,
        {member.value: member for member in allowed},
        lambda value: f"“{value}” is not a {what}. Use one of: {_listed(allowed)}.",
    )


def _usable(
    values: Iterable[str], known: Mapping[str, Any], refusal: Callable[[str], str]
) -> tuple[Any, ...]:
    """What ``known`` says of these values. Raises: _Refused for the first unknown one, with what the others mean."""
    found = tuple(dict.fromkeys(known[value] for value in values if value in known))
    for value in values:
        if value not in known:
            raise _Refused(refusal(value[:60]), found)
    return found


def _listed(allowed: Any) -> str:
    return ", ".join(member.value for member in allowed)


def _owners(values: list[str], facts: FilterFacts) -> tuple[int, ...]:
    return _usable(
        values,
        facts.owners_named(values) if values else {},
        lambda value: (
            f"“{value}” is no owner whose deals you can see. Use an owner's CRM id or e-mail address."
        ),
    )


def _stages(values: list[str], facts: FilterFacts) -> tuple[str, ...]:
    known = {stage.lower(): stage for stage in facts.stages}
    return _usable(
        values,
        {value: known[value.lower()] for value in values if value.lower() in known},
        lambda value: f"“{value}” is not a stage of this workspace. Use one of: {', '.join(facts.stages)}.",
    )


def _amount(value: str, currency: str) -> int | None:
    if not value:
        return None
    try:
        amount = Decimal(value.replace(",", ""))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) >= _LARGEST:
        raise _Refused(f"“{value[:60]}” is not an amount. Use a number like 25000 or 1999.50.")
    return int(amount.scaleb(minor_digits(currency)).to_integral_value())


def _day(value: str) -> date | None:
    if not value:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise _Refused(f"“{value[:60]}” is not a date. Use one like 2026-03-31.") from None


def _yes(value: str) -> bool:
    if value not in ("", "with_me"):
        raise _Refused(f"“{value[:60]}” is not known here. Use with_me, or leave it out.")
    return bool(value)


def _search(value: str) -> str:
    if "\x00" in value or len(value) > SEARCH_LENGTH:
        raise _Refused(f"Search for at most {SEARCH_LENGTH} characters of a deal's or an account's name.")
    if value and not any(map(str.isalnum, value)):
        raise _Refused(
            f"“{value}” has no letter or digit. Search for words of a deal's or an account's name, or for their beginnings."
        )
    return value
