"""Asking the CRM about its fields while nobody's transaction waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager

from crm_sync.connectors.base import ConnectorProblem, ObjectSpec, Source
from crm_sync.engine.execute import open_source
from crm_sync.errors import ConnectionMissing, ConnectionRefused, ObjectUnknown
from crm_sync.mapping.applied import Descriptions
from crm_sync.mapping.document import is_mappable
from crm_sync.models import Connection
from crm_sync.selectors import connection_of
from isolation import context
from isolation.actors import Actor
from tenants.models import Crm


@contextmanager
def asked(connection: Connection) -> Iterator[Source]:
    """The CRM behind a connection. To be used outside every context. Raises: ConnectionRefused, ConnectionNotSetUp."""
    try:
        with closing(open_source(connection)) as source:
            yield source
    except ConnectorProblem as problem:
        raise ConnectionRefused(problem=problem.sentence) from problem


def connection_for(tenant_id: int, source: str, acting_user: Actor) -> Connection:
    """The workspace's connection with that CRM. Raises: ConnectionMissing."""
    with context.of_actor(acting_user, tenant_id):
        connection = connection_of(tenant_id, source)
    if connection is None:
        name = Crm(source).label if source in Crm.values else source
        raise ConnectionMissing(tenant="This workspace", crm=name, instead="Add it under Settings, CRM.")
    return connection


def mappable(source: Source) -> dict[str, ObjectSpec]:
    """The objects whose fields can be chosen, as the connector declares them, by name."""
    return {spec.name: spec for spec in source.objects() if is_mappable(spec)}


def object_of(specs: Mapping[str, ObjectSpec], name: str) -> ObjectSpec:
    """The object of that name. Raises: ObjectUnknown."""
    if name not in specs:
        raise ObjectUnknown(name=name[:60], known=", ".join(specs))
    return specs[name]


def described_of(source: Source, spec: ObjectSpec) -> Descriptions:
    """The fields of an object that can be read; none where the object cannot."""
    return source.describe(spec) or {}
