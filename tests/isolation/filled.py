"""A row of every tenant's table, for Acme and for Beta, and of every other one: made from the catalogue, so that none can be left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

import psycopg
from psycopg import sql

from isolation.proof import declared

_SPACE = UUID("5ee0b5c1-6a0d-4a8e-9d0e-4f9f6f6e7a10")
_COLUMNS = """
    SELECT a.attname, format_type(a.atttypid, NULL), a.attidentity <> '' OR a.atthasdef AS is_made, a.attnotnull,
           CASE WHEN a.atttypmod > 4 AND a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) THEN a.atttypmod - 4 ELSE 40 END
    FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum
"""
_VALUES: dict[str, Any] = {
    "bigint": 7, "integer": 7, "smallint": 1, "boolean": True, "date": "2026-01-31", "double precision": 0.5, "real": 0.5,
    "timestamp with time zone": "2026-01-31T00:00:00Z", "jsonb": {}, "bytea": "\\x00", "inet": "127.0.0.1",
    "interval": "1 day", "time without time zone": "01:00", "numeric": 1, "text[]": [], "character varying[]": [],
    "bigint[]": [], "smallint[]": [],
}  # fmt: skip


@dataclass(frozen=True)
class Filled:
    """The two tenants' ids, and one row of each table for each, as JSON by table name."""

    acme: int
    beta: int
    of_acme: dict[str, dict[str, Any]] = field(repr=False)
    of_beta: dict[str, dict[str, Any]] = field(repr=False)


def fill(administrator: psycopg.Connection[Any]) -> Filled:
    """Put the rows in as a superuser who skips triggers, and so foreign keys; the caller commits."""
    ids = dict(administrator.execute("SELECT slug, id FROM tenants_tenant").fetchall())
    acme, beta = ids["acme-corp"], ids["beta-inc"]
    administrator.execute("SET session_replication_role = replica")
    for table in declared().shared:
        is_there = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(table))
        if administrator.execute(is_there).fetchone() == (False,):
            _insert(administrator, table, 0)
    rows = {tenant: dict(_rows(administrator, tenant)) for tenant in (acme, beta)}
    return Filled(acme, beta, rows[acme], rows[beta])


def _rows(administrator: psycopg.Connection[Any], tenant: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for table, wall in declared().tables.items():
        column = wall.tenant_column
        if column == "tenant_id":
            _insert(administrator, table, tenant)
        found = administrator.execute(
            sql.SQL("SELECT to_jsonb(t) FROM {} AS t WHERE {} = %s LIMIT 1").format(
                sql.Identifier(table), sql.Identifier(column)
            ),
            [tenant],
        ).fetchone()
        assert found is not None, table
        yield table, found[0]


def _insert(administrator: psycopg.Connection[Any], table: str, tenant: int) -> None:
    """One row, unless what the table demands beyond types refuses it and the cast has left a row there already."""
    row: dict[str, Any] = {}
    for name, kind, is_made, is_needed, length in administrator.execute(_COLUMNS, [table]).fetchall():
        if name == "tenant_id":
            row[name] = tenant
        elif is_needed and not is_made:
            row[name] = _value(f"{table}.{name}.{tenant}", kind, length)
    statement = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM jsonb_populate_record(NULL::{}, %s)").format(
        sql.Identifier(table), _names(row), _names(row), sql.Identifier(table)
    )
    administrator.execute(statement, [json.dumps(row)])


def _names(row: dict[str, Any]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, row))


def _value(seed: str, kind: str, length: int) -> Any:
    if kind == "uuid":
        return str(uuid5(_SPACE, seed))
    return _VALUES.get(kind, f"{uuid5(_SPACE, seed).hex}"[:length])
