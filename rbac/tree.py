"""The reporting tree as it is now, a level at a time: who stands at the top or below somebody, how many report to whom, chains upwards.

Reads of the whole tree would cost what the workspace is large; each of these costs what a page shows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Lower, NullIf

from rbac.models import ReportingLine, ReportingPath
from tenants.models import Member

# Those with a team first: at the top stand the heads, and below them whoever nobody has placed yet.
LEVEL_ORDER = ("rank", "label", "id")
LINES_SHOWN = 50


@dataclass(frozen=True)
class Reports:
    """How many people report to somebody: directly, and with everyone below those."""

    direct: int = 0
    total: int = 0


def level_of(tenant_id: int, manager_id: UUID | None) -> QuerySet[Member]:
    """Those who report directly to ``manager_id`` (None: to nobody), each with ``rank`` and ``label`` to sort by."""
    lines = ReportingLine.objects.filter(tenant_id=tenant_id, valid_until=None)
    people = Member.objects.filter(tenant_id=tenant_id)
    if manager_id is None:
        people = people.exclude(pk__in=lines.values("member_id"))
    else:
        people = people.filter(pk__in=lines.filter(manager_id=manager_id).values("member_id"))
    return _sortable(people, tenant_id)


def people_named(tenant_id: int, search: str) -> QuerySet[Member]:
    """Members whose name or e-mail holds the text, wherever in the tree, to sort like a level."""
    wanted = Q(name__icontains=search) | Q(email__icontains=search)
    return _sortable(Member.objects.filter(wanted, tenant_id=tenant_id), tenant_id)


def _sortable(people: QuerySet[Member], tenant_id: int) -> QuerySet[Member]:
    leads = ReportingLine.objects.filter(tenant_id=tenant_id, manager=OuterRef("pk"), valid_until=None)
    rank = Case(
        When(Exists(leads), then=0), When(is_active=True, then=1), default=2, output_field=IntegerField()
    )
    label = Lower(Coalesce(NullIf("name", Value("")), "email", output_field=CharField()))
    return people.annotate(rank=rank, label=label)


def reports_of(tenant_id: int, member_ids: Collection[UUID]) -> dict[UUID, Reports]:
    """How many report to each of these; those to whom nobody reports are not among them. One query."""
    below = ReportingPath.objects.filter(tenant_id=tenant_id, ancestor_id__in=member_ids, depth__gt=0)
    counted = below.values_list("ancestor_id").annotate(
        direct=Count("id", filter=Q(depth=1)), total=Count("id")
    )
    return {ancestor: Reports(direct, total) for ancestor, direct, total in counted}


def chains_above(tenant_id: int, member_ids: Collection[UUID]) -> dict[UUID, list[Member]]:
    """The managers of each of these, from the top down to the direct one. One query."""
    above = ReportingPath.objects.filter(tenant_id=tenant_id, descendant_id__in=member_ids, depth__gt=0)
    chains: dict[UUID, list[Member]] = defaultdict(list)
    for path in above.select_related("ancestor").order_by("descendant_id", "-depth"):
        chains[path.descendant_id].append(path.ancestor)
    return chains


def lines_of(member: Member) -> Sequence[ReportingLine]:
    """The latest reporting lines of a member, the present one first, each with its manager."""
    lines = ReportingLine.objects.filter(tenant_id=member.tenant_id, member=member)
    return list(lines.select_related("manager").order_by("-valid_from", "-id")[:LINES_SHOWN])
