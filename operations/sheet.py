"""Reading priority items from a CSV file: odd columns refuse the file, odd rows are kept aside with their reason."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from isolation.errors import InvalidInput
from operations.errors import FileColumns
from operations.services import NewItem

NEEDED = ("kind", "subject", "intent_confidence", "sentiment_urgency")
OPTIONAL = ("message_snippet", "contact_name", "contact_mobile", "contact_email", "created_at")
_FACTORS = ("intent_confidence", "sentiment_urgency")


@dataclass(frozen=True)
class RejectedRow:
    """A row that cannot be used: its line in the file, the field at fault, and what would be right."""

    line: int
    field: str
    problem: str


def read_items(lines: Iterable[str]) -> Iterator[NewItem | RejectedRow]:
    """Every row as an item or as a rejection, in the file's order. Raises: FileColumns for a missing or odd column."""
    reader = csv.DictReader(lines, strict=True)
    try:
        _check_columns(list(reader.fieldnames or []))
        for row in reader:
            yield _read(row, reader.line_num)
    except csv.Error as error:
        problem = f"line {reader.line_num} is not CSV ({error})."
        raise _refusal(problem) from error
    except UnicodeDecodeError as error:
        raise _refusal("it is not written in UTF-8. Save it as “CSV UTF-8”.") from error


def _check_columns(columns: list[str]) -> None:
    if not columns:
        raise _refusal("it is empty.")
    if missing := [name for name in NEEDED if name not in columns]:
        raise _refusal(f"the column {', '.join(missing)} is missing.")
    if odd := [name for name in columns if name not in (*NEEDED, *OPTIONAL)]:
        raise _refusal(f"the column “{', '.join(odd)}” is unknown.")
    if len(set(columns)) != len(columns):
        raise _refusal("a column stands there twice.")


def _refusal(problem: str) -> FileColumns:
    return FileColumns(problem=problem, needed=", ".join(NEEDED), optional=", ".join(OPTIONAL))


def _read(row: dict[str | None, str | list[str] | None], line: int) -> NewItem | RejectedRow:
    try:
        if None in row or None in row.values():
            raise InvalidInput(
                field="row",
                problem="The row has more or fewer cells than the head. Quote texts that hold commas.",
            )
        return _item({str(name): str(value) for name, value in row.items()})
    except InvalidInput as error:
        return RejectedRow(line, error.field or "row", error.message)


def _item(row: dict[str, str]) -> NewItem:
    texts = {name: row[name].strip() for name in row if name not in (*_FACTORS, "created_at")}
    return NewItem(
        **texts,  # the columns were checked against the fields
        intent_confidence=_number(row, "intent_confidence"),
        sentiment_urgency=_number(row, "sentiment_urgency"),
        created_at=_instant(row.get("created_at", "").strip()),
    ).checked()


def _number(row: dict[str, str], name: str) -> float:
    try:
        return float(row[name])
    except ValueError as error:
        raise InvalidInput(
            field=name, problem=f"{name} is “{row[name][:40]}”. Use a number from 0 to 1, such as 0.85."
        ) from error


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        problem = f"created_at is “{text[:40]}”. Use an instant with its time zone, such as 2026-01-31T12:00:00Z, or leave it empty."
        raise InvalidInput(field="created_at", problem=problem)
    return value
