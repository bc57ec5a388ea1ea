"""What upper rooms do when somebody joins a workspace or becomes something else: they register a function, services call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isolation.actors import Actor
from tenants.models import Member, RoleCode, Tenant


@dataclass(frozen=True)
class RoleChange:
    """What somebody wants to do to a person's base role. ``member`` is None for a person who joins.

    ``seen`` is what the person was when the change was decided on (None: whatever it is now).
    ``is_whole`` says that every other role of the member comes or goes with it: deactivated and let in again.
    """

    tenant: Tenant
    email: str
    member: Member | None = None
    taken: RoleCode | None = None
    given: RoleCode | None = None
    seen: RoleCode | None = None
    is_whole: bool = False


RoleCheck = Callable[[RoleChange, Actor], None]
AfterRoleChange = Callable[[Member, Actor], None]
_role_checks: list[RoleCheck] = []
_after_role_change: list[AfterRoleChange] = []

BeforeLeaving = Callable[[Member, Member | None, Actor], object]
_before_leaving: list[BeforeLeaving] = []

AfterMemberAdded = Callable[[Member], None]
_after_member_added: list[AfterMemberAdded] = []


def after_member_added(hook: AfterMemberAdded) -> None:
    """Call ``hook(member)`` for every new member, in the transaction and the context that make the member."""
    _after_member_added.append(hook)


def call_after_member_added(member: Member) -> None:
    """Call every hook in the order of the rooms."""
    for hook in _after_member_added:
        hook(member)


def check_role_changes(check: RoleCheck) -> None:
    """Call ``check(change, acting_user)`` before every change of a base role; it raises what refuses the change."""
    _role_checks.append(check)


def call_role_checks(change: RoleChange, acting_user: Actor) -> None:
    """Ask every check; the member is locked already. Raises: what a check refuses with."""
    for check in _role_checks:
        check(change, acting_user)


def after_role_change(hook: AfterRoleChange) -> None:
    """Call ``hook(member, acting_user)`` when somebody joined, became something else, was deactivated or let in again."""
    _after_role_change.append(hook)


def call_after_role_change(member: Member, acting_user: Actor) -> None:
    """Call every hook in the order of the rooms."""
    for hook in _after_role_change:
        hook(member, acting_user)


def before_leaving(hook: BeforeLeaving) -> None:
    """Call ``hook(member, heir, acting_user)`` before somebody is deactivated; it passes things on, or raises what refuses the leaving."""
    _before_leaving.append(hook)


def call_before_leaving(member: Member, heir: Member | None, acting_user: Actor) -> None:
    """Call every hook in the order of the rooms. Raises: what a hook refuses with."""
    for hook in _before_leaving:
        hook(member, heir, acting_user)
