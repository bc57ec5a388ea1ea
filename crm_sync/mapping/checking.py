"""Comparing a connection's fields with its contract now, beside the comparison that every sync makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, QuerySet, Value, When

from audit.services import record
from crm_sync import permissions
from crm_sync.engine import contract
from crm_sync.engine.scope import Scope
from crm_sync.events import ContractChecked
from crm_sync.mapping.crm import asked, connection_for, mappable
from crm_sync.mapping.versions import begin_versions, in_force
from crm_sync.models import Connection, ContractViolation
from isolation import context
from isolation.actors import Actor, require
from isolation.ids import uuid7
from tenants.models import Tenant


@dataclass(frozen=True)
class Checked:
    """How many objects could be compared, and what breaks the contract now, fields first."""

    objects: int
    violations: list[ContractViolation]


def violations_of(connection: Connection) -> QuerySet[Any]:
    """All violations of a connection, over ones too. What concerns whole fields has the higher ``rank``."""
    of_fields = When(kind__in=contract.FIELD_KINDS, then=Value(1))
    own = ContractViolation.objects.filter(tenant_id=connection.tenant_id, connection=connection)
    ranked: QuerySet[Any] = own.annotate(rank=Case(of_fields, default=Value(0)))
    return ranked


def open_violations(connection: Connection) -> QuerySet[Any]:
    """Those that last, fields first, then by how many rows they concern."""
    return (
        violations_of(connection)
        .filter(resolved_at=None)
        .order_by("-rank", "-rows", "object_name", "field", "kind")
    )


def contract_check(*, tenant_id: int, source: str, acting_user: Actor) -> Checked:
    """Ask the CRM for its fields, compare them with the contract, and count odd values. To be called outside every context.

    Where nothing is known of the fields yet, they are what is expected from now on.
    Raises: Forbidden, ConnectionMissing, ConnectionRefused, ConnectionNotSetUp.
    """
    require(acting_user, permissions.SYNC, tenant_id)
    connection = connection_for(tenant_id, source, acting_user)
    with asked(connection) as crm:
        described = {name: crm.describe(spec) for name, spec in mappable(crm).items()}
        specs = crm.objects()
    with context.of_actor(acting_user, tenant_id):
        current, currency = in_force(connection), Tenant.objects.get(pk=tenant_id).currency
        family = tuple(current.apply(spec) for spec in specs)
        for spec in family:
            expected, found = current.contract.get(spec.name, {}), described.get(spec.name)
            options = contract.restricted(expected, found)
            scope = Scope(tenant_id, source, currency, connection.id, uuid7(), spec, family, options)
            if not spec.parent:
                contract.note_fields(scope, expected, found)
            if spec.parent or found is not None:
                contract.settle(scope)
        if not current.is_stored:
            begin_versions(
                connection,
                {
                    spec.name: contract.contract_of(spec, described.get(spec.name) or {})
                    for spec in family
                    if not spec.parent
                },
            )
        violations = list(open_violations(connection))
        event = ContractChecked(target_id=str(connection.id), target_label=source, open=len(violations))
        record(event, acting_user=acting_user, tenant_id=tenant_id)
    return Checked(sum(1 for found in described.values() if found), violations)
