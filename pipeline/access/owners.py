"""The CRM owners with whose deals they are, and whose they were."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import (
    BigIntegerField,
    CharField,
    Count,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextChoices,
    Value,
)
from django.db.models.functions import Coalesce, Lower, NullIf

from crm_sync.models import FormerHolder, HolderOrigin, Owner
from pipeline.models import PipelineSummary
from tenants.models import Member

FORMER_SHOWN = 50


class Whose(TextChoices):
    """Which CRM owners a list shows."""

    NOBODY = "nobody", "Nobody’s here"
    SEVERAL = "several", "Several owners of one person"
    LEFT = "left", "Of people who have left"
    CHOSEN = "chosen", "Chosen by hand"
    PASSED_ON = "passed_on", "Passed on"


@dataclass(frozen=True)
class Former:
    """Whose an owner's deals were from ``since`` (None: from the beginning) until ``until``; no name: nobody's."""

    member_id: UUID | None
    name: str
    since: datetime | None
    until: datetime


def owners_of(tenant_id: int, *, search: str = "", whose: str = "") -> QuerySet[Owner]:
    """CRM owners, each with ``label`` and ``open_deals`` to sort by, ``member_name``, ``member_email`` and ``member_is_active``."""
    wanted = Q(name__icontains=search) | Q(email__icontains=search) if search else Q()
    found: QuerySet[Owner] = Owner.objects.filter(wanted, _condition(tenant_id, whose), tenant_id=tenant_id)
    member = Member.objects.filter(tenant_id=tenant_id, pk=OuterRef("member_id"))
    sums = PipelineSummary.objects.filter(tenant_id=tenant_id, owner_id=OuterRef("pk")).order_by()
    deals = sums.values("owner_id").annotate(total=Sum("deals")).values("total")
    return found.annotate(
        label=Lower(Coalesce(NullIf("name", Value("")), "external_id", output_field=CharField())),
        open_deals=Coalesce(Subquery(deals, output_field=BigIntegerField()), 0),
        member_name=Subquery(member.values("name")),
        member_email=Subquery(member.values("email")),
        member_is_active=Subquery(member.values("is_active")),
    )


def owner_named(tenant_id: int, source: str, external_id: str) -> Owner | None:
    """The CRM owner of that id, with what ``owners_of`` gives, as far as the context in force shows it."""
    if "\x00" in external_id:
        return None
    return owners_of(tenant_id).filter(source=source, external_id=external_id).first()


def _condition(tenant_id: int, whose: str) -> Q:
    owners = Owner.objects.filter(tenant_id=tenant_id)
    match whose:
        case Whose.NOBODY:
            return Q(member_id=None)
        case Whose.SEVERAL:
            return Q(member_id__in=_several(owners))
        case Whose.LEFT:
            return Q(member_id__in=Member.objects.filter(tenant_id=tenant_id, is_active=False).values("id"))
        case Whose.CHOSEN:
            return Q(holder_origin=HolderOrigin.CHOSEN)
        case Whose.PASSED_ON:
            return Q(holder_origin=HolderOrigin.PASSED_ON)
        case _:
            return Q()


def _several(owners: QuerySet[Owner]) -> Any:
    held = owners.exclude(member_id=None).order_by().values("member_id").annotate(how_many=Count("id"))
    return held.filter(how_many__gt=1).values_list("member_id", flat=True)


def former_holders(owner: Owner) -> list[Former]:
    """Whose the owner's deals were before, the latest first."""
    ends = FormerHolder.objects.filter(tenant_id=owner.tenant_id, owner_id=owner.id)
    rows = list(ends.order_by("-valid_until", "-id")[: FORMER_SHOWN + 1])
    members = Member.objects.filter(tenant_id=owner.tenant_id)
    names = {
        one.id: str(one) for one in members.filter(pk__in={row.member_id for row in rows if row.member_id})
    }
    sinces = [*(row.valid_until for row in rows), None][1:]
    found = [
        Former(row.member_id, names.get(row.member_id, "") if row.member_id else "", since, row.valid_until)
        for row, since in zip(rows, sinces, strict=True)
    ]
    return found[:FORMER_SHOWN]
