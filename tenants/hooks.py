"""What upper rooms do when somebody joins a workspace: they register a function, ``member_add`` calls it."""

from __future__ import annotations

from collections.abc import Callable

from tenants.models import Member

AfterMemberAdded = Callable[[Member], None]
_after_member_added: list[AfterMemberAdded] = []


def after_member_added(hook: AfterMemberAdded) -> None:
    """Call ``hook(member)`` for every new member, in the transaction and the context that make the member."""
    _after_member_added.append(hook)


def call_after_member_added(member: Member) -> None:
    """Call every hook in the order of the rooms."""
    for hook in _after_member_added:
        hook(member)
