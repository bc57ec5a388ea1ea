"""Row-level security and same-tenant foreign keys as Django constraints.

They live in ``Meta.constraints`` (``TenantModel`` puts them there), so ``makemigrations`` writes them, ``migrate`` applies
them and ``makemigrations --check`` notices a table whose declaration and migration differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement
from django.db.models import BaseConstraint, Model

ALL_RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
TENANT_ROLES = ("tenant_member", "tenant_shared", "tenant_wide")
# Each policy names its role: the functions accept a context that is signed for that role only (isolation/migrations/0003).
_IN_TENANT = "{column} = (SELECT revops_tenant_id('{role}'))"
_AMONG_OWNERS = "{column} = ANY ((SELECT revops_owner_ids('{role}'))::bigint[])"
_AMONG_SHARED = "{column} = ANY ((SELECT revops_shared_ids('tenant_shared', '{kind}'))::bigint[])"
_FOR_A_REASON = "(SELECT revops_platform_reason()) IS NOT NULL"
_OF_PEOPLE = "(SELECT revops_reaches_accounts())"
THIS_PERSON = "(SELECT revops_user_id())"

_Model = type[Model] | None
_Editor = BaseDatabaseSchemaEditor | None


def _policy(table: str, role: str, predicate: str) -> str:
    return f"CREATE POLICY {table}_{role} ON {table} TO {role} USING ({predicate}) WITH CHECK ({predicate});"


class _DatabaseOnlyConstraint(BaseConstraint):
    """A constraint that PostgreSQL keeps and that a form cannot check beforehand."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self.deconstruct() == other.deconstruct()

    __hash__ = None  # type: ignore[assignment]  # equal by value and mutable, like Django's own constraints

    def _statements(self, model: type[Model]) -> list[str]:
        raise NotImplementedError

    def _undo(self, model: type[Model]) -> list[str]:
        raise NotImplementedError

    # Django takes None for "not inline", as its own partial unique indexes answer.
    def constraint_sql(self, model: _Model, schema_editor: _Editor) -> str | None:  # type: ignore[override]  # the stubs promise a string
        assert model is not None
        assert schema_editor is not None
        schema_editor.deferred_sql.append(self.create_sql(model, schema_editor))
        return None

    def create_sql(self, model: _Model, schema_editor: _Editor) -> Statement:  # type: ignore[override]  # as Django's own
        assert model is not None
        return Statement("\n".join(self._statements(model)))

    def remove_sql(self, model: _Model, schema_editor: _Editor) -> Statement:  # type: ignore[override]  # as Django's own
        assert model is not None
        return Statement("\n".join(self._undo(model)))

    def validate(self, model: Any, instance: Any, exclude: Any = None, using: str = "default") -> None:
        """Nothing to do before the database sees the row."""


