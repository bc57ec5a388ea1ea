"""Reads about workspaces that more than one caller needs."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from isolation import context
from isolation.actors import Actor
from tenants.errors import TenantUnknown
from tenants.models import Member, SettingsVersion, Tenant, TenantKind
from tenants.settings_schema import TenantSettings


@dataclass(frozen=True)
class Membership:
    """One person's place in one workspace."""

    tenant: Tenant
    member: Member


def memberships_of(user_id: UUID, *, partners_only: bool = False) -> list[Membership]:
    """The active workspaces of a person (or only those of design partners), by name; opens the person context itself."""
    with context.person(user_id):
        members = Member.objects.select_related("tenant").filter(
            user_id=user_id, is_active=True, tenant__is_active=True
        )
        if partners_only:
            members = members.filter(tenant__kind=TenantKind.PARTNER)
        return [Membership(member.tenant, member) for member in members.order_by("tenant__name")]


def settings_of(tenant_id: int) -> TenantSettings:
    """The settings in force in a workspace; the defaults where none were saved."""
    data = (
        SettingsVersion.objects.filter(tenant_id=tenant_id)
        .order_by("-version")
        .values_list("data", flat=True)
        .first()
    )
    return TenantSettings.model_validate(data) if data else TenantSettings()


def tenant_by_slug(slug: str, *, reason: str, acting_user: Actor) -> Tenant:
    """The workspace of that slug, for operators and commands. Raises: TenantUnknown."""
    with context.platform(reason, acting_user):
        tenant = Tenant.objects.filter(slug=slug).first()
    if tenant is None:
        raise TenantUnknown(slug=slug)
    return tenant


def tenant_locked(tenant_id: int) -> Tenant:
    """The workspace's row, locked until the transaction ends: one such change of a workspace at a time. Opens a context itself.

    For services, after their refusals: a member's own context may read the row and not lock it.
    """
    with context.tenant_wide(tenant_id):
        locked: Tenant = Tenant.objects.select_for_update(no_key=True).get(pk=tenant_id)
    return locked
