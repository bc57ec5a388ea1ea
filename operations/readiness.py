"""Whether a workspace's desk has what it needs, piece by piece, and what to do about what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from alerts.models import Rule
from isolation import context
from operations.models import ItemState, PriorityItem
from rbac.catalogue import standing, wanted_counts
from rbac.held import roles_held
from rbac.roles import DESK_ROLES
from tenants.models import Member, SettingsVersion, Tenant

_SEED = "Run `manage.py seed_rbac_data`."


@dataclass(frozen=True)
class Piece:
    """One thing that a desk needs: how many there are, how many there must be (at least), and what to do if there are fewer."""

    name: str
    count: int
    needed: int
    detail: str
    what_to_do: str

    @property
    def is_missing(self) -> bool:
        """Whether there are too few."""
        return self.count < self.needed


def readiness_of(tenant: Tenant) -> list[Piece]:
    """Every piece for that workspace; opens the contexts that it needs."""
    with context.tenant_wide(tenant.id):
        own = [*_configuration(tenant), _queue(tenant)]
        staff = _staff(tenant)
    return [staff, *_catalogue(), *own]


def _staff(tenant: Tenant) -> Piece:
    members = list(Member.objects.filter(tenant=tenant, is_active=True))
    desk = {role.code.value for role in DESK_ROLES}
    roles = [{one.role.code for one in held} & desk for held in roles_held(members).values()]
    held = Counter(code for codes in roles for code in codes)
    detail = ", ".join(f"{held[role.code]} {role.code}" for role in DESK_ROLES if held[role.code])
    add = (
        f"Add people with a desk role under /w/{tenant.slug}/settings/people/, or on a machine of your own "
        f"run `manage.py create_test_staff --customer {tenant.slug}`."
    )
    return Piece("staff", sum(map(bool, roles)), 1, detail, add)


def _catalogue() -> Iterator[Piece]:
    right, wanted = standing().right, wanted_counts()
    yield Piece(
        "roles", right.desk_roles, wanted.desk_roles, "in the catalogue as the program has them", _SEED
    )
    yield Piece("permissions", right.desk_permissions, wanted.desk_permissions, "the same", _SEED)
    yield Piece("mappings", right.desk_mappings, wanted.desk_mappings, "the same", _SEED)


def _configuration(tenant: Tenant) -> Iterator[Piece]:
    rules = Rule.objects.filter(tenant=tenant)
    on = rules.filter(is_enabled=True).count()
    switch = f"Make a rule, or switch one on, under /w/{tenant.slug}/alerts/rules/."
    yield Piece("alert rules", on, 1, f"switched on, of {rules.count()}", switch)
    versions = SettingsVersion.objects.filter(tenant=tenant).count()
    save = f"Save the settings once under /w/{tenant.slug}/settings/."
    yield Piece("configuration", versions, 1, "saved versions of the settings; the last is in force", save)


def _queue(tenant: Tenant) -> Piece:
    items = PriorityItem.objects.filter(tenant=tenant)
    is_open = items.filter(state=ItemState.OPEN)
    detail = f"{is_open.count()} open, {is_open.filter(scored_at=None).count()} wait for a score"
    fill = f"Run `manage.py import_priority_items --customer {tenant.slug} FILE.csv`."
    return Piece("queue", items.count(), 1, detail, fill)
