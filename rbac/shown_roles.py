"""Roles, rights and grants as the pages show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from isolation import permissions
from isolation.actors import Actor
from pages.objects import Badge
from pages.templatetags.formats import local_time
from rbac.models import RoleGrant, Sight
from rbac.modules import by_module
from rbac.standing import HeldRole, RoleFacts, may_touch

OWN_ROLE = Badge("Own", "brand")
BUILT_IN_ROLE = Badge("Built-in", "neutral")
ARCHIVED = Badge("Archived", "neutral", "circle-x")
_IN_FORCE = Badge("In force", "good", "check")
_LATER = Badge("Begins later", "info", "clock")
_OVER = Badge("Over", "neutral", "clock")
_TAKEN = Badge("Taken", "neutral", "circle-x")


@dataclass(frozen=True)
class RoleRow:
    """One line of the roles list. ``holders`` leads to the people who hold the role."""

    name: str
    url: str
    sentence: str
    kind: Badge
    level: int
    sight: str
    rights: int
    holders: int
    holders_url: str


@dataclass(frozen=True)
class Right:
    """One right in words; ``origin`` says which roles it comes from, where that is asked."""

    code: str
    sentence: str
    origin: str = ""


@dataclass(frozen=True)
class RightsGroup:
    """The rights of one module."""

    module: str
    rights: list[Right]


@dataclass(frozen=True)
class MatrixRow:
    """One right across all roles: which of them hold it, in the order of the columns."""

    sentence: str
    code: str
    cells: list[bool]


@dataclass(frozen=True)
class MatrixGroup:
    """The rows of one module."""

    module: str
    rows: list[MatrixRow]


@dataclass(frozen=True)
class GrantRow:
    """One role of a member with its origin and its end. ``end_url`` is empty where the reader may not end it, or nobody can."""

    id: str
    role: str
    url: str
    state: Badge
    since: str
    until: str
    origin: str
    reason: str
    end_url: str = ""


def sight_words(role: RoleFacts) -> str:
    """Which deals the role shows; "None" for one that opens no page of deals and widens nothing."""
    if role.sight is Sight.OWN and "pipeline.view" not in role.permissions:
        return "None"
    return role.sight.label


def rights_of(codes: Iterable[str], origins: Mapping[str, Sequence[str]] | None = None) -> list[RightsGroup]:
    """The rights by module; codes that no app registers any more give nothing and are left out."""
    known = permissions.all_permissions()
    return [
        RightsGroup(
            module,
            [Right(code, known[code].sentence, ", ".join((origins or {}).get(code, ()))) for code in group],
        )
        for module, group in by_module(known.keys() & set(codes))
    ]


def effective_rights(held: Sequence[HeldRole]) -> list[RightsGroup]:
    """Every right that these roles add up to, with the names of the roles that give it."""
    origins: dict[str, list[str]] = {}
    for one in held:
        for code in one.role.permissions:
            names = origins.setdefault(code, [])
            if one.role.name not in names:
                names.append(one.role.name)
    return rights_of(origins, origins)


def matrix_of(roles: Sequence[RoleFacts]) -> list[MatrixGroup]:
    """Every registered right, by module, across the roles."""
    known = permissions.all_permissions()
    return [
        MatrixGroup(
            module,
            [
                MatrixRow(known[code].sentence, code, [code in role.permissions for role in roles])
                for code in codes
            ],
        )
        for module, codes in by_module(known)
    ]


def grant_row(
    grant: RoleGrant, *, names: Mapping[str, str], urls: Mapping[str, str], zone: str, now: datetime
) -> GrantRow:
    """A grant that was, is or will be; the view adds what may be done about it."""
    code = grant.role or grant.custom_role.code
    ended = f"Taken by {grant.revoked_by}: {grant.revoked_reason}" if grant.revoked_at else ""
    last = grant.revoked_at or grant.valid_until
    return GrantRow(
        id=str(grant.id),
        role=names.get(code, code),
        url=urls.get(code, ""),
        state=_state(grant, now),
        since=local_time(grant.valid_from, zone),
        until=local_time(last, zone) if last else "Without an end",
        origin=f"Given by {grant.granted_by}",
        reason=". ".join(part for part in (grant.reason, ended) if part),
    )


def _state(grant: RoleGrant, now: datetime) -> Badge:
    if grant.revoked_at is not None and grant.revoked_at <= now:
        return _TAKEN
    if grant.valid_until is not None and grant.valid_until <= now:
        return _OVER
    return _LATER if grant.valid_from > now else _IN_FORCE


def may_end(actor: Actor, held: Sequence[HeldRole]) -> set[UUID]:
    """The grants among ``held`` that the actor may end."""
    return {one.grant_id for one in held if one.grant_id is not None and may_touch(actor, one.role)}
