"""Roles name only registered permissions, and every registered permission is held by some role."""

from __future__ import annotations

from isolation import permissions
from rbac import roles

# Held by nobody in a workspace, with the reason.
FOR_NO_ROLE: dict[str, str] = {}


def test_roles_name_registered_permissions_only() -> None:
    assert roles.unknown_codes() == set()


def test_every_permission_is_held_by_a_role() -> None:
    held = set().union(*roles.ROLE_PERMISSIONS.values())
    assert permissions.all_permissions().keys() - held == FOR_NO_ROLE.keys()


def test_nobody_who_sells_may_change_people_rules_or_the_crm() -> None:
    for role in ("sales_rep", "sales_manager"):
        held = roles.ROLE_PERMISSIONS[roles.RoleCode(role)]
        assert not held & {"people.edit", "alerts.edit", "crm.edit", "crm.sync", "tenant.edit"}
