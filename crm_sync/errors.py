"""Refusals of this room. What goes wrong while a run talks to a CRM is in ``connectors.base``."""

from __future__ import annotations

from http import HTTPStatus

from isolation.errors import DomainError


class SourceUnknown(DomainError):
    code = "crm_sync.source_unknown"
    status = HTTPStatus.BAD_REQUEST
    sentence = "“{source}” is not a CRM that can be read. Use one of: {known}."
    field = "source"


class ConnectionMissing(DomainError):
    code = "crm_sync.connection_missing"
    status = HTTPStatus.NOT_FOUND
    sentence = "{tenant} has no {source} connection. Its workspace was provisioned for {crm}; use that one."
    field = "source"


class ConnectionNotSetUp(DomainError):
    code = "crm_sync.connection_not_set_up"
    sentence = "The {source} connection has no credentials yet. Enter them under Settings, CRM."


class ConnectionRefused(DomainError):
    """The CRM, or the address guard, turned the connection down; ``problem`` is the whole sentence."""

    code = "crm_sync.connection_refused"
    status = HTTPStatus.BAD_REQUEST
    sentence = "{problem}"


class ConnectionChanged(DomainError):
    code = "crm_sync.connection_changed"
    sentence = "The connection was changed while it was being tested. Test it again."


class ConnectorMissing(DomainError):
    code = "crm_sync.connector_missing"
    sentence = "There is no {crm} connector yet, so this workspace cannot be synced. It can be connected once there is one."


class CannotDecrypt(DomainError):
    code = "crm_sync.cannot_decrypt"
    sentence = (
        "The stored CRM secret cannot be read with the keys in FIELD_ENCRYPTION_KEYS. "
        "Put the old key back behind the new one, or enter the secret again."
    )


class ScheduleOutOfBounds(DomainError):
    code = "crm_sync.schedule_out_of_bounds"
    status = HTTPStatus.BAD_REQUEST
    sentence = "On the {tier} tier a sync runs {allowed}. Choose a time within that."
    field = "every_minutes"


class RunHeld(DomainError):
    code = "crm_sync.run_held"
    sentence = "A worker has this sync already. It shows its progress on the page CRM, and ends by itself."
