"""The text under which values are stored, from CSV cells and from JSON."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

from sandbox.clock import stamp
from sandbox.schema import NUMBERS, WHOLE_NUMBERS, Field

_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")
Storing = Callable[[str], str | None]


def storing(field: Field | None) -> Storing:
    """How the text of a field is stored: as given, but one spelling for well-formed datetimes and booleans; empty is null."""
    kind = field.type if field is not None else "string"
    return {"datetime": _datetime, "boolean": _boolean}.get(kind, _text)


def from_json(field: Field, value: object) -> str | None:
    """The stored text of a JSON value. A string is taken as given, whatever the field's type, so that bad values can be tried."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and field.type in NUMBERS - WHOLE_NUMBERS:
        return str(float(value))
    return storing(field)(str(value))


def _text(value: str) -> str | None:
    return value or None


def _boolean(value: str) -> str | None:
    lower = value.lower()
    return lower if lower in {"true", "false"} else _text(value)


def _datetime(value: str) -> str | None:
    if not _DATETIME.fullmatch(value):
        return _text(value)
    try:
        return stamp(datetime.fromisoformat(value).astimezone(UTC))
    except (ValueError, OverflowError):
        return value
