"""Tables that belong to no tenant: who may use them is declared, and whoever may not as the bare login needs a signed context."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from isolation.proof.reading import LOGIN, OWNER, Declared, Row
from isolation.proof.report import Finding, Policy
from isolation.wall import SharedRights

_SIGNED = re.compile(r"\( SELECT (?:\w+\.)?revops_\w+\(\) AS \w+\)( IS NOT NULL)?")


def findings(
    row: Row, grants: Mapping[str, Sequence[str]], policies: list[Policy], declared: Declared
) -> Iterator[Finding]:
    """What is wrong with a table without a wall."""
    name, rights = row["name"], declared.shared.get(row["name"])
    if row["has_tenant"]:
        yield Finding("unwalled", name, "has a tenant_id but no wall", "derive its model from TenantModel")
    elif rights is None:
        remedy = "declare SharedRights in its model, or beside accounts.foreign for a table of others"
        yield Finding("undeclared", name, "belongs to no tenant, and nothing says who may use it", remedy)
    else:
        yield from _excess(name, grants, rights)
        if "SELECT" not in rights.login:
            yield from _row_security(row, policies, rights)


def _excess(name: str, grants: Mapping[str, Sequence[str]], rights: SharedRights) -> Iterator[Finding]:
    allowed = {LOGIN: rights.login, "platform": rights.platform, "accounts": rights.accounts}
    for role, held in sorted(grants.items()):
        excess = sorted(set(held) - set(allowed.get(role, "").split(", ")))
        if excess and role != OWNER:
            words = ", ".join(excess)
            problem = f"belongs to no tenant, yet {role} may {words}"
            yield Finding("shared", name, problem, f"run REVOKE {words} ON {name} FROM {role}")


def _row_security(row: Row, policies: list[Policy], rights: SharedRights) -> Iterator[Finding]:
    name = row["name"]
    if not (row["is_enabled"] and (row["is_forced"] or rights.is_foreign)):
        remedy = f"run ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        yield Finding("row-security", name, "row security is not both enabled and forced", remedy)
    for policy in policies:
        predicates = list(filter(None, (policy.using, policy.check)))
        if not (predicates and all(map(_is_signed, predicates))):
            problem = f"policy {policy.name} asks for no context"
            remedy = f"run DROP POLICY {policy.name} ON {name} and apply the table's migration again"
            yield Finding("policy", name, problem, remedy)


def _is_signed(predicate: str) -> bool:
    text = " ".join(predicate.split())
    return bool(_SIGNED.fullmatch(text) or _SIGNED.fullmatch(text.removeprefix("(").removesuffix(")")))
