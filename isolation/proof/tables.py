"""Tenants' tables, and those of nobody: row security, policies, keys, indexes, owner, rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from isolation import signing
from isolation.proof import shared
from isolation.proof.reading import HELD, LOGIN, NAME, OURS, OWNER, Cursor, Declared, Row, Wall, rows
from isolation.proof.report import Finding, Policy, TableFacts

_KEYS = signing.TABLE.removeprefix("public.")
_PLAIN_RIGHTS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
_KEPT_RIGHTS = frozenset({"SELECT", "INSERT"})
# A policy of a tenant's role: the tenant first, and whatever follows only narrows it.
_ASKED = r"\( SELECT (?:\w+\.)?revops_\w+\([^()]*\) AS \w+\)"
_NAMED_ROLE = re.compile(r"revops_\w+\('(\w+)'")
_TENANT_FIRST = r"\({column} = " + _ASKED + r"\)"
_SQL = f"""
SELECT {NAME} c.relname AS name, pg_get_userbyid(c.relowner)::text AS owner,
       c.relrowsecurity AS is_enabled, c.relforcerowsecurity AS is_forced,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped) AS has_tenant,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', p.polname, 'command', p.polcmd, 'is_permissive', p.polpermissive,
            'roles', (SELECT jsonb_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r)::text END ORDER BY r) FROM unnest(p.polroles) AS r),
            'using', coalesce(pg_get_expr(p.polqual, p.polrelid), ''), 'check', coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
        ) ORDER BY p.polname), '[]') FROM pg_policy p WHERE p.polrelid = c.oid)::text AS policies_json,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', o.relname, 'is_unique', i.indisunique OR i.indisexclusion, 'columns', array_to_string(ARRAY(
                SELECT pg_get_indexdef(i.indexrelid, k, true) FROM generate_series(1, i.indnkeyatts) AS k), ', '))
        ORDER BY o.relname), '[]') FROM pg_index i JOIN pg_class o ON o.oid = i.indexrelid WHERE i.indrelid = c.oid)::text AS indexes_json,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'name', f.conname, 'target', f.confrelid::regclass::text, 'text', pg_get_constraintdef(f.oid),
            'holds', f.convalidated AND coalesce((to_jsonb(f) ->> 'conenforced')::boolean, true) AND NOT EXISTS (
                SELECT FROM pg_trigger t WHERE t.tgconstraint = f.oid AND t.tgenabled NOT IN ('O', 'A')),
            'carries_tenant', EXISTS (
                SELECT FROM unnest(f.conkey, f.confkey) AS pair (here, there)
                JOIN pg_attribute h ON h.attrelid = f.conrelid AND h.attnum = pair.here AND h.attname = 'tenant_id'
                JOIN pg_attribute t ON t.attrelid = f.confrelid AND t.attnum = pair.there
                                   AND t.attname = CASE f.confrelid::regclass::text WHEN %(tenants)s THEN 'id' ELSE 'tenant_id' END)
        ) ORDER BY f.conname), '[]') FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f')::text AS keys_json,
       (SELECT coalesce(jsonb_agg(a.attname), '[]') FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attstattarget IS DISTINCT FROM 0)::text AS measured_json,
       {HELD.format(acl="c.relacl", kind="r", owner="c.relowner")}::text AS grants_json,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(
            CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END,
            x.privilege_type || ' (' || a.attname || ')') ORDER BY a.attnum), '[]')
        FROM pg_attribute a, aclexplode(a.attacl) AS x WHERE a.attrelid = c.oid)::text AS columns_json
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND {OURS}
ORDER BY 1
"""


def read(cursor: Cursor, declared: Declared) -> tuple[list[TableFacts], list[Finding]]:
    """Every table with its facts, and what is wrong with each."""
    tenants = next((name for name, wall in declared.tables.items() if wall.tenant_column == "id"), "")
    found = rows(cursor, _SQL, tenants=tenants)
    findings = [finding for row in found for finding in _findings(row, declared)]
    findings += [
        Finding(
            "table",
            name,
            "is declared by a model and does not exist",
            "run manage.py migrate --database owner",
        )
        for name in sorted(declared.tables.keys() - {row["name"] for row in found})
    ]
    return [_facts(row, declared.tables.get(row["name"])) for row in found], findings


def _facts(row: Row, wall: Wall | None) -> TableFacts:
    return TableFacts(
        name=row["name"],
        tenant_column=wall.tenant_column if wall else "",
        owner=row["owner"],
        is_enabled=row["is_enabled"],
        is_forced=row["is_forced"],
        policies=tuple(_policies(row)),
        unique=tuple(f"{one['name']} ({one['columns']})" for one in row["indexes"] if one["is_unique"]),
        keys=tuple(f"{one['name']}: {one['text']}" for one in row["keys"]),
        grants=_grants(row),
    )


def _policies(row: Row) -> Iterator[Policy]:
    for one in row["policies"]:
        yield Policy(**one | {"roles": tuple(one["roles"])})


def _grants(row: Row) -> dict[str, list[str]]:
    grants = {role: list(rights) for role, rights in row["grants"].items() if role != row["owner"]}
    for role, right in row["columns"]:
        grants.setdefault(role, []).append(right)
    return grants


def _findings(row: Row, declared: Declared) -> Iterator[Finding]:
    wall = declared.tables.get(row["name"])
    if wall is None:
        yield from (
            _of_keys(row)
            if row["name"] == _KEYS
            else shared.findings(row, _grants(row), list(_policies(row)), declared)
        )
        return
    yield from _row_security(row)
    yield from _owner(row)
    yield from _policy_findings(row, wall, declared)
    yield from _indexes(row, wall)
    yield from _keys(row, wall, declared)
    yield from _rights(row, wall, declared)
    for column in sorted(wall.unmeasured & set(row["measured"])):
        remedy = f"run ALTER TABLE {row['name']} ALTER COLUMN {column} SET STATISTICS 0"
        problem = f"{column} has statistics, from which EXPLAIN tells which values others have"
        yield Finding("statistics", row["name"], problem, remedy, thing=f"{row['name']}.{column}")


def _of_keys(row: Row) -> Iterator[Finding]:
    """Who reads the signing keys makes contexts."""
    yield from _owner(row)
    for role, rights in sorted(_grants(row).items()):
        remedy = f"run REVOKE ALL ON {row['name']} FROM {role}, and rotate SECRET_KEY"
        yield Finding(
            "signing-key", row["name"], f"{role} has {', '.join(rights)} on the signing keys", remedy
        )


def _row_security(row: Row) -> Iterator[Finding]:
    if not (row["is_enabled"] and row["is_forced"]):
        remedy = f"run ALTER TABLE {row['name']} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        yield Finding("row-security", row["name"], "row security is not both enabled and forced", remedy)


def _owner(row: Row) -> Iterator[Finding]:
    if row["owner"] != OWNER:
        remedy = f"run ALTER TABLE {row['name']} OWNER TO {OWNER}"
        yield Finding("owner", row["name"], f"belongs to {row['owner']}, who may change its wall", remedy)


def _policy_findings(row: Row, wall: Wall, declared: Declared) -> Iterator[Finding]:
    name, policies = row["name"], list(_policies(row))
    served = {role for policy in policies for role in policy.roles}
    for role in sorted((declared.tenant_roles | {"platform"}) - served):
        yield Finding("policy", name, f"has no policy for {role}", "apply the wall's migration again")
    for policy in policies:
        for problem in _policy_problems(policy, wall, declared):
            remedy = f"run DROP POLICY {policy.name} ON {name} and apply the wall's migration again"
            yield Finding("policy", name, f"policy {policy.name} {problem}", remedy)
    for role, several in _adding_up(policies, served):
        remedy = "drop all but the one that the wall declares"
        yield Finding("policy", name, f"policies {', '.join(several)} add up for {role}", remedy)


def _adding_up(policies: list[Policy], served: set[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The roles for which more than one policy lets rows through for the same command, with those policies."""
    for role in sorted(served):
        found = {
            tuple(
                p.name
                for p in policies
                if role in p.roles and p.is_permissive and p.command in ("*", command)
            )
            for command in "rawd"
        }
        yield from ((role, several) for several in sorted(found) if len(several) > 1)