class TenantWall(_DatabaseOnlyConstraint):
    """Who may see and write a table's rows, per database role.

    ``visible_through``: column of the CRM owner that a ``tenant_member`` must be allowed to see ("" = the whole tenant).
    ``shared_through``: (column, kind to see, kind to change) of what a ``tenant_shared`` sees besides: ids of ``Shares`` (() = nothing).
    ``append_only``: the program may add and read rows, never change or remove them; ``tenant_member`` may only add.
    ``person``: predicate that lets the ``person`` role read rows ("" = none).
    ``tenant_column``: "id" for the table of tenants itself.
    """

    def __init__(
        self,
        *,
        name: str,
        visible_through: str = "",
        shared_through: Sequence[str] = (),
        append_only: bool = False,
        person: str = "",
        tenant_column: str = "tenant_id",
    ) -> None:
        super().__init__(name=name)
        self.visible_through = visible_through
        self.shared_through = tuple(shared_through)
        self.append_only = append_only
        self.person = person
        self.tenant_column = tenant_column

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        defaults = {
            "visible_through": "",
            "shared_through": (),
            "append_only": False,
            "person": "",
            "tenant_column": "tenant_id",
        }
        kwargs |= {
            key: getattr(self, key) for key, default in defaults.items() if getattr(self, key) != default
        }
        return path, args, kwargs

    def _statements(self, model: type[Model]) -> list[str]:
        table = model._meta.db_table
        return [
            *self._key(table),
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;",
            f"REVOKE ALL ON {table} FROM PUBLIC, revops_app;",
            *self._grants(table),
            *self._policies(table),
        ]

    def renewal(self, table: str) -> list[str]:
        """Policies and rights anew, on a table that is walled already; its keys stay."""
        return [*self._closed(table), *self._grants(table), *self._policies(table)]

    def _key(self, table: str) -> list[str]:
        if self.tenant_column != "tenant_id":
            return []
        key = f"{table}_pkey"
        return [
            f"ALTER TABLE {table} DROP CONSTRAINT {key}, ADD CONSTRAINT {key} PRIMARY KEY (tenant_id, id);"
        ]

    def _grants(self, table: str) -> list[str]:
        if self.tenant_column == "id":
            # A tenant may not write the slug: the unique index would tell whether another tenant has it.
            grants = [
                f"GRANT SELECT ON {table} TO tenant_member, tenant_shared, tenant_wide;",
                f"GRANT UPDATE (name, timezone, currency) ON {table} TO tenant_wide;",
                f"GRANT {ALL_RIGHTS} ON {table} TO platform;",
            ]
        elif self.append_only:
            grants = [
                f"GRANT INSERT ON {table} TO tenant_member, tenant_shared;",
                f"GRANT SELECT, INSERT ON {table} TO tenant_wide, platform;",
            ]
        else:
            everything = "tenant_member, tenant_wide, platform"
            sharing = "SELECT, UPDATE" if self.shared_through else ALL_RIGHTS
            grants = [
                f"GRANT {ALL_RIGHTS} ON {table} TO {everything};",
                f"GRANT {sharing} ON {table} TO tenant_shared;",
            ]
        return [*grants, f"GRANT SELECT ON {table} TO person;"] if self.person else grants

    def _policies(self, table: str) -> list[str]:
        policies = [
            _policy(table, "tenant_member", self._of_owners("tenant_member")),
            *self._of_shares(table),
            _policy(table, "tenant_wide", self._of_tenant("tenant_wide")),
            _policy(table, "platform", _FOR_A_REASON),
        ]
        if self.person:
            policies.append(
                f"CREATE POLICY {table}_person ON {table} FOR SELECT TO person USING ({self.person});"
            )
        return policies

    def _of_tenant(self, role: str) -> str:
        return _IN_TENANT.format(column=self.tenant_column, role=role)

    def _of_owners(self, role: str) -> str:
        if not self.visible_through:
            return self._of_tenant(role)
        return f"{self._of_tenant(role)} AND {_AMONG_OWNERS.format(column=self.visible_through, role=role)}"

    def _of_shares(self, table: str) -> list[str]:
        """A role of its own for who holds shares: an OR costs everybody else's queries their plan, even with no share at all."""
        if not self.shared_through:
            return [_policy(table, "tenant_shared", self._of_owners("tenant_shared"))]
        column, seen, changed = self.shared_through
        mine = _AMONG_OWNERS.format(column=self.visible_through, role="tenant_shared")
        tenant = self._of_tenant("tenant_shared")
        see, change = (
            f"{tenant} AND ({mine} OR {_AMONG_SHARED.format(column=column, kind=kind)})"
            for kind in (seen, changed)
        )
        return [
            f"CREATE POLICY {table}_tenant_shared ON {table} FOR SELECT TO tenant_shared USING ({see});",
            f"CREATE POLICY {table}_tenant_shared_change ON {table} FOR UPDATE TO tenant_shared"
            f" USING ({change}) WITH CHECK ({change});",
        ]

    def _undo(self, model: type[Model]) -> list[str]:
        table = model._meta.db_table
        key = f"{table}_pkey"
        reset = [f"ALTER TABLE {table} DROP CONSTRAINT {key} CASCADE, ADD CONSTRAINT {key} PRIMARY KEY (id);"]
        return [*self._closed(table), *(reset if self.tenant_column == "tenant_id" else [])]

    def _closed(self, table: str) -> list[str]:
        policies = (*TENANT_ROLES, "tenant_shared_change", "platform", "person")
        return [
            *(f"DROP POLICY IF EXISTS {table}_{policy} ON {table};" for policy in policies),
            f"REVOKE ALL ON {table} FROM {', '.join(TENANT_ROLES)}, platform, person;",
        ]


