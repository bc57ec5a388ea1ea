"""Giving and taking roles beside the base role."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from audit.services import record
from isolation.actors import Actor, require
from isolation.errors import InvalidInput
from pages.templatetags.formats import local_time
from rbac.errors import GrantEnded, MemberNotActive, RoleHeldAlready
from rbac.events import RoleGranted, RoleGrantEnded
from rbac.guards import require_apart, require_below, require_other, target_of
from rbac.held import database_now, role_called, roles_held
from rbac.models import CustomRole, RoleGrant
from rbac.standing import HeldRole, RoleFacts
from tenants.models import Member
from tenants.permissions import PEOPLE_EDIT

LONGEST = timedelta(days=3660)
LONGEST_REASON = 300
_PAST = "That is in the past. Choose a later time, or leave it empty."
_TOO_LATE = "That is more than ten years away. Choose an earlier time, or leave it empty."


@dataclass(frozen=True)
class Term:
    """From when to when a role is given; None: from now, without an end."""

    since: datetime | None = None
    until: datetime | None = None


@transaction.atomic
def role_grant(*, member: Member, role: str, term: Term, reason: str, acting_user: Actor) -> RoleGrant:
    """Give ``member`` the role of that code beside the base role.

    Raises: Forbidden, RoleTooHigh, OwnRoles, DutiesConflict, RoleHeldAlready, MemberNotActive, InvalidInput,
    NotFound.
    """
    require(acting_user, PEOPLE_EDIT, member.tenant_id)
    require_reason(reason)
    member, facts = _locked(member, role)
    _require_may_get(member, facts, acting_user)
    new = _held(facts, term)
    held = roles_held([member], also_later=True)[member.id]
    _require_not_held(member, new, held, acting_user)
    require_apart(acting_user, new, held, member.tenant_id, target_of(member))
    return _granted(member, new, reason, acting_user)


def require_reason(reason: str) -> None:
    """Raises: InvalidInput, for a reason that is empty, too long or not plain text."""
    if not reason.strip() or len(reason) > LONGEST_REASON or "\x00" in reason:
        problem = f"Say why, in at most {LONGEST_REASON} plain characters: the reason stays in the audit log."
        raise InvalidInput(field="reason", problem=problem)


def _locked(member: Member, role: str) -> tuple[Member, RoleFacts]:
    """Both as they are now. The role's row first: whoever changes it locks its holders afterwards, too."""
    facts = role_called(member.tenant, role)
    if facts.custom_id is not None:
        CustomRole.objects.select_for_update(no_key=True).get(tenant_id=member.tenant_id, pk=facts.custom_id)
        facts = role_called(member.tenant, role)
    found = Member.objects.select_related("tenant").select_for_update(of=("self",), no_key=True)
    return found.get(tenant_id=member.tenant_id, pk=member.pk), facts


def _require_may_get(member: Member, role: RoleFacts, acting_user: Actor) -> None:
    target = target_of(member)
    require_below(acting_user, role, member.tenant_id, target)
    require_other(acting_user, member)
    if not member.is_active:
        raise MemberNotActive(
            acting_user=acting_user, tenant_id=member.tenant_id, target=target, member=member.email
        )


def _held(role: RoleFacts, term: Term) -> HeldRole:
    now = database_now()
    for field, instant in (("valid_from", term.since), ("valid_until", term.until)):
        if instant is not None and instant <= now:
            raise InvalidInput(field=field, problem=_PAST)
        if instant is not None and instant > now + LONGEST:
            raise InvalidInput(field=field, problem=_TOO_LATE)
    since = term.since or now
    if term.until is not None and term.until <= since:
        raise InvalidInput(field="valid_until", problem="The end must be after the beginning.")
    return HeldRole(role, valid_from=since, valid_until=term.until)


def _require_not_held(member: Member, new: HeldRole, held: list[HeldRole], acting_user: Actor) -> None:
    if any(one.role.code == new.role.code and one.overlaps(new) for one in held):
        raise RoleHeldAlready(
            acting_user=acting_user, tenant_id=member.tenant_id, target=target_of(member),
            member=member.email, role=new.role.name,
        )  # fmt: skip


def _granted(member: Member, new: HeldRole, reason: str, acting_user: Actor) -> RoleGrant:
    assert new.valid_from is not None
    grant = RoleGrant(
        tenant_id=member.tenant_id, member=member, custom_role_id=new.role.custom_id,
        role="" if new.role.custom_id else new.role.code, valid_from=new.valid_from, valid_until=new.valid_until,
        reason=reason.strip(), granted_by=acting_user.label,
    )  # fmt: skip
    grant.save(force_insert=True)
    event = RoleGranted(
        target_id=str(member.id), target_label=member.email, role=new.role.name, role_code=new.role.code,
        period=_period(new, member.tenant.timezone), reason=grant.reason,
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=member.tenant_id)
    return grant


def _period(new: HeldRole, zone: str) -> str:
    since = f"from {local_time(new.valid_from, zone)}"
    until = f"until {local_time(new.valid_until, zone)}" if new.valid_until else "without an end"
    return f"{since} {until}, {zone}"


@transaction.atomic
def role_grant_end(*, grant: RoleGrant, reason: str, acting_user: Actor) -> RoleGrant:
    """Take a granted role away at once, also before it begins. Raises: Forbidden, RoleTooHigh, GrantEnded, InvalidInput."""
    require(acting_user, PEOPLE_EDIT, grant.tenant_id)
    require_reason(reason)
    found = Member.objects.select_for_update(no_key=True)
    member = found.get(tenant_id=grant.tenant_id, pk=grant.member_id)
    in_force = {one.grant_id: one.role for one in roles_held([member], also_later=True)[member.id]}
    role = in_force.get(grant.id)
    if role is None:
        raise GrantEnded(
            acting_user=acting_user, tenant_id=grant.tenant_id, target=target_of(member),
            role=_name_of(grant), member=member.email,
        )  # fmt: skip
    require_below(acting_user, role, grant.tenant_id, target_of(member))
    grant.revoked_at, grant.revoked_by = database_now(), acting_user.label
    grant.revoked_reason = reason.strip()
    grant.save(update_fields=["revoked_at", "revoked_by", "revoked_reason"])
    event = RoleGrantEnded(
        target_id=str(member.id), target_label=member.email, role=role.name, role_code=role.code,
        reason=grant.revoked_reason,
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=grant.tenant_id)
    return grant


def _name_of(grant: RoleGrant) -> str:
    return grant.get_role_display() if grant.role else str(grant.custom_role)
