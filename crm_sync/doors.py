"""The connection that an address names."""

from __future__ import annotations

from crm_sync import selectors
from crm_sync.models import Connection
from crm_sync.services.connections import require_connector
from isolation.errors import NotFound
from rbac.requests import WorkspaceRequest


def connection_here(request: WorkspaceRequest, source: str) -> Connection:
    """The workspace's connection with that CRM. Raises: NotFound."""
    connection = selectors.connection_of(request.workspace.tenant.id, source)
    if connection is None:
        raise NotFound(what="CRM connection")
    return connection


def usable_connection_here(request: WorkspaceRequest, source: str) -> Connection:
    """The same, provided that there is a connector for it. Raises: NotFound, ConnectorMissing."""
    connection = connection_here(request, source)
    require_connector(connection)
    return connection
