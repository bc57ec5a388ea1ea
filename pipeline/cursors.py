"""Where a page of deals begins: an opaque token for addresses.

It is encrypted, not only signed, because it holds the deal's internal id: gaps between ids would tell one workspace how busy
the others are.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from isolation.errors import InvalidInput
from pipeline.filters import DealFilters, SortKey

SortValue = int | str | date | None


@dataclass(frozen=True)
class Cursor:
    """The deal beside the page: its sort value, its internal id, and whether the page lies before it."""

    value: SortValue
    deal_id: int
    is_backward: bool = False


@functools.cache
def _box(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(f"pipeline.cursors:{secret}".encode()).digest()))


def encode(cursor: Cursor, filters: DealFilters) -> str:
    """The token of a cursor, good only with the same sort order."""
    value = cursor.value.isoformat() if isinstance(cursor.value, date) else cursor.value
    parts = [filters.sort, filters.is_descending, value, cursor.deal_id, cursor.is_backward]
    return _box(settings.SECRET_KEY).encrypt(json.dumps(parts).encode()).decode().rstrip("=")


def decode(token: str, filters: DealFilters) -> Cursor:
    """The cursor of a token. Raises: InvalidInput for a token that is not ours or belongs to another sort order."""
    try:
        padded = token + "=" * (-len(token) % 4)
        parts: list[Any] = json.loads(_box(settings.SECRET_KEY).decrypt(padded.encode()))
    except (InvalidToken, UnicodeEncodeError):
        raise _unusable("is damaged") from None
    sort, is_descending, value, deal_id, is_backward = parts
    if (sort, is_descending) != (filters.sort, filters.is_descending):
        raise _unusable("belongs to another sort order")
    if filters.sort is SortKey.CLOSE_ON and value is not None:
        value = date.fromisoformat(value)
    return Cursor(value, deal_id, is_backward)


def _unusable(why: str) -> InvalidInput:
    return InvalidInput(
        field="page", problem=f"The page marker in the address {why}. Start again from the first page."
    )
