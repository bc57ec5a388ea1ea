"""Access reviews: two people or jobs at once, a visit that must not wait, and workspaces from before."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

from django.db import connections, transaction

from alerts.models import Rule
from isolation import context
from rbac.models_review import ReviewCampaign
from rbac.review.services import review_start
from rbac.selectors import actor_of
from tenants.models import Member, Tenant
from tests.cast import PLANTER
from tests.rbac.at_once import at_once
from tests.rbac.reviews import KEEP, REVOKE, ClientOf, aged, begin, decided, is_active, item_of, tend


def test_of_two_decisions_at_once_one_counts(committed: Any, admin: Member, rep: Member) -> None:
    del committed
    begin(rep.tenant)
    item, actor = item_of(rep), actor_of(admin)
    outcomes = at_once(lambda: decided(item, KEEP, actor), lambda: decided(item, REVOKE, PLANTER))
    assert outcomes == ["done", "rbac.review_item_decided"]
    assert is_active(rep) is (item_of(rep).decision == "keep")


def test_of_two_starts_at_once_by_hand_and_by_itself_one_makes_the_quarters(
    committed: Any, admin: Member
) -> None:
    del committed
    tenant: Tenant = admin.tenant
    aged(tenant, 100)

    def by_hand() -> None:
        with context.tenant_wide(tenant.id):
            review_start(tenant=tenant, acting_user=PLANTER)

    outcomes = at_once(by_hand, by_hand, tend, tend)
    assert len(outcomes) == 4
    assert set(outcomes) <= {"done", "rbac.review_running"}
    with context.tenant_wide(tenant.id):
        assert ReviewCampaign.objects.exclude(quarter="").count() == 1


def test_a_page_does_not_wait_for_who_changes_the_member(
    committed: Any, rep: Member, client_of: ClientOf
) -> None:
    del committed
    client = client_of(rep)
    answers: list[int] = []

    def visit() -> None:
        answers.append(client.get("/w/acme-corp/").status_code)
        connections.close_all()

    with context.tenant_wide(rep.tenant_id):
        Member.objects.select_for_update(no_key=True).get(pk=rep.pk)
        thread = threading.Thread(target=visit)
        thread.start()
        thread.join(timeout=60)
        assert answers == [200]


def test_workspaces_from_before_get_the_rules(committed: Any, admin: Member) -> None:
    del committed
    names = ("access_review_due", "access_review_overdue")
    with context.platform("look at every rule", PLANTER):
        known = list(Rule.objects.filter(name__in=names).order_by("tenant", "name").values_list(*_COMPARED))
        Rule.objects.filter(name__in=names).delete()
    backfill = import_module("alerts.migrations.0002_access_review_rules")._ADD
    for _ in range(2):
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            cursor.execute(backfill)
            cursor.execute(
                "SELECT count(*) FROM pg_class WHERE relforcerowsecurity AND relname IN ('tenants_tenant', 'alerts_rule')"
            )
            assert cursor.fetchone() == (2,)
    with context.platform("look at every rule", PLANTER):
        made = Rule.objects.filter(name__in=names).order_by("tenant", "name")
        assert list(made.values_list(*_COMPARED)) == known


_COMPARED = (
    "tenant_id", "name", "metric", "comparison", "threshold", "severity", "cooldown_minutes", "is_enabled", "state",
)  # fmt: skip
