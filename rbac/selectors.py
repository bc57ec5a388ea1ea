"""Who may see what: computed once a request, handed to the wall as an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from django.db.models import CharField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Lower, NullIf

from isolation import context
from isolation.actors import NO_SHARES, Actor, ActorKind
from rbac.held import holding, roles_held
from rbac.models import ReportingLine, ReportingPath, Sight
from rbac.shared import shares_of
from rbac.standing import standing_of
from tenants.models import Member

OwnerSource = Callable[[int, Sequence[UUID]], list[int]]
_owner_sources: list[OwnerSource] = []


def register_owner_source(source: OwnerSource) -> None:
    """``source(tenant_id, member_ids)`` gives the CRM owner ids of those members; the room that mirrors owners offers it."""
    _owner_sources.append(source)


def team_of(member: Member) -> list[UUID]:
    """The member and everyone below in the reporting tree."""
    below = ReportingPath.objects.filter(tenant_id=member.tenant_id, ancestor=member, depth__gt=0)
    return [member.id, *below.values_list("descendant_id", flat=True)]


def manager_id_of(member: Member) -> UUID | None:
    """To whom the member reports, directly."""
    lines = ReportingLine.objects.filter(tenant_id=member.tenant_id, member=member, valid_until=None)
    found: UUID | None = lines.values_list("manager_id", flat=True).first()
    return found


def visible_owner_ids(member: Member, sight: Sight) -> tuple[int, ...] | None:
    """The CRM owners whose rows ``member`` sees; None for the whole workspace. Needs the tenant-wide context."""
    if sight is Sight.EVERYTHING:
        return None
    people = team_of(member) if sight is Sight.TEAM else [member.id]
    return tuple(owner for source in _owner_sources for owner in source(member.tenant_id, people))


def actor_of(member: Member) -> Actor:
    """The member as acting user: what all roles held now add up to, and whom that shows. Opens a tenant-wide context."""
    with context.tenant_wide(member.tenant_id):
        held = roles_held([member])[member.id]
        standing = standing_of([one.role for one in held])
        owner_ids = visible_owner_ids(member, standing.sight)
        shares = NO_SHARES if owner_ids is None else shares_of(member)
    return Actor(
        kind=ActorKind.PERSON,
        label=member.email,
        user_id=member.user_id,
        member_id=member.id,
        tenant_id=member.tenant_id,
        role=member.role,
        permissions=standing.permissions,
        owner_ids=owner_ids,
        level=standing.level,
        sight=standing.sight.value,
        shares=shares,
    )


def people_of(
    tenant_id: int, *, search: str = "", role: str = "", is_active: bool | None = None
) -> QuerySet[Member]:
    """The workspace's members, each with ``label`` (to sort by), ``manager_id``, ``manager_name`` and ``manager_email``.

    ``role`` asks for those who hold the role of that code, as base role or by a grant that has not ended.
    """
    line = ReportingLine.objects.filter(tenant_id=tenant_id, member=OuterRef("pk"), valid_until=None)
    wanted = Q(name__icontains=search) | Q(email__icontains=search) if search else Q()
    if role:
        wanted &= holding(role)
    if is_active is not None:
        wanted &= Q(is_active=is_active)
    people: QuerySet[Member] = Member.objects.filter(wanted, tenant_id=tenant_id)
    return people.annotate(
        label=Lower(Coalesce(NullIf("name", Value("")), "email", output_field=CharField())),
        manager_id=Subquery(line.values("manager_id")[:1]),
        manager_name=Subquery(line.values("manager__name")[:1]),
        manager_email=Subquery(line.values("manager__email")[:1]),
    )


def manager_candidates(
    tenant_id: int, *, besides: UUID | None = None, current: UUID | None = None
) -> QuerySet[Member]:
    """Whom a member could report to, by name: every active member but oneself, and ``current``, who may have left."""
    found: QuerySet[Member] = Member.objects.filter(Q(is_active=True) | Q(pk=current), tenant_id=tenant_id)
    if besides is not None:
        found = found.exclude(pk=besides)
    return found.order_by("name", "email")


def email_of(tenant_id: int, member_id: UUID | None) -> str:
    """A member's address in a sentence, "nobody" for None."""
    found = Member.objects.filter(tenant_id=tenant_id, pk=member_id).values_list("email", flat=True).first()
    return found or "nobody"
