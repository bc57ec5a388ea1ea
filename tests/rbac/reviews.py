"""What the tests of access reviews share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from accounts.models import User
from audit.models import Event
from isolation import context
from isolation.actors import Actor
from rbac.grants import Term, role_grant
from rbac.models import RoleGrant
from rbac.models_review import ReviewCampaign, ReviewDecision, ReviewItem
from rbac.review.quarters import reviews_tend
from rbac.review.services import review_decide, review_start
from tenants.models import Member, Tenant
from tests.cast import PLANTER

ClientOf = Callable[[Member | User], Client]
REVIEWS = "/w/acme-corp/settings/access-review/"
KEEP, REVOKE = ReviewDecision.KEEP, ReviewDecision.REVOKE


def give(member: Member, role: str, until: Any = None) -> RoleGrant:
    with context.tenant_wide(member.tenant_id):
        return role_grant(
            member=member, role=role, term=Term(until=until), reason="Covers for Otto", acting_user=PLANTER
        )


def begin(tenant: Tenant, by: Actor = PLANTER) -> ReviewCampaign:
    with context.tenant_wide(tenant.id):
        return review_start(tenant=tenant, acting_user=by)


def item_of(member: Member, source: str = "base_role") -> ReviewItem:
    with context.tenant_wide(member.tenant_id):
        found: ReviewItem = ReviewItem.objects.get(member=member, source=source)
        return found


def decided(item: ReviewItem, decision: ReviewDecision, by: Actor, reason: str = "test") -> ReviewItem:
    with context.tenant_wide(item.tenant_id):
        return review_decide(item=item, decision=decision, reason=reason, acting_user=by)


def tend(by: str = "rbac.reviews") -> Any:
    with context.platform("tend reviews", Actor.system(by)):
        return reviews_tend(Actor.system(by))


def events(tenant: Tenant, code: str) -> list[Event]:
    with context.tenant_wide(tenant.id):
        return list(Event.objects.filter(code=code).order_by("at", "id"))


def is_active(member: Member) -> bool:
    with context.tenant_wide(member.tenant_id):
        return bool(Member.objects.get(pk=member.pk).is_active)


def aged(tenant: Tenant, days: int) -> None:
    """As if the workspace had been made, or its reviews begun, that many days earlier."""
    with context.platform("age", PLANTER):
        Tenant.objects.filter(pk=tenant.pk).update(created_at=timezone.now() - timedelta(days=days))


def due(campaign: ReviewCampaign, in_days: int) -> None:
    with context.tenant_wide(campaign.tenant_id):
        ReviewCampaign.objects.filter(pk=campaign.pk).update(
            due_on=timezone.now().astimezone().date() + timedelta(days=in_days)
        )
