"""The CRM connection and the schedule that a new workspace gets."""

from __future__ import annotations

from crm_sync.connectors import OPENERS
from crm_sync.schedules import BOUNDS, every
from crm_sync.services.connections import connection_begin
from isolation.actors import Actor
from tenants.models import Tenant
from tenants.provisioning import Request, Resource, Step, register_step


def _plan(request: Request) -> list[Resource]:
    state = "needs credentials" if request.crm in OPENERS else "has no connector yet"
    return [
        Resource("connection", str(request.crm), state),
        Resource("schedule", f"{request.crm} sync", every(BOUNDS[request.tier].default)),
    ]


def _apply(tenant: Tenant, request: Request, acting_user: Actor) -> None:
    connection_begin(tenant, request.crm)


register_step(Step("crm_sync.connection", _plan, _apply))
