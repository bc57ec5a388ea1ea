"""The audit log's readers: its texts may hold personal data of any kind, so whoever sees all kinds reads them unmasked."""

from __future__ import annotations

from contextlib import AbstractContextManager

from audit.redaction import Redactors
from isolation.requests import InWorkspace
from rbac.redaction.reading import Door, PersonalData, Redactor, of_any_kind, reading, streaming


def _log_texts() -> PersonalData:
    # Asked for at each reading: rooms above register their kinds after this one has started.
    return of_any_kind("texts of the audit log")


def _reading(request: InWorkspace) -> AbstractContextManager[Redactor]:
    actor, tenant_id = request.workspace.actor, request.workspace.tenant.id
    return reading(_log_texts(), acting_user=actor, tenant_id=tenant_id, door=Door.of(request))


def _streaming(request: InWorkspace) -> Redactor:
    actor, tenant_id = request.workspace.actor, request.workspace.tenant.id
    return streaming(_log_texts(), acting_user=actor, tenant_id=tenant_id, door=Door.of(request))


REDACTORS = Redactors(_reading, _streaming)
