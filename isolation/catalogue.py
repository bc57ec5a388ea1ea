"""Reads the wall back from PostgreSQL's catalogue: what is really there, not what a model claims."""

from __future__ import annotations

from dataclasses import dataclass

from django.apps import apps
from django.db import connections

from isolation.wall import TenantWall

# Tables with a tenant_id that need no row security, each with its reason.
EXEMPT: dict[str, str] = {}

_TABLES = """
    SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
           coalesce((SELECT array_agg(DISTINCT r.rolname::text)
                     FROM pg_policy p, unnest(p.polroles) AS role_oid JOIN pg_roles r ON r.oid = role_oid
                     WHERE p.polrelid = c.oid), '{}') AS policy_roles,
           coalesce((SELECT array_agg(p.polname::text) FROM pg_policy p
                     WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'a', 'w') AND p.polwithcheck IS NULL), '{}') AS unchecked,
           coalesce((SELECT array_agg(i.indexrelid::regclass::text) FROM pg_index i
                     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
                     WHERE i.indrelid = c.oid AND i.indisunique AND a.attname <> %(tenant_column)s), '{}') AS loose_unique,
           coalesce((SELECT array_agg(f.conname::text) FROM pg_constraint f
                     WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid = ANY (%(walled)s::regclass[])
                       AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = f.conkey[1]
                                       AND a.attname = 'tenant_id')), '{}') AS single_column_keys,
           has_table_privilege('revops_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE') AS login_has_rights,
           (SELECT r.rolname::text FROM pg_roles r WHERE r.oid = c.relowner) AS owner
    FROM pg_class c
    WHERE c.oid = %(table)s::regclass
"""


@dataclass(frozen=True)
class Finding:
    """One thing about one table that the wall does not allow."""

    table: str
    problem: str

    def __str__(self) -> str:
        return f"{self.table}: {self.problem}"


def walled_tables() -> dict[str, str]:
    """Every tenant table with its tenant column, from the models: {table: column}."""
    tables = {}
    for model in apps.get_models(include_auto_created=True):
        walls = [constraint for constraint in model._meta.constraints if isinstance(constraint, TenantWall)]
        if walls:
            tables[model._meta.db_table] = walls[0].tenant_column
    return tables


def tables_with_tenant_id(using: str = "default") -> set[str]:
    """Every real table of the schema that has a tenant_id column, from the catalogue."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "WHERE a.attname = 'tenant_id' AND NOT a.attisdropped AND c.relkind IN ('r', 'p') "
            "AND c.relnamespace = 'public'::regnamespace"
        )
        return {row[0] for row in cursor.fetchall()}


def examine(using: str = "default") -> list[Finding]:
    """Everything that is wrong with the wall; an empty list means it is whole."""
    walled = walled_tables()
    findings = [
        Finding(table, "has a tenant_id but no wall; derive its model from TenantModel")
        for table in sorted(tables_with_tenant_id(using) - walled.keys() - EXEMPT.keys())
    ]
    for table, column in sorted(walled.items()):
        findings += [Finding(table, problem) for problem in _problems(table, column, list(walled), using)]
    return findings


def _problems(table: str, tenant_column: str, walled: list[str], using: str) -> list[str]:
    with connections[using].cursor() as cursor:
        # The tenants' own table may be unique by id and slug: its rows are the tenants.
        own = "id" if tenant_column == "id" else "tenant_id"
        cursor.execute(_TABLES, {"table": table, "tenant_column": own, "walled": walled})
        row = dict(
            zip([column.name for column in cursor.description or []], cursor.fetchone() or [], strict=True)
        )
    problems = []
    if not row["relrowsecurity"] or not row["relforcerowsecurity"]:
        problems.append("row security is not both enabled and forced")
    if missing := {"tenant_member", "tenant_wide", "platform"} - set(row["policy_roles"]):
        problems.append(f"has no policy for {', '.join(sorted(missing))}")
    problems += [f"policy {name} has no WITH CHECK" for name in row["unchecked"]]
    if tenant_column == "tenant_id":
        problems += [f"unique index {name} does not start with tenant_id" for name in row["loose_unique"]]
    problems += [f"foreign key {name} does not carry tenant_id" for name in row["single_column_keys"]]
    if row["login_has_rights"]:
        problems.append("the program's login has direct rights on it")
    if row["owner"] != "revops_owner":
        problems.append(f"belongs to {row['owner']}, not revops_owner")
    return problems
