"""The filter form of the deals list: its controls, its chips, and the addresses without each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.http import QueryDict

from isolation import context
from pages.keyset import PARAMETER
from pages.objects import HEALTH_BADGES, Chip, Choice, FieldKind, FilterField, Filters, HiddenField
from pipeline.filters import DealState, Hygiene, ParsedFilters
from pipeline.models import Band
from pipeline.selectors import owners_visible

OWNERS_LISTED = 60
"""With more owners than this the filter is a field for an e-mail address: a list of thousands helps nobody."""
STATE_LABELS = {
    DealState.OPEN: "Open",
    DealState.CLOSED: "Closed",
    DealState.WON: "Won",
    DealState.LOST: "Lost",
    DealState.ALL: "Open and closed",
}
SHARED_LABEL = "Shared with me"
HYGIENE_LABELS = {
    Hygiene.STALE: "Stale",
    Hygiene.STALE_CRITICAL: "Very stale",
    Hygiene.PAST_CLOSE: "Past close date",
}
_PLAIN: tuple[tuple[str, str, FieldKind], ...] = (
    ("amount_min", "Amount from", "number"),
    ("amount_max", "Amount to", "number"),
    ("close_from", "Closes from", "date"),
    ("close_to", "Closes until", "date"),
)
_NAMES = ("q", "owner", "stage", "band", "hygiene", "state", "shared", *(name for name, _, _ in _PLAIN))


@dataclass(frozen=True)
class Address:
    """The list's own address, to be changed one parameter at a time; a change leads to the first page."""

    path: str
    query: QueryDict

    def url(self, **changes: str | None) -> str:
        """The address with these parameters set (None takes one away)."""
        return self.at(self.path, **changes)

    def at(self, path: str, **changes: str | None) -> str:
        """The same parameters at another path."""
        query = self.query.copy()
        for name, value in {PARAMETER: None, **changes}.items():
            query.pop(name, None)
            if value is not None:
                query[name] = value
        return f"{path}?{query.urlencode()}" if query else path

    def without(self, name: str, value: str) -> str:
        """The address without one value of a parameter."""
        query = self.query.copy()
        query.pop(PARAMETER, None)
        query.setlist(name, [one for one in query.getlist(name) if str(one).strip() != value])
        return f"{self.path}?{query.urlencode()}" if query.urlencode() else self.path


def filter_form(parsed: ParsedFilters, address: Address, *, tenant_id: int) -> Filters:
    """The form as asked for, with a sentence beside what could not be used."""
    owners = owners_visible(tenant_id, at_most=OWNERS_LISTED)
    fields = [
        _search(parsed, address),
        *_owner_field(owners, parsed, address),
        _several("stage", "Stage", [(stage, stage) for stage in parsed.stages], parsed, address),
        _several(
            "band", "Health", [(band.value, HEALTH_BADGES[band].label) for band in Band], parsed, address
        ),
        _several(
            "hygiene", "Hygiene", [(flag.value, HYGIENE_LABELS[flag]) for flag in Hygiene], parsed, address
        ),
        _state(parsed, address),
        *_shared(parsed),
        *(_plain(name, label, kind, parsed, address) for name, label, kind in _PLAIN),
    ]
    sort = str(address.query.get("sort") or "")
    return Filters(
        url=address.path,
        fields=fields,
        chips=list(_chips(fields, address)),
        clear_url=address.url(**dict.fromkeys(_NAMES))
        if any(address.query.get(name) for name in _NAMES)
        else "",
        hidden=[HiddenField("sort", sort)] if sort else [],
    )


def _errors(parsed: ParsedFilters, *names: str) -> list[str]:
    return [parsed.errors[name] for name in names if name in parsed.errors]


def _search(parsed: ParsedFilters, address: Address) -> FilterField:
    value = str(address.query.get("q") or "")
    # The sort order has no control of its own; what is wrong with it is said with the first one's.
    return FilterField(
        "q",
        "Search deals and accounts by the beginnings of words, or by CRM id",
        "search",
        value,
        placeholder="Deal, account, CRM id",
        errors=_errors(parsed, "q", "sort"),
    )


def _owner_field(
    owners: Sequence[tuple[str, str]] | None, parsed: ParsedFilters, address: Address
) -> Iterator[FilterField]:
    if owners is None:
        value = str(address.query.get("owner") or "")
        yield FilterField("owner", "Owner’s e-mail", "search", value, errors=_errors(parsed, "owner"))
    elif len(owners) > 1 or "owner" in parsed.errors:
        yield _several("owner", "Owner", owners, parsed, address)


def _several(
    name: str, label: str, options: Iterable[tuple[str, str]], parsed: ParsedFilters, address: Address
) -> FilterField:
    asked = {str(value).strip().lower() for value in address.query.getlist(name)}
    choices = [Choice(value, text, value.lower() in asked) for value, text in options]
    return FilterField(name, label, "multi", choices=choices, errors=_errors(parsed, name))


def _state(parsed: ParsedFilters, address: Address) -> FilterField:
    choices = [Choice(state.value, STATE_LABELS[state], state is parsed.filters.state) for state in DealState]
    return FilterField(
        "state", "State", "select", parsed.filters.state, choices, errors=_errors(parsed, "state")
    )


def _shared(parsed: ParsedFilters) -> Iterator[FilterField]:
    """Only for those with whom anything is shared, or who asked for it."""
    asked = parsed.filters.is_shared
    if asked or "shared" in parsed.errors or context.current().shares:
        choices = [Choice("", "Own and shared", not asked), Choice("with_me", SHARED_LABEL, asked)]
        value = "with_me" if asked else ""
        yield FilterField("shared", "Shares", "select", value, choices, errors=_errors(parsed, "shared"))


def _plain(name: str, label: str, kind: FieldKind, parsed: ParsedFilters, address: Address) -> FilterField:
    return FilterField(name, label, kind, str(address.query.get(name) or ""), errors=_errors(parsed, name))


def _chips(fields: Sequence[FilterField], address: Address) -> Iterator[Chip]:
    for field in fields:
        if field.kind == "multi":
            for choice in field.choices:
                if choice.selected:
                    yield Chip(f"{field.label}: {choice.label}", _without(address, field.name, choice.value))
        elif field.errors:
            continue
        elif field.name == "shared":
            if field.value:
                yield Chip(SHARED_LABEL, address.url(shared=None))
        elif field.kind == "select":
            if field.value != DealState.OPEN:
                yield Chip(
                    f"{field.label}: {STATE_LABELS[DealState(field.value)]}",
                    address.url(**{field.name: None}),
                )
        elif field.value.strip():
            label = "Search" if field.name == "q" else field.label
            yield Chip(f"{label}: {field.value}", address.url(**{field.name: None}))


def _without(address: Address, name: str, value: str) -> str:
    given = next(one for one in map(str, address.query.getlist(name)) if one.strip().lower() == value.lower())
    return address.without(name, given.strip())
