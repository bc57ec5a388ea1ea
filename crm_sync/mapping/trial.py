"""Trying a mapping on a few real rows, with the very statements of a sync, in a transaction that is undone."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection as database
from django.db import transaction

from crm_sync import permissions
from crm_sync.connectors.base import Column, Kind, ObjectSpec
from crm_sync.engine import reject, stage
from crm_sync.engine.scope import Scope
from crm_sync.engine.sql import ODD, STAGE, joins, minor_units, staged, values
from crm_sync.errors import ObjectUnreadable
from crm_sync.mapping.applied import Descriptions, applied
from crm_sync.mapping.crm import asked, connection_for, described_of, mappable, object_of
from crm_sync.mapping.document import Fields, complete_fields, key_of
from crm_sync.mapping.fitting import faults_of
from crm_sync.mapping.services import MappingInvalid
from crm_sync.mapping.versions import InForce, in_force
from crm_sync.models import Connection
from isolation import context
from isolation.actors import Actor, require
from tenants.models import Tenant

ROWS = 10
_NO_RUN = UUID(int=0)


@dataclass(frozen=True)
class TriedRow:
    """What one row of the CRM would become: texts by our fields' names. A row with a ``reason`` would be kept aside.

    ``odd`` are custom fields whose values do not fit their type: they would be left empty.
    """

    external_id: str
    values: Mapping[str, str]
    field: str = ""
    reason: str = ""
    odd: Sequence[str] = ()


@dataclass(frozen=True)
class Trial:
    """The newest rows of an object under a mapping."""

    keys: Sequence[str]
    rows: Sequence[TriedRow]

    @property
    def kept_aside(self) -> int:
        """How many of the rows would be kept aside."""
        return sum(1 for row in self.rows if row.reason)


@dataclass(frozen=True)
class Looked:
    """An object of the CRM beside its mapping: ``spec`` as the connector declares it, and samples of the fields that are read."""

    connection: Connection
    spec: ObjectSpec
    names: Sequence[str]
    current: InForce
    described: Descriptions
    samples: Sequence[Mapping[str, str]]


def mapping_look(*, tenant_id: int, source: str, name: str, acting_user: Actor) -> Looked:
    """An object's fields as the CRM has them; "" names the object of the deals. To be called outside every context.

    Raises: Forbidden, ConnectionMissing, ConnectionRefused, ConnectionNotSetUp, ObjectUnknown.
    """
    require(acting_user, permissions.VIEW, tenant_id)
    connection = connection_for(tenant_id, source, acting_user)
    with context.of_actor(acting_user, tenant_id):
        current = in_force(connection)
    with asked(connection) as crm:
        specs = mappable(crm)
        spec = object_of(specs, name or deals_of(specs))
        described = described_of(crm, spec)
        usable, _ = crm.usable(current.apply(spec))
        samples = crm.sample(usable, usable.fields, 3) if usable else []
    return Looked(connection, spec, list(specs), current, described, samples)


def deals_of(specs: Mapping[str, ObjectSpec]) -> str:
    """The object that people map first: the deals; the first one where there are none."""
    return next(
        (name for name, spec in specs.items() if spec.model.__name__ == "Opportunity"), next(iter(specs))
    )


def mapping_try(*, tenant_id: int, source: str, name: str, fields: Fields, acting_user: Actor) -> Trial:
    """What the newest ten rows of an object would become. Nothing is stored. To be called outside every context.

    Raises: Forbidden, ConnectionMissing, ConnectionRefused, ConnectionNotSetUp, ObjectUnknown, ObjectUnreadable, MappingInvalid.
    """
    require(acting_user, permissions.EDIT, tenant_id)
    connection = connection_for(tenant_id, source, acting_user)
    with asked(connection) as crm:
        spec = object_of(mappable(crm), name)
        described = described_of(crm, spec)
        if faults := list(faults_of(spec, fields, described)):
            raise MappingInvalid(faults)
        usable, _ = crm.usable(applied(spec, complete_fields(spec, fields), described))
        if usable is None:
            raise ObjectUnreadable(name=name)
        rows, family = crm.sample(usable, usable.fields, ROWS), crm.objects()
    with context.of_actor(acting_user, tenant_id):
        currency = Tenant.objects.get(pk=tenant_id).currency
        scope = Scope(tenant_id, connection.source, currency, connection.id, _NO_RUN, usable, family)
        return _undone(scope, rows)


def _undone(scope: Scope, rows: Sequence[Mapping[str, str]]) -> Trial:
    with transaction.atomic():
        stage.create(scope)
        stage.fill(scope, [_csv(scope.spec, rows)], len(rows))
        reject.find_bad(scope)
        kept = _kept_aside(scope)
        reject.leave_out(scope)
        good = _good(scope)
        transaction.set_rollback(True)
    return Trial(keys_of(scope.spec), [*kept, *good])


def _csv(spec: ObjectSpec, rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(spec.fields)
    writer.writerows([row.get(field, "").replace("\x00", "") for field in spec.fields] for row in rows)
    return text.getvalue().encode()


def keys_of(spec: ObjectSpec) -> list[str]:
    """The names of our fields that a row fills, as the mapping calls them."""
    ours = [key_of(spec, column) for column in spec.columns]
    return [*ours, *(r.mapping_key for r in spec.references), *(custom.key for custom in spec.custom)]


def _kept_aside(scope: Scope) -> list[TriedRow]:
    own_id = staged(scope.spec.id_field)
    sql = f"SELECT coalesce({own_id}, ''), bad.field, bad.reason FROM {STAGE} s JOIN {reject.BAD} bad ON bad.place = s.ctid"
    with database.cursor() as cursor:
        cursor.execute(sql, scope.parameters)
        return [TriedRow(key, {}, field, reason) for key, field, reason in cursor.fetchall()]


def _good(scope: Scope) -> list[TriedRow]:
    spec, sql = scope.spec, values(scope.spec)
    texts = [_shown(spec, column, sql[column.name]) for column in spec.columns]
    texts += [f"({sql[reference.external]})::text" for reference in spec.references]
    with database.cursor() as cursor:
        chosen = ", ".join([staged(spec.id_field), f"({sql['custom']})::text", *texts])
        cursor.execute(f"SELECT {chosen} FROM {STAGE} s {joins(spec)} ORDER BY s.ctid", scope.parameters)
        return [_row(spec, *found) for found in cursor.fetchall()]


def _shown(spec: ObjectSpec, column: Column, sql: str) -> str:
    if column.kind is Kind.MONEY:
        return f"trim_scale(({sql})::numeric / {minor_units(spec)})::text"
    return f"({sql})::text"


def _row(spec: ObjectSpec, external_id: str, custom: str, *texts: str | None) -> TriedRow:
    extra = json.loads(custom)
    odd = list(extra.pop(ODD, {}))
    ours = dict(zip(keys_of(spec), (text or "" for text in texts), strict=False))
    return TriedRow(external_id, {**ours, **{key: _text(value) for key, value in extra.items()}}, odd=odd)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
