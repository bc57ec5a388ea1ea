"""Who saw how much at an instant: sights, chains of managers, teams and shares, from their histories. What the wall does now is not asked here.

Every statement takes ``at``: an instant, or None for the database's clock. Needs the tenant-wide context.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from rbac.models import Access, Sight
from rbac.standing import sight_of
from tenants.models import RoleCode

_WIDTHS = [Sight.OWN, Sight.TEAM, Sight.EVERYTHING]
# Members let in at ``instant`` and the widest sight of the roles that they held then: 0 own deals, 1 the team's, 2 every deal.
# Members of before the histories were kept have no period: they count from the day they joined, as what they are.
SIGHTS = """
    asked AS (SELECT coalesce(%(at)s::timestamptz, statement_timestamp()) AS instant),
    built_in AS (SELECT * FROM unnest(%(role_codes)s::text[], %(role_widths)s::int[]) AS known (code, width)),
    base AS (
        SELECT p.member_id, b.width
        FROM asked, rbac_baseroleperiod p JOIN built_in b ON b.code = p.role
        WHERE p.tenant_id = %(tenant)s AND (%(members)s::uuid[] IS NULL OR p.member_id = ANY (%(members)s))
          AND p.valid_from <= asked.instant AND coalesce(p.valid_until, 'infinity') > asked.instant
        UNION ALL
        SELECT m.id, b.width
        FROM asked, tenants_member m JOIN built_in b ON b.code = m.role
        WHERE m.tenant_id = %(tenant)s AND (%(members)s::uuid[] IS NULL OR m.id = ANY (%(members)s))
          AND m.joined_at <= asked.instant AND coalesce(m.deactivated_at, 'infinity') > asked.instant
          AND NOT EXISTS (SELECT FROM rbac_baseroleperiod p WHERE p.tenant_id = m.tenant_id AND p.member_id = m.id)
    ),
    granted AS (
        SELECT g.member_id, coalesce(b.width, CASE v.sight WHEN 'everything' THEN 2 WHEN 'team' THEN 1 ELSE 0 END) AS width
        FROM asked
        CROSS JOIN rbac_rolegrant g
        LEFT JOIN built_in b ON b.code = g.role
        LEFT JOIN rbac_customroleversion v
            ON v.tenant_id = g.tenant_id AND v.role_id = g.custom_role_id
            AND v.valid_from <= asked.instant AND coalesce(v.valid_until, 'infinity') > asked.instant
        WHERE g.tenant_id = %(tenant)s AND g.member_id IN (SELECT member_id FROM base)
          AND g.valid_from <= asked.instant AND coalesce(least(g.valid_until, g.revoked_at), 'infinity') > asked.instant
    ),
    sight AS (
        SELECT member_id, max(width) AS width
        FROM (SELECT * FROM base UNION ALL SELECT * FROM granted) AS every GROUP BY member_id
    )
"""
_ABOVE = """
    WITH RECURSIVE asked AS (SELECT coalesce(%(at)s::timestamptz, statement_timestamp()) AS instant),
    chain AS (
        SELECT %(member)s::uuid AS member_id, 0 AS depth
        UNION ALL
        SELECT l.manager_id, chain.depth + 1
        FROM asked, chain
        JOIN rbac_reportingline l ON l.tenant_id = %(tenant)s AND l.member_id = chain.member_id
        WHERE l.valid_from <= asked.instant AND coalesce(l.valid_until, 'infinity') > asked.instant
    )
    SELECT member_id FROM chain ORDER BY depth
"""
_BELOW = """
    WITH RECURSIVE asked AS (SELECT coalesce(%(at)s::timestamptz, statement_timestamp()) AS instant),
    team AS (
        SELECT leader, leader AS member_id FROM unnest(%(leaders)s::uuid[]) AS leader
        UNION
        SELECT team.leader, l.member_id
        FROM asked, team
        JOIN rbac_reportingline l ON l.tenant_id = %(tenant)s AND l.manager_id = team.member_id
        WHERE l.valid_from <= asked.instant AND coalesce(l.valid_until, 'infinity') > asked.instant
    )
    SELECT leader, member_id FROM team
"""
_SHARES = """
    SELECT s.id, s.kind, s.external_id, s.member_id, s.with_team, s.access, s.valid_from, s.valid_until, s.revoked_at, s.shared_by,
           s.valid_from <= asked.instant AND coalesce(least(s.valid_until, s.revoked_at), 'infinity') > asked.instant
    FROM (SELECT coalesce(%(at)s::timestamptz, statement_timestamp()) AS instant) AS asked
    CROSS JOIN unnest(%(kinds)s::text[], %(sources)s::text[], %(ids)s::text[]) AS named (kind, source, external_id)
    JOIN rbac_share s
        ON s.tenant_id = %(tenant)s AND s.kind = named.kind AND s.source = named.source AND s.external_id = named.external_id
    ORDER BY s.valid_from DESC, s.id DESC
"""


@dataclass(frozen=True)
class SharedOnce:
    """A share on a row, whether or not it was in force at the instant asked (``is_in_force``)."""

    id: UUID
    kind: str
    external_id: str
    member_id: UUID
    with_team: bool
    access: Access
    since: datetime
    until: datetime | None
    revoked_at: datetime | None
    shared_by: str
    is_in_force: bool


def sight_values(tenant_id: int, *, at: datetime | None, members: Collection[UUID] | None) -> dict[str, Any]:
    """What ``SIGHTS`` needs; ``members`` None: everybody."""
    widths = {code.value: _WIDTHS.index(sight_of(code)) for code in RoleCode}
    return {
        "tenant": tenant_id, "at": at, "members": None if members is None else list(members),
        "role_codes": list(widths), "role_widths": list(widths.values()),
    }  # fmt: skip


def sights(
    tenant_id: int, *, at: datetime | None = None, members: Collection[UUID] | None = None
) -> dict[UUID, Sight]:
    """How much each member that was let in saw; others are not among them."""
    rows = _fetched(
        f"WITH {SIGHTS} SELECT member_id, width FROM sight", sight_values(tenant_id, at=at, members=members)
    )
    return {member_id: _WIDTHS[width] for member_id, width in rows}


def chain_above(tenant_id: int, member_id: UUID, *, at: datetime | None = None) -> list[UUID]:
    """The member, the manager, the manager's manager, and so on to the top."""
    return [one for (one,) in _fetched(_ABOVE, {"tenant": tenant_id, "at": at, "member": member_id})]


def teams_of(
    tenant_id: int, leaders: Collection[UUID], *, at: datetime | None = None
) -> dict[UUID, set[UUID]]:
    """Each leader's team: the leader and everyone below."""
    teams: dict[UUID, set[UUID]] = {leader: set() for leader in leaders}
    if teams:
        for leader, member_id in _fetched(_BELOW, {"tenant": tenant_id, "at": at, "leaders": list(teams)}):
            teams[leader].add(member_id)
    return teams


def shares_named(
    tenant_id: int, rows: Sequence[tuple[str, str, str]], *, at: datetime | None = None
) -> list[SharedOnce]:
    """Every share of these rows (kind, source, CRM id), the latest first."""
    kinds, sources, ids = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [])
    found = _fetched(_SHARES, {"tenant": tenant_id, "at": at, "kinds": kinds, "sources": sources, "ids": ids})
    return [
        SharedOnce(one, kind, external_id, member_id, with_team, Access(access), *times)
        for one, kind, external_id, member_id, with_team, access, *times in found
    ]


def _fetched(sql: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
