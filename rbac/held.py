"""Who holds which role, judged by the database's clock at the moment of asking: no job ends a grant, time does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from isolation.errors import NotFound
from rbac.models import CustomRole, CustomRoleVersion, RoleGrant, Sight
from rbac.standing import HeldRole, RoleFacts, built_in
from tenants.models import Member, RoleCode, Tenant
from tenants.services import roles_of

# statement_timestamp(), not now(): a long transaction must not go on with a grant that ended meanwhile.
_GRANTS = """
    SELECT g.member_id, g.id, g.valid_from, least(g.valid_until, g.revoked_at),
           g.role, c.id, c.code, v.name, v.level, v.permissions, v.sight, v.sentence
    FROM (SELECT coalesce(%(at)s::timestamptz, statement_timestamp()) AS instant) AS asked
    CROSS JOIN rbac_rolegrant g
    LEFT JOIN rbac_customrole c ON c.tenant_id = g.tenant_id AND c.id = g.custom_role_id
    LEFT JOIN rbac_customroleversion v
        ON v.tenant_id = c.tenant_id AND v.role_id = c.id
        AND v.valid_from <= asked.instant AND coalesce(v.valid_until, 'infinity') > asked.instant
    WHERE g.tenant_id = %(tenant)s AND g.member_id = ANY (%(members)s)
      AND (%(later)s OR g.valid_from <= asked.instant)
      AND coalesce(least(g.valid_until, g.revoked_at), 'infinity') > asked.instant
    ORDER BY g.valid_from, g.id
"""


def database_now() -> datetime:
    """The instant of this very statement. Ask after locking: a transaction's own time may be older than what it waited for."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        row = cursor.fetchone()
    assert row is not None
    instant: datetime = row[0]
    return instant


def grants_held(
    tenant_id: int, member_ids: Iterable[UUID], *, at: datetime | None = None, also_later: bool = False
) -> dict[UUID, list[HeldRole]]:
    """The grants in force by member, at ``at`` or now; with ``also_later`` those that begin afterwards, too. One query."""
    members = list(member_ids)
    found: dict[UUID, list[HeldRole]] = {member_id: [] for member_id in members}
    values: dict[str, Any] = {"tenant": tenant_id, "members": members, "at": at, "later": also_later}
    with connection.cursor() as cursor:
        cursor.execute(_GRANTS, values)
        for member_id, grant_id, since, until, *role in cursor.fetchall():
            found[member_id].append(HeldRole(_facts(*role), grant_id, since, until))
    return found


def _facts(built_in_code: str, custom_id: UUID | None, code: str, name: str, *version: Any) -> RoleFacts:
    if custom_id is None:
        return built_in(built_in_code)
    level, permissions, sight, sentence = version
    return RoleFacts(code, name, level, frozenset(permissions), Sight(sight), sentence, custom_id)


def roles_held(
    members: Sequence[Member], *, at: datetime | None = None, also_later: bool = False
) -> dict[UUID, list[HeldRole]]:
    """Base role first, then the grants, of members of one workspace. One query."""
    if not members:
        return {}
    grants = grants_held(
        members[0].tenant_id, [member.id for member in members], at=at, also_later=also_later
    )
    return {member.id: [HeldRole(built_in(member.role)), *grants[member.id]] for member in members}


def custom_roles_of(tenant_id: int, *, with_archived: bool = False) -> QuerySet[CustomRoleVersion]:
    """The workspace's own roles as they are now, each with its ``role``, by level and name."""
    found: QuerySet[CustomRoleVersion] = CustomRoleVersion.objects.filter(
        tenant_id=tenant_id, valid_until=None
    )
    if not with_archived:
        found = found.filter(role__archived_at=None)
    return found.select_related("role").order_by("level", "name")


def facts_of(version: CustomRoleVersion) -> RoleFacts:
    """One of the workspace's own roles as the rest of the room knows roles."""
    return RoleFacts(
        code=version.role.code,
        name=version.name,
        level=version.level,
        permissions=frozenset(version.permissions),
        sight=Sight(version.sight),
        sentence=version.sentence,
        custom_id=version.role_id,
    )


def roles_offered(tenant: Tenant) -> list[RoleFacts]:
    """Every role that a member can hold there: built-in ones, then the workspace's own that are not archived."""
    own = [facts_of(version) for version in custom_roles_of(tenant.id)]
    return [*(built_in(code) for code in roles_of(tenant)), *own]


def role_called(tenant: Tenant, code: str) -> RoleFacts:
    """The role of that code there. Raises: NotFound."""
    found = next((role for role in roles_offered(tenant) if role.code == code), None)
    if found is None:
        raise NotFound(what="such role", field="role")
    return found


def not_ended() -> Q:
    """Condition on grants: in force now, or from a later time."""
    later = Q(valid_until=None) | Q(valid_until__gt=Now())
    return later & (Q(revoked_at=None) | Q(revoked_at__gt=Now()))


def holding(code: str) -> Q:
    """Condition on members: the role of that code is theirs, as base role or by a grant that has not ended."""
    grants = RoleGrant.objects.filter(not_ended(), tenant_id=OuterRef("tenant_id"), member_id=OuterRef("pk"))
    if code in RoleCode.values:
        return Q(role=code) | Q(Exists(grants.filter(role=code)))
    return Q(Exists(grants.filter(custom_role__code=code)))


_COUNTS = """
    SELECT held.code, count(DISTINCT held.member_id)
    FROM (SELECT m.role AS code, m.id AS member_id FROM tenants_member m WHERE m.tenant_id = %(tenant)s
          UNION ALL
          SELECT coalesce(c.code, g.role), g.member_id
          FROM rbac_rolegrant g
          LEFT JOIN rbac_customrole c ON c.tenant_id = g.tenant_id AND c.id = g.custom_role_id
          WHERE g.tenant_id = %(tenant)s
            AND coalesce(least(g.valid_until, g.revoked_at), 'infinity') > statement_timestamp()) AS held
    GROUP BY held.code
"""


def holder_counts(tenant_id: int) -> dict[str, int]:
    """How many members each role is theirs (see ``holding``), by code; roles of nobody are not among them."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"tenant": tenant_id})
        return dict(cursor.fetchall())


def grants_of(member: Member) -> QuerySet[RoleGrant]:
    """Every grant that the member ever had, newest first, with its role."""
    found: QuerySet[RoleGrant] = RoleGrant.objects.filter(tenant_id=member.tenant_id, member=member)
    return found.select_related("custom_role").order_by("-valid_from", "-id")


def grants_to(role: CustomRole) -> QuerySet[RoleGrant]:
    """The grants of one of the workspace's own roles that have not ended."""
    found: QuerySet[RoleGrant] = RoleGrant.objects.filter(
        not_ended(), tenant_id=role.tenant_id, custom_role=role
    )
    return found
