"""People to try roles with: one member per role, with a password that is shown once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from accounts.models import User
from accounts.selectors import user_by_email
from accounts.services import password_set, user_create
from isolation import context
from isolation.actors import Actor, require
from rbac.errors import TrialStaffRefused
from tenants.models import Member, RoleCode, Tenant
from tenants.permissions import PEOPLE_EDIT
from tenants.services import member_add, require_role_fits

PASSWORD_BYTES = 15


@dataclass(frozen=True)
class TrialMember:
    """One of them. ``role`` is what the member is now; ``password`` is None where an earlier one stays in force."""

    email: str
    role: RoleCode
    is_new: bool
    is_active: bool
    password: str | None


def trial_email(tenant: Tenant, role: RoleCode) -> str:
    """The address of the trial member of that role; the top-level domain "test" is nobody's (RFC 2606)."""
    return f"{role.value}@{tenant.slug}.test"


@transaction.atomic
def trial_staff_create(
    *, tenant: Tenant, roles: Sequence[RoleCode], resets_passwords: bool = False, acting_user: Actor
) -> list[TrialMember]:
    """Have a member of each role; who is there already stays as they are, unless ``resets_passwords``.

    Raises: TrialStaffRefused where the settings do not allow test accounts, Forbidden, InvalidInput for a role that the
    workspace does not have.
    """
    if not settings.ALLOWS_TEST_ACCOUNTS:
        raise TrialStaffRefused
    require(acting_user, PEOPLE_EDIT, tenant.id)
    for role in roles:
        require_role_fits(tenant, role)
    with context.tenant_wide(tenant.id):
        return [_ensured(tenant, role, resets_passwords, acting_user) for role in dict.fromkeys(roles)]


def _ensured(tenant: Tenant, role: RoleCode, resets_passwords: bool, acting_user: Actor) -> TrialMember:
    email = trial_email(tenant, role)
    user, password = _account(email, f"{role.label} (test)", resets_passwords, acting_user)
    member = Member.objects.filter(tenant=tenant, user_id=user.id).first()
    is_new = member is None
    if member is None:
        member = member_add(tenant=tenant, user=user, role=role, acting_user=acting_user)
    return TrialMember(email, RoleCode(member.role), is_new, member.is_active, password)


def _account(email: str, name: str, resets_password: bool, acting_user: Actor) -> tuple[User, str | None]:
    """The account of that address, and its password if it has a new one."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    user = user_by_email(email)
    if user is None:
        return user_create(email=email, name=name, password=password, acting_user=acting_user), password
    if not resets_password:
        return user, None
    return password_set(user=user, password=password, acting_user=acting_user), password
