"""A workspace with a bit of everything that the API tells of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from alerts.models import Alert, Rule
from crm_sync.models import Account, Connection, ConnectionState, Opportunity, SyncObjectResult, SyncRun
from isolation import context
from rbac.grants import Term, role_grant
from rbac.models import RoleGrant
from rbac.models_review import ReviewItem
from rbac.review.services import review_start
from tenants.models import Member
from tests.cast import PLANTER
from tests.pipeline.deals import (
    add_activity,
    add_stage,
    ago,
    build,
    external_id,
    make_deal,
    owner_of,
    today_of,
)


@dataclass
class Planted:
    """What Acme has: deals by owner, and one each of account, alert, sync run, granted role and line of an access review."""

    rep_deals: list[Opportunity]
    other_deals: list[Opportunity]
    account: Account
    alert: Alert
    run: SyncRun
    grant: RoleGrant
    review_item: ReviewItem


def make_review_item(grant: RoleGrant) -> ReviewItem:
    """The line about that grant in a review of everything that the workspace has."""
    with context.tenant_wide(grant.tenant_id):
        review_start(tenant=grant.member.tenant, acting_user=PLANTER)
        found: ReviewItem = ReviewItem.objects.get(subject=str(grant.id))
        return found


def make_grant(member: Member) -> RoleGrant:
    """The member may look at the desk for thirty days."""
    with context.tenant_wide(member.tenant_id):
        return role_grant(
            member=member, role="viewer", term=Term(until=timezone.now() + timedelta(days=30)),
            reason="Stands in for a colleague", acting_user=PLANTER,
        )  # fmt: skip


def make_account(member: Member, name: str = "Northwind") -> Account:
    """An account of this member."""
    owner = owner_of(member)
    with context.tenant_wide(member.tenant_id):
        return Account.objects.create(  # type: ignore[no-any-return]  # the manager is untyped
            tenant_id=member.tenant_id, source="salesforce", external_id=external_id("001"), name=name,
            modified_at=datetime(2026, 1, 1, tzinfo=UTC), owner_id=owner.id, owner_external_id=owner.external_id,
        )  # fmt: skip


def make_alert(member: Member) -> Alert:
    """An open alert of the rule ``stale_pipeline`` in the member's workspace."""
    with context.tenant_wide(member.tenant_id):
        rule = Rule.objects.get(tenant=member.tenant, name="stale_pipeline")
        return Alert.objects.create(  # type: ignore[no-any-return]  # as above
            tenant=member.tenant, rule=rule, rule_name=rule.name, metric=rule.metric, comparison=rule.comparison,
            threshold=rule.threshold, severity=rule.severity, value=0.25, rounds=1,
        )  # fmt: skip


def make_run(member: Member) -> SyncRun:
    """A sync of the member's workspace that succeeded; the connection is set up."""
    with context.tenant_wide(member.tenant_id):
        connection = Connection.objects.get(tenant=member.tenant)
        Connection.objects.filter(pk=connection.pk).update(
            state=ConnectionState.ACTIVE, login_url="https://crm.invalid"
        )
        run = SyncRun.objects.create(
            tenant=member.tenant, connection=connection, trigger="schedule", state="succeeded", requested_by="schedule",
            started_at=ago(0), finished_at=ago(0), rows_read=3, rows_inserted=3,
        )  # fmt: skip
        SyncObjectResult.objects.create(
            tenant=member.tenant,
            run=run,
            object_name="Account",
            position=1,
            is_done=True,
            rows_read=3,
            rows_inserted=3,
        )
        return run  # type: ignore[no-any-return]  # as above


@pytest.fixture(autouse=True)
def no_cached_answers() -> None:
    """Redis does not roll back."""
    cache.clear()


@pytest.fixture
def planted(rep: Member, other_rep: Member, distant_rep: Member) -> Planted:
    today = today_of(rep.tenant)
    rep_deals = [
        make_deal(
            rep, name="Small", amount_minor=50_000, stage="Proposal", close_on=today + timedelta(days=5)
        ),
        make_deal(rep, name="Bare", amount_minor=None, close_on=None, next_step=""),
        make_deal(rep, name="Gained", stage="Closed Won", is_closed=True, is_won=True),
    ]
    other_deals = [
        make_deal(other_rep, name="Silent", created_at=ago(90), last_activity_on=today - timedelta(days=40))
    ]
    add_stage(rep_deals[0], "Discovery", ago(20))
    add_activity(rep_deals[0], today)
    build(rep.tenant)
    grant = make_grant(distant_rep)
    return Planted(
        rep_deals,
        other_deals,
        make_account(rep),
        make_alert(rep),
        make_run(rep),
        grant,
        make_review_item(grant),
    )
