"""One cursor for Django's connections and psycopg's alike, and rows with names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from isolation.wall import SharedRights

OWNER = "revops_owner"
LOGIN = "revops_app"
OURS = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%%'"
NAME = "CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || "
# Who holds a right: {role: [rights]}; 0 is everybody.
HELD = """coalesce((SELECT jsonb_object_agg(g.who, g.rights) FROM (
    SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END AS who,
           jsonb_agg(a.privilege_type || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END ORDER BY a.privilege_type) AS rights
    FROM aclexplode(coalesce({acl}, acldefault('{kind}', {owner}))) AS a GROUP BY 1) AS g), '{{}}'::jsonb)"""


class Cursor(Protocol):
    """What Django's and psycopg's cursors have in common."""

    description: Any

    def execute(self, query: Any, params: Any = None, /) -> Any: ...

    def fetchall(self) -> Sequence[Any]: ...


Row = Mapping[str, Any]


def rows(cursor: Cursor, sql: str, **parameters: Any) -> list[Row]:
    """The rows of ``sql`` by column name; columns called ``…_json`` are parsed, and lose the ending."""
    cursor.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(_parsed(names, row)) for row in cursor.fetchall()]


def _parsed(names: Iterable[str], row: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    for name, value in zip(names, row, strict=True):
        if name.endswith("_json"):
            yield name.removesuffix("_json"), json.loads(value)
        else:
            yield name, value


@dataclass(frozen=True)
class Wall:
    """What a model declares of its table."""

    tenant_column: str
    is_append_only: bool
    has_person: bool
    keys: frozenset[str]
    unmeasured: frozenset[str]


@dataclass(frozen=True)
class Declared:
    """Every table as its model declares it, those of tenants and those of nobody, and the context roles there are."""

    tables: Mapping[str, Wall]
    shared: Mapping[str, SharedRights]
    tenant_roles: frozenset[str]
    other_roles: frozenset[str]

    @property
    def roles(self) -> frozenset[str]:
        """Every role that a context can take."""
        return self.tenant_roles | self.other_roles
