"""``/crm/v3/objects/…/search``: filters to SQL, over what the index shows, which may lag behind the records."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from starlette.routing import BaseRoute

from sandbox.hubspot.calls import Call, Id, paged, route
from sandbox.hubspot.errors import invalid
from sandbox.hubspot.kinds import Kind
from sandbox.hubspot.moments import milliseconds_of
from sandbox.hubspot.objects import may
from sandbox.hubspot.portals import Portal
from sandbox.hubspot.reading import Wanted

_MOST_GROUPS, _MOST_FILTERS, _MOST_IN_ALL = 5, 6, 18
_MOST_ON_A_PAGE = 200
_LONGEST_INTEGER = 19  # SQLite has no longer ones
_COMPARISONS = {"EQ": "=", "NEQ": "<>", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
_INDEX = """
    SELECT id, created_ms, updated_ms, archived_ms, properties, NULL AS history FROM {kind}
    WHERE archived_ms IS NULL AND id NOT IN (SELECT id FROM lagging WHERE kind = '{kind}' AND until_ms > :now)
    UNION ALL
    SELECT id, created_ms, updated_ms, NULL, properties, NULL FROM lagging
    WHERE properties IS NOT NULL
      AND seq IN (SELECT min(seq) FROM lagging WHERE kind = '{kind}' AND until_ms > :now GROUP BY id)
