"""Writes about workspaces, their members and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError as BadValue
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone
from pydantic import ValidationError

from accounts.models import AccessKey, User
from accounts.selectors import user_by_email, user_by_id
from accounts.services import access_key_issue, access_key_revoke, user_create
from audit.services import record
from isolation import context, jobs
from isolation.actors import Actor, require
from isolation.errors import InvalidInput
from tenants import permissions
from tenants.configs import config_refresh
from tenants.errors import LastAdmin, MemberExists, SettingsInvalid, TenantExists
from tenants.events import (
    MemberAdded,
    MemberDeactivated,
    MemberInvited,
    MemberReactivated,
    MemberRoleChanged,
    PartnerKeyIssued,
    PartnerKeyRevoked,
    SettingsSaved,
    TimezoneSet,
)
from tenants.hooks import (
    RoleChange,
    call_after_member_added,
    call_after_role_change,
    call_before_leaving,
    call_role_checks,
)
from tenants.models import Invitation, Member, RoleCode, SettingsVersion, Tenant, TenantKind
from tenants.selectors import tenant_locked
from tenants.settings_schema import TenantSettings

INVITATIONS_JOB = "tenants.invitations"


@transaction.atomic
def tenant_create(*, tenant: Tenant, acting_user: Actor) -> Tenant:
    """Save a new workspace; provisioning does the rest. Needs the platform context. Raises: TenantExists."""
    try:
        with transaction.atomic():
            tenant.save(force_insert=True)
    except IntegrityError as error:  # the unique slug: asking first would lose a race
        raise TenantExists(slug=tenant.slug) from error
    return tenant


@transaction.atomic
def member_add(
    *, tenant: Tenant, user: User, role: RoleCode, acting_user: Actor, name: str | None = None
) -> Member:
    """Give ``user`` a place in ``tenant``, there called ``name`` (None: as the account).

    Raises: Forbidden, MemberExists, and what ``hooks.check_role_changes`` refuses with.
    """
    require(acting_user, permissions.PEOPLE_EDIT, tenant.id)
    call_role_checks(RoleChange(tenant, user.email, given=RoleCode(role)), acting_user)
    called = user.name if name is None else name
    member = Member(tenant=tenant, user_id=user.id, email=user.email, name=called, role=role)
    try:
        with transaction.atomic():
            member.save(force_insert=True)
    except IntegrityError as error:  # the unique key: asking first would lose a race
        raise MemberExists(email=user.email, tenant=tenant.name) from error
    event = MemberAdded(target_id=str(member.id), target_label=member.email, role=RoleCode(role).label)
    record(event, acting_user=acting_user, tenant_id=tenant.id)
    call_after_role_change(member, acting_user)
    call_after_member_added(member)
    return member


@transaction.atomic
def member_invite(*, tenant: Tenant, email: str, name: str, role: RoleCode, acting_user: Actor) -> Member:
    """Give the person of that e-mail a place; where there is no account yet, make one and owe it a mail with the link.

    Whether there was one is not said: it would tell that the person works with somebody else, too.
    Raises: Forbidden, MemberExists, InvalidInput.
    """
    require(acting_user, permissions.PEOPLE_EDIT, tenant.id)
    _require_email(email)
    require_role_fits(tenant, role)
    known = user_by_email(email)
    user = known or user_create(email=email, name=name, password=None, acting_user=acting_user)
    # Called as it was typed here: the account's name would tell what another workspace knows.
    member = member_add(tenant=tenant, user=user, role=role, name=name, acting_user=acting_user)
    _invite(member, acting_user, is_new=known is None)
    return member


def _invite(member: Member, acting_user: Actor, *, is_new: bool) -> None:
    if is_new:
        Invitation(tenant_id=member.tenant_id, member=member, requested_by=acting_user.label).save(
            force_insert=True
        )
    # The same event and the same wake-up either way: the log must not tell who had an account.
    event = MemberInvited(target_id=str(member.id), target_label=member.email)
    record(event, acting_user=acting_user, tenant_id=member.tenant_id)
    with context.shared_tables():
        jobs.wake(INVITATIONS_JOB)


def _require_email(email: str) -> None:
    try:
        validate_email(email)
    except BadValue as error:
        problem = f"“{email}” is not an e-mail address. Write it like name@example.com."
        raise InvalidInput(field="email", problem=problem) from error


def roles_of(tenant: Tenant) -> list[RoleCode]:
    """The roles that a person can have there: partners in a partner's workspace, everybody else in a customer's."""
    is_partner = tenant.kind == TenantKind.PARTNER
    return [role for role in RoleCode if (role is RoleCode.DESIGN_PARTNER) is is_partner]


def require_role_fits(tenant: Tenant, role: RoleCode) -> None:
    """Refuse a role that this kind of workspace does not have. Raises: InvalidInput."""
    if role not in roles_of(tenant):
        known = ", ".join(one.label for one in roles_of(tenant))
        problem = f"{tenant.name} has no role “{role.label}”. Use one of: {known}."
        raise InvalidInput(field="role", problem=problem)


def _locked(member: Member) -> Member:
    """The member as it is now: two changes of one person at once must see each other."""
    found: Member = (
        Member.objects.select_related("tenant")
        .select_for_update(of=("self",), no_key=True)
        .get(tenant_id=member.tenant_id, pk=member.pk)
    )
    return found


@transaction.atomic
def member_role_change(
    *, member: Member, role: RoleCode, acting_user: Actor, seen: RoleCode | None = None
) -> Member:
    """Make a member something else; what it is already changes nothing. ``seen`` is the role that the decision was made on (None: any).

    Raises: Forbidden, InvalidInput, LastAdmin, and what ``hooks.check_role_changes`` refuses with.
    """
    require(acting_user, permissions.PEOPLE_EDIT, member.tenant_id)
    require_role_fits(member.tenant, role)
    member = _locked(member)
    before = RoleCode(member.role)
    if role is before:
        return member
    call_role_checks(RoleChange(member.tenant, member.email, member, before, role, seen=seen), acting_user)
    if _is_last_admin(member):
        raise LastAdmin(email=member.email, tenant=member.tenant.name)
    member.role = role
    member.save(update_fields=["role"])
    event = MemberRoleChanged(
        target_id=str(member.id), target_label=member.email, before=before.label, after=role.label
    )
    record(event, acting_user=acting_user, tenant_id=member.tenant_id)
    call_after_role_change(member, acting_user)
    return member


@transaction.atomic
def member_reactivate(*, member: Member, acting_user: Actor) -> Member:
    """Let a deactivated member in again, with the roles of before. Raises: as ``member_role_change``."""
    require(acting_user, permissions.PEOPLE_EDIT, member.tenant_id)
    member = _locked(member)
    if member.is_active:
        return member
    change = RoleChange(member.tenant, member.email, member, given=RoleCode(member.role), is_whole=True)
    call_role_checks(change, acting_user)
    member.is_active, member.deactivated_at, member.deactivation_reason = True, None, ""
    member.save(update_fields=["is_active", "deactivated_at", "deactivation_reason"])
    event = MemberReactivated(target_id=str(member.id), target_label=member.email)
    record(event, acting_user=acting_user, tenant_id=member.tenant_id)
    call_after_role_change(member, acting_user)
    return member


@transaction.atomic
def member_deactivate(
    *, member: Member, reason: str, acting_user: Actor, heir: Member | None = None
) -> Member:
    """End a member's access to this workspace at once, and pass on to ``heir`` what was theirs; other workspaces are left alone.

    Raises: Forbidden, LastAdmin (if no other active admin would remain), and what ``hooks.check_role_changes`` and
    ``hooks.before_leaving`` refuse with.
    """
    require(acting_user, permissions.PEOPLE_DEACTIVATE, member.tenant_id)
    member = _locked(member)
    if not member.is_active:  # the first reason and instant stay
        return member
    change = RoleChange(member.tenant, member.email, member, taken=RoleCode(member.role), is_whole=True)
    call_role_checks(change, acting_user)
    if _is_last_admin(member):
        raise LastAdmin(email=member.email, tenant=member.tenant.name)
    call_before_leaving(member, heir, acting_user)
    member.is_active, member.deactivated_at, member.deactivation_reason = False, timezone.now(), reason
    member.save(update_fields=["is_active", "deactivated_at", "deactivation_reason"])
    event = MemberDeactivated(target_id=str(member.id), target_label=member.email, reason=reason)
    record(event, acting_user=acting_user, tenant_id=member.tenant_id)
    call_after_role_change(member, acting_user)
    return member


def _is_last_admin(member: Member) -> bool:
    if member.role != RoleCode.CUSTOMER_ADMIN:
        return False
    # Locked, so that two admins deactivating each other at once cannot both succeed.
    admins = Member.objects.select_for_update(no_key=True).filter(
        tenant_id=member.tenant_id, role=RoleCode.CUSTOMER_ADMIN, is_active=True
    )
    return [admin.id for admin in admins] == [member.id]


@transaction.atomic
def settings_save(*, tenant: Tenant, data: Mapping[str, Any], acting_user: Actor) -> SettingsVersion:
    """Save ``data`` as the next version of the settings. Raises: Forbidden; SettingsInvalid, naming the first bad field."""
    require(acting_user, permissions.EDIT, tenant.id)
    wanted = _validated(data)
    tenant_locked(tenant.id)
    latest = SettingsVersion.objects.filter(tenant=tenant).order_by("-version").first()
    number = latest.version + 1 if latest else 1
    version = SettingsVersion(
        tenant=tenant, version=number, data=wanted.model_dump(mode="json"), created_by=acting_user.label
    )
    version.save(force_insert=True)
    changed = _changed(latest.data if latest else {}, version.data)
    event = SettingsSaved(target_id=str(number), target_label=tenant.name, version=number, changed=changed)
    record(event, acting_user=acting_user, tenant_id=tenant.id)
    if latest:  # provisioning writes the first file itself, all or nothing
        _refresh_config_on_commit(tenant)
    return version


def _refresh_config_on_commit(tenant: Tenant) -> None:
    # Robust: what is saved stays saved where the directory cannot be written; the log says so.
    transaction.on_commit(partial(config_refresh, tenant.id), robust=True)


@transaction.atomic
def timezone_set(*, tenant: Tenant, timezone: str, acting_user: Actor) -> Tenant:
    """Choose the zone in which the workspace's pages show times. Raises: Forbidden, InvalidInput."""
    require(acting_user, permissions.EDIT, tenant.id)
    if timezone not in available_timezones():
        problem = f"“{timezone}” is not a time zone. Use an IANA name like America/Los_Angeles."
        raise InvalidInput(field="timezone", problem=problem)
    before, tenant.timezone = tenant.timezone, timezone
    if before == timezone:
        return tenant
    tenant.save(update_fields=["timezone"])
    event = TimezoneSet(target_id=str(tenant.id), target_label=tenant.name, before=before, after=timezone)
    record(event, acting_user=acting_user, tenant_id=tenant.id)
    _refresh_config_on_commit(tenant)
    return tenant


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
    key, secret = access_key_issue(
        user=user_by_id(member.user_id), label=member.tenant.slug, acting_user=acting_user
    )
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
