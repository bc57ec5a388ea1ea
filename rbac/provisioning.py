"""The groups that a new workspace gets."""

from __future__ import annotations

from isolation.actors import Actor
from rbac.models import Group
from rbac.roles import GROUP_ROLES
from tenants.models import Tenant, TenantKind
from tenants.provisioning import Request, Resource, Step, register_step


def _names(request: Request) -> dict[str, str]:
    if request.kind is TenantKind.PARTNER:  # a partner is alone in the workspace
        return {}
    return {f"{request.slug}-revops-{suffix}": role for suffix, role in GROUP_ROLES.items()}


def _plan(request: Request) -> list[Resource]:
    return [Resource("group", name, f"members are {role}") for name, role in _names(request).items()]


def _apply(tenant: Tenant, request: Request, acting_user: Actor) -> None:
    Group.objects.bulk_create(
        [Group(tenant=tenant, name=name, role=role) for name, role in _names(request).items()]
    )


register_step(Step("rbac.groups", _plan, _apply))
