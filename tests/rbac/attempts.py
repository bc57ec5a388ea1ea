"""What the tests of escalation share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.test import Client

from audit.models import Event
from isolation import context
from isolation.actors import Actor
from rbac.custom_roles import RoleDraft, custom_role_create
from rbac.errors import DeniedChange
from rbac.grants import Term, role_grant
from rbac.models import CustomRole, RoleGrant, Sight
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_role_change
from tests.cast import PLANTER

ClientOf = Callable[[Member], Client]
PEOPLE = "/w/acme-corp/settings/people/"
API = "/api/v1/w/acme-corp/members/"
QUEUE = frozenset({"ops.priority_queue.view"})


class DeniedAgain(DeniedChange):
    sentence = "No."


def draft(
    name: str = "Deal desk", level: int = 6, rights: frozenset[str] = QUEUE, sight: Sight = Sight.OWN
) -> RoleDraft:
    return RoleDraft(name, "", level, sight, rights)


def made(tenant: Tenant, wanted: RoleDraft, by: Actor = PLANTER) -> CustomRole:
    with context.tenant_wide(tenant.id):
        return custom_role_create(tenant=tenant, draft=wanted, acting_user=by)


def give(member: Member, role: str, by: Actor = PLANTER, term: Term | None = None) -> RoleGrant:
    with context.tenant_wide(member.tenant_id):
        return role_grant(member=member, role=role, term=term or Term(), reason="test", acting_user=by)


def become(member: Member, role: RoleCode) -> Member:
    with context.tenant_wide(member.tenant_id):
        return member_role_change(member=member, role=role, acting_user=PLANTER)


def in_an_hour() -> Term:
    return Term(until=datetime.now(UTC) + timedelta(hours=1))


def denied(tenant: Tenant) -> list[str]:
    with context.tenant_wide(tenant.id):
        events = Event.objects.filter(code="rbac.role_change_denied").order_by("at", "id")
        return [event.facts["refused_as"] for event in events]
