"""Queries whose rows are groups: COUNT, COUNT_DISTINCT, SUM, MIN, MAX, AVG, with GROUP BY and HAVING."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sandbox.errors import malformed
from sandbox.schema import NUMBERS, WHOLE_NUMBERS, Field, Schema
from sandbox.soql.columns import Column, Columns, pointing
from sandbox.soql.plan import Conditions, entity_of, limit_of, ordering, source_of, where_of
from sandbox.soql.tree import Call, Name, Query, Selected

_SQL = {
    "COUNT": "count({})",
    "COUNT_DISTINCT": "count(DISTINCT {})",
    "SUM": "sum({})",
    "AVG": "avg({})",
    "MIN": "min({})",
    "MAX": "max({})",
}
_NUMBERS_ONLY = {"SUM", "AVG"}
_NOT_AT_ALL = {"textarea", "address", "boolean"}
_WHOLE = Field("expr", "int")
_BROKEN = Field("expr", "double")


@dataclass(frozen=True)
class AggregatePlan:
    """``sql`` with ``parameters`` gives one row a group, its values text; ``columns`` say what each value is called and is."""

    sql: str
    parameters: tuple[object, ...]
    columns: tuple[Column, ...]


def compile_aggregate(query: Query, schema: Schema, now: datetime, *, with_deleted: bool) -> AggregatePlan:
    """The SQL of a query with groups or aggregates. Raises: ApiError, worded as Salesforce does."""
    columns = Columns(schema, query, now, entity_of(query, schema))
    grouping = _Grouping(query, columns)
    selected = tuple(grouping.titled())
    groups = [columns.column(name).sql for name in query.group_by]
    conditions = Conditions(columns.column, now.date())
    where = where_of(query, columns.sobject, conditions, with_deleted=with_deleted)
    conditions.find = grouping.column
    having = f"HAVING {conditions.condition(query.having)}" if query.having is not None else ""
    order = ", ".join(ordering(query, key, grouping.column(key.name)) for key in query.order)
    clauses = (
        f"SELECT {', '.join(column.sql for column in selected)}", source_of(columns), where,
        f"GROUP BY {', '.join(groups)}" if groups else "", having, f"ORDER BY {order}" if order else "", limit_of(query),
    )  # fmt: skip
    return AggregatePlan(" ".join(filter(None, clauses)), tuple(conditions.parameters), selected)


@dataclass
class _Grouping:
    """What may stand in a query with groups: its groups, and aggregates."""

    query: Query
    columns: Columns

    def titled(self) -> list[Column]:
        """What is selected, each with its alias, its own name, or ``expr0``, ``expr1``…"""
        named = []
        unnamed = 0
        for each in self.query.selected:
            column = self.column(each.what)
            title, unnamed = _title(each, column, unnamed)
            named.append(replace(column, path=(title,)))
            if [other.title.lower() for other in named].count(title.lower()) > 1:
                raise pointing(self.query, each.what, "MALFORMED_QUERY", f"duplicate alias: {title}")
        return named

    def column(self, what: Name | Call) -> Column:
        if isinstance(what, Call) and what.function in _SQL:
            return self._aggregate(what, _SQL[what.function].format)
        column = self.columns.column(what)
        groups = {self.columns.column(name).sql for name in self.query.group_by}
        if column.sql not in groups:
            shown = what.path if isinstance(what, Name) else what.function
            raise pointing(
                self.query, what, "MALFORMED_QUERY", f"Field must be grouped or aggregated: {shown}"
            )
        return column

    def _aggregate(self, call: Call, sql: Callable[[str], str]) -> Column:
        if call.argument is None:
            raise malformed("Grouped query cannot use COUNT(), please use COUNT(<fieldName>)")
        of = self.columns.column(call.argument)
        is_counting = call.function.startswith("COUNT")
        unfit = call.function in _NUMBERS_ONLY and of.field.type not in NUMBERS
        if unfit or (not is_counting and of.field.type in _NOT_AT_ALL):
            message = f"field {of.field.name} does not support aggregate operator {call.function}"
            raise pointing(self.query, call, "MALFORMED_QUERY", message)
        cast = "INTEGER" if of.field.type in WHOLE_NUMBERS else "REAL"
        value = f"CAST({of.sql} AS {cast})" if of.field.type in NUMBERS and not is_counting else of.sql
        return Column(("expr",), _type_of(call.function, of.field), sql(value))


def _title(selected: Selected, column: Column, unnamed: int) -> tuple[str, int]:
    if selected.alias:
        return selected.alias, unnamed
    if isinstance(selected.what, Name):
        return column.path[-1], unnamed
    return f"expr{unnamed}", unnamed + 1


def _type_of(function: str, of: Field) -> Field:
    if function.startswith("COUNT"):
        return _WHOLE
    return _BROKEN if function == "AVG" else of
