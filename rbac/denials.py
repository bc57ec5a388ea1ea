"""Refused attempts at roles, rights and the reporting tree stay on record, although what was tried is rolled back.

A person's repetitions within a minute are one line, and so many lines a minute are all: whoever sends the same form a thousand
times shall not bury the rest of the log, which nobody can clear.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now

from audit.models import Event
from audit.services import record
from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError, Forbidden
from rbac.errors import DeniedChange
from rbac.events import RoleChangeDenied
from rbac.permissions import ACCESS_EXPLAIN, ACCESS_REVIEW, ROLES_EDIT, SHARES_EDIT
from tenants.models import Member
from tenants.permissions import PEOPLE_DEACTIVATE, PEOPLE_EDIT

MOST_A_MINUTE = 20
_GUARDED = {PEOPLE_EDIT, PEOPLE_DEACTIVATE, ROLES_EDIT, SHARES_EDIT, ACCESS_EXPLAIN, ACCESS_REVIEW}


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
        if acting_user.is_trusted_everywhere or _is_news(event, acting_user, tenant_id):
            record(event, acting_user=acting_user, tenant_id=tenant_id)


def _is_news(event: RoleChangeDenied, acting_user: Actor, tenant_id: int) -> bool:
    """Whether the last minute's lines of this person lack this one and have room for it."""
    # Locked, because many requests at once would each find room.
    list(Member.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, pk=acting_user.member_id))
    lines = Event.objects.filter(
        tenant_id=tenant_id,
        code=event.code,
        actor_id=acting_user.user_id,
        at__gt=Now() - timedelta(minutes=1),
    )
    told = list(lines.values_list("target_id", "facts__refusal")[:MOST_A_MINUTE])
    return len(told) < MOST_A_MINUTE and (event.target_id, event.refusal) not in told


def _is_denied_change(refusal: DomainError) -> bool:
    if isinstance(refusal, DeniedChange):
        return True
    is_known = {"acting_user", "tenant_id", "permission"} <= refusal.facts.keys()
    return isinstance(refusal, Forbidden) and is_known and refusal.facts["permission"] in _GUARDED


def _belongs_there(acting_user: Actor, tenant_id: int) -> bool:
    # A stranger gets no line into somebody else's log.
    return acting_user.is_trusted_everywhere or acting_user.tenant_id == tenant_id
