"""Signs contexts, so that SQL alone cannot make one: the login that runs the program's SQL never reads the key.

The key is derived from ``SECRET_KEY`` and stored where only the tables' owner reads it (``isolation_contextkey``); the functions
that policies call check the signature there. PostgreSQL's core has SHA-256 but neither HMAC nor XOR of bytes, so the two padded
keys of HMAC are stored instead of the key.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connections, transaction

PURPOSE = b"revops-hub isolation.context 1"
SEPARATOR = "|"
TABLE = "public.isolation_contextkey"
_BLOCK_BYTES = 64
_INNER, _OUTER = 0x36, 0x5C  # RFC 2104


@dataclass(frozen=True)
class Key:
    """A signing key. ``id`` is public and tells nothing about ``secret`` (32 bytes)."""

    id: str
    secret: bytes = field(repr=False)

    def padded(self, byte: int) -> bytes:
        """The key as HMAC puts it before a message: 64 bytes, each XOR ``byte``."""
        return bytes(each ^ byte for each in self.secret.ljust(_BLOCK_BYTES, b"\0"))


@dataclass(frozen=True)
class Rotation:
    """What a database accepts now, by key id, and what it no longer does."""

    added: tuple[str, ...]
    kept: tuple[str, ...]
    dropped: tuple[str, ...]


RotationObserver = Callable[[Rotation], None]
_rotation_observers: list[RotationObserver] = []


def on_rotation(observer: RotationObserver) -> None:
    """Call ``observer(rotation)`` after a database began to accept other keys: that is how rotations are audited."""
    _rotation_observers.append(observer)


@lru_cache(maxsize=8)
def derived(secret_key: str) -> Key:
    """The key that a SECRET_KEY stands for. It signs contexts and nothing else: who has it cannot make sessions."""
    secret = hmac.digest(secret_key.encode(), PURPOSE, "sha256")
    return Key(id=hashlib.sha256(b"id of " + secret).hexdigest()[:16], secret=secret)


def current_key() -> Key:
    """The key that this process signs with."""
    return derived(settings.SECRET_KEY)


def accepted_keys() -> dict[str, Key]:
    """Every key that the settings stand for, by id: SECRET_KEY's and those of SECRET_KEY_FALLBACKS."""
    keys = map(derived, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))
    return {key.id: key for key in keys}


def signed(fields: Iterable[str], key: Key | None = None) -> tuple[str, str]:
    """(payload, signature) of these fields, of which only the last may hold a separator."""
    key = key or current_key()
    payload = SEPARATOR.join((key.id, *fields))
    return payload, hmac.digest(key.secret, payload.encode(), "sha256").hex()


def keys_store(*, using: str) -> Rotation:
    """Have the database accept the keys of the settings and no others; ``using`` must be a connection of the tables' owner."""
    wanted = accepted_keys()
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        # Two that store at once would each miss what the other inserts.
        cursor.execute(f"LOCK TABLE {TABLE} IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(f"SELECT id FROM {TABLE}")
        known = {key_id for (key_id,) in cursor.fetchall()}
        cursor.execute(f"DELETE FROM {TABLE} WHERE id <> ALL (%s)", [list(wanted)])
        for key_id in wanted.keys() - known:
            _insert(cursor, wanted[key_id])
    rotation = Rotation(*map(_sorted, (wanted.keys() - known, wanted.keys() & known, known - wanted.keys())))
    if rotation.added or rotation.dropped:
        for observer in _rotation_observers:
            observer(rotation)
    return rotation


def keys_follow_settings(*, using: str, **_: Any) -> None:
    """After ``migrate``: store the keys. Only the tables' owner can; of another login it is not asked."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(%s) AND relowner = current_user::regrole)",
            [TABLE],
        )
        (is_owner,) = cursor.fetchone() or (False,)
    if is_owner:
        keys_store(using=using)


def _insert(cursor: Any, key: Key) -> None:
    cursor.execute(
        f"INSERT INTO {TABLE} (id, inner_key, outer_key) VALUES (%s, %s, %s)",
        [key.id, key.padded(_INNER), key.padded(_OUTER)],
    )


def _sorted(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(ids))
