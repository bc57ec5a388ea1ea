"""Refused attempts at roles, rights and the reporting tree stay on record, although what was tried is rolled back."""

from __future__ import annotations

from audit.services import record
from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError, Forbidden
from rbac.errors import DeniedChange
from rbac.events import RoleChangeDenied
from rbac.permissions import ACCESS_EXPLAIN, ROLES_EDIT, SHARES_EDIT
from tenants.permissions import PEOPLE_DEACTIVATE, PEOPLE_EDIT

_GUARDED = {PEOPLE_EDIT, PEOPLE_DEACTIVATE, ROLES_EDIT, SHARES_EDIT, ACCESS_EXPLAIN}


def record_denied(refusal: DomainError) -> None:
    """Write the refused attempt to its workspace's log; registered with ``isolation.refusals``, so the rollback is over."""
    if not _is_denied_change(refusal):
        return
    acting_user, tenant_id = refusal.facts["acting_user"], refusal.facts["tenant_id"]
    if not _belongs_there(acting_user, tenant_id):
        return
    target_id, target_label = refusal.facts.get("target", ("", ""))
    event = RoleChangeDenied(
        target_id=target_id, target_label=target_label, refused_as=refusal.code, refusal=refusal.message
    )
    with context.tenant_wide(tenant_id):
        record(event, acting_user=acting_user, tenant_id=tenant_id)


def _is_denied_change(refusal: DomainError) -> bool:
    if isinstance(refusal, DeniedChange):
        return True
    is_known = {"acting_user", "tenant_id", "permission"} <= refusal.facts.keys()
    return isinstance(refusal, Forbidden) and is_known and refusal.facts["permission"] in _GUARDED


def _belongs_there(acting_user: Actor, tenant_id: int) -> bool:
    # A stranger gets no line into somebody else's log.
    return acting_user.is_trusted_everywhere or acting_user.tenant_id == tenant_id
