"""What a list's address asks for: reads filters from the query, refuses what does not fit, builds the addresses around it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.http import HttpRequest, QueryDict

from isolation.errors import InvalidInput
from pages.keyset import PARAMETER
from pages.objects import Chip, Choice, Column, FieldKind, FilterField, Filters, HiddenField, SortDirection

LONGEST_TEXT = 200
SORT = "sort"
_FIRST_YEAR, _LAST_YEAR = 1900, 2999


@dataclass
class Asked:
    """One reading of a query. Each method reads one filter, remembers its control and chips, and returns the value to use.

    A value that does not fit is refused next to its control and counts as not asked for.
    """

    path: str
    query: QueryDict
    fields: list[FilterField] = field(default_factory=list)
    chips: list[Chip] = field(default_factory=list)

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        """The query of this request."""
        return cls(request.path, request.GET)

    @property
    def cursor(self) -> str:
        """The keyset cursor, "" for the first page."""
        return self.query.get(PARAMETER, "")

    @property
    def has_errors(self) -> bool:
        """Whether anything that was asked for is refused."""
        return any(one.errors for one in self.fields)

    def url(self, **changes: str | None) -> str:
        """This list's address with ``changes`` (None takes a parameter away), from its first page unless ``page`` is given."""
        query = self.query.copy()
        query.pop(PARAMETER, None)
        for name, value in changes.items():
            query.pop(name, None)
            if value:
                query[name] = value
        text = query.urlencode()
        return f"{self.path}?{text}" if text else self.path

    def at(self, path: str) -> str:
        """The same filters at another address, such as the export's."""
        return Asked(path, self.query).url()

    def text(self, name: str, label: str, *, placeholder: str = "") -> str:
        """A search field."""
        value = self.query.get(name, "").strip()
        errors = []
        if len(value) > LONGEST_TEXT or "\x00" in value:
            errors, value = [f"{label}: use at most {LONGEST_TEXT} plain characters."], ""
        self._add(name, label, "search", value, errors=errors, placeholder=placeholder)
        self._chip(name, label, value)
        return value

    def choice(self, name: str, label: str, choices: Mapping[str, str], *, everything: str = "All") -> str:
        """A single choice; "" for all."""
        value, errors = self.query.get(name, ""), []
        if value and value not in choices:
            errors, value = [self._unknown(label, value, choices)], ""
        options = [Choice("", everything, not value), *(Choice(k, v, k == value) for k, v in choices.items())]
        self._add(name, label, "select", value, choices=options, errors=errors)
        self._chip(name, label, choices.get(value, ""))
        return value

    def choices(self, name: str, label: str, choices: Mapping[str, str]) -> list[str]:
        """Several choices at once; none means all."""
        given = list(dict.fromkeys(value for value in self.query.getlist(name) if value))
        errors = [self._unknown(label, value, choices) for value in given if value not in choices]
        chosen = [value for value in given if value in choices]
        options = [Choice(key, words, key in chosen) for key, words in choices.items()]
        self._add(name, label, "multi", ", ".join(chosen), choices=options, errors=errors)
        for value in chosen:
            self.chips.append(Chip(f"{label}: {choices[value]}", self._without(name, value)))
        return chosen

    def day(self, name: str, label: str) -> date | None:
        """A date."""
        text, errors, value = self.query.get(name, ""), [], None
        if text:
            try:
                value = _reasonable(date.fromisoformat(text))
            except ValueError:
                errors = [f"{label}: “{text[:40]}” is not a date. Write it as 2026-01-31."]
        self._add(name, label, "date", text if value else "", errors=errors)
        self._chip(name, label, f"{value.day} {value:%b %Y}" if value else "")
        return value

    def days(self, since: str = "from", until: str = "to") -> tuple[date | None, date | None]:
        """A range of days, both ends included."""
        first, last = self.day(since, "From"), self.day(until, "To")
        if first and last and last < first:
            shown = self.fields[-1]
            problem = "To: choose a day on or after the first one."
            self.chips.pop()
            self.fields[-1] = FilterField(shown.name, shown.label, shown.kind, shown.value, errors=[problem])
            return first, None
        return first, last

    def sort(self, orders: Iterable[str], default: str) -> str:
        """The order asked for, such as ``name`` or ``-name``. Raises: InvalidInput."""
        value = self.query.get(SORT, default)
        known = list(orders)
        if value.lstrip("-") not in known or value.startswith("--"):
            raise InvalidInput(
                field=SORT,
                problem=f"This list cannot be sorted by “{value[:40]}”. Use one of: {', '.join(known)}.",
            )
        return value

    def column(self, label: str, name: str, sort: str) -> Column:
        """The head of a sortable column."""
        direction: SortDirection | None = None
        if sort.lstrip("-") == name:
            direction = "desc" if sort.startswith("-") else "asc"
        turned = f"-{name}" if direction == "asc" else name
        return Column(label, sort_url=self.url(sort=turned), sorted=direction)

    def filters(self) -> Filters:
        """The filter form of everything read so far."""
        sort = str(self.query.get(SORT, ""))
        kept = [HiddenField(SORT, sort)] if sort else []
        clear = (
            self.url(**dict[str, str | None]({one.name: None for one in self.fields})) if self.chips else ""
        )
        return Filters(url=self.path, fields=self.fields, chips=self.chips, clear_url=clear, hidden=kept)

    def pager(self, cursor: str) -> str:
        """The address of the page at ``cursor``, "" for none."""
        return self.url(**{PARAMETER: cursor}) if cursor else ""

    def _add(
        self, name: str, label: str, kind: FieldKind, value: str, *,
        choices: Sequence[Choice] = (), errors: Sequence[str] = (), placeholder: str = "",
    ) -> None:  # fmt: skip
        self.fields.append(FilterField(name, label, kind, value, choices, placeholder, errors))

    def _chip(self, name: str, label: str, words: str) -> None:
        if words:
            self.chips.append(Chip(f"{label}: {words}", self.url(**dict[str, str | None]({name: None}))))

    def _without(self, name: str, value: str) -> str:
        rest = self.query.copy()
        rest.setlist(name, [one for one in rest.getlist(name) if one != value])
        return Asked(self.path, rest).url()

    def _unknown(self, label: str, value: str, choices: Mapping[str, str]) -> str:
        known = ", ".join(choices.values()) or "nothing yet"
        return f"{label}: there is no “{value[:40]}”. Choose from: {known}."


def _reasonable(value: date) -> date:
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:  # the day after date.max does not exist
        raise ValueError(value)
    return value
