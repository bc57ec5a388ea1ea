"""Duties that nobody may join, each with its reason; refused where both would hold at the same instant.

One side is who carries a quota, told by role because selling is no right but a task; the other side is told by rights, so
that no custom role gets round it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rbac.standing import HeldRole, RoleFacts
from tenants.models import RoleCode

_SELLING = frozenset({RoleCode.SALES_REP.value, RoleCode.SALES_MANAGER.value})


@dataclass(frozen=True)
class Duty:
    """``roles`` may not be held together with any of ``permissions``; ``reason`` completes "…: <reason>."."""

    roles: frozenset[str]
    permissions: frozenset[str]
    reason: str

    def parts(self, one: RoleFacts, other: RoleFacts) -> bool:
        """Whether this duty keeps the two roles apart."""
        return any(
            sells.code in self.roles and bool(runs.permissions & self.permissions)
            for sells, runs in ((one, other), (other, one))
        )


DUTIES = (
    Duty(
        _SELLING,
        frozenset({"people.edit", "people.deactivate", "roles.edit", "access.review"}),
        "who carries a quota may not decide who sees and does what",
    ),
    Duty(
        _SELLING,
        frozenset({"crm.edit", "tenant.edit"}),
        "who carries a quota may not change where the own numbers come from",
    ),
    Duty(
        _SELLING,
        frozenset({"alerts.edit"}),
        "who carries a quota may not change the rules that watch the own deals",
    ),
    Duty(
        _SELLING,
        frozenset({"users.wallet", "ops.staff.delete", "ops.config.edit", "system.admin"}),
        "who sells may not run the desk that makes good what was sold",
    ),
)


def duty_between(one: RoleFacts, other: RoleFacts) -> Duty | None:
    """The first duty that keeps the two roles apart."""
    return next((duty for duty in DUTIES if duty.parts(one, other)), None)


def first_conflict(new: HeldRole, held: Iterable[HeldRole]) -> tuple[HeldRole, Duty] | None:
    """The first role in ``held`` that overlaps ``new`` in time and that a duty keeps apart from it."""
    for other in held:
        duty = duty_between(new.role, other.role) if new.overlaps(other) else None
        if duty is not None:
            return other, duty
    return None
