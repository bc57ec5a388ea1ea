"""Makes deals of the cast straight in the mirror, as a sync would have left them."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from crm_sync.models import Activity, ContactRole, Opportunity, Owner, StageChange
from isolation import context
from isolation.actors import Actor
from pipeline.models import DatasetBuild
from pipeline.services import datasets_refresh
from tenants.models import Member, Tenant

_numbers = itertools.count(1)
SYSTEM = Actor.system("tests.pipeline")


def external_id(prefix: str) -> str:
    """An id as the CRM gives it."""
    return f"{prefix}{next(_numbers):015d}"


def today_of(tenant: Tenant) -> date:
    """The workspace's day."""
    return timezone.now().astimezone(ZoneInfo(tenant.timezone)).date()


def ago(days: int) -> datetime:
    """The instant so many days before now."""
    return timezone.now() - timedelta(days=days)


def owner_of(member: Member) -> Owner:
    """The CRM owner that is this member."""
    with context.tenant_wide(member.tenant_id):
        return Owner.objects.get(member_id=member.id)  # type: ignore[no-any-return]  # the manager is untyped


def make_deal(member: Member, **columns: Any) -> Opportunity:
    """An open deal of this member: healthy unless ``columns`` say otherwise."""
    tenant = member.tenant
    values: dict[str, Any] = {
        "source": "salesforce", "external_id": external_id("006"), "modified_at": datetime(2026, 1, 1, tzinfo=UTC),
        "name": "Northwind renewal", "account_name": "Northwind", "account_external_id": "001000000000001",
        "stage": "Discovery", "amount_minor": 1_000_000, "currency": "USD", "close_on": today_of(tenant) + timedelta(days=90),
        "next_step": "Call", "lead_source": "Web", "created_at": ago(30), "stage_changed_at": ago(3),
        "last_activity_on": today_of(tenant) - timedelta(days=1), "probability_percent": 20,
    } | columns  # fmt: skip
    owner = owner_of(member)
    with context.tenant_wide(tenant.id):
        return Opportunity.objects.create(  # type: ignore[no-any-return]  # the manager is untyped
            tenant_id=tenant.id, owner_id=owner.id, owner_external_id=owner.external_id, **values
        )


def _child(deal: Opportunity, prefix: str) -> dict[str, Any]:
    return {
        "tenant_id": deal.tenant_id, "source": deal.source, "external_id": external_id(prefix), "modified_at": deal.modified_at,
        "opportunity_id": deal.id, "opportunity_external_id": deal.external_id, "deal_owner_id": deal.owner_id,
    }  # fmt: skip


def add_contact(deal: Opportunity, contact: str) -> ContactRole:
    """A contact's part in the deal."""
    with context.tenant_wide(deal.tenant_id):
        return ContactRole.objects.create(contact_external_id=contact, **_child(deal, "00K"))  # type: ignore[no-any-return]  # as above


def add_activity(deal: Opportunity, on: date, *, kind: str = "task", is_closed: bool = True) -> Activity:
    """A task or an event about the deal."""
    with context.tenant_wide(deal.tenant_id):
        return Activity.objects.create(  # type: ignore[no-any-return]  # as above
            kind=kind, subject="Call", happens_on=on, is_closed=is_closed, **_child(deal, "00T")
        )


def add_stage(deal: Opportunity, stage: str, at: datetime) -> StageChange:
    """An entry of the deal's history."""
    with context.tenant_wide(deal.tenant_id):
        return StageChange.objects.create(  # type: ignore[no-any-return]  # as above
            stage=stage,
            changed_at=at,
            amount_minor=deal.amount_minor,
            close_on=deal.close_on,
            **_child(deal, "008"),
        )


def build(tenant: Tenant, deals: list[Opportunity] | None = None) -> list[DatasetBuild]:
    """Bring the workspace's datasets up to date: after a change of these deals, or as a whole."""
    ids = None if deals is None else [deal.id for deal in deals]
    return datasets_refresh(tenant_id=tenant.id, deal_ids=ids, acting_user=SYSTEM)
