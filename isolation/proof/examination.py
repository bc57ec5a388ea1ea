"""The whole examination: what models declare, held against what the catalogue has."""

from __future__ import annotations

from datetime import UTC, datetime

from django.apps import apps
from django.db import connections, models, transaction

from isolation.context import Role
from isolation.proof import doors, place, roles, tables
from isolation.proof.accepted import ACCEPTED
from isolation.proof.reading import Cursor, Declared, Wall
from isolation.proof.report import Accepted, Report
from isolation.wall import SameTenantReference, SharedRights, TenantWall, Unmeasured, foreign_rights

_TENANT = "tenant_"


def declared() -> Declared:
    """The wall as the models declare it."""
    walls = {
        model._meta.db_table: wall
        for model in apps.get_models(include_auto_created=True)
        if (wall := _wall(model)) is not None
    }
    taken = {role.value for role in Role if role is not Role.NONE}
    tenants = frozenset(role for role in taken if role.startswith(_TENANT))
    return Declared(walls, _shared(), tenants, frozenset(taken) - tenants)


def _shared() -> dict[str, SharedRights]:
    own = {
        model._meta.db_table: one
        for model in apps.get_models(include_auto_created=True)
        for one in model._meta.constraints
        if isinstance(one, SharedRights)
    }
    return foreign_rights() | own


def _wall(model: type[models.Model]) -> Wall | None:
    constraints = model._meta.constraints
    wall = next((one for one in constraints if isinstance(one, TenantWall)), None)
    if wall is None:
        return None
    keys = frozenset(one.name for one in constraints if isinstance(one, SameTenantReference))
    unmeasured = frozenset(
        column for one in constraints if isinstance(one, Unmeasured) for column in one.columns
    )
    return Wall(wall.tenant_column, wall.append_only, bool(wall.person), keys, unmeasured)


def examine(cursor: Cursor, expected: Declared | None = None) -> Report:
    """Read and judge everything that ``cursor``'s database holds. Any role may: it reads the catalogue alone."""
    expected = expected or declared()
    server, reader, of_server = place.server(cursor)
    found, of_tables = tables.read(cursor, expected)
    functions, of_doors = doors.read(cursor, expected)
    role_facts, of_roles = roles.read(cursor, expected)
    findings = [*of_tables, *of_doors, *of_roles, *place.read(cursor, expected), *of_server]
    return Report(
        read_at=datetime.now(UTC),
        read_as=reader,
        server=server,
        tables=tuple(found),
        functions=tuple(functions),
        roles=tuple(role_facts),
        findings=tuple(one for one in findings if one.code not in ACCEPTED),
        accepted=tuple(Accepted(one, ACCEPTED[one.code]) for one in findings if one.code in ACCEPTED),
    )


def examine_database(using: str = "default") -> Report:
    """The report on the database of that alias, read in one transaction."""
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        return examine(cursor)
