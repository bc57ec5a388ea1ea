"""A tree to SQL over the tables of an organisation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from http import HTTPStatus

from sandbox.errors import ApiError, malformed
from sandbox.ids import lengthen
from sandbox.schema import NUMBERS, Field, SObject
from sandbox.soql.tree import Comparison, Condition, Junction, Kind, Literal, Name, Negation, Ordering, Query

_ACCEPTED = {
    "boolean": Kind.BOOLEAN,
    "date": Kind.DATE,
    "datetime": Kind.DATETIME,
    **dict.fromkeys(NUMBERS, Kind.NUMBER),
}
_SQL_OPERATORS = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MOST_IN_FIELDS_FUNCTION = 200


@dataclass(frozen=True)
class Column:
    """One value of a row: where it goes (``("Owner", "Email")``), its field, and the SQL that gives its text."""

    path: tuple[str, ...]
    field: Field
    sql: str
    target: str | None = None

    @property
    def title(self) -> str:
        """The name in a CSV header."""
        return ".".join(self.path)


@dataclass(frozen=True)
class Plan:
    """A query ready to run: ``SELECT … {source} {where} {order} {limit}`` with ``parameters``; rows are those of table ``t``."""

    sobject: SObject
    columns: tuple[Column, ...]
    is_count: bool
    source: str
    where: str
    order: str
    limit: str
    parameters: tuple[object, ...]
    has_conditions: bool

    @property
    def is_in_storage_order(self) -> bool:
        """Whether rows are best read in pieces by their place in the table: nothing but deleted rows is left out.

        A condition may have an index, and reading in pieces by place would pass it by.
        """
        return not self.order and not self.limit and not self.has_conditions


@dataclass
class _Builder:
    objects: Mapping[str, SObject]
    query: Query
    today: date
    sobject: SObject
    joins: dict[str, str] = field(default_factory=dict)
    parameters: list[object] = field(default_factory=list)

    def column(self, name: Name) -> Column:
        """The column behind a field name, the join it needs noted. Raises: ApiError INVALID_FIELD."""
        relationship, _, last = name.path.rpartition(".")
        if not relationship or relationship.lower() == self.sobject.name.lower():
            found = self.sobject.field(last)
            if found is None:
                raise self._no_column(name, last, self.sobject.name)
            return Column((found.name,), found, _stored("t", found))
        return self._joined_column(name, relationship, last)

    def _joined_column(self, name: Name, relationship: str, last: str) -> Column:
        reference = self.sobject.reference(relationship)
        target = self.objects.get(reference.refers_to or "") if reference else None
        if reference is None or target is None:
            raise _pointing(
                self.query, name, "INVALID_FIELD",
                f"Didn't understand relationship '{relationship}' in field path. If you are attempting to use a custom "
                "relationship, be sure to append the '__r' after the custom relationship name.",
            )  # fmt: skip
        found = target.field(last)
        if found is None:
            raise self._no_column(name, last, target.name)
        alias = f"j_{reference.name}"
        self.joins[alias] = f'LEFT JOIN "{target.name}" {alias} ON {alias}."Id" = t."{reference.name}"'
        return Column((reference.relationship or "", found.name), found, _stored(alias, found), target.name)

    def _no_column(self, name: Name, last: str, entity: str) -> ApiError:
        return _pointing(
            self.query, name, "INVALID_FIELD",
            f"No such column '{last}' on entity '{entity}'. If you are attempting to use a custom field, be sure to append "
            "the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
        )  # fmt: skip

    def condition(self, condition: Condition) -> str:
        match condition:
            case Junction(operator, parts):
                return "(" + f" {operator} ".join(self.condition(part) for part in parts) + ")"
            case Negation(inner):
                return f"NOT ifnull({self.condition(inner)}, 0)"
            case Comparison():
                return self.comparison(condition)

    def comparison(self, comparison: Comparison) -> str:
        column = self.column(comparison.name)
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
        if column.field.type in {"id", "reference"}:
            return lengthen(literal.text)
        return float(literal.text) if accepted is Kind.NUMBER else literal.text

    def _plain(self, column: Column, operator: str, literal: Literal) -> str:
        if literal.kind is Kind.NULL:
            if operator not in {"=", "!="}:
                raise _wrong_operator(column.field, operator)
            return f"{column.sql} IS {'' if operator == '=' else 'NOT '}NULL"
        bound = self._bind(self._value(column, literal))
        left = _comparable(column)
        if operator == "=":
            return f"{left} = {bound}"
        if operator == "!=":
            return f"{left} IS NOT {bound}"
        return f"{left} {_SQL_OPERATORS[operator]} {bound}"

    def _membership(self, column: Column, comparison: Comparison) -> str:
        kept = [each for each in comparison.literals if each.kind is not Kind.NULL]
        values = json.dumps([self._value(column, each) for each in kept])
        inside = f"{_comparable(column)} IN (SELECT value FROM json_each({self._bind(values)}))"
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

    def ordering(self, key: Ordering) -> str:
        column = self.column(key.name)
        if column.field.type in {"textarea", "address"}:
            raise _pointing(
                self.query,
                key.name,
                "MALFORMED_QUERY",
                f"field '{column.field.name}' can not be sorted in a query call",
            )
        direction = "DESC" if key.is_descending else "ASC"
        return f"{_comparable(column)} {direction} NULLS {'LAST' if key.nulls_last else 'FIRST'}"

    def columns(self) -> tuple[Column, ...]:
        names = [name for written in self.query.fields for name in self._written_out(written)]
        columns = tuple(self.column(name) for name in names)
        titles = [column.title for column in columns]
        for title in titles:
            if titles.count(title) > 1:
                raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_FIELD", f"duplicate field selected: {title}")
        return columns

    def _written_out(self, name: Name) -> list[Name]:
        if not name.path.startswith("FIELDS("):
            return [name]
        which = name.path[7:-1]
        if which != "STANDARD" and (self.query.limit is None or self.query.limit > _MOST_IN_FIELDS_FUNCTION):
            raise malformed("The SOQL FIELDS function must have a LIMIT of at most 200")
        fields = self.sobject.fields.values()
        return [
            Name(each.name, name.position)
            for each in fields
            if which == "ALL" or each.is_custom == (which == "CUSTOM")
        ]


def compile_query(query: Query, objects: Mapping[str, SObject], today: date, *, with_deleted: bool) -> Plan:
    """The SQL of a query. Raises: ApiError INVALID_TYPE, INVALID_FIELD and the like, worded as Salesforce does."""
    builder = _Builder(objects, query, today, _entity(query, objects))
    columns = builder.columns()
    conditions = (
        [] if with_deleted or not builder.sobject.has_recycle_bin else ["t.\"IsDeleted\" IS NOT 'true'"]
    )
    if query.where is not None:
        conditions.append(builder.condition(query.where))
    order = ", ".join(builder.ordering(key) for key in query.order)
    return Plan(
        sobject=builder.sobject,
        columns=columns,
        is_count=query.is_count,
        source=" ".join([f'FROM "{builder.sobject.name}" t', *builder.joins.values()]),
        where=f"WHERE {' AND '.join(conditions)}" if conditions else "",
        order=f"ORDER BY {order}, t.rowid" if order else "",
        limit=_limit(query),
        parameters=tuple(builder.parameters),
        has_conditions=query.where is not None,
    )


def _limit(query: Query) -> str:
    if query.limit is None and query.offset is None:
        return ""
    return f"LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset or 0}"


def _entity(query: Query, objects: Mapping[str, SObject]) -> SObject:
    by_lower_name = {name.lower(): each for name, each in objects.items()}
    found = by_lower_name.get(query.entity.path.lower())
    if found is None:
        raise _pointing(
            query, query.entity, "INVALID_TYPE",
            f"sObject type '{query.entity.path}' is not supported. If you are attempting to use a custom object, be sure to "
            "append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
        )  # fmt: skip
    return found


def _stored(alias: str, field_: Field) -> str:
    """SQL for the text of a field; a compound address is made of its parts, as JSON."""
    if field_.type != "address":
        return f'{alias}."{field_.name}"'
    parts = ("Street", "City", "State", "PostalCode", "Country")
    stem = field_.name.removesuffix("Address")
    return "json_object(" + ", ".join(f"'{p[0].lower()}{p[1:]}', {alias}.\"{stem}{p}\"" for p in parts) + ")"


def _comparable(column: Column) -> str:
    """SQL whose order and equality are Salesforce's: numbers as numbers, text whatever its capitals, ids exactly."""
    if column.field.type in NUMBERS:
        return f"CAST({column.sql} AS REAL)"
    if column.field.type in {"id", "reference", "boolean", "date", "datetime"}:
        return column.sql
    return f"{column.sql} COLLATE NOCASE"


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


def _pointing(query: Query, name: Name, code: str, message: str) -> ApiError:
    """A refusal that shows the place in the query, as Salesforce's do."""
    column = name.position + 1
    excerpt = query.text[max(0, name.position - 40) : name.position + 40]
    caret = " " * min(name.position, 40) + "^"
    return ApiError(
        HTTPStatus.BAD_REQUEST, code, f"\n{excerpt}\n{caret}\nERROR at Row:1:Column:{column}\n{message}"
    )


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
