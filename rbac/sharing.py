"""Reads about shares for pages and the API: whom one may name, and which shares a reader may list."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from django.db.models import Q, QuerySet

from isolation.actors import Actor
from rbac.errors import ShareTwoWorkspaces
from rbac.forms_people import member_is
from rbac.models import ReportingPath, Share
from rbac.shared import Subject, in_force
from tenants.models import Member, Tenant


def member_named(tenant: Tenant, name: str) -> Member | None:
    """The member of that id or e-mail address, None where the workspace has none."""
    members = Member.objects.select_related("tenant").filter(tenant_id=tenant.id)
    found: Member | None = members.filter(member_is(name)).first()
    return found


def share_partner(tenant: Tenant, name: str, subject: Subject, acting_user: Actor) -> Member:
    """The member whom a share is to be with. Raises: ShareTwoWorkspaces, where there is none: other workspaces' people are nobody here."""
    found = member_named(tenant, name)
    if found is None:
        target = (subject.external_id, subject.label)
        raise ShareTwoWorkspaces(acting_user=acting_user, tenant_id=tenant.id, target=target)
    return found


def partners_offered(tenant_id: int, *, besides: UUID | None, at_most: int) -> list[Member] | None:
    """The active members to choose from, by name; None where there are more than ``at_most``."""
    members = Member.objects.filter(tenant_id=tenant_id, is_active=True).exclude(pk=besides)
    found = list(members.order_by("name", "email")[: at_most + 1])
    return found if len(found) <= at_most else None


class Whose(StrEnum):
    """Which shares a list holds, seen from the reader."""

    WITH_ME = "with_me"
    BY_ME = "by_me"
    ALL = "all"


def shares_listed(
    tenant_id: int, *, whose: Whose, member_id: UUID | None, search: str = "", is_in_force: bool | None = True
) -> QuerySet[Share]:
    """Shares with the reader or a team that the reader is in, shares by the reader, or all of them, each with whom.

    ``member_id`` is None for a reader who is no member; then only ALL makes sense.
    """
    found: QuerySet[Share] = Share.objects.filter(tenant_id=tenant_id).select_related("member")
    if whose is Whose.BY_ME:
        found = found.filter(shared_by_member_id=member_id)
    elif whose is Whose.WITH_ME:
        above = ReportingPath.objects.filter(tenant_id=tenant_id, descendant_id=member_id, depth__gt=0)
        of_teams = Q(with_team=True, member_id__in=above.values("ancestor_id"))
        # Who shares with a team of the own chief is in that team, too; nothing new came by it.
        found = found.filter(Q(member_id=member_id) | of_teams).exclude(shared_by_member_id=member_id)
    if search:
        named = Q(label__icontains=search) | Q(member__name__icontains=search)
        found = found.filter(
            named
            | Q(member__email__icontains=search)
            | Q(shared_by__icontains=search)
            | Q(external_id=search)
        )
    if is_in_force is not None:
        found = found.filter(in_force()) if is_in_force else found.exclude(in_force())
    return found
