"""Why somebody sees a deal: what the answer costs, against what the deal's own page looks up. After ``django.setup()``."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.wall_ground import closed_tree, members_of
from crm_sync.models import Owner
from isolation import context
from pipeline.access.explain import explain
from pipeline.selectors import deal_detail, deal_named
from rbac.models import ReportingLine
from rbac.redaction.reading import Redactor
from rbac.selectors import actor_of
from tenants.models import Member, RoleCode, Tenant

MOST = 3.0
LEVELS = 6
"""How many people stand above one another, the deal's own member and the top among them."""


@dataclass(frozen=True)
class Asked:
    """Median milliseconds of the explanation for one member, of what the page reads, and of the deal's row alone."""

    who: str
    explained: float
    looked_up: float
    row: float

    @property
    def is_within(self) -> bool:
        """Whether it takes no more than it may."""
        return self.explained <= MOST * self.looked_up


def line_of_managers(tenant: Tenant) -> list[Member]:
    """Everybody of the workspace in one tree, the CRM's owners theirs; gives a line of it, from a rep up to the top."""
    owners = list(Owner.objects.filter(tenant_id=tenant.id).order_by("id"))
    staff = members_of(tenant, len(owners) + 1, [RoleCode.SALES_MANAGER])
    for owner, member in zip(owners, staff, strict=False):
        owner.member_id = member.id
    Owner.objects.bulk_update(owners, ["member_id"])
    line, others = staff[:LEVELS], staff[LEVELS:]
    pairs = [*itertools.pairwise(line), *((other, line[-1]) for other in others)]
    ReportingLine.objects.bulk_create(
        ReportingLine(tenant_id=tenant.id, member=member, manager=manager) for member, manager in pairs
    )
    return [*line, others[0]]


def compare(admin: psycopg.Connection[Any], tenant: Tenant, deal: str, rounds: int) -> list[str]:
    """Print; gives what missed its goal."""
    with context.tenant_wide(tenant.id):
        rep, *_, top, stranger = line_of_managers(tenant)
    closed_tree(admin, tenant.id)
    print(f"\nwhy they see a deal{'explained':>29}{'its page reads':>20}{'its row alone':>20}")
    missed = []
    for who, member in (
        ("its own member", rep),
        (f"{LEVELS - 1} levels above", top),
        ("somebody else", stranger),
    ):
        one = asked(who, member, rep, deal, rounds)
        note = "" if one.is_within else "  MISSED"
        print(
            f"  {who:<32}{one.explained:11.2f} ms{one.looked_up:17.2f} ms{one.row:17.2f} ms"
            f"{one.explained / one.looked_up:8.2f} x{note}",
            flush=True,
        )
        missed += [] if one.is_within else [f"explaining to {who}"]
    return missed


def asked(who: str, member: Member, rep: Member, deal: str, rounds: int) -> Asked:
    """The three in turns. The page is read by the deal's own member, because not everybody who is asked about sees it."""
    actor, times = actor_of(rep), [list[float](), list[float](), list[float]()]

    def explained() -> None:
        # As a request for an explanation begins: with the deal in hand.
        explain(found, member)

    def looked_up() -> None:
        deal_detail(rep.tenant_id, deal, Redactor(is_masking=True))

    for _ in range(rounds):
        with context.tenant_wide(rep.tenant_id):
            found = deal_named(rep.tenant_id, deal)
            times[0].append(_timed(explained))
        with context.of_actor(actor, rep.tenant_id):
            times[1].append(_timed(looked_up))
            times[2].append(_timed(lambda: deal_named(rep.tenant_id, deal)))
    return Asked(who, *(statistics.median(side) for side in times))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000
