"""Writes about the reporting tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from audit.services import record
from isolation.actors import Actor, require
from rbac.errors import ManagerChangedMeanwhile, ManagerNotActive, OwnTeam, ReportingCycle
from rbac.events import ReportingLineSet
from rbac.models import ReportingPath, Sight
from rbac.selectors import email_of, manager_id_of
from rbac.standing import built_in
from tenants.models import Member
from tenants.permissions import PEOPLE_EDIT
from tenants.selectors import tenant_locked

# A moved member leaves all ancestors of the old place together with everyone below. The pairs first, then one look-up each: joined in
# one go, everybody below the old managers was read, 90,000 rows to move a team of ten among 10,000.
_DETACH = """
    WITH ended AS MATERIALIZED (
        SELECT above.ancestor_id, below.descendant_id
        FROM rbac_reportingpath above
        JOIN rbac_reportingpath below ON below.tenant_id = %(tenant)s AND below.ancestor_id = %(member)s
        WHERE above.tenant_id = %(tenant)s AND above.descendant_id = %(member)s AND above.depth > 0
    )
    DELETE FROM rbac_reportingpath p
    WHERE p.tenant_id = %(tenant)s AND p.id = ANY (ARRAY(
        SELECT found.id FROM ended e CROSS JOIN LATERAL (
            SELECT x.id FROM rbac_reportingpath x
            WHERE x.tenant_id = %(tenant)s AND x.ancestor_id = e.ancestor_id AND x.descendant_id = e.descendant_id OFFSET 0
        ) AS found))
"""
# … and takes the ancestors of the new manager; the cost is the moved subtree times the depth above it.
_ATTACH = """
    INSERT INTO rbac_reportingpath (tenant_id, ancestor_id, descendant_id, depth)
    SELECT above.tenant_id, above.ancestor_id, below.descendant_id, above.depth + below.depth + 1
    FROM rbac_reportingpath above
    JOIN rbac_reportingpath below ON below.tenant_id = above.tenant_id
    WHERE above.tenant_id = %(tenant)s AND above.descendant_id = %(manager)s AND below.ancestor_id = %(member)s
"""
_SELF_PATHS = """
    INSERT INTO rbac_reportingpath (tenant_id, ancestor_id, descendant_id, depth)
    SELECT %(tenant)s, node, node, 0 FROM unnest(%(nodes)s::uuid[]) AS node
    ON CONFLICT (tenant_id, ancestor_id, descendant_id) DO NOTHING
"""
# Both by the clock of the statement: what waited for the lock must not end before what was set meanwhile began.
_END_LINE = """
    UPDATE rbac_reportingline SET valid_until = statement_timestamp()
    WHERE tenant_id = %(tenant)s AND member_id = %(member)s AND valid_until IS NULL
"""
_BEGIN_LINE = """
    INSERT INTO rbac_reportingline (tenant_id, member_id, manager_id, set_by)
    VALUES (%(tenant)s, %(member)s, %(manager)s, %(by)s)
"""


@dataclass(frozen=True)
class MemberSeen:
    """The member who stood there when somebody decided on another one; None: nobody."""

    member_id: UUID | None


@transaction.atomic
def reporting_line_set(
    *, member: Member, manager: Member | None, acting_user: Actor, seen: MemberSeen | None = None
) -> None:
    """Put ``member``, with everyone below, under ``manager`` (None: at the top); no change where it is so already.

    ``seen`` is what the decision was made on (None: whatever it is now).
    Raises: Forbidden, OwnTeam, ReportingCycle, ManagerNotActive, ManagerChangedMeanwhile.
    """
    require(acting_user, PEOPLE_EDIT, member.tenant_id)
    # One change of a tree at a time: two moves at once could close a circle that neither sees.
    tenant_locked(member.tenant_id)
    if manager is not None:
        _refuse_misplaced(member, manager, acting_user)
    current = manager_id_of(member)
    if current == (manager.id if manager else None):
        return
    if manager is not None and not manager.is_active:
        raise ManagerNotActive(**_about(member, acting_user), manager=manager.email)
    if seen is not None and seen.member_id != current:
        manager_now = email_of(member.tenant_id, current)
        raise ManagerChangedMeanwhile(**_about(member, acting_user), member=member.email, manager=manager_now)
    _move(member, manager, acting_user)
    event = ReportingLineSet(
        target_id=str(member.id), target_label=member.email, manager=manager.email if manager else "nobody"
    )
    record(event, acting_user=acting_user, tenant_id=member.tenant_id)


def _refuse_misplaced(member: Member, manager: Member, acting_user: Actor) -> None:
    if widens_own_sight(manager, acting_user):
        raise OwnTeam(**_about(member, acting_user))
    if _is_below(manager, member):
        raise ReportingCycle(**_about(member, acting_user), manager=manager.email, member=member.email)


def _about(member: Member, acting_user: Actor) -> dict[str, Any]:
    return {
        "acting_user": acting_user, "tenant_id": member.tenant_id, "target": (str(member.id), member.email),
    }  # fmt: skip


def widens_own_sight(manager: Member, acting_user: Actor) -> bool:
    """Whether what ``manager`` gains to see the actor gains too: as the same person, or above. Who sees every deal for good gains nothing."""
    if acting_user.is_trusted_everywhere or built_in(acting_user.role).sight is Sight.EVERYTHING:
        return False
    above = ReportingPath.objects.filter(tenant_id=manager.tenant_id, ancestor_id=acting_user.member_id)
    return acting_user.member_id == manager.id or above.filter(descendant=manager).exists()


def _is_below(candidate: Member, member: Member) -> bool:
    if candidate.id == member.id:
        return True
    paths = ReportingPath.objects.filter(tenant_id=member.tenant_id, ancestor=member, descendant=candidate)
    return paths.exists()


def _move(member: Member, manager: Member | None, acting_user: Actor) -> None:
    values: dict[str, Any] = {
        "tenant": member.tenant_id,
        "member": member.id,
        "manager": manager.id if manager else None,
        "by": acting_user.label,
    }
    nodes = [member.id, *([manager.id] if manager else [])]
    with connection.cursor() as cursor:
        cursor.execute(_END_LINE, values)
        cursor.execute(_SELF_PATHS, {**values, "nodes": nodes})
        cursor.execute(_DETACH, values)
        if manager is not None:
            cursor.execute(_ATTACH, values)
            cursor.execute(_BEGIN_LINE, values)
