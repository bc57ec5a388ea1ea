"""What the tests of the vendor's stays in a workspace share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.db.models import F
from django.http.response import HttpResponseBase
from django.test import Client

from accounts.models import User
from audit.models import Event
from isolation import context
from rbac.breakglass.services import Stay, break_glass_start
from rbac.models_breakglass import BreakGlass
from tenants.models import Member, Tenant
from tests.cast import PLANTER

ClientOf = Callable[[Member | User], Client]
WHY = "Acme asked why two deals are missing, call 98123 45678"
LOG = "/w/acme-corp/settings/break-glass/"
ENTER = "/platform/workspaces/acme-corp/enter/"
HOME = "/w/acme-corp/deals/"


def begin(tenant: Tenant, operator: User, *, stay: Stay = Stay.QUARTER, reason: str = WHY) -> BreakGlass:
    actor = operator.as_operator()
    with context.platform("a test enters", actor):
        return break_glass_start(tenant=tenant, reason=reason, stay=stay, ticket="SUP-7", acting_user=actor)


def let_time_pass(stay: BreakGlass, by: timedelta) -> None:
    """What the clock would do: the whole stay lies so much earlier."""
    with context.platform("a test lets time pass", PLANTER):
        BreakGlass.objects.filter(pk=stay.pk).update(started_at=F("started_at") - by, until=F("until") - by)


def recorded(tenant: Tenant, code: str = "rbac.break_glass_read") -> list[Event]:
    with context.tenant_wide(tenant.id):
        return list(Event.objects.filter(code=code).order_by("at", "id"))


def body(answer: HttpResponseBase) -> str:
    content = b"".join(answer) if answer.streaming else answer.content  # type: ignore[attr-defined]  # either has one
    return str(content.decode())
