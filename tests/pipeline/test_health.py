"""The health score in SQL against the same formula written by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_sync.models import Activity, ContactRole, Opportunity
from isolation import context
from pipeline.models import DealHealth
from tenants.models import Member, Tenant
from tenants.services import settings_save
from tests.pipeline import oracle
from tests.pipeline.deals import SYSTEM, add_activity, add_contact, add_stage, ago, build, make_deal, today_of

pytestmark = pytest.mark.django_db

# The default open stages: their benchmark and what the stages behind them take.
STAGES = {
    "Qualification": (7, 56),
    "Discovery": (14, 42),
    "Demo/POC": (21, 21),
    "Proposal": (7, 14),
    "Negotiation": (14, 0),
    "Some stage that only the CRM has": (14, 0),
}
FIELDS = ["amount_minor", "account_external_id", "close_on", "next_step", "lead_source"]


def health_of(deal: Opportunity) -> DealHealth:
    with context.tenant_wide(deal.tenant_id):
        return DealHealth.objects.get(opportunity_id=deal.id)  # type: ignore[no-any-return]  # the manager is untyped


def parts_of(health: DealHealth) -> tuple[int, int, int, int, int]:
    return (
        health.pace_points, health.activity_points, health.close_points, health.contact_points, health.completeness_points,
    )  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, oracle.Facts, set[str]]:
    stage = draw(st.sampled_from(list(STAGES)))
    benchmark, after = STAGES[stage]
    to_close = draw(st.one_of(st.none(), st.integers(-60, 200)))
    empty = set(draw(st.lists(st.sampled_from([name for name in FIELDS if name != "close_on"]))))
    if to_close is None:
        empty.add("close_on")
    facts = oracle.Facts(
        days_in_stage=draw(st.integers(0, 120)), benchmark=benchmark, days_after=after,
        days_since_activity=draw(st.integers(0, 60)), days_to_close=to_close, contacts=draw(st.integers(0, 6)),
        filled=len(FIELDS) - len(empty),
    )  # fmt: skip
    return stage, facts, empty


def deal_with(member: Member, stage: str, facts: oracle.Facts, empty: set[str]) -> Opportunity:
    today = today_of(member.tenant)
    columns: dict[str, Any] = {name: None if name in ("amount_minor", "close_on") else "" for name in empty}
    if facts.days_to_close is not None:
        columns["close_on"] = today + timedelta(days=facts.days_to_close)
    deal = make_deal(
        member, stage=stage, created_at=ago(400), stage_changed_at=ago(facts.days_in_stage),
        last_activity_on=None, **columns,
    )  # fmt: skip
    add_activity(deal, today - timedelta(days=facts.days_since_activity))
    for number in range(facts.contacts):
        add_contact(deal, f"003{number}")
    return deal


class TestTheScore:
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(sample=st.lists(cases(), min_size=1, max_size=12))
    def test_is_the_same_in_sql_and_by_hand(
        self, rep: Member, sample: list[tuple[str, oracle.Facts, set[str]]]
    ) -> None:
        deals = [deal_with(rep, *case) for case in sample]
        build(rep.tenant)
        for deal, (_, facts, _) in zip(deals, sample, strict=True):
            health, expected = health_of(deal), oracle.parts(facts)
            assert parts_of(health) == expected
            assert health.score == sum(expected)
            assert health.band == oracle.band(sum(expected))
        with context.tenant_wide(rep.tenant_id):
            for model in (Opportunity, Activity, ContactRole):
                model.objects.all().delete()

    def test_has_five_full_parts_for_a_deal_in_good_order(self, rep: Member) -> None:
        deal = make_deal(rep)
        for number in range(3):
            add_contact(deal, f"003{number}")
        build(rep.tenant)
        assert parts_of(health_of(deal)) == (30, 25, 20, 15, 10)

    def test_counts_a_contact_once(self, rep: Member) -> None:
        deal = make_deal(rep)
        add_contact(deal, "003a")
        add_contact(deal, "003a")
        build(rep.tenant)
        assert health_of(deal).contacts == 1

    def test_takes_the_stage_change_from_the_history_where_the_crm_has_no_stamp(self, rep: Member) -> None:
        deal = make_deal(rep, stage_changed_at=None, stage="Proposal", created_at=ago(50))
        for stage, days in (("Proposal", 40), ("Discovery", 30), ("Proposal", 12), ("Proposal", 5)):
            add_stage(deal, stage, ago(days))
        build(rep.tenant)
        assert health_of(deal).days_in_stage == 12

    def test_does_not_count_plans_as_activity(self, rep: Member) -> None:
        today = today_of(rep.tenant)
        deal = make_deal(rep, created_at=ago(90), last_activity_on=today + timedelta(days=3))
        add_activity(deal, today + timedelta(days=2), kind="event")
        add_activity(deal, today - timedelta(days=1), is_closed=False)
        add_activity(deal, today - timedelta(days=20))
        build(rep.tenant)
        assert health_of(deal).days_since_activity == 20

    @pytest.mark.parametrize(
        ("silent", "warning", "critical"),
        [(6, False, False), (7, True, False), (13, True, False), (14, True, True)],
    )
    def test_flags_stale_deals_from_the_threshold_on(
        self, rep: Member, silent: int, warning: bool, critical: bool
    ) -> None:
        deal = make_deal(
            rep, created_at=ago(90), last_activity_on=today_of(rep.tenant) - timedelta(days=silent)
        )
        build(rep.tenant)
        health = health_of(deal)
        assert (health.is_stale_warning, health.is_stale_critical) == (warning, critical)

    @pytest.mark.parametrize(("past", "flagged"), [(6, False), (7, True)])
    def test_flags_a_passed_close_date_from_the_threshold_on(
        self, rep: Member, past: int, flagged: bool
    ) -> None:
        deal = make_deal(rep, close_on=today_of(rep.tenant) - timedelta(days=past))
        build(rep.tenant)
        assert health_of(deal).is_past_close is flagged

    def test_follows_the_workspaces_own_thresholds_and_stages(self, rep: Member) -> None:
        deal = make_deal(rep, stage="Pilot", stage_changed_at=ago(20))
        data = {
            "thresholds": {"health": {"critical": 10, "at_risk": 20, "monitor": 30}},
            "stages": [{"name": "pilot", "order": 1, "probability": 0.5, "benchmark_days": 30}],
        }
        with context.tenant_wide(rep.tenant_id):
            settings_save(tenant=rep.tenant, data=data, acting_user=SYSTEM)
        build(rep.tenant)
        health = health_of(deal)
        assert (health.pace_points, health.benchmark_days, health.band) == (30, 30, "healthy")

    def test_of_one_workspace_leaves_the_others_alone(
        self, rep: Member, beta_rep: Member, beta: Tenant
    ) -> None:
        theirs = make_deal(beta_rep)
        build(beta)
        before = health_of(theirs).computed_at
        make_deal(rep)
        build(rep.tenant)
        assert health_of(theirs).computed_at == before
