"""Reading what a plan describes: as JSON records in pages, or as CSV text in pieces."""

import json
import math
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus

from sandbox.database import Database
from sandbox.errors import ApiError
from sandbox.schema import NUMBERS, WHOLE_NUMBERS
from sandbox.soql import AggregatePlan, Plan

JsonRecord = dict[str, object]
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_WHOLE_NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
_ROWS_IN_A_PIECE = 2_000
_ARGUMENTS_OF_A_FUNCTION = 100
_MOST_GROUPS = 2_000


def count(database: Database, plan: Plan) -> int:
    """How many rows a plan finds."""
    inner = f"SELECT 1 {plan.source} {plan.where} {plan.limit}"
    (rows,) = database.reader.execute(f"SELECT count(*) FROM ({inner})", plan.parameters).fetchone()
    return int(rows)


def places(database: Database, plan: Plan) -> Iterator[list[int]]:
    """Where the rows of a plan lie, in its order, some thousands at a time."""
    sql = f"SELECT t.rowid {plan.source} {plan.where} {plan.order} {plan.limit}"
    cursor = database.reader.execute(sql, plan.parameters)
    while piece := cursor.fetchmany(_ROWS_IN_A_PIECE):
        yield [place for (place,) in piece]


def records_at(database: Database, plan: Plan, rows: Sequence[int], version: str) -> list[JsonRecord]:
    """The rows at these places as JSON records, in the order given."""
    shown = [
        *(f'{each.alias}."Id"' for each in plan.above.values()),
        *(column.sql for column in plan.columns),
    ]
    place = "JOIN json_each(?) wanted ON t.rowid = wanted.value ORDER BY wanted.key"
    sql = f'SELECT t."Id", {", ".join(shown)} {plan.source} {place}'
    make = record_maker(plan, version)
    return [make(row) for row in database.reader.execute(sql, (json.dumps(rows),))]


def groups(database: Database, plan: AggregatePlan) -> list[JsonRecord]:
    """The rows of a query with groups. Raises: ApiError EXCEEDED_ID_LIMIT, where they do not fit a single answer."""
    found = database.reader.execute(plan.sql, plan.parameters).fetchmany(_MOST_GROUPS + 1)
    if len(found) > _MOST_GROUPS:
        message = "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch"
        raise ApiError(HTTPStatus.BAD_REQUEST, "EXCEEDED_ID_LIMIT", message)
    return [_group(plan, row) for row in found]


def _group(plan: AggregatePlan, row: Sequence[str | float | None]) -> JsonRecord:
    record: JsonRecord = {"attributes": {"type": "AggregateResult"}}
    for column, value in zip(plan.columns, row, strict=True):
        reader = _READERS.get(column.field.type)
        record[column.title] = reader(value) if reader is not None and isinstance(value, str) else value
    return record


def _number(text: str) -> object:
    if not _NUMBER.fullmatch(text):
        return text
    value = float(text)
    return value if math.isfinite(value) else text


def _whole_number(text: str) -> object:
    return int(text) if _WHOLE_NUMBER.fullmatch(text) else _number(text)


def _boolean(text: str) -> object:
    return {"true": True, "false": False}.get(text, text)


def _moment(text: str) -> object:
    return f"{text[:-1]}+0000" if text.endswith(".000Z") else text


_READERS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(NUMBERS, _number),
    **dict.fromkeys(WHOLE_NUMBERS, _whole_number),
    "boolean": _boolean,
    "datetime": _moment,
    "address": json.loads,
}


def record_maker(plan: Plan, version: str) -> Callable[[Sequence[str | None]], JsonRecord]:
    """A function from a row (the id, the ids of records above, the plan's values) to a JSON record with its attributes.

    A value that is not of its field's type is passed on as the text it is; a record above that there is not is null.
    """
    above = [(path, each.sobject.name) for path, each in plan.above.items()]
    readers = [(column.path, _READERS.get(column.field.type)) for column in plan.columns]
    first = 1 + len(above)

    def make(row: Sequence[str | None]) -> JsonRecord:
        record = _begun(plan.sobject.name, row[0], version)
        inner = {(): record} | {
            path: _begun(target, found, version)
            for (path, target), found in zip(above, row[1:first], strict=True)
            if found is not None
        }
        for (path, reader), text in zip(readers, row[first:], strict=True):
            holder = _led_to(inner, path[:-1])
            if holder is not None:
                holder[path[-1]] = text if reader is None or text is None else reader(text)
        return record

    return make


