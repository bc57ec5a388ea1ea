"""Reads of access reviews: campaigns with their progress, items in the order of the page, who may decide, what is overdue."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_
from zoneinfo import ZoneInfo

from django.db.models import (
    Case,
    CharField,
    Count,
    DateField,
    Exists,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Lower, NullIf

from rbac.held import custom_roles_of, holding, roles_held
from rbac.models_review import ReviewCampaign, ReviewItem
from rbac.permissions import ACCESS_REVIEW
from rbac.roles import BUILT_IN
from rbac.standing import standing_of
from tenants.models import Member, Tenant

WARN_DAYS = 7
QUIET_DAYS = 90
_NEVER = date(1900, 1, 1)
_LOWEST = 99

_UNDECIDED = """
    SELECT t.id AS tenant_id, count(i.id)::double precision AS value
    FROM tenants_tenant t
    LEFT JOIN rbac_reviewcampaign c
        ON c.tenant_id = t.id AND c.closed_at IS NULL AND {late}
    LEFT JOIN rbac_reviewitem i ON i.tenant_id = c.tenant_id AND i.campaign_id = c.id AND i.decision = ''
    GROUP BY t.id
"""
# For alert rules: one number a workspace, by the workspace's own calendar.
OVERDUE_SQL = _UNDECIDED.format(late="c.due_on < (now() AT TIME ZONE t.timezone)::date")
DUE_SOON_SQL = _UNDECIDED.format(late=f"c.due_on <= (now() AT TIME ZONE t.timezone)::date + {WARN_DAYS}")


def campaigns_of(tenant_id: int) -> QuerySet[ReviewCampaign]:
    """The workspace's reviews, each with ``items`` and ``undecided``."""
    found: QuerySet[ReviewCampaign] = ReviewCampaign.objects.filter(tenant_id=tenant_id)
    counts = ReviewItem.objects.filter(tenant_id=tenant_id, campaign=OuterRef("pk")).order_by()
    return found.annotate(items=_counted(counts), undecided=_counted(counts.filter(decision="")))


def _counted(items: QuerySet[ReviewItem]) -> Coalesce:
    counted = items.values("campaign").annotate(number=Count("pk")).values("number")
    return Coalesce(counted, 0, output_field=IntegerField())


def items_of(campaign: ReviewCampaign) -> QuerySet[ReviewItem]:
    """The items with what they are sorted by: ``rank`` (0: that person has something undecided), ``label_key``, ``seen``, ``height``."""
    found: QuerySet[ReviewItem] = ReviewItem.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign)
    of_person = found.filter(member=OuterRef("member"), decision="").order_by()
    return found.select_related("member").annotate(
        rank=Case(When(Exists(of_person), then=0), default=1, output_field=IntegerField()),
        label_key=Lower(Coalesce(NullIf("name", Value("")), "email", output_field=CharField())),
        seen=Coalesce("last_seen_on", Value(_NEVER), output_field=DateField()),
        height=Coalesce("level", Value(_LOWEST), output_field=IntegerField()),
    )


def items_matching(
    campaign: ReviewCampaign, *, search: str = "", state: str = "", source: str = "", seen: str = ""
) -> QuerySet[ReviewItem]:
    """The items that fit. ``state`` is "open" or a decision, ``seen`` is "never" or "quiet" (not in the 90 days before)."""
    wanted = Q()
    if search:
        wanted &= Q(name__icontains=search) | Q(email__icontains=search) | Q(label__icontains=search)
    if state:
        wanted &= Q(decision="" if state == "open" else state)
    if source:
        wanted &= Q(source=source)
    return items_of(campaign).filter(wanted & _seen(campaign, seen))


def _seen(campaign: ReviewCampaign, seen: str) -> Q:
    if seen == "never":
        return Q(last_seen_on=None)
    if seen == "quiet":
        before = campaign.started_at.date() - timedelta(days=QUIET_DAYS)
        return Q(last_seen_on=None) | Q(last_seen_on__lt=before)
    return Q()


def decision_counts(campaign: ReviewCampaign) -> dict[str, int]:
    """How many items came to each decision; "" for those without one."""
    items = ReviewItem.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign).order_by()
    return dict(items.values_list("decision").annotate(number=Count("pk")))


def reviewers_of(tenant_id: int) -> list[Member]:
    """The active members who may decide, by name."""
    own = custom_roles_of(tenant_id, with_archived=True).filter(permissions__contains=[ACCESS_REVIEW])
    codes = [code.value for code, role in BUILT_IN.items() if ACCESS_REVIEW in role.permissions]
    codes += own.values_list("role__code", flat=True)
    could = reduce(or_, map(holding, codes))
    found = Member.objects.filter(could, tenant_id=tenant_id, is_active=True)
    members: Sequence[Member] = list(found.order_by("name", "email"))
    held = roles_held(members)
    return [
        member
        for member in members
        if ACCESS_REVIEW in standing_of([one.role for one in held[member.id]]).permissions
    ]


def is_overdue(campaign: ReviewCampaign, tenant: Tenant, now: datetime) -> bool:
    """Whether the days to decide are over in the workspace's zone while something is left."""
    return campaign.closed_at is None and campaign.due_on < now.astimezone(ZoneInfo(tenant.timezone)).date()
