"""Turns PostgreSQL's "permission denied" outside a context into a sentence that tells a developer what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import ProgrammingError
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import InsufficientPrivilege

from isolation import context
from isolation.errors import ContextMissing


def explain_missing_context(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, database: dict[str, Any]
) -> Any:
    """Execute wrapper: names the missing context; every other refusal passes through untouched."""
    try:
        return execute(sql, params, many, database)
    except ProgrammingError as error:
        outside = context.current().role is context.Role.NONE
        if outside and isinstance(error.__cause__, InsufficientPrivilege):
            raise ContextMissing(
                f"{error.__cause__.diag.message_primary}. Tables of tenants and accounts are reached only inside a context: wrap the "
                "statement in isolation.context.tenant_wide, tenant_member, person, accounts or platform."
            ) from error
        raise


def install(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Put the wrapper on a new connection of the program's login."""
    if connection.alias == "default" and explain_missing_context not in connection.execute_wrappers:
        connection.execute_wrappers.append(explain_missing_context)
