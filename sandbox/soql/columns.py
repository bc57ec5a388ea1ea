"""What the names in a query stand for: fields of the object, of the records it refers to, formulas, parts of dates."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus

from sandbox.errors import ApiError
from sandbox.formula import formula_sql
from sandbox.schema import NUMBERS, Field, Schema, SObject
from sandbox.soql.tree import Call, Name, Query

_MOST_STEPS = 5
_DATE_PARTS = {
    "CALENDAR_YEAR": "CAST(substr({}, 1, 4) AS INTEGER)",
    "CALENDAR_MONTH": "CAST(substr({}, 6, 2) AS INTEGER)",
    "CALENDAR_QUARTER": "(CAST(substr({}, 6, 2) AS INTEGER) + 2) / 3",
    "DAY_IN_MONTH": "CAST(substr({}, 9, 2) AS INTEGER)",
    "DAY_IN_WEEK": "CAST(strftime('%w', {}) AS INTEGER) + 1",
    "HOUR_IN_DAY": "CAST(substr({}, 12, 2) AS INTEGER)",
}
DATE_FUNCTIONS = frozenset({*_DATE_PARTS, "DAY_ONLY"})


@dataclass(frozen=True)
class Column:
    """One value of a row: where it goes (``("Owner", "Email")``), its field, and the SQL that gives its text."""

    path: tuple[str, ...]
    field: Field
    sql: str

    @property
    def title(self) -> str:
        """The name in a CSV header."""
        return ".".join(self.path)

    @property
    def comparable(self) -> str:
        """SQL whose order and equality are Salesforce's: numbers as numbers, text whatever its capitals, ids exactly."""
        if self.field.type in NUMBERS:
            return f"CAST({self.sql} AS REAL)"
        if self.field.type in {"id", "reference", "boolean", "date", "datetime"}:
            return self.sql
        return f"{self.sql} COLLATE NOCASE"


@dataclass(frozen=True)
class Above:
    """The record that a row refers to: the table's alias in the SQL, and its object."""

    alias: str
    sobject: SObject


class UnknownName(Exception):
    """A name leads nowhere; ``relationship`` is the step that failed, or empty where it was the field on ``entity``."""

    def __init__(self, relationship: str, entity: str) -> None:
        super().__init__(relationship or entity)
        self.relationship = relationship
        self.entity = entity


