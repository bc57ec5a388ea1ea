"""The server, the database and its schemas: version, who may make things there, and what new tables give away."""

from __future__ import annotations

from collections.abc import Iterator

from isolation.checks import SAFE_MINOR
from isolation.proof.reading import HELD, OWNER, Cursor, Declared, rows
from isolation.proof.report import Finding, Level

_SERVER = "SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number, current_user::text AS reader"
_SCHEMAS = f"""
SELECT n.nspname::text AS name, {HELD.format(acl="n.nspacl", kind="n", owner="n.nspowner")}::text AS grants_json
FROM pg_namespace n WHERE n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema' ORDER BY 1
"""
_DATABASE = f"""
SELECT d.datname::text AS name, {HELD.format(acl="d.datacl", kind="d", owner="d.datdba")}::text AS grants_json
FROM pg_database d WHERE d.datname = current_database()
"""
_DEFAULTS = """
SELECT pg_get_userbyid(d.defaclrole)::text AS maker, d.defaclobjtype::text AS kind,
       CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END AS receiver,
       string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type) AS rights
FROM pg_default_acl d, aclexplode(d.defaclacl) AS x WHERE x.grantee <> d.defaclrole GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_KINDS = {
    "r": "TABLES",
    "S": "SEQUENCES",
    "f": "FUNCTIONS",
    "T": "TYPES",
    "n": "SCHEMAS",
    "L": "LARGE OBJECTS",
}
# In PostgreSQL these are everybody's.
_HARMLESS_KINDS = ("f", "T")


def server(cursor: Cursor) -> tuple[str, str, list[Finding]]:
    """The server's version, who reads, and what is wrong with that version."""
    (row,) = rows(cursor, _SERVER)
    return (
        f"PostgreSQL {row['version']}",
        row["reader"],
        list(version_findings(*divmod(row["number"], 10_000))),
    )


def version_findings(major: int, minor: int) -> Iterator[Finding]:
    """What is wrong with a server of that version."""
    name = f"PostgreSQL {major}.{minor}"
    if major < min(SAFE_MINOR) + 1:
        yield Finding("server", name, "is not supported", "move to PostgreSQL 16 or newer")
    elif minor < SAFE_MINOR.get(major, 0):
        problem = "shows rows of the same workspace that a policy hides, through INSERT … ON CONFLICT DO UPDATE with a condition, which the program never uses"
        remedy = f"update to {major}.{SAFE_MINOR[major]}"
        yield Finding("server", name, problem, remedy, Level.WARNING)


def read(cursor: Cursor, declared: Declared) -> list[Finding]:
    """What the schemas, the database and the default rights give away."""
    return [*_schemas(cursor), *_database(cursor), *_defaults(cursor)]


def _schemas(cursor: Cursor) -> Iterator[Finding]:
    for row in rows(cursor, _SCHEMAS):
        for role, rights in sorted(row["grants"].items()):
            if role == OWNER or not (
                excess := [right for right in rights if role == "PUBLIC" or right != "USAGE"]
            ):
                continue
            remedy = f"run REVOKE {', '.join(excess)} ON SCHEMA {row['name']} FROM {role}"
            yield Finding("schema", f"schema {row['name']}", f"{role} has {', '.join(excess)} on it", remedy)


def _database(cursor: Cursor) -> Iterator[Finding]:
    (row,) = rows(cursor, _DATABASE)
    for role, rights in sorted(row["grants"].items()):
        excess = rights if role == "PUBLIC" else [right for right in rights if right == "CREATE"]
        if role != OWNER and excess:
            remedy = f'run REVOKE {", ".join(excess)} ON DATABASE "{row["name"]}" FROM {role}'
            yield Finding(
                "database", f"database {row['name']}", f"{role} has {', '.join(excess)} on it", remedy
            )


def _defaults(cursor: Cursor) -> Iterator[Finding]:
    for row in rows(cursor, _DEFAULTS):
        kind, receiver = row["kind"], row["receiver"]
        if kind in _HARMLESS_KINDS:
            continue
        words = _KINDS.get(kind) or str(kind)
        remedy = f"run ALTER DEFAULT PRIVILEGES FOR ROLE {row['maker']} IN SCHEMA public REVOKE ALL ON {words} FROM {receiver}"
        problem = f"new {words.lower()} of {row['maker']} give {receiver} {row['rights']}"
        yield Finding("default-rights", "default rights", problem, remedy)
