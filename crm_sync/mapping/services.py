"""Writing a mapping: what a person wants is compared with the CRM, stored as a new version, and read anew by the next sync."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction

from audit.services import record
from crm_sync import permissions
from crm_sync.anew import read_anew
from crm_sync.connectors.base import ObjectSpec
from crm_sync.engine import contract
from crm_sync.errors import MappingChanged, MappingVersionMissing
from crm_sync.events import MappingSaved
from crm_sync.mapping.applied import Descriptions, applied
from crm_sync.mapping.crm import asked, connection_for, described_of, mappable, object_of
from crm_sync.mapping.document import Change, Document, changes_between, complete, complete_fields
from crm_sync.mapping.fitting import Fault, faults_of
from crm_sync.mapping.versions import InForce, in_force, stored, versions_of
from crm_sync.models import Connection, FieldMap
from isolation import context
from isolation.actors import Actor, require
from isolation.errors import InvalidInput

_CHANGES_TOLD = 100


class MappingInvalid(InvalidInput):
    """A mapping that cannot work; ``faults`` are all that was found, the sentence is about the first."""

    code = "crm_sync.mapping_invalid"

    def __init__(self, faults: Sequence[Fault]) -> None:
        more = f" {len(faults) - 1} more fields are wrong too." if len(faults) > 1 else ""
        super().__init__(field=f"{faults[0].object_name}.{faults[0].key}", problem=faults[0].problem + more)
        self.faults = tuple(faults)


@dataclass(frozen=True)
class Saved:
    """A mapping as it is in force now, and what is different; no changes: the version is the one that was there."""

    version: int
    changes: Sequence[Change]
    reread: Sequence[str]


@dataclass(frozen=True)
class _Wanted:
    document: dict[str, dict[str, str]]
    contract: dict[str, Descriptions]
    changes: list[Change]
    reread: list[str]
    accepted: list[str]
    note: str
    restored_from: int | None


def mapping_save(
    *, tenant_id: int, source: str, document: Document, base_version: int | None = None, note: str = "",
    restored_from: int | None = None, acting_user: Actor,
) -> Saved:  # fmt: skip
    """Put a mapping in force as a new version, after comparing it with the CRM's fields. Objects left out stay as they are.

    To be called outside every context. Runs read the changed objects from their beginning; one at work begins them again. A
    save that changes nothing renews the contract: the fields are expected as they are now.
    Raises: Forbidden, ConnectionMissing, ConnectionRefused, ConnectionNotSetUp; ObjectUnknown, MappingInvalid; MappingChanged, if
    the version in force is not ``base_version`` any more.
    """
    require(acting_user, permissions.EDIT, tenant_id)
    connection = connection_for(tenant_id, source, acting_user)
    with context.of_actor(acting_user, tenant_id):
        current = in_force(connection)
    with asked(connection) as crm:
        specs = mappable(crm)
        for name in document:
            object_of(specs, name)
        unknown = [name for name in specs if name in document or name not in current.contract]
        described = {name: described_of(crm, specs[name]) for name in unknown}
    wanted = _wanted(specs, current, document, described, note, restored_from)
    with context.of_actor(acting_user, tenant_id):
        base = current.version if base_version is None else base_version
        return _store(connection, base, wanted, acting_user)


def _wanted(
    specs: Mapping[str, ObjectSpec], current: InForce, document: Document,
    described: Mapping[str, Descriptions], note: str, restored_from: int | None,
) -> _Wanted:  # fmt: skip
    faults = [
        fault
        for name, fields in document.items()
        for fault in faults_of(specs[name], fields, described[name])
    ]
    if faults:
        raise MappingInvalid(faults)
    before = complete(specs.values(), current.document)
    after = {**before, **{name: complete_fields(specs[name], fields) for name, fields in document.items()}}
    mapped = {name: applied(specs[name], after[name], described[name]) for name in document}
    expected = {**{name: current.apply(spec) for name, spec in specs.items()}, **mapped}
    found = {name: contract.contract_of(expected[name], described[name]) for name in described}
    return _Wanted(
        document=after,
        # What was not looked at stays expected as it was: saving one object must not hide what is wrong with another.
        contract={**current.contract, **found},
        changes=changes_between(before, after),
        reread=[name for name, spec in mapped.items() if spec != current.apply(specs[name])],
        accepted=list(document),
        note=note,
        restored_from=restored_from,
    )


@transaction.atomic
def _store(connection: Connection, base: int, wanted: _Wanted, acting_user: Actor) -> Saved:
    Connection.objects.select_for_update(no_key=True).get(
        pk=connection.pk
    )  # two saves at once: the second is refused
    current = in_force(connection)
    if current.version != base:
        newest = versions_of(connection)[0]
        raise MappingChanged(who=newest.saved_by, version=newest.version)
    if not wanted.changes and current.is_stored and stored(current.contract) == stored(wanted.contract):
        return Saved(current.version, [], [])
    version = FieldMap(
        tenant_id=connection.tenant_id, connection=connection, version=current.version + 1, document=wanted.document,
        contract=stored(wanted.contract), note=wanted.note[:200], saved_by=acting_user.label,
    )  # fmt: skip
    read_anew(connection, wanted.reread)
    version.save(force_insert=True)
    contract.accept(connection, wanted.accepted)
    event = MappingSaved(
        target_id=str(connection.id), target_label=connection.source, version=version.version,
        changes=told(wanted.changes), restored_from=wanted.restored_from,
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    return Saved(version.version, wanted.changes, wanted.reread)


def told(changes: Iterable[Change]) -> list[str]:
    """Changes in words, a hundred at most."""
    words = [
        f"{each.object_name}.{each.key}: {each.before or 'not read'} → {each.after or 'not read'}"
        for each in changes
    ]
    return words[:_CHANGES_TOLD]


def mapping_restore(*, tenant_id: int, source: str, version: int, acting_user: Actor) -> Saved:
    """Put an earlier version in force again, as a new one. Raises as ``mapping_save`` does; MappingVersionMissing."""
    require(acting_user, permissions.EDIT, tenant_id)
    connection = connection_for(tenant_id, source, acting_user)
    with context.of_actor(acting_user, tenant_id):
        old = versions_of(connection).filter(version=version).first()
    if old is None:
        raise MappingVersionMissing(version=version)
    with asked(connection) as crm:
        document = complete(mappable(crm).values(), old.document)
    return mapping_save(
        tenant_id=tenant_id, source=source, document=document, note=f"Version {version} again",
        restored_from=version, acting_user=acting_user,
    )  # fmt: skip
