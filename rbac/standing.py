"""What roles add up to: pure functions over the roles that somebody holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from isolation.actors import LOWEST_LEVEL, Actor
from rbac.models import Sight
from rbac.roles import BUILT_IN
from tenants.models import RoleCode

_WIDTH = {Sight.OWN: 0, Sight.TEAM: 1, Sight.EVERYTHING: 2}


@dataclass(frozen=True)
class RoleFacts:
    """A role as it is now, built-in or the workspace's own. ``level`` 1 is the top; ``custom_id`` is None for built-in ones."""

    code: str
    name: str
    level: int
    permissions: frozenset[str]
    sight: Sight
    sentence: str = ""
    custom_id: UUID | None = None


@dataclass(frozen=True)
class HeldRole:
    """A role that a member holds from ``valid_from`` (None: long since) until ``valid_until`` (None: without an end).

    ``grant_id`` is None for the base role.
    """

    role: RoleFacts
    grant_id: UUID | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def overlaps(self, other: HeldRole) -> bool:
        """Whether there is an instant at which both are held; the end itself is no longer part of a period."""
        return _begins_before_end(self, other) and _begins_before_end(other, self)


def _begins_before_end(one: HeldRole, other: HeldRole) -> bool:
    return one.valid_from is None or other.valid_until is None or one.valid_from < other.valid_until


@dataclass(frozen=True)
class Standing:
    """All roles together: the highest level, the union of rights, the widest sight."""

    level: int
    permissions: frozenset[str]
    sight: Sight


def sight_of(code: RoleCode) -> Sight:
    """Which deals a built-in role shows."""
    if BUILT_IN[code].sees_everything:
        return Sight.EVERYTHING
    return Sight.TEAM if code is RoleCode.SALES_MANAGER else Sight.OWN


def built_in(code: str) -> RoleFacts:
    """A built-in role. ValueError for a code that is none."""
    role = BUILT_IN[RoleCode(code)]
    sight = sight_of(role.code)
    return RoleFacts(role.code.value, role.name, role.level, role.permissions, sight, role.sentence)


def standing_of(roles: Collection[RoleFacts]) -> Standing:
    """What these roles add up to; nothing at all for no roles."""
    return Standing(
        level=min((role.level for role in roles), default=LOWEST_LEVEL),
        permissions=frozenset[str]().union(*(role.permissions for role in roles)),
        sight=widest(role.sight for role in roles),
    )


def widest(sights: Iterable[Sight]) -> Sight:
    """The one that shows most; own deals where there is none."""
    return max(sights, key=_WIDTH.__getitem__, default=Sight.OWN)


def shows_more(one: Sight, other: Sight) -> bool:
    """Whether ``one`` shows deals that ``other`` does not."""
    return _WIDTH[one] > _WIDTH[other]


def may_touch(actor: Actor, role: RoleFacts) -> bool:
    """Whether the role is below the actor's level, so that the actor may give, change or take it."""
    return actor.is_trusted_everywhere or role.level > actor.level