def _begun(name: str, record_id: str | None, version: str) -> JsonRecord:
    return {"attributes": {"type": name, "url": f"/services/data/{version}/sobjects/{name}/{record_id}"}}


def _led_to(records: Mapping[tuple[str, ...], JsonRecord], path: tuple[str, ...]) -> JsonRecord | None:
    """The record at a path, put into the one that leads there; null is put there if there is none."""
    if not path:
        return records[()]
    holder, found = _led_to(records, path[:-1]), records.get(path)
    if holder is not None:
        holder.setdefault(path[-1], found)
    return found


def csv_header(plan: Plan, delimiter: str, line_ending: str) -> bytes:
    """The header line: every name quoted."""
    return (delimiter.join(f'"{column.title}"' for column in plan.columns) + line_ending).encode()


def csv_line_sql(plan: Plan, delimiter: str, line_ending: str, *, holds_nul: bool = False) -> str:
    """SQL for the CSV line of a row: every value quoted, quotes in it doubled, null as an empty string.

    SQLite writes the text itself, five times faster than rows through Python; ``%w`` doubles the quotes, but stops at the
    character NUL: where some text ``holds_nul``, each value is quoted by itself, which takes four times as long.
    """
    if holds_nul:
        return _exact_line_sql(plan, delimiter, line_ending)
    parts = []
    for start in range(0, len(plan.columns), _ARGUMENTS_OF_A_FUNCTION):
        some = plan.columns[start : start + _ARGUMENTS_OF_A_FUNCTION]
        is_last = start + len(some) == len(plan.columns)
        pattern = delimiter.join(['"%w"'] * len(some)) + (line_ending if is_last else delimiter)
        values = ", ".join(f"ifnull({column.sql}, '')" for column in some)
        parts.append(f"printf('{pattern}', {values})")
    return " || ".join(parts)


def _exact_line_sql(plan: Plan, delimiter: str, line_ending: str) -> str:
    quoted = [f"""'"' || replace(ifnull({column.sql}, ''), '"', '""') || '"'""" for column in plan.columns]
    return f" || '{delimiter}' || ".join(quoted) + f" || '{line_ending}'"


def csv_pieces(connection: sqlite3.Connection, plan: Plan, line_sql: str) -> Iterator[tuple[int, bytes]]:
    """Row count and CSV text of the plan's rows, some thousands at a time; ``connection`` must give bytes."""
    if plan.is_in_storage_order:
        return _pieces_by_place(connection, plan, line_sql)
    return _pieces_by_cursor(connection, plan, line_sql)


def _pieces_by_place(
    connection: sqlite3.Connection, plan: Plan, line_sql: str
) -> Iterator[tuple[int, bytes]]:
    """SQLite joins the lines of a piece too, so that Python's lock is free while it works."""
    where = f"{plan.where} {'AND' if plan.where else 'WHERE'} t.rowid > ?"
    inner = f"SELECT t.rowid AS place, {line_sql} AS line {plan.source} {where} ORDER BY t.rowid LIMIT {_ROWS_IN_A_PIECE}"
    sql = f"SELECT count(*), max(place), group_concat(line, '') FROM ({inner})"
    place = 0
    while True:
        rows, place, text = connection.execute(sql, (place,)).fetchone()
        if not rows:
            return
        yield rows, text


def _pieces_by_cursor(
    connection: sqlite3.Connection, plan: Plan, line_sql: str
) -> Iterator[tuple[int, bytes]]:
    sql = f"SELECT {line_sql} {plan.source} {plan.where} {plan.order} {plan.limit}"
    cursor = connection.execute(sql, plan.parameters)
    while lines := cursor.fetchmany(_ROWS_IN_A_PIECE):
        yield len(lines), b"".join([line for (line,) in lines])