"""
Value = str | int | float | bool


class Filter(msgspec.Struct, rename="camel"):
    """A condition on one property."""

    property_name: str
    operator: str
    value: Value | None = None
    values: list[Value] = []
    high_value: Value | None = None


class FilterGroup(msgspec.Struct):
    """Conditions that must all hold."""

    filters: list[Filter] = []


class Sort(msgspec.Struct, rename="camel"):
    """What to order by."""

    property_name: str
    direction: str = "ASCENDING"


class Search(msgspec.Struct, rename="camel"):
    """The body of a search; records must fit one of the groups."""

    filter_groups: list[FilterGroup] = []
    filters: list[Filter] = []
    sorts: list[Sort | str] = []
    query: str | None = None
    properties: list[str] = []
    limit: int = 10
    after: Id | None = None


@dataclass
class _Conditions:
    """SQL conditions, and the values that they are about."""

    portal: Portal
    kind: Kind
    parameters: dict[str, object] = field(default_factory=dict)

    def mark(self, value: object) -> str:
        """A parameter for a value."""
        name = f"v{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def of(self, search: Search) -> str:
        """The condition of a whole search."""
        groups = [*search.filter_groups, *([FilterGroup(search.filters)] if search.filters else [])]
        filled = [group.filters for group in groups if group.filters]
        _check_numbers(filled)
        parts = (
            [" OR ".join("(" + " AND ".join(map(self._one, filters)) + ")" for filters in filled)]
            if filled
            else []
        )
        if search.query:
            words = " || ' ' || ".join(
                f"ifnull(json_extract(r.properties, '$.{name}'), '')" for name in self.kind.shown
            )
            parts.append(f"{words} LIKE {self.mark(f'%{search.query}%')}")
        return " AND ".join(f"({part})" for part in parts) or "1"

    def _one(self, filter_: Filter) -> str:
        if filter_.property_name not in self.portal.catalogue.properties(self.kind):
            raise invalid(
                f"There was a problem with the request. Property {filter_.property_name} does not exist"
            )
        operator, text = filter_.operator, self._text(filter_.property_name)
        has = "1" if filter_.property_name in self._columns() else f"ifnull({text}, '') <> ''"
        if operator == "HAS_PROPERTY":
            return has
        if operator == "NOT_HAS_PROPERTY":
            return f"ifnull({text}, '') = ''"
        if operator in {"CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"}:
            found = f"has_token({text}, {self.mark(str(filter_.value))})"
            return found if operator == "CONTAINS_TOKEN" else f"({has} AND NOT {found})"
        return f"({has} AND {self._compared(filter_)})"

    def _compared(self, filter_: Filter) -> str:
        name, operator = filter_.property_name, filter_.operator
        value = self.comparable(name)
        if operator in _COMPARISONS:
            return f"{value} {_COMPARISONS[operator]} {self._operand(name, filter_.value)}"
        if operator == "BETWEEN":
            return f"{value} BETWEEN {self._operand(name, filter_.value)} AND {self._operand(name, filter_.high_value)}"
        if operator in {"IN", "NOT_IN"}:
            listed = ", ".join(self._operand(name, each) for each in filter_.values)
            return f"{value} {operator.replace('_', ' ')} ({listed})"
        raise invalid(f"Invalid input JSON on line 1, column 1: {operator} is not one of the operators")

    def _operand(self, name: str, value: Value | None) -> str:
        if value is None:
            raise invalid(f"There was a problem with the request. The filter on {name} has no value")
        kind = self._type(name)
        if kind in {"date", "datetime"}:
            moment = milliseconds_of(value)
            if moment is None:
                raise invalid(f"There was a problem with the request. {value} is not a moment")
            return self.mark(moment)
        if kind == "number":
            return self.mark(_number(value))
        return self.mark(("true" if value else "false") if isinstance(value, bool) else str(value).lower())

    def _type(self, name: str) -> str:
        return str(self.portal.catalogue.properties(self.kind)[name]["type"])

    def _text(self, name: str) -> str:
        worked_out = self.portal.catalogue.calculated(self.kind, name)
        return f"({worked_out})" if worked_out else f"json_extract(r.properties, '$.{name}')"

    def _columns(self) -> dict[str, str]:
        """The properties that have a column of their own, and always a value."""
        return {"hs_object_id": "r.id", self.kind.created: "r.created_ms", self.kind.modified: "r.updated_ms"}

    def comparable(self, name: str) -> str:
        """A property as SQL that compares as its type does; the columns as themselves, so that indexes serve."""
        if column := self._columns().get(name):
            return column
        text, kind = self._text(name), self._type(name)
        if kind in {"date", "datetime"}:
            return f"CAST((julianday({text}) - 2440587.5) * 86400000 + 0.5 AS INTEGER)"
        return f"CAST({text} AS REAL)" if kind == "number" else f"lower({text})"


def _number(value: Value) -> float | int:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < _LONGEST_INTEGER:
        return int(value)
    try:
        return float(value)
    except ValueError as error:
        raise invalid(f"There was a problem with the request. {value} is not a number") from error


def _check_numbers(groups: list[list[Filter]]) -> None:
    in_all = sum(map(len, groups))
    if len(groups) > _MOST_GROUPS:
        raise invalid(
            f"There was a problem with the request. At most {_MOST_GROUPS} filter groups are allowed, found {len(groups)}"
        )
    if in_all > _MOST_IN_ALL or any(len(filters) > _MOST_FILTERS for filters in groups):
        raise invalid(
            f"There was a problem with the request. At most {_MOST_FILTERS} filters in a group and {_MOST_IN_ALL} in all are allowed"
        )


def _search(call: Call) -> object:
    kind, search = may(call, "read"), call.decoded(Search)
    after = _checked_after(search, call.portal.switches.search_reach)
    conditions = _Conditions(call.portal, kind)
    where = conditions.of(search)
    order = ", ".join(_order(conditions, search))
    wanted = Wanted.of(call.portal, kind, search.properties)
    source = _source(call.portal, kind)
    parameters = {**conditions.parameters, "now": call.portal.now_ms()}
    found = call.portal.store.row(f"SELECT count(*) FROM {source} WHERE {where}", parameters)
    total = int(found[0]) if found else 0
    sql = f"SELECT {wanted.columns(call.portal)} FROM {source} WHERE {where} ORDER BY {order} LIMIT :limit OFFSET :after"
    rows = call.portal.store.rows(sql, parameters | {"limit": search.limit, "after": after})
    return paged(
        [wanted.shown(row) for row in rows],
        after + len(rows) if after + len(rows) < total else None,
        total=total,
    )


def _checked_after(search: Search, reach: int) -> int:
    text = str(search.after or "0")
    if not 1 <= search.limit <= _MOST_ON_A_PAGE:
        raise invalid(f"There was a problem with the request. limit must be between 1 and {_MOST_ON_A_PAGE}")
    if not text.isdecimal():
        raise invalid(f"There was a problem with the request. Invalid paging offset: {text}")
    if int(text) + search.limit > reach:
        raise invalid(
            "The request is invalid.",
            errors=[
                {
                    "message": f"paging past {reach} results is not supported: after={text}, limit={search.limit}"
                }
            ],
        )
    return int(text)


def _source(portal: Portal, kind: Kind) -> str:
    """The rows that the index shows: the live records, and for those whose change it lags behind what they were before."""
    lagging = portal.store.row(
        "SELECT 1 FROM lagging WHERE kind = ? AND until_ms > ? LIMIT 1", (kind.name, portal.now_ms())
    )
    if lagging is None:
        return f"(SELECT * FROM {kind.name} WHERE archived_ms IS NULL) r"
    return f"({_INDEX.format(kind=kind.name)}) r"


def _order(conditions: _Conditions, search: Search) -> Iterator[str]:
    if len(search.sorts) > 1:
        raise invalid("There was a problem with the request. Only one sort is supported")
    for each in search.sorts:
        sort = (
            each
            if isinstance(each, Sort)
            else Sort(each.lstrip("-"), "DESCENDING" if each.startswith("-") else "ASCENDING")
        )
        if sort.property_name not in conditions.portal.catalogue.properties(conditions.kind):
            raise invalid(
                f"There was a problem with the request. Property {sort.property_name} does not exist"
            )
        yield conditions.comparable(sort.property_name) + (
            " DESC" if sort.direction.startswith("DESC") else ""
        )
    if conditions.portal.switches.unstable_sorts and search.sorts:
        yield f"r.id * {time.monotonic_ns() % 9973 + 3} % 10007"
    yield "r.id"


ROUTES: list[BaseRoute] = [route("POST", "/crm/v3/objects/{kind}/search", _search)]
