"""Filling the catalogue of built-in roles and permissions, and telling how far it is from the code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from audit.services import record_platform
from isolation import context, permissions
from isolation.actors import Actor
from rbac.events import CatalogueSeeded
from rbac.models_catalogue import CatalogueMapping, CataloguePermission, CatalogueRole, CatalogueRow
from rbac.roles import BUILT_IN, DESK_ROLES, desk_permissions

# In the order in which rows may be added; they are removed in the opposite one.
TABLES: tuple[type[CatalogueRow], ...] = (CatalogueRole, CataloguePermission, CatalogueMapping)


@dataclass(frozen=True)
class Counts:
    """How many rows: of the customer desk alone, and of all there are."""

    desk_roles: int
    desk_permissions: int
    desk_mappings: int
    roles: int
    permissions: int
    mappings: int


@dataclass(frozen=True)
class Difference:
    """What one table lacks, says otherwise, or has too much."""

    missing: list[CatalogueRow]
    changed: list[CatalogueRow]
    extra: list[CatalogueRow]

    def __bool__(self) -> bool:
        return bool(self.missing or self.changed or self.extra)


@dataclass(frozen=True)
class Standing:
    """The tables as they are. ``right`` counts only the rows that say what the code says."""

    counts: Counts
    right: Counts
    differences: dict[type[CatalogueRow], Difference]

    @property
    def is_current(self) -> bool:
        """Whether the tables say what the code says, no more and no less."""
        return not any(self.differences.values())


@dataclass(frozen=True)
class Seeding:
    """What a run of ``catalogue_seed`` found, left and wrote (in rows)."""

    before: Counts
    after: Counts
    added: int = 0
    changed: int = 0
    removed: int = 0

    @property
    def has_written(self) -> bool:
        """Whether anything was written at all."""
        return bool(self.added or self.changed or self.removed)


def wanted_rows() -> dict[type[CatalogueRow], list[CatalogueRow]]:
    """Every row as the code has it, unsaved."""
    return {
        CatalogueRole: list(_roles()),
        CataloguePermission: list(_permissions()),
        CatalogueMapping: list(_mappings()),
    }


def _roles() -> Iterator[CatalogueRow]:
    for role in BUILT_IN.values():
        yield CatalogueRole(
            code=str(role.code),
            name=role.name,
            level=role.level,
            is_desk=role in DESK_ROLES,
            sees_everything=role.sees_everything,
        )


def _permissions() -> Iterator[CatalogueRow]:
    for code, permission in permissions.all_permissions().items():
        yield CataloguePermission(
            code=code,
            module=code.rpartition(".")[0],
            sentence=permission.sentence,
            is_desk=code in desk_permissions(),
        )


def _mappings() -> Iterator[CatalogueRow]:
    for role in BUILT_IN.values():
        for code in sorted(role.permissions):
            yield CatalogueMapping(role_id=str(role.code), permission_id=code)


def wanted_counts() -> Counts:
    """How many rows there are when the tables say what the code says."""
    return _counted(row for rows in wanted_rows().values() for row in rows)


def standing() -> Standing:
    """What the tables say, held against the code. Reads as the program's own login."""
    wanted, found = wanted_rows(), {table: list(table.objects.all()) for table in TABLES}
    differences = {table: _difference(wanted[table], found[table]) for table in TABLES}
    off = {id(row) for one in differences.values() for row in (*one.changed, *one.missing)}
    right = (row for rows in wanted.values() for row in rows if id(row) not in off)
    return Standing(_counted(row for rows in found.values() for row in rows), _counted(right), differences)


def _difference(wanted: list[CatalogueRow], found: list[CatalogueRow]) -> Difference:
    there = {row.pk: row for row in found}
    kept = {row.pk for row in wanted}
    return Difference(
        missing=[row for row in wanted if row.pk not in there],
        changed=[row for row in wanted if row.pk in there and row.values() != there[row.pk].values()],
        extra=[row for row in found if row.pk not in kept],
    )


def _counted(rows: Iterable[CatalogueRow]) -> Counts:
    of: dict[type[CatalogueRow], list[Any]] = {table: [] for table in TABLES}
    for row in rows:
        of[type(row)].append(row)
    roles = {str(role.code) for role in DESK_ROLES}
    return Counts(
        desk_roles=sum(row.is_desk for row in of[CatalogueRole]),
        desk_permissions=sum(row.is_desk for row in of[CataloguePermission]),
        desk_mappings=sum(
            row.role_id in roles and row.permission_id in desk_permissions() for row in of[CatalogueMapping]
        ),
        roles=len(of[CatalogueRole]),
        permissions=len(of[CataloguePermission]),
        mappings=len(of[CatalogueMapping]),
    )


@transaction.atomic
def catalogue_seed(*, acting_user: Actor) -> Seeding:
    """Make the tables say what the code says. Where they do, nothing is written, not even to the audit log.

    Raises: PermissionError for a workspace's member; the catalogue is the platform's.
    """
    with context.shared_tables():
        found = standing()
    if found.is_current:
        return Seeding(found.counts, found.counts)
    with context.platform("fill the catalogue of roles", acting_user):
        _lock()
        return _brought_up(standing(), acting_user)


def _lock() -> None:
    # Two servers that migrate at once would both add the same rows; readers go on reading.
    tables = ", ".join(table._meta.db_table for table in TABLES)
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {tables} IN SHARE ROW EXCLUSIVE MODE")


def _brought_up(found: Standing, acting_user: Actor) -> Seeding:
    for table in reversed(TABLES):
        _remove(table, found.differences[table].extra)
    for table in TABLES:
        _write(table, found.differences[table])
    every = found.differences.values()
    done = Seeding(
        found.counts,
        wanted_counts(),
        added=sum(len(one.missing) for one in every),
        changed=sum(len(one.changed) for one in every),
        removed=sum(len(one.extra) for one in every),
    )
    if done.has_written:
        event = CatalogueSeeded(added=done.added, changed=done.changed, removed=done.removed)
        record_platform(event, acting_user=acting_user)
    return done


def _remove(table: type[CatalogueRow], rows: list[CatalogueRow]) -> None:
    if rows:
        table.objects.filter(pk__in=[row.pk for row in rows]).delete()


def _write(table: type[CatalogueRow], difference: Difference) -> None:
    table.objects.bulk_create(difference.missing)
    if difference.changed:
        key = table._meta.pk.name
        table.objects.bulk_update(difference.changed, [name for name in table.columns() if name != key])


def seed_after_migrate(**_: Any) -> None:
    """After ``migrate``: the tables say what the migrated program says. A step back to before them leaves nothing to fill."""
    if has_tables():
        catalogue_seed(acting_user=Actor.system("migrate"))


def has_tables() -> bool:
    """Whether the database of the program's login has the three tables yet."""
    with context.shared_tables():
        known = connection.introspection.table_names()
    return {table._meta.db_table for table in TABLES} <= set(known)