def _policy_problems(policy: Policy, wall: Wall, declared: Declared) -> Iterator[str]:
    if strangers := sorted(set(policy.roles) - declared.roles):
        yield f"lets {', '.join(strangers)} in, which no context takes"
    if policy.command in ("*", "a", "w") and not policy.check:
        yield "has no WITH CHECK"
    if "person" in policy.roles and policy.command != "r":
        yield "lets a person write"
    is_tenants = bool(set(policy.roles) & declared.tenant_roles)
    for predicate in filter(None, (policy.using, policy.check)):
        if is_tenants and not _narrows(predicate, wall.tenant_column):
            yield f"does not begin with the tenant, or widens it again ({_one_line(predicate)})"
        elif others := sorted(set(_NAMED_ROLE.findall(predicate)) - set(policy.roles)):
            yield f"believes a context of {', '.join(others)}"
        elif not (is_tenants or _asks(predicate) or _through_another(predicate, declared)):
            yield f"asks for no context ({_one_line(predicate)})"


def _narrows(predicate: str, column: str) -> bool:
    """Whether every row that ``predicate`` lets through has the tenant's id: one comparison, and nothing but AND behind it."""
    text = _one_line(predicate)
    first = re.compile(_TENANT_FIRST.format(column=column))
    if first.match(text):
        return _behind_first(text) == ""
    return bool(first.match(text[1:])) and _behind_first(text[1:]).startswith(" AND ")


