"""A tree to SQL over the tables of an organisation."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http import HTTPStatus

from sandbox.errors import ApiError, malformed
from sandbox.ids import forms
from sandbox.schema import NUMBERS, Field, Schema, SObject
from sandbox.soql.columns import Above, Column, Columns, pointing
from sandbox.soql.tree import (
    Call,
    Comparison,
    Condition,
    Junction,
    Kind,
    Literal,
    Name,
    Negation,
    Ordering,
    Query,
)

_ACCEPTED = {
    "boolean": Kind.BOOLEAN,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
    **dict.fromkeys(NUMBERS, Kind.NUMBER),
}
_SQL_OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MOST_IN_FIELDS_FUNCTION = 200


@dataclass(frozen=True)
class Plan:
    """A query ready to run: ``SELECT … {source} {where} {order} {limit}`` with ``parameters``; rows are those of table ``t``.

    ``above`` are the records that columns are read from beside the row, by the path to them.
    """

    sobject: SObject
    columns: tuple[Column, ...]
    is_count: bool
    source: str
    where: str
    order: str
    limit: str
    parameters: tuple[object, ...]
    has_conditions: bool
    above: Mapping[tuple[str, ...], Above]

    @property
    def is_in_storage_order(self) -> bool:
        """Whether rows are best read in pieces by their place in the table: nothing but deleted rows is left out.

        A condition may have an index, and reading in pieces by place would pass it by.
        """
        return not self.order and not self.limit and not self.has_conditions


@dataclass
class Conditions:
    """Makes the conditions of a query SQL, their values parameters in the order in which they come."""

    find: Callable[[Name | Call], Column]
    today: date
    parameters: list[object] = field(default_factory=list)

    def condition(self, condition: Condition) -> str:
        """SQL of a condition. Raises: ApiError INVALID_FIELD and the like."""
        match condition:
            case Junction(operator, parts):
                return "(" + f" {operator} ".join(self.condition(part) for part in parts) + ")"
            case Negation(inner):
                return f"NOT ifnull({self.condition(inner)}, 0)"
            case Comparison():
                return self._comparison(condition)

    def _comparison(self, comparison: Comparison) -> str:
        column = self.find(comparison.name)
        if column.field.type in {"textarea", "address"}:
            raise _cannot_filter(column.field)
        match comparison.operator:
            case "IN" | "NOT IN":
                return self._membership(column, comparison)
            case "LIKE":
                return self._likeness(column, comparison.literals[0])
        literal = comparison.literals[0]
        if literal.kind is Kind.RELATIVE_DATE:
            return self._relative(column, comparison.operator, literal.text)
        return self._plain(column, comparison.operator, literal)

    def _bind(self, value: object) -> str:
        self.parameters.append(value)
        return "?"

    def _value(self, column: Column, literal: Literal) -> object:
        accepted = _ACCEPTED.get(column.field.type, Kind.STRING)
        if literal.kind is not accepted:
            raise _wrong_kind(column.field, literal)
        return float(literal.text) if accepted is Kind.NUMBER else literal.text

    def _plain(self, column: Column, operator: str, literal: Literal) -> str:
        if literal.kind is Kind.NULL:
            if operator not in {"=", "!="}:
                raise _wrong_operator(column.field, operator)
            return f"{column.sql} IS {'' if operator == '=' else 'NOT '}NULL"
        value = self._value(column, literal)
        left = column.comparable
        if column.field.type in {"id", "reference"} and operator in {"=", "!="}:
            places = ", ".join(self._bind(form) for form in forms(literal.text))
            return f"{left} IN ({places})" if operator == "=" else f"ifnull({left} NOT IN ({places}), 1)"
        bound = self._bind(value)
        if operator == "=":
            return f"{left} = {bound}"
        if operator == "!=":
            return f"{left} IS NOT {bound}"
        return f"{left} {_SQL_OPERATORS[operator]} {bound}"

    def _membership(self, column: Column, comparison: Comparison) -> str:
        kept = [each for each in comparison.literals if each.kind is not Kind.NULL]
        known = [self._value(column, each) for each in kept]
        if column.field.type in {"id", "reference"}:
            known = [form for each in known for form in forms(str(each))]
        values = json.dumps(known)
        inside = f"{column.comparable} IN (SELECT value FROM json_each({self._bind(values)}))"
        allows_null = len(kept) < len(comparison.literals)
        if comparison.operator == "IN":
            return f"({inside} OR {column.sql} IS NULL)" if allows_null else inside
        return f"({column.sql} IS NOT NULL AND NOT {inside})" if allows_null else f"ifnull(NOT {inside}, 1)"

    def _likeness(self, column: Column, literal: Literal) -> str:
        if column.field.type in {"id", "reference", "boolean", "date", "datetime", *NUMBERS}:
            raise _wrong_operator(column.field, "like")
        return f"{column.sql} LIKE {self._bind(self._value(column, literal))} ESCAPE '\\'"

    def _relative(self, column: Column, operator: str, text: str) -> str:
        if column.field.type not in {"date", "datetime"}:
            raise _wrong_kind(column.field, Literal(Kind.RELATIVE_DATE, text))
        first, after = _days_of(text, self.today)
        match operator:
            case "=":
                return f"({column.sql} >= {self._bind(first)} AND {column.sql} < {self._bind(after)})"
            case "!=":
                return f"ifnull({column.sql} < {self._bind(first)} OR {column.sql} >= {self._bind(after)}, 1)"
            case "<" | ">=":
                return f"{column.sql} {operator} {self._bind(first)}"
        return f"{column.sql} {'<' if operator == '<=' else '>='} {self._bind(after)}"


def ordering(query: Query, key: Ordering, column: Column) -> str:
    """SQL of one key of ORDER BY. Raises: ApiError MALFORMED_QUERY."""
    if column.field.type in {"textarea", "address"}:
        message = f"field '{column.field.name}' can not be sorted in a query call"
        raise pointing(query, key.name, "MALFORMED_QUERY", message)
    direction = "DESC" if key.is_descending else "ASC"
    return f"{column.comparable} {direction} NULLS {'LAST' if key.nulls_last else 'FIRST'}"


def _selected(query: Query, columns: Columns) -> tuple[Column, ...]:
    aliased = next((each for each in query.selected if each.alias), None)
    if aliased is not None:
        raise pointing(
            query, aliased.what, "MALFORMED_QUERY", "only aggregate expressions use field aliasing"
        )
    names = [
        name
        for each in query.selected
        for name in _written_out(query, columns.schema.visible[columns.sobject.name], each.what)
    ]
    found = tuple(columns.column(name) for name in names)
    titles = [column.title for column in found]
    for title in titles:
        if titles.count(title) > 1:
            raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_FIELD", f"duplicate field selected: {title}")
    return found


def _written_out(query: Query, sobject: SObject, name: Name | Call) -> list[Name | Call]:
    if isinstance(name, Call) or not name.path.startswith("FIELDS("):
        return [name]
    which = name.path[7:-1]
    if which != "STANDARD" and (query.limit is None or query.limit > _MOST_IN_FIELDS_FUNCTION):
        raise malformed("The SOQL FIELDS function must have a LIMIT of at most 200")
    return [
        Name(each.name, name.position)
        for each in sobject.fields.values()
        if which == "ALL" or each.is_custom == (which == "CUSTOM")
    ]


def compile_query(query: Query, schema: Schema, now: datetime, *, with_deleted: bool) -> Plan:
    """The SQL of a query that has no groups. Raises: ApiError INVALID_TYPE, INVALID_FIELD and the like, worded as Salesforce does."""
    columns = Columns(schema, query, now, entity_of(query, schema))
    if query.has_subquery:
        raise pointing(query, query.entity, "INVALID_TYPE", "Child subqueries are not understood here")
    selected = _selected(query, columns)
    above = dict(columns.above)  # conditions may lead to more, which no record shows
    conditions = Conditions(columns.column, now.date())
    where = where_of(query, columns.sobject, conditions, with_deleted=with_deleted)
    order = ", ".join(ordering(query, key, columns.column(key.name)) for key in query.order)
    return Plan(
        sobject=columns.sobject,
        columns=selected,
        is_count=query.is_count,
        source=source_of(columns),
        where=where,
        order=f"ORDER BY {order}, t.rowid" if order else "",
        limit=limit_of(query),
        parameters=tuple(conditions.parameters),
        has_conditions=query.where is not None,
        above=above,
    )


def source_of(columns: Columns) -> str:
    """FROM with all joins that were needed."""
    return " ".join([f'FROM "{columns.sobject.name}" t', *columns.joins.values()])


def where_of(query: Query, sobject: SObject, conditions: Conditions, *, with_deleted: bool) -> str:
    """WHERE, deleted rows left out unless they are wanted."""
    living = [] if with_deleted or not sobject.has_recycle_bin else ["t.\"IsDeleted\" IS NOT 'true'"]
    asked = [] if query.where is None else [conditions.condition(query.where)]
    both = [*living, *asked]
    return f"WHERE {' AND '.join(both)}" if both else ""


def limit_of(query: Query) -> str:
    """LIMIT and OFFSET, where there is either."""
    if query.limit is None and query.offset is None:
        return ""
    return f"LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset or 0}"


def entity_of(query: Query, schema: Schema) -> SObject:
    """The object that is queried, with hidden fields too. Raises: ApiError INVALID_TYPE."""
    by_lower_name = {name.lower(): name for name in schema.visible}
    found = by_lower_name.get(query.entity.path.lower())
    if found is None:
        raise pointing(
            query, query.entity, "INVALID_TYPE",
            f"sObject type '{query.entity.path}' is not supported. If you are attempting to use a custom object, be sure to "
            "append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
        )  # fmt: skip
    return schema.objects[found]


def _days_of(text: str, today: date) -> tuple[str, str]:
    """First day and the day after the last, as dates."""
    word, _, number = text.partition(":")
    days = min(int(number or 0), 100_000)
    first, length = {
        "TODAY": (0, 1),
        "YESTERDAY": (-1, 1),
        "TOMORROW": (1, 1),
        "LAST_N_DAYS": (-days, days + 1),
        "NEXT_N_DAYS": (1, days),
    }[word]
    start = today + timedelta(days=first)
    return start.isoformat(), (start + timedelta(days=length)).isoformat()


def _wrong_kind(field_: Field, literal: Literal) -> ApiError:
    wanted = {
        "datetime": "dateTime",
        "currency": "double",
        "percent": "double",
        "id": "string",
        "reference": "string",
    }
    quotes = (
        "should not be enclosed in quotes" if literal.kind is Kind.STRING else "should be enclosed in quotes"
    )
    is_quotable = _ACCEPTED.get(field_.type, Kind.STRING) is Kind.STRING
    tail = f" and {quotes}" if is_quotable or literal.kind is Kind.STRING else ""
    message = f"value of filter criterion for field '{field_.name}' must be of type {wanted.get(field_.type, field_.type)}{tail}"
    return ApiError(HTTPStatus.BAD_REQUEST, "INVALID_FIELD", message)


def _wrong_operator(field_: Field, operator: str) -> ApiError:
    return ApiError(
        HTTPStatus.BAD_REQUEST,
        "INVALID_QUERY_FILTER_OPERATOR",
        f"invalid operator '{operator}' on field {field_.name}",
    )


def _cannot_filter(field_: Field) -> ApiError:
    message = f"field '{field_.name}' can not be filtered in a query call"
    return ApiError(HTTPStatus.BAD_REQUEST, "INVALID_FIELD", message)
