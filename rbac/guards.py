"""What every door of a role change has to pass: levels and duties. The services of this room and of ``tenants`` ask here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import connection

from isolation.actors import Actor
from rbac.duties import first_conflict
from rbac.errors import DutiesConflict, MemberRoleChangedMeanwhile, OwnRoles, RoleTooHigh
from rbac.held import database_now, roles_held
from rbac.standing import HeldRole, RoleFacts, built_in, may_touch
from tenants.hooks import RoleChange
from tenants.models import Member, RoleCode


def require_below(acting_user: Actor, role: RoleFacts, tenant_id: int, target: tuple[str, str]) -> None:
    """Refuse to give, change or take a role at or above the actor's level. Raises: RoleTooHigh."""
    if not may_touch(acting_user, role):
        raise RoleTooHigh(
            acting_user=acting_user, tenant_id=tenant_id, target=target, role=role.name,
            level=role.level, own=acting_user.level,
        )  # fmt: skip


def require_apart(
    acting_user: Actor, new: HeldRole, held: Iterable[HeldRole], tenant_id: int, target: tuple[str, str]
) -> None:
    """Refuse a role that a duty keeps apart from one that is held at the same time. Raises: DutiesConflict."""
    found = first_conflict(new, held)
    if found is not None:
        other, duty = found
        raise DutiesConflict(
            acting_user=acting_user, tenant_id=tenant_id, target=target, member=target[1],
            role=new.role.name, other=other.role.name, reason=duty.reason,
        )  # fmt: skip


def require_other(acting_user: Actor, member: Member) -> None:
    """Refuse to give oneself something, on whatever road: what is held for an hour would be kept. Raises: OwnRoles."""
    if acting_user.member_id == member.id:
        raise OwnRoles(acting_user=acting_user, tenant_id=member.tenant_id, target=target_of(member))


def target_of(member: Member) -> tuple[str, str]:
    """A member as the target of an attempt."""
    return str(member.id), member.email


def check_base_role(change: RoleChange, acting_user: Actor) -> None:
    """Registered with ``tenants.hooks``: levels and duties for whatever is done to a base role.

    Raises: RoleTooHigh, OwnRoles, DutiesConflict, MemberRoleChangedMeanwhile.
    """
    tenant_id = change.tenant.id
    target = target_of(change.member) if change.member else ("", change.email)
    for role in (change.taken, change.given):
        if role is not None:
            require_below(acting_user, built_in(role), tenant_id, target)
    if change.taken is not None and change.seen not in (None, change.taken):
        raise MemberRoleChangedMeanwhile(
            acting_user=acting_user, tenant_id=tenant_id, target=target, member=change.email, role=change.taken.label
        )  # fmt: skip
    if change.member is not None:
        _check_beside(change, change.member, acting_user)


def _check_beside(change: RoleChange, member: Member, acting_user: Actor) -> None:
    target = target_of(member)
    _, *grants = roles_held([member], also_later=True)[member.id]
    if change.is_whole:
        for held in grants:
            require_below(acting_user, held.role, member.tenant_id, target)
    if change.given is not None:
        require_other(acting_user, member)
        new = HeldRole(built_in(change.given), valid_from=database_now())
        require_apart(acting_user, new, grants, member.tenant_id, target)


_BEGIN = """
    INSERT INTO rbac_baseroleperiod (tenant_id, member_id, role, valid_from, changed_by)
    VALUES (%(tenant)s, %(member)s, %(role)s, %(at)s, %(by)s)
"""
_END = """
    UPDATE rbac_baseroleperiod SET valid_until = greatest(valid_from, %(at)s)
    WHERE tenant_id = %(tenant)s AND member_id = %(member)s AND valid_until IS NULL
"""


def keep_base_role(member: Member, acting_user: Actor) -> None:
    """Registered with ``tenants.hooks``: one period of the base role ends, and the next begins unless the member is deactivated."""
    values: dict[str, Any] = {
        "tenant": member.tenant_id, "member": member.id, "role": RoleCode(member.role).value,
        "by": acting_user.label, "at": database_now(),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_END, values)
        if member.is_active:
            cursor.execute(_BEGIN, values)
