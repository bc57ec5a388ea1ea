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
    sentence = "{tenant} has no {crm} connection. {instead}"
    field = "source"


class ConnectionExists(DomainError):
    code = "crm_sync.connection_exists"
    sentence = "{tenant} has a {crm} connection already. A workspace has one of each kind; open it under Settings, CRM."
    field = "source"


class OtherRunActive(DomainError):
    code = "crm_sync.other_run_active"
    sentence = "Another run of this connection ({active}) is under way. Ask again when it has ended."


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


class ConsentNotOffered(DomainError):
    code = "crm_sync.consent_not_offered"
    status = HTTPStatus.BAD_REQUEST
    sentence = "{crm} is not connected by a person's consent here. Enter its access token on the page of the connection."


class ConsentUnknown(DomainError):
    """An answer from a CRM's consent page that nobody here waits for: another session's, an old one, or one sent twice."""

    code = "crm_sync.consent_unknown"
    status = HTTPStatus.BAD_REQUEST
    sentence = (
        "This answer of the CRM belongs to no request of yours that is still open: it may be older than {minutes} minutes, "
        "used already, or begun in another browser. Nothing was changed. Begin again under Settings, CRM."
    )


class ConsentRefused(DomainError):
    """No tokens came of a consent; ``problem`` is the whole sentence."""

    code = "crm_sync.consent_refused"
    status = HTTPStatus.BAD_REQUEST
    sentence = "{problem}"


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


class MappingChanged(DomainError):
    code = "crm_sync.mapping_changed"
    sentence = (
        "{who} saved version {version} of this mapping while you were working on it. "
        "Open the page again, look at what changed, and make your changes there."
    )


class MappingVersionMissing(DomainError):
    code = "crm_sync.mapping_version_missing"
    status = HTTPStatus.NOT_FOUND
    sentence = "There is no version {version} of this mapping. Choose one from its history."


class ObjectUnknown(DomainError):
    code = "crm_sync.object_unknown"
    status = HTTPStatus.BAD_REQUEST
    sentence = "“{name}” is not an object whose fields can be mapped. Use one of: {known}."
    field = "document"


class ObjectUnreadable(DomainError):
    code = "crm_sync.object_unreadable"
    status = HTTPStatus.BAD_REQUEST
    sentence = "{name} cannot be read: the CRM has no such object, or the integration user may not see it. Give that user the right."
    field = "document"


class HeirRequired(DomainError):
    code = "crm_sync.heir_required"
    sentence = (
        "{member} owns {deals} open deals and reports to nobody, so only people who see every deal would see them. "
        "Choose who takes the deals over, or set a manager first."
    )
    field = "heir"


class HeirNotActive(DomainError):
    code = "crm_sync.heir_not_active"
    sentence = "{member} is deactivated and cannot take deals over. Choose somebody who works here."
    field = "heir"
