"""Writes about workspaces, their members and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from pydantic import ValidationError

from accounts.models import AccessKey, User
from accounts.services import access_key_issue, access_key_revoke
from audit.services import record
from isolation import context
from isolation.actors import Actor, require
from tenants import permissions
from tenants.errors import LastAdmin, MemberExists, SettingsInvalid, TenantExists
from tenants.events import MemberAdded, MemberDeactivated, PartnerKeyIssued, PartnerKeyRevoked, SettingsSaved
from tenants.models import Member, RoleCode, SettingsVersion, Tenant
from tenants.settings_schema import TenantSettings


@transaction.atomic
def tenant_create(*, tenant: Tenant, acting_user: Actor) -> Tenant:
    """Save a new workspace; provisioning does the rest. Needs the platform context. Raises: TenantExists."""
    if Tenant.objects.filter(slug=tenant.slug).exists():
        raise TenantExists(slug=tenant.slug)
    tenant.save(force_insert=True)
    return tenant


@transaction.atomic
def member_add(*, tenant: Tenant, user: User, role: RoleCode, acting_user: Actor) -> Member:
    """Give ``user`` a place in ``tenant``. Raises: Forbidden, MemberExists."""
    require(acting_user, permissions.PEOPLE_EDIT, tenant.id)
    if Member.objects.filter(tenant=tenant, user_id=user.id).exists():
        raise MemberExists(email=user.email, tenant=tenant.name)
    member = Member(tenant=tenant, user_id=user.id, email=user.email, name=user.name, role=role)
    member.save(force_insert=True)
    event = MemberAdded(target_id=str(member.id), target_label=member.email, role=role)
    record(event, acting_user=acting_user, tenant_id=tenant.id)
    return member


@transaction.atomic
def member_deactivate(*, member: Member, reason: str, acting_user: Actor) -> Member:
    """End a member's access to this workspace at once; other workspaces of the same person are left alone.

    Raises: Forbidden; LastAdmin, if no other active admin would remain.
    """
    require(acting_user, permissions.PEOPLE_DEACTIVATE, member.tenant_id)
    if _is_last_admin(member):
        raise LastAdmin(email=member.email, tenant=member.tenant.name)
    member.is_active, member.deactivated_at, member.deactivation_reason = False, timezone.now(), reason
    member.save(update_fields=["is_active", "deactivated_at", "deactivation_reason"])
    event = MemberDeactivated(target_id=str(member.id), target_label=member.email, reason=reason)
    record(event, acting_user=acting_user, tenant_id=member.tenant_id)
    return member


def _is_last_admin(member: Member) -> bool:
    if member.role != RoleCode.CUSTOMER_ADMIN:
        return False
    # Locked, so that two admins deactivating each other at once cannot both succeed.
    admins = Member.objects.select_for_update().filter(
        tenant_id=member.tenant_id, role=RoleCode.CUSTOMER_ADMIN, is_active=True
    )
    return [admin.id for admin in admins] == [member.id]


@transaction.atomic
def settings_save(*, tenant: Tenant, data: Mapping[str, Any], acting_user: Actor) -> SettingsVersion:
    """Save ``data`` as the next version of the settings. Raises: Forbidden; SettingsInvalid, naming the first bad field."""
    require(acting_user, permissions.EDIT, tenant.id)
    wanted = _validated(data)
    Tenant.objects.select_for_update().get(pk=tenant.pk)
    latest = SettingsVersion.objects.filter(tenant=tenant).order_by("-version").first()
    number = latest.version + 1 if latest else 1
    version = SettingsVersion(
        tenant=tenant, version=number, data=wanted.model_dump(mode="json"), created_by=acting_user.label
    )
    version.save(force_insert=True)
    changed = _changed(latest.data if latest else {}, version.data)
    event = SettingsSaved(target_id=str(number), target_label=tenant.name, version=number, changed=changed)
    record(event, acting_user=acting_user, tenant_id=tenant.id)
    return version


def _validated(data: Mapping[str, Any]) -> TenantSettings:
    try:
        return TenantSettings.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"])) or "settings"
        raise SettingsInvalid(field_path=path, problem=first["msg"], field=path) from error


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in after if before.get(key) != after[key])


@transaction.atomic
def partner_key_issue(*, member: Member, acting_user: Actor) -> tuple[AccessKey, str]:
    """A new access key for a design partner and its secret, to be shown once. Raises: Forbidden."""
    require(acting_user, permissions.PEOPLE_EDIT, member.tenant_id)
    with context.shared_tables():
        user = User.objects.get(pk=member.user_id)
    key, secret = access_key_issue(user=user, label=member.tenant.slug, acting_user=acting_user)
    event = PartnerKeyIssued(target_id=str(key.id), target_label=key.hint, email=member.email)
    record(event, acting_user=acting_user, tenant_id=member.tenant_id)
    return key, secret


@transaction.atomic
def partner_key_revoke(*, member: Member, key: AccessKey, acting_user: Actor) -> AccessKey:
    """Make a partner's key useless at once. Raises: Forbidden; ValueError for a key of somebody else."""
    require(acting_user, permissions.PEOPLE_EDIT, member.tenant_id)
    if key.user_id != member.user_id:
        raise ValueError("The key belongs to another person.")
    key = access_key_revoke(key=key, acting_user=acting_user)
    event = PartnerKeyRevoked(target_id=str(key.id), target_label=key.hint, email=member.email)
    record(event, acting_user=acting_user, tenant_id=member.tenant_id)
    return key