class SameTenantReference(_DatabaseOnlyConstraint):
    """A foreign key on (tenant_id, column): PostgreSQL checks foreign keys past row security, so the tenant must be in it."""

    def __init__(self, *, name: str, field: str) -> None:
        super().__init__(name=name)
        self.field = field

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "field": self.field}

    def _statements(self, model: type[Model]) -> list[str]:
        table, field = model._meta.db_table, model._meta.get_field(self.field)
        column, target = field.column, field.related_model._meta.db_table  # type: ignore[union-attr]  # always a foreign key
        return [
            f"ALTER TABLE {table} ADD CONSTRAINT {self.name} FOREIGN KEY (tenant_id, {column}) "
            f"REFERENCES {target} (tenant_id, id) DEFERRABLE INITIALLY DEFERRED;",
            f"CREATE INDEX {self.name}_idx ON {table} (tenant_id, {column});",
        ]

    def _undo(self, model: type[Model]) -> list[str]:
        return [
            f"ALTER TABLE {model._meta.db_table} DROP CONSTRAINT {self.name};",
            f"DROP INDEX {self.name}_idx;",
        ]


class Unmeasured(_DatabaseOnlyConstraint):
    """Columns that name somebody, of which PostgreSQL keeps no statistics.

    No policy stands before EXPLAIN's estimates: from statistics of all rows they tell which values other tenants have.
    """

    def __init__(self, *, name: str, columns: Sequence[str]) -> None:
        super().__init__(name=name)
        self.columns = tuple(columns)

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "columns": self.columns}

    def _statements(self, model: type[Model]) -> list[str]:
        # The same type again rewrites nothing and drops the statistics that there are.
        return [
            f"ALTER TABLE {model._meta.db_table} ALTER COLUMN {column} TYPE {self._type(model, column)}, "
            f"ALTER COLUMN {column} SET STATISTICS 0;"
            for column in self.columns
        ]

    def _undo(self, model: type[Model]) -> list[str]:
        return [
            f"ALTER TABLE {model._meta.db_table} ALTER COLUMN {column} SET STATISTICS -1;"
            for column in self.columns
        ]

    def _type(self, model: type[Model], column: str) -> str:
        return str(model._meta.get_field(column).db_type(connections["default"]))


class SharedRights(_DatabaseOnlyConstraint):
    """What the bare login, the platform and the accounts roles may do with a table that belongs to no tenant; tenants' roles: nothing.

    Where the login may not read, the others need their signed context: taking the role is not enough. On a table of others' models
    (``is_foreign``) the owner stays free of that, because their migrations look after their rows themselves.
    """

    def __init__(
        self, *, name: str, login: str = "", platform: str = "", accounts: str = "", is_foreign: bool = False
    ) -> None:
        super().__init__(name=name)
        self.is_foreign = is_foreign
        self.login = login
        self.platform = platform
        self.accounts = accounts

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        rights = {"login": self.login, "platform": self.platform, "accounts": self.accounts}
        return path, args, kwargs | {role: given for role, given in rights.items() if given}

    def _statements(self, model: type[Model]) -> list[str]:
        return self.statements(model._meta.db_table)

    def statements(self, table: str) -> list[str]:
        """The SQL that gives these rights on ``table`` and takes all others."""
        given = {"revops_app": self.login, "platform": self.platform, "accounts": self.accounts}
        rights = [
            f"REVOKE ALL ON {table} FROM PUBLIC, {', '.join(given)};",
            *(f"GRANT {right} ON {table} TO {role};" for role, right in given.items() if right),
        ]
        return rights if "SELECT" in self.login else [*rights, *self._policies(table)]

    def _policies(self, table: str) -> list[str]:
        signed = {"platform": (self.platform, _FOR_A_REASON), "accounts": (self.accounts, _OF_PEOPLE)}
        policies = [_policy(table, role, predicate) for role, (right, predicate) in signed.items() if right]
        forced = "" if self.is_foreign else ", FORCE ROW LEVEL SECURITY"
        return [*_unpoliced(table), f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY{forced};", *policies]

    def _undo(self, model: type[Model]) -> list[str]:
        table = model._meta.db_table
        return [
            *_unpoliced(table),
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;",
            f"REVOKE ALL ON {table} FROM platform, accounts;",
            f"GRANT {ALL_RIGHTS} ON {table} TO revops_app;",
        ]


def _unpoliced(table: str) -> list[str]:
    names = ("login", "platform", "accounts")  # the login could add without a context before
    return [f"DROP POLICY IF EXISTS {table}_{name} ON {table};" for name in names]


_foreign: dict[str, SharedRights] = {}


def register_foreign(tables: Mapping[str, SharedRights]) -> None:
    """Declare the rights on tables of others' models (sessions, say), which have no ``Meta`` of ours; a migration gives them."""
    _foreign.update(tables)


def foreign_rights() -> dict[str, SharedRights]:
    """The rights on tables of others' models, by table."""
    return dict(_foreign)
