"""The program's roles: what they are, what they may take, and what is set for them at sign-in."""

from __future__ import annotations

from collections.abc import Iterator

from isolation.proof.reading import LOGIN, OWNER, Cursor, Declared, Row, rows
from isolation.proof.report import Finding, RoleFacts

_ROLES = """
SELECT r.rolname::text AS name, r.rolsuper AS superuser, r.rolbypassrls AS bypassrls, r.rolcreaterole AS createrole,
       r.rolcreatedb AS createdb, r.rolreplication AS replication, r.rolinherit AS inherit, r.rolcanlogin AS login
FROM pg_roles r WHERE r.rolname = ANY (%(ours)s) OR (r.rolbypassrls AND NOT r.rolsuper) ORDER BY 1
"""
_MEMBERSHIPS = """
SELECT t.rolname::text AS role, m.rolname::text AS member, bool_or(a.admin_option) AS admin, bool_or(a.inherit_option) AS inherit,
       bool_or(a.set_option) AS may_set, m.rolsuper OR m.rolcreaterole AS is_administrator
FROM pg_auth_members a JOIN pg_roles t ON t.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
WHERE t.rolname = ANY (%(ours)s) OR m.rolname = ANY (%(ours)s) GROUP BY 1, 2, 6 ORDER BY 1, 2
"""
_SETTINGS = """
SELECT coalesce(r.rolname::text, 'every role') AS name, split_part(one, '=', 1) AS setting
FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase,
     unnest(s.setconfig) AS one
WHERE (r.rolname = ANY (%(ours)s) OR s.setrole = 0) AND (s.setdatabase = 0 OR d.datname = current_database())
  AND (split_part(one, '=', 1) IN ('role', 'search_path', 'row_security', 'session_authorization', 'local_preload_libraries')
       OR one LIKE 'revops.%%')
ORDER BY 1, 2
"""
_NEVER = ("superuser", "bypassrls", "createrole", "createdb", "replication")


def read(cursor: Cursor, declared: Declared) -> tuple[list[RoleFacts], list[Finding]]:
    """The program's roles with their attributes, and what is too much."""
    ours = sorted({LOGIN, OWNER} | declared.roles)
    found = rows(cursor, _ROLES, ours=ours)
    memberships = rows(cursor, _MEMBERSHIPS, ours=ours)
    findings = [one for row in found for one in _attributes(row, declared)]
    findings += [one for row in memberships for one in _membership(row, declared)]
    findings += _missing(ours, found, memberships, declared)
    findings += [_setting(row) for row in rows(cursor, _SETTINGS, ours=ours)]
    return [_facts(row, memberships) for row in found], findings


def _facts(row: Row, memberships: list[Row]) -> RoleFacts:
    attributes = tuple(name for name in (*_NEVER, "inherit", "login") if row[name])
    taken = tuple(one["role"] for one in memberships if one["member"] == row["name"])
    return RoleFacts(row["name"], attributes, taken)


def _attributes(row: Row, declared: Declared) -> Iterator[Finding]:
    name = row["name"]
    for attribute in filter(row.get, _NEVER):
        remedy = f"run ALTER ROLE {name} NO{attribute.upper()}"
        yield Finding("role", name, f"has {attribute.upper()}, with which it passes the wall", remedy)
    if name in declared.roles and row["login"]:
        remedy = f"run ALTER ROLE {name} NOLOGIN"
        yield Finding("role", name, "can sign in, which only contexts should take", remedy)
    if name == LOGIN and row["inherit"]:
        remedy = f"run ALTER ROLE {name} NOINHERIT"
        yield Finding("role", name, "inherits the rights of the roles it may take, without a context", remedy)


def _membership(row: Row, declared: Declared) -> Iterator[Finding]:
    role, member = row["role"], row["member"]
    takes_context = member == LOGIN and role in declared.roles
    if not takes_context and not row["is_administrator"]:
        problem = f"may act as {role}"
        yield Finding("membership", member, problem, f"run REVOKE {role} FROM {member}")
    elif takes_context and (row["admin"] or row["inherit"]):
        problem = (
            f"holds {role} with ADMIN or INHERIT, so it passes it on or has its rights without a context"
        )
        remedy = f"run GRANT {role} TO {member} WITH ADMIN FALSE, INHERIT FALSE, SET TRUE"
        yield Finding("membership", member, problem, remedy)


def _missing(
    ours: list[str], found: list[Row], memberships: list[Row], declared: Declared
) -> Iterator[Finding]:
    for role in sorted(set(ours) - {row["name"] for row in found}):
        yield Finding("role", role, "does not exist", "run python -m revops_admin.runtime bootstrap")
    takes = {row["role"] for row in memberships if row["member"] == LOGIN and row["may_set"]}
    for role in sorted(declared.roles - takes):
        remedy = "run python -m revops_admin.runtime bootstrap"
        yield Finding("membership", LOGIN, f"may not take {role}, so its contexts fail", remedy)


def _setting(row: Row) -> Finding:
    problem = f"starts every session with its own {row['setting']}"
    return Finding("setting", row["name"], problem, f"run ALTER ROLE {row['name']} RESET {row['setting']}")
