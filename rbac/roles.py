"""What each built-in role may do: one table, reasoned line by line.

Workspace roles: admins run the workspace, analysts read and tune it, managers and reps work their deals, a design partner tries
the whole product alone in a workspace of the own. Separation: nobody who carries a quota may change people, rules or the CRM.

Desk roles: the eight of the customer desk, each with its share of the desk's 31 rights (31, 30, 20, 15, 12, 6, 7 and 8 of them).
Who leads sees everything and changes most, but money (refunds, credit), deletions and set-up stay with admins; senior agents may
give money back, since an angry customer should not wait for a manager; agents resolve, support passes on, analysts count and
export, viewers look. Contact data unmasked: from senior agents up; that of the CRM: who sells writes to them, admins answer for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from isolation import permissions
from isolation.errors import InvalidInput
from tenants.models import RoleCode

_EVERYONE = frozenset({"pipeline.view", "alerts.view", "tenant.view"})
_READING = _EVERYONE | {"exports.run"}
_SELLING = _READING | {"shares.edit", "crm.contact_data"}
_ANALYSING = _READING | {
    "access.explain",
    "crm.view", "crm.sync", "alerts.edit", "audit.view", "people.view", "pipeline.rebuild",
    "ops.priority_queue.view", "ops.priority_queue.review",
}  # fmt: skip
_ADMINISTERING = _ANALYSING | {
    "crm.edit", "tenant.edit", "people.edit", "people.deactivate", "roles.edit", "shares.edit", "access.review", "ops.priority_queue.full_access",
    "crm.contact_data",
}  # fmt: skip

_DESK = frozenset({
    "bookings.view", "bookings.edit", "bookings.cancel", "bookings.refund",
    "users.view", "users.edit", "users.delete", "users.wallet",
    "providers.view", "providers.edit", "providers.approve", "providers.delete",
    "complaints.view", "complaints.assign", "complaints.resolve", "complaints.escalate",
    "ops.priority_queue.view", "ops.priority_queue.review", "ops.priority_queue.full_access",
    "ops.metrics.view", "ops.metrics.export",
    "ops.alerts.view", "ops.alerts.manage_rules", "ops.alerts.manage_subscriptions",
    "ops.staff.view", "ops.staff.edit", "ops.staff.delete",
    "ops.config.view", "ops.config.edit",
    "ops.audit.view",
    "system.admin",
})  # fmt: skip
_DESK_VIEWS = frozenset(code for code in _DESK if code.endswith(".view"))
_DESK_SHARES: dict[RoleCode, frozenset[str]] = {
    RoleCode.SUPER_ADMIN: _DESK,
    RoleCode.DESK_ADMIN: _DESK - {"system.admin"},
    RoleCode.DESK_MANAGER: _DESK_VIEWS | {
        "bookings.edit", "bookings.cancel", "users.edit", "providers.edit", "complaints.assign", "complaints.resolve",
        "complaints.escalate", "ops.priority_queue.review", "ops.priority_queue.full_access", "ops.staff.edit",
    },
    RoleCode.SENIOR_AGENT: frozenset({
        "bookings.view", "bookings.edit", "bookings.cancel", "bookings.refund", "users.view", "users.edit", "providers.view",
        "complaints.view", "complaints.assign", "complaints.resolve", "complaints.escalate", "ops.priority_queue.view",
        "ops.priority_queue.review", "ops.priority_queue.full_access", "ops.metrics.view",
    }),
    RoleCode.AGENT: frozenset({
        "bookings.view", "bookings.edit", "bookings.cancel", "users.view", "users.edit", "providers.view", "complaints.view",
        "complaints.resolve", "complaints.escalate", "ops.priority_queue.view", "ops.priority_queue.review", "ops.alerts.view",
    }),
    RoleCode.SUPPORT: frozenset({
        "bookings.view", "users.view", "complaints.view", "complaints.escalate", "ops.priority_queue.view",
        "ops.priority_queue.review",
    }),
    RoleCode.DESK_ANALYST: frozenset({
        "bookings.view", "providers.view", "complaints.view", "ops.priority_queue.view", "ops.metrics.view",
        "ops.metrics.export", "ops.alerts.view",
    }),
    RoleCode.VIEWER: _DESK_VIEWS - {"ops.staff.view", "ops.audit.view"},
}  # fmt: skip
# Whoever works at a desk sees the workspace's name and its alerts; its two admins look after the people there as well.
_AT_A_DESK = frozenset({"alerts.view", "tenant.view"})
_LEADING_A_DESK = _AT_A_DESK | {
    "people.view", "people.edit", "people.deactivate", "roles.edit", "access.review", "audit.view",
}  # fmt: skip


_SENTENCES = {
    RoleCode.CUSTOMER_ADMIN: "Sets up the workspace: people, CRM, alerts and settings.",
    RoleCode.SALES_MANAGER: "Leads a team and sees its deals.",
    RoleCode.REVOPS_ANALYST: "Watches the whole pipeline, its alerts and its data.",
    RoleCode.SALES_REP: "Works on the own deals.",
    RoleCode.DESIGN_PARTNER: "Tries the product in a workspace of its own.",
    RoleCode.SUPER_ADMIN: "Stands above everybody at the desk, and runs it.",
    RoleCode.DESK_ADMIN: "Runs the desk: its people, its settings and its log.",
    RoleCode.DESK_MANAGER: "Leads the desk's agents and watches its figures.",
    RoleCode.SENIOR_AGENT: "Resolves what agents hand upwards, and refunds.",
    RoleCode.AGENT: "Works on bookings and complaints.",
    RoleCode.SUPPORT: "Takes complaints in and hands them on.",
    RoleCode.DESK_ANALYST: "Reads and exports the desk's figures.",
    RoleCode.VIEWER: "Looks at the desk and changes nothing.",
}


@dataclass(frozen=True)
class BuiltInRole:
    """A role that every workspace has. ``level`` 1 is the highest: nobody gives, changes or takes a role at or above the own."""

    code: RoleCode
    level: int
    permissions: frozenset[str]
    sees_everything: bool = False

    @property
    def name(self) -> str:
        """As pages call it."""
        return str(self.code.label)

    @property
    def sentence(self) -> str:
        """What it is for."""
        return _SENTENCES[self.code]


def _desk(code: RoleCode, level: int, besides: frozenset[str] = _AT_A_DESK) -> BuiltInRole:
    return BuiltInRole(code, level, _DESK_SHARES[code] | besides)


BUILT_IN: Mapping[RoleCode, BuiltInRole] = {
    role.code: role
    for role in (
        BuiltInRole(RoleCode.CUSTOMER_ADMIN, 2, _ADMINISTERING, sees_everything=True),
        BuiltInRole(
            RoleCode.SALES_MANAGER,
            3,
            _SELLING
            | {"ops.priority_queue.view", "ops.priority_queue.review", "people.view", "access.explain"},
        ),
        BuiltInRole(RoleCode.REVOPS_ANALYST, 4, _ANALYSING, sees_everything=True),
        BuiltInRole(RoleCode.SALES_REP, 5, _SELLING),
        BuiltInRole(RoleCode.DESIGN_PARTNER, 5, _ANALYSING, sees_everything=True),
        _desk(RoleCode.SUPER_ADMIN, 1, _LEADING_A_DESK),
        _desk(RoleCode.DESK_ADMIN, 2, _LEADING_A_DESK),
        _desk(RoleCode.DESK_MANAGER, 3),
        _desk(RoleCode.SENIOR_AGENT, 4),
        _desk(RoleCode.AGENT, 5),
        _desk(RoleCode.SUPPORT, 6),
        _desk(RoleCode.DESK_ANALYST, 7),
        _desk(RoleCode.VIEWER, 8),
    )
}
DESK_ROLES = tuple(sorted((BUILT_IN[code] for code in _DESK_SHARES), key=lambda role: role.level))

ROLE_PERMISSIONS: Mapping[RoleCode, frozenset[str]] = {
    code: role.permissions for code, role in BUILT_IN.items()
}
# These read the whole workspace; everybody else reads what the reporting tree gives.
WHOLE_WORKSPACE = frozenset(code for code, role in BUILT_IN.items() if role.sees_everything)

# The group names of the administrator guide ("Role Assignment"), by what follows "<customer>-revops-".
GROUP_ROLES: dict[str, RoleCode] = {
    "admins": RoleCode.CUSTOMER_ADMIN,
    "analysts": RoleCode.REVOPS_ANALYST,
    "managers": RoleCode.SALES_MANAGER,
    "reps": RoleCode.SALES_REP,
}

# What the support guide (003_691ffee12a4c4430.txt) and the trainer guide (001_7d2ecdeeb450ad16.txt), each under "User Roles and
# Permissions", call our roles. The trainer's "Manager" is none of ours by that name: alone, the word is the desk's code.
ROLE_ALIASES: Mapping[str, RoleCode] = {
    "System Administrator": RoleCode.SUPER_ADMIN,
    "Support Manager": RoleCode.DESK_MANAGER,
    "Support Agent": RoleCode.AGENT,
    "Read-Only User": RoleCode.VIEWER,
    "Super Admin": RoleCode.SUPER_ADMIN,
    "Organization Admin": RoleCode.CUSTOMER_ADMIN,
    "Manager": RoleCode.SALES_MANAGER,
    "User": RoleCode.SALES_REP,
}


def desk_permissions() -> frozenset[str]:
    """The 31 rights of the customer desk."""
    return _DESK


def desk_share(role: BuiltInRole) -> frozenset[str]:
    """Those of the 31 that a role holds."""
    return role.permissions & _DESK


def role_named(text: str, *, field: str = "role") -> RoleCode:
    """The role of that code, label or alias, whatever its case and spaces; a code goes before a label, a label before an alias.

    Raises: InvalidInput, listing the names that would do.
    """
    known = _squeezed_names().get(_squeezed(text))
    if known is not None:
        return known
    listed = ", ".join(f"{role.value} ({role.label})" for role in RoleCode)
    raise InvalidInput(field=field, problem=f"“{text.strip()}” is not a role. Use one of: {listed}.")


def _squeezed_names() -> dict[str, RoleCode]:
    aliases = {_squeezed(name): role for name, role in ROLE_ALIASES.items()}
    labels = {_squeezed(role.label): role for role in RoleCode}
    return aliases | labels | {_squeezed(role.value): role for role in RoleCode}


def _squeezed(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def unknown_codes() -> set[str]:
    """Codes that a role names and no app registered; the tests want this empty."""
    named = set[str]().union(*ROLE_PERMISSIONS.values())
    return named - permissions.all_permissions().keys()