def _behind_first(text: str) -> str:
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[place + 1 :]
    return ""


def _asks(predicate: str) -> bool:
    """Whether a predicate of ``platform`` or ``person`` holds only in a context."""
    return bool(re.search(_ASKED, _one_line(predicate))) and " OR " not in _one_line(predicate)


def _through_another(predicate: str, declared: Declared) -> bool:
    """Whether the predicate reads a walled table, whose own policy then asks for the context."""
    return any(f"FROM {table}" in _one_line(predicate) for table in declared.tables)


def _one_line(predicate: str) -> str:
    return " ".join(predicate.split())


def _indexes(row: Row, wall: Wall) -> Iterator[Finding]:
    if (
        wall.tenant_column == "id"
    ):  # its rows are the tenants: unique by id and slug, which tenants may not write
        return
    for one in row["indexes"]:
        if one["columns"].split(", ")[0] == "tenant_id":
            continue
        tells = (
            "tells that a value exists elsewhere"
            if one["is_unique"]
            else "lets EXPLAIN ANALYZE count others' rows"
        )
        problem = f"index {one['name']} does not begin with tenant_id and so {tells}"
        yield Finding("index", row["name"], problem, "begin it with tenant_id", thing=one["name"])


def _keys(row: Row, wall: Wall, declared: Declared) -> Iterator[Finding]:
    name = row["name"]
    for one in row["keys"]:
        if one["target"] in declared.tables and not one["carries_tenant"]:
            problem = (
                f"foreign key {one['name']} does not carry tenant_id, so a row may point at another tenant's"
            )
            yield Finding("key", name, problem, "use SameTenantForeignKey")
        if not one["holds"]:
            problem = f"foreign key {one['name']} is not enforced on every row"
            remedy = "validate it, and enable its triggers"
            yield Finding("key", name, problem, remedy)
    for missing in sorted(wall.keys - {one["name"] for one in row["keys"]}):
        remedy = "run manage.py migrate --database owner"
        yield Finding("key", name, f"the declared same-tenant key {missing} is missing", remedy)


def _rights(row: Row, wall: Wall, declared: Declared) -> Iterator[Finding]:
    for role, rights in sorted(_grants(row).items()):
        allowed = _allowed(role, wall, declared)
        excess = [right for right in rights if not _is_allowed(right, allowed)]
        if excess:
            remedy = f"run REVOKE {', '.join(excess).replace(' WITH GRANT OPTION', '')} ON {row['name']} FROM {role}"
            who = "the program's bare login" if role == LOGIN else role
            yield Finding("right", row["name"], f"{who} may {', '.join(excess)}", remedy)


def _allowed(role: str, wall: Wall, declared: Declared) -> frozenset[str]:
    if role not in declared.roles:
        return frozenset()
    if role == "person":
        return frozenset({"SELECT"}) if wall.has_person else frozenset()
    if wall.tenant_column == "id" and role in declared.tenant_roles:
        # Not the slug: its unique index would tell whether another tenant has it.
        return frozenset({"SELECT", "UPDATE (name)", "UPDATE (timezone)", "UPDATE (currency)"})
    return _KEPT_RIGHTS if wall.is_append_only else _PLAIN_RIGHTS


def _is_allowed(right: str, allowed: frozenset[str]) -> bool:
    return right in allowed or (right.endswith(")") and right.partition(" ")[0] in allowed)


def described(table: TableFacts) -> dict[str, Any]:
    """The table's facts as a command prints them."""
    return {
        "row security": "enabled and forced" if table.is_enabled and table.is_forced else "NOT WHOLE",
        "owner": table.owner,
        "policies": [
            f"{p.name} for {', '.join(p.roles)}: {_one_line(p.using or p.check)}" for p in table.policies
        ],
        "unique": list(table.unique),
        "keys": list(table.keys),
        "rights": [f"{role}: {', '.join(rights)}" for role, rights in sorted(table.grants.items())],
    }