@dataclass
class Columns:
    """Resolves the names of one query, and notes the joins and the records above that they need."""

    schema: Schema
    query: Query
    now: datetime
    sobject: SObject
    joins: dict[str, str] = field(default_factory=dict)
    above: dict[tuple[str, ...], Above] = field(default_factory=dict)

    def column(self, name: Name | Call) -> Column:
        """The column behind a name. Raises: ApiError INVALID_FIELD, MALFORMED_QUERY."""
        if isinstance(name, Call):
            return self._part_of_date(name)
        steps = name.path.split(".")
        if steps[0].lower() == self.sobject.name.lower() and self.sobject.reference(steps[0]) is None:
            steps = steps[1:] or steps
        try:
            path, alias, found = self._walk("t", self.sobject, steps, self.schema.visible)
        except UnknownName as unknown:
            raise self._no_such(name, steps[-1], unknown) from unknown
        return Column(path, found, self._text(alias, path[:-1], found))

    def _walk(
        self, alias: str, sobject: SObject, steps: list[str], objects: Mapping[str, SObject]
    ) -> tuple[tuple[str, ...], str, Field]:
        """Path, alias and field at the end of ``steps`` from a table. Raises: UnknownName."""
        path: tuple[str, ...] = ()
        known = objects.get(sobject.name, sobject)
        for step in steps[:-1]:
            reference = known.reference(step)
            target = objects.get(reference.refers_to or "") if reference else None
            if reference is None or target is None or len(path) == _MOST_STEPS:
                raise UnknownName(step, known.name)
            path, known = (*path, reference.relationship or ""), target
            alias = self._joined(alias, reference, target)
            if objects is self.schema.visible:
                self.above[path] = Above(alias, target)
        found = known.field(steps[-1])
        if found is None:
            raise UnknownName("", known.name)
        return (*path, found.name), alias, found

    def _joined(self, alias: str, reference: Field, target: SObject) -> str:
        joined = f"{alias}_{reference.name}"
        self.joins[joined] = (
            f'LEFT JOIN "{target.name}" {joined} ON {joined}."Id" = {alias}."{reference.name}"'
        )
        return joined

    def _text(self, alias: str, path: tuple[str, ...], found: Field) -> str:
        """SQL for the text of a field; a compound address is made of its parts, as JSON."""
        if found.formula:
            sobject = self._object_at(path)
            return formula_sql(
                found.formula, found.type, lambda name: self._looked_up(alias, sobject, name), self.now
            )
        if found.type != "address":
            return f'{alias}."{found.name}"'
        parts = ("Street", "City", "State", "PostalCode", "Country")
        stem = found.name.removesuffix("Address")
        return (
            "json_object(" + ", ".join(f"'{p[0].lower()}{p[1:]}', {alias}.\"{stem}{p}\"" for p in parts) + ")"
        )

    def _object_at(self, path: tuple[str, ...]) -> SObject:
        return self.above[path].sobject if path in self.above else self.schema.objects[self.sobject.name]

    def _looked_up(self, alias: str, sobject: SObject, name: str) -> tuple[str, str]:
        """A field that a formula reads; a formula sees what is hidden from the user, and other formulas."""
        try:
            path, at, found = self._walk(alias, sobject, name.split("."), self.schema.objects)
        except UnknownName as unknown:
            message = f"Field {name} does not exist. Check spelling."
            raise ApiError(HTTPStatus.BAD_REQUEST, "FIELD_INTEGRITY_EXCEPTION", message) from unknown
        if not found.formula:
            return f'{at}."{found.name}"', found.type
        owner = self._end_of(sobject, path[:-1])
        inner = formula_sql(
            found.formula, found.type, lambda deeper: self._looked_up(at, owner, deeper), self.now
        )
        return f"({inner})", found.type

    def _end_of(self, sobject: SObject, path: tuple[str, ...]) -> SObject:
        for step in path:
            reference = self.schema.objects[sobject.name].reference(step)
            assert reference is not None
            sobject = self.schema.objects[reference.refers_to or ""]
        return self.schema.objects[sobject.name]

    def _part_of_date(self, call: Call) -> Column:
        if call.function not in DATE_FUNCTIONS or call.argument is None:
            raise pointing(self.query, call, "MALFORMED_QUERY", f"Invalid use of function: {call.function}")
        inner = self.column(call.argument)
        is_fit = inner.field.type == "datetime" or (
            inner.field.type == "date" and call.function in _DATE_PARTS
        )
        if not is_fit:
            message = f"field {inner.field.name} is not of a type that {call.function} takes"
            raise pointing(self.query, call, "INVALID_FIELD", message)
        if call.function == "DAY_ONLY":
            return Column(("expr",), replace(inner.field, type="date"), f"substr({inner.sql}, 1, 10)")
        return Column(
            ("expr",), replace(inner.field, type="int"), _DATE_PARTS[call.function].format(inner.sql)
        )

    def _no_such(self, name: Name, last: str, unknown: UnknownName) -> ApiError:
        if unknown.relationship:
            message = (
                f"Didn't understand relationship '{unknown.relationship}' in field path. If you are attempting to use a custom "
                "relationship, be sure to append the '__r' after the custom relationship name."
            )
        else:
            message = (
                f"No such column '{last}' on entity '{unknown.entity}'. If you are attempting to use a custom field, be sure to "
                "append the '__c' after the custom field name."
            )
        tail = " Please reference your WSDL or the describe call for the appropriate names."
        return pointing(self.query, name, "INVALID_FIELD", message + tail)


def pointing(query: Query, name: Name | Call, code: str, message: str) -> ApiError:
    """A refusal that shows the place in the query, as Salesforce's do."""
    column = name.position + 1
    excerpt = query.text[max(0, name.position - 40) : name.position + 40]
    caret = " " * min(name.position, 40) + "^"
    return ApiError(
        HTTPStatus.BAD_REQUEST, code, f"\n{excerpt}\n{caret}\nERROR at Row:1:Column:{column}\n{message}"
    )
