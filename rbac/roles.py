"""What each workspace role may do: one table, reasoned line by line.

Admins run the workspace, analysts read and tune it, managers and reps work their deals, a design partner tries the whole
product alone in a workspace of the own. Separation: nobody who carries a quota may change people, rules or the CRM.
"""

from __future__ import annotations

from isolation import permissions
from tenants.models import RoleCode

_EVERYONE = frozenset({"pipeline.view", "alerts.view", "tenant.view"})
_SELLING = _EVERYONE | {"exports.run"}
_ANALYSING = _SELLING | {
    "crm.view",
    "crm.sync",
    "alerts.edit",
    "audit.view",
    "people.view",
    "pipeline.rebuild",
    "ops.priority_queue.view",
    "ops.priority_queue.review",
}
_ADMINISTERING = _ANALYSING | {
    "crm.edit",
    "tenant.edit",
    "people.edit",
    "people.deactivate",
    "ops.priority_queue.full_access",
}

ROLE_PERMISSIONS: dict[RoleCode, frozenset[str]] = {
    RoleCode.CUSTOMER_ADMIN: _ADMINISTERING,
    RoleCode.REVOPS_ANALYST: _ANALYSING,
    RoleCode.SALES_MANAGER: _SELLING
    | {"ops.priority_queue.view", "ops.priority_queue.review", "people.view"},
    RoleCode.SALES_REP: _SELLING,
    RoleCode.DESIGN_PARTNER: _ANALYSING,
}

# These read the whole workspace; everybody else reads what the reporting tree gives.
WHOLE_WORKSPACE = frozenset({RoleCode.CUSTOMER_ADMIN, RoleCode.REVOPS_ANALYST, RoleCode.DESIGN_PARTNER})

# The group names of the administrator guide ("Role Assignment"), by what follows "<customer>-revops-".
GROUP_ROLES: dict[str, RoleCode] = {
    "admins": RoleCode.CUSTOMER_ADMIN,
    "analysts": RoleCode.REVOPS_ANALYST,
    "managers": RoleCode.SALES_MANAGER,
    "reps": RoleCode.SALES_REP,
}


def unknown_codes() -> set[str]:
    """Codes that a role names and no app registered; the tests want this empty."""
    named = set().union(*ROLE_PERMISSIONS.values())
    return named - permissions.all_permissions().keys()
