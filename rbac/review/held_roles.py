"""What this room puts before reviewers: memberships with their base role, and roles granted beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from isolation.actors import Actor
from rbac.errors import ReviewItemEnded
from rbac.grants import role_grant_end
from rbac.held import facts_of, not_ended
from rbac.models import BaseRolePeriod, CustomRoleVersion, RoleGrant
from rbac.models_review import ReviewItem
from rbac.review.sources import Line, Members, Source, of_members, register
from rbac.standing import RoleFacts, built_in
from tenants.models import Member
from tenants.services import member_deactivate


def _memberships(tenant_ids: Sequence[int], members: Members) -> Iterator[Line]:
    """The subject is the period of the base role: who has become something else since holds another thing."""
    periods = BaseRolePeriod.objects.filter(
        tenant_id__in=tenant_ids, valid_until=None, member__is_active=True
    )
    for period in periods.filter(of_members(members)):
        role = built_in(period.role)
        yield Line(
            tenant_id=period.tenant_id, member_id=period.member_id, subject=str(period.id), label=role.name,
            level=role.level, rights=len(role.permissions), since=period.valid_from, by=period.changed_by,
        )  # fmt: skip


def _end_membership(item: ReviewItem, reason: str, acting_user: Actor) -> str:
    members = Member.objects.select_related("tenant").select_for_update(of=("self",), no_key=True)
    member = members.get(tenant_id=item.tenant_id, pk=item.member_id)
    period = BaseRolePeriod.objects.filter(tenant_id=item.tenant_id, pk=int(item.subject), valid_until=None)
    if not period.exists():
        raise ReviewItemEnded(thing=item.label, member=item.email)
    member_deactivate(member=member, reason=reason, acting_user=acting_user)
    return "Access to the workspace ended"


def _grants(tenant_ids: Sequence[int], members: Members) -> Iterator[Line]:
    """Also those that begin later: somebody should say whether they still shall."""
    own = _own_roles(tenant_ids)
    grants = RoleGrant.objects.filter(not_ended(), tenant_id__in=tenant_ids, member__is_active=True)
    for grant in grants.filter(of_members(members)):
        role = own[grant.custom_role_id] if grant.custom_role_id else built_in(grant.role)
        yield Line(
            tenant_id=grant.tenant_id, member_id=grant.member_id, subject=str(grant.id), label=role.name,
            level=role.level, rights=len(role.permissions), since=grant.valid_from, until=grant.valid_until,
            by=grant.granted_by, reason=grant.reason,
        )  # fmt: skip


def _own_roles(tenant_ids: Sequence[int]) -> dict[Any, RoleFacts]:
    versions = CustomRoleVersion.objects.filter(tenant_id__in=tenant_ids, valid_until=None)
    return {version.role_id: facts_of(version) for version in versions.select_related("role")}


def _end_grant(item: ReviewItem, reason: str, acting_user: Actor) -> str:
    grant = RoleGrant.objects.select_related("custom_role").get(tenant_id=item.tenant_id, pk=item.subject)
    role_grant_end(grant=grant, reason=reason, acting_user=acting_user)
    return "The role was taken away"


register(Source("base_role", "Membership", 0, _memberships, _end_membership, is_role=True))
register(Source("grant", "Granted role", 1, _grants, _end_grant, is_role=True))
