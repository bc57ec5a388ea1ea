"""Keyset paging: a page begins behind the last row of the one before, so the thousandth page costs what the first does.

The cursor in an address holds the sort values of one row and the direction; it is readable and not secret: whoever forges
one only asks for another page of the same rows.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Field, Model, Q, QuerySet
from django.utils import timezone

from isolation.errors import InvalidInput

M = TypeVar("M", bound=Model)
PARAMETER = "page"
_LONGEST = 8000  # the longest names there are, with every character escaped
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Rows(Generic[M]):
    """One page in display order; ``next`` and ``previous`` are cursors, empty at the ends."""

    rows: list[M]
    next: str
    previous: str


@dataclass(frozen=True)
class _Cursor:
    is_back: bool
    values: tuple[Any, ...]

    def text(self) -> str:
        body = json.dumps([int(self.is_back), *self.values], cls=_Encoder, separators=(",", ":"))
        return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        # Django's own cuts microseconds off, and a page would then show rows of that millisecond twice.
        return o.isoformat() if hasattr(o, "isoformat") else super().default(o)


def rows_of(queryset: QuerySet[M], *, order: Sequence[str], cursor: str, size: int) -> Rows[M]:
    """The page of ``queryset`` that ``cursor`` names ("" is the first).

    ``order`` names columns or annotations as ``order_by`` does; all of them run in one direction, none may be NULL, and
    together they are unique. Raises: InvalidInput for a cursor that does not fit.
    """
    names = [name.lstrip("-") for name in order]
    descending = order[0].startswith("-")
    if any(name.startswith("-") is not descending for name in order):
        raise ValueError(f"Keyset order {order} must run in one direction.")
    place = _parsed(cursor, [_field(queryset, name) for name in names]) if cursor else None
    is_back = place is not None and place.is_back
    if place is not None:
        queryset = queryset.filter(_behind(names, place.values, "lt" if descending is not is_back else "gt"))
    turned = [name if descending else f"-{name}" for name in names] if is_back else list(order)
    found = list(queryset.order_by(*turned)[: size + 1])
    return _framed(found, names, size, is_first=place is None, is_back=is_back)


def _framed(found: list[M], names: list[str], size: int, *, is_first: bool, is_back: bool) -> Rows[M]:
    has_more, rows = len(found) > size, found[:size]
    if is_back:
        rows.reverse()
    has_next, has_previous = (True, has_more) if is_back else (has_more, not is_first)
    return Rows(
        rows=rows,
        next=_cursor_at(rows[-1], names, is_back=False) if rows and has_next else "",
        previous=_cursor_at(rows[0], names, is_back=True) if rows and has_previous else "",
    )


def _cursor_at(row: Model, names: list[str], *, is_back: bool) -> str:
    return _Cursor(is_back, tuple(getattr(row, name) for name in names)).text()


def _behind(names: list[str], values: Sequence[Any], comparison: str) -> Q:
    """(a, b) < (x, y) as ``a <= x AND (a < x OR (a = x AND b < y))``: the first part is what an index range can use."""
    condition = Q()
    for name, value in reversed(list(zip(names, values, strict=True))):
        here = Q(**{f"{name}__{comparison}": value})
        condition = here | (Q(**{name: value}) & condition) if condition else here
    return Q(**{f"{names[0]}__{comparison}e": values[0]}) & condition


def _field(queryset: QuerySet[M], name: str) -> Field[Any, Any]:
    annotation = queryset.query.annotations.get(name)
    found = queryset.model._meta.get_field(name) if annotation is None else annotation.output_field
    if not isinstance(found, Field):
        raise TypeError(f"A list cannot be ordered by {name}: name a column or an annotation.")
    return found


def _parsed(text: str, fields: Sequence[Field[Any, Any]]) -> _Cursor:
    try:
        if len(text) > _LONGEST:
            raise ValueError(len(text))
        body = json.loads(base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
        is_back, *values = body
        if is_back not in (0, 1):
            raise ValueError(is_back)
        return _Cursor(bool(is_back), tuple(_typed(*pair) for pair in zip(fields, values, strict=True)))
    except (ValueError, TypeError, OverflowError, RecursionError, ValidationError, binascii.Error) as error:
        problem = "This page address is incomplete or belongs to another list. Start again from the list's first page."
        raise InvalidInput(field=PARAMETER, problem=problem) from error


def _typed(field: Field[Any, Any], given: Any) -> Any:
    """What a cursor says, as a value that the database takes. Raises: the errors that ``_parsed`` turns into a refusal."""
    if not isinstance(given, str | int | float):
        raise TypeError(field)
    value = field.to_python(given)
    if isinstance(value, datetime):
        if timezone.is_naive(value):
            raise ValueError(value)
        return value.astimezone(UTC)  # overflows where the instant has no date in UTC
    if isinstance(value, str):
        if "\x00" in value:
            raise ValueError(field)
        value.encode()  # fails for half a character
    if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= _LARGEST):
        raise ValueError(field)
    return value
