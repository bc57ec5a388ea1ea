"""Contexts on a bare connection of the program's login: what somebody could do who has SQL, and, here alone, the key."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg

from isolation import signing
from isolation.context import Context, Role

Login = psycopg.Connection[Any]


def sealed(login: Login, context: Context, *, seconds: float = 30) -> tuple[str, str]:
    """(payload, signature) of a context for this connection, for transactions that begin within ``seconds`` from now."""
    until = time.time_ns() // 1000 + int(seconds * 1_000_000)
    return signing.signed(context.fields(login.info.backend_pid, until))


def put(login: Login, payload: str, signature: str, role: str) -> None:
    """Set the three settings of a context, whatever they say."""
    login.execute(
        "SELECT set_config('revops.context', %s, true), set_config('revops.signature', %s, true), set_config('role', %s, true)",
        [payload, signature, role],
    )


def take(login: Login, context: Context) -> None:
    """Enter a context as the program does."""
    put(login, *sealed(login, context), context.role.value)


def tenant_id_of(login: Login, slug: str) -> int:
    """A workspace's id, looked up in a transaction of its own or a savepoint."""
    with login.transaction(force_rollback=True):
        take(login, Context(role=Role.PLATFORM, reason="test"))
        row = login.execute("SELECT id FROM tenants_tenant WHERE slug = %s", [slug]).fetchone()
    assert row is not None
    return int(row[0])


def enter(login: Login, slug: str, role: Role = Role.TENANT_WIDE, owners: Sequence[int] = ()) -> None:
    """Take a tenant's context."""
    take(login, Context(role=role, tenant_id=tenant_id_of(login, slug), owner_ids=tuple(owners)))
