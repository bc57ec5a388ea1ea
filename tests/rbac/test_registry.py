"""Roles name only registered permissions, and every registered permission is held by some role."""

from __future__ import annotations

import pytest

from isolation import permissions
from isolation.errors import InvalidInput
from rbac import roles
from tenants.models import RoleCode

# Held by nobody in a workspace, with the reason.
FOR_NO_ROLE: dict[str, str] = {}


def test_roles_name_registered_permissions_only() -> None:
    assert roles.unknown_codes() == set()


def test_every_permission_is_held_by_a_role() -> None:
    held = set().union(*roles.ROLE_PERMISSIONS.values())
    assert permissions.all_permissions().keys() - held == FOR_NO_ROLE.keys()


def test_nobody_who_sells_may_change_people_rules_or_the_crm() -> None:
    for role in ("sales_rep", "sales_manager"):
        held = roles.ROLE_PERMISSIONS[RoleCode(role)]
        assert not held & {"people.edit", "alerts.edit", "crm.edit", "crm.sync", "tenant.edit"}


class TestDeskRoles:
    def test_hold_their_shares_of_the_31(self) -> None:
        shares = [(str(role.code), role.level, len(roles.desk_share(role))) for role in roles.DESK_ROLES]
        assert shares == [
            ("super_admin", 1, 31), ("admin", 2, 30), ("manager", 3, 20), ("senior_agent", 4, 15), ("agent", 5, 12),
            ("support", 6, 6), ("analyst", 7, 7), ("viewer", 8, 8),
        ]  # fmt: skip

    def test_name_the_31_that_the_desk_registers(self) -> None:
        desk = roles.desk_permissions()
        assert len(desk) == 31
        assert desk <= permissions.all_permissions().keys()

    def test_have_nothing_that_the_super_admin_has_not(self) -> None:
        top = roles.BUILT_IN[RoleCode.SUPER_ADMIN].permissions
        assert all(role.permissions <= top for role in roles.DESK_ROLES)

    def test_let_viewers_change_nothing(self) -> None:
        assert all(code.endswith(".view") for code in roles.BUILT_IN[RoleCode.VIEWER].permissions)


class TestNamingARole:
    @pytest.mark.parametrize("role", RoleCode)
    def test_takes_every_code(self, role: RoleCode) -> None:
        assert roles.role_named(role.value) is role

    @pytest.mark.parametrize(
        ("text", "role"),
        [
            ("System Administrator", RoleCode.SUPER_ADMIN),
            ("Support Manager", RoleCode.DESK_MANAGER),
            ("support_agent", RoleCode.AGENT),
            ("Read-Only User", RoleCode.VIEWER),
            ("Super Admin", RoleCode.SUPER_ADMIN),
            ("Organization Admin", RoleCode.CUSTOMER_ADMIN),
            ("User", RoleCode.SALES_REP),
            ("Rep", RoleCode.SALES_REP),
            ("Desk analyst", RoleCode.DESK_ANALYST),
        ],
    )
    def test_takes_labels_and_what_other_documents_say(self, text: str, role: RoleCode) -> None:
        assert roles.role_named(text) is role

    @pytest.mark.parametrize(
        "text", ["  SENIOR agent ", "senior_agent", "Senior-Agent", "SeniorAgent", "senior   AGENT"]
    )
    def test_does_not_mind_case_and_spaces(self, text: str) -> None:
        assert roles.role_named(text) is RoleCode.SENIOR_AGENT

    @pytest.mark.parametrize(
        ("text", "role"),
        [
            ("Manager", RoleCode.DESK_MANAGER), ("admin", RoleCode.DESK_ADMIN),
            ("Analyst", RoleCode.DESK_ANALYST),
        ],
    )  # fmt: skip
    def test_takes_a_code_before_a_label(self, text: str, role: RoleCode) -> None:
        assert roles.role_named(text) is role

    @pytest.mark.parametrize("text", ["chief", "", " ", "super_admin agent", "rôle", "admin\x00"])
    def test_lists_the_right_names_for_a_wrong_one(self, text: str) -> None:
        with pytest.raises(InvalidInput) as refusal:
            roles.role_named(text, field="roles")
        assert refusal.value.field == "roles"
        assert all(f"{role.value} ({role.label})" in refusal.value.message for role in RoleCode)
