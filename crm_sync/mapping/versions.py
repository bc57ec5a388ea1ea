"""The versions of a connection's mapping, and the one in force."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.db.models import QuerySet

from crm_sync.connectors.base import FieldDescription, Kind, ObjectSpec
from crm_sync.mapping.applied import Descriptions, applied
from crm_sync.mapping.document import Document
from crm_sync.models import Connection, FieldMap

DEFAULT_VERSION = 0
_KNOWN = {each.name for each in fields(FieldDescription)}


@dataclass(frozen=True)
class InForce:
    """The mapping that runs read by. ``contract`` is what its fields were when it was saved, by object and CRM field.

    ``is_stored`` is false until the first run has noted what it found: then nothing is known of the fields yet.
    """

    version: int
    document: Document
    contract: Mapping[str, Descriptions]
    is_stored: bool

    def apply(self, spec: ObjectSpec) -> ObjectSpec:
        """The object as it is read."""
        return applied(spec, self.document.get(spec.name, {}), self.contract.get(spec.name, {}))


def versions_of(connection: Connection) -> QuerySet[FieldMap]:
    """All versions, the one in force first."""
    return FieldMap.objects.filter(tenant_id=connection.tenant_id, connection=connection).order_by("-version")


def in_force(connection: Connection) -> InForce:
    """The mapping in force; the connector's own where none was ever saved."""
    newest = versions_of(connection).first()
    return of_version(newest) if newest else InForce(DEFAULT_VERSION, {}, {}, is_stored=False)


def of_version(version: FieldMap) -> InForce:
    """A stored version, read back."""
    contract = {name: _descriptions(found) for name, found in version.contract.items()}
    return InForce(version.version, version.document, contract, is_stored=True)


def begin_versions(connection: Connection, contract: Mapping[str, Descriptions]) -> None:
    """Note what the first run found as version 0, against which later runs compare; a version that is there stays."""
    if not versions_of(connection).exists():
        FieldMap(
            tenant_id=connection.tenant_id, connection=connection, version=DEFAULT_VERSION, document={},
            contract=stored(contract), note="As the first sync found the fields", saved_by="crm_sync.sync_run",
        ).save(force_insert=True)  # fmt: skip


def stored(contract: Mapping[str, Descriptions]) -> dict[str, dict[str, Any]]:
    """A contract as it is stored."""
    return {
        name: {field: asdict(described) for field, described in found.items()}
        for name, found in contract.items()
    }


def _descriptions(found: Mapping[str, Mapping[str, Any]]) -> dict[str, FieldDescription]:
    return {name: _description(values) for name, values in found.items()}


def _description(values: Mapping[str, Any]) -> FieldDescription:
    known = {name: value for name, value in values.items() if name in _KNOWN}
    known |= {"kind": Kind(values["kind"]), "options": tuple(values.get("options", ()))}
    return FieldDescription(**known)
