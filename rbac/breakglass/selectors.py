"""Who of the vendor's staff is, and was, in which workspace's data."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import CharField, Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Cast, Coalesce, Now

from audit.models import Event
from isolation import context
from rbac.breakglass.events import TARGET, BreakGlassRead
from rbac.models_breakglass import BreakGlass

# Now() is statement_timestamp() on PostgreSQL: a long transaction does not go on with a stay that ended meanwhile.
_HAS_TIME = Q(started_at__lte=Now(), until__gt=Now())


def in_force() -> Q:
    """Condition on stays: not over at the moment of asking, by the database's clock."""
    return _HAS_TIME & Q(ended_at=None)


def stays_in_force(tenant_id: int) -> list[BreakGlass]:
    """Who of the vendor's staff may read the workspace now, the longest first."""
    return list(BreakGlass.objects.filter(in_force(), tenant_id=tenant_id).order_by("started_at"))


def own_stays_in_force(user_id: UUID) -> QuerySet[BreakGlass]:
    """An operator's stays, in all workspaces. Needs the person context, or the platform's."""
    found: QuerySet[BreakGlass] = BreakGlass.objects.filter(in_force(), operator_id=user_id)
    return found.order_by("started_at")


def stay_entered(user_id: UUID, slug: str) -> BreakGlass | None:
    """The operator's stay in force in the workspace of that slug, with its ``tenant``. Opens its own contexts.

    The person context shows whose stays there are, and no workspace's name; each workspace's own context shows that.
    """
    with context.person(user_id):
        mine = list(own_stays_in_force(user_id).values_list("tenant_id", "id"))
    for tenant_id, stay_id in mine:
        with context.tenant_wide(tenant_id):
            found: QuerySet[BreakGlass] = BreakGlass.objects.select_related("tenant").filter(
                in_force(), tenant_id=tenant_id, pk=stay_id, tenant__slug=slug, tenant__is_active=True
            )
            stay = found.first()
        if stay is not None:
            return stay
    return None


def stays_of(
    tenant_id: int, *, operator: str = "", is_in_force: bool | None = None, between: Q | None = None
) -> QuerySet[BreakGlass]:
    """The workspace's log of stays, each with ``reads``: how many requests were recorded."""
    wanted = between if between is not None else Q()
    if operator:
        wanted &= Q(operator_label__icontains=operator)
    if is_in_force is not None:
        wanted &= in_force() if is_in_force else ~in_force()
    found: QuerySet[BreakGlass] = BreakGlass.objects.filter(wanted, tenant_id=tenant_id)
    return found.annotate(reads=Coalesce(Subquery(_reads(), output_field=IntegerField()), 0))


def _reads() -> QuerySet[Any]:
    # By the index on (tenant, target_kind, target_id): a page of stays asks for its own events only.
    events = Event.objects.filter(
        tenant_id=OuterRef("tenant_id"), target_kind=TARGET, target_id=Cast(OuterRef("pk"), CharField()),
        code=BreakGlassRead.code,
    )  # fmt: skip
    counted: QuerySet[Any] = events.order_by().values("target_id").annotate(n=Count("*")).values("n")
    return counted
