"""Builds: incremental ones equal whole ones, failures are kept and repaired, a killed worker's build is taken up again."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.registry import find
from audit.models import Event
from crm_sync.models import Connection, Opportunity, StageChange, SyncRun, TouchedDeal
from isolation import context
from isolation.models import PeriodicJob
from pipeline.datasets import all_datasets
from pipeline.errors import BuildFailed
from pipeline.models import (
    BuildKind,
    BuildState,
    DatasetBuild,
    DealHealth,
    DealWord,
    PipelineSummary,
    RecentChange,
)
from pipeline.services import (
    MAX_ATTEMPTS,
    build_run,
    builds_claim,
    builds_queue_daily,
    dataset_rebuild,
    refresh_after_sync,
)
from pipeline.tasks import builds, run_build
from tenants.models import Member, Tenant
from tests.pipeline.deals import (
    SYSTEM,
    add_activity,
    add_contact,
    add_stage,
    ago,
    build,
    make_deal,
    owner_of,
    today_of,
)

pytestmark = pytest.mark.django_db
HEALTH = "/RevOps/Analytics/pipeline_health_summary"
_DERIVED = (DealHealth, DealWord, PipelineSummary, RecentChange)


def derived(tenant: Tenant) -> list[set[tuple[Any, ...]]]:
    """Everything that builds made, without what tells only when or in which order."""
    with context.tenant_wide(tenant.id):
        return [
            set(
                model.objects.values_list(
                    *(f.attname for f in model._meta.fields if f.attname not in ("id", "computed_at"))
                )
            )
            for model in _DERIVED
        ]


def builds_of(tenant: Tenant, **filters: Any) -> list[DatasetBuild]:
    with context.tenant_wide(tenant.id):
        return list(DatasetBuild.objects.filter(**filters).order_by("requested_at", "id"))


def change(deal: Opportunity, kind: str, number: int, other: Member) -> None:
    """One change as a sync would merge it."""
    with context.tenant_wide(deal.tenant_id):
        deals = Opportunity.objects.filter(id=deal.id)
        if kind == "amount":
            deals.update(amount_minor=number * 1000)
        elif kind == "stage":
            deals.update(stage="Negotiation", stage_changed_at=ago(number))
            StageChange.objects.filter(opportunity_id=deal.id, external_id__startswith="moved").delete()
            add_stage(deal, "Negotiation", ago(number % 5))
        elif kind == "close":
            deals.update(is_closed=True, is_won=True)
        elif kind == "reopen":
            deals.update(is_closed=False, is_won=False)
        elif kind == "owner":
            owner = owner_of(other)
            deals.update(owner_id=owner.id)
            StageChange.objects.filter(opportunity_id=deal.id).update(deal_owner_id=owner.id)
        elif kind == "orphan":
            deals.update(owner_id=None)
            StageChange.objects.filter(opportunity_id=deal.id).update(deal_owner_id=None)
        elif kind == "activity":
            add_activity(deal, today_of(other.tenant) - timedelta(days=number))
        elif kind == "contact":
            add_contact(deal, f"003{number}")
        else:
            deals.delete()
            StageChange.objects.filter(opportunity_id=deal.id).delete()


KINDS = ["amount", "stage", "close", "reopen", "owner", "orphan", "activity", "contact", "delete"]


class TestAnIncrementalBuild:
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        steps=st.lists(
            st.lists(st.tuples(st.integers(0, 4), st.sampled_from(KINDS), st.integers(0, 30)), max_size=4),
            max_size=3,
        )
    )
    def test_leaves_what_a_whole_one_would(
        self, rep: Member, other_rep: Member, steps: list[list[tuple[int, str, int]]]
    ) -> None:
        with context.tenant_wide(rep.tenant_id):
            for model in (Opportunity, StageChange, *_DERIVED):
                model.objects.all().delete()
        deals = [
            make_deal(rep if number % 2 else other_rep, amount_minor=number * 500) for number in range(5)
        ]
        for number, deal in enumerate(deals):
            add_stage(deal, "Qualification", ago(40 if number % 2 else 10))
            add_stage(deal, "Discovery", ago(3))
        build(rep.tenant)
        for step in steps:
            for place, kind, number in step:
                change(deals[place], kind, number, other_rep)
            build(rep.tenant, [deals[place] for place, _, _ in step])
        incremental = derived(rep.tenant)
        build(rep.tenant)
        assert incremental == derived(rep.tenant)

    def test_writes_nothing_where_nothing_changed(self, rep: Member) -> None:
        deal = make_deal(rep)
        build(rep.tenant)
        again = build(rep.tenant, [deal])[0]
        assert (again.kind, again.rows_read, again.rows_written, again.rows_removed) == (
            BuildKind.INCREMENTAL,
            1,
            0,
            0,
        )


class TestAfterASync:
    @pytest.fixture
    def run(self, acme: Tenant) -> SyncRun:
        with context.tenant_wide(acme.id):
            crm = Connection.objects.get_or_create(tenant=acme, source="salesforce")[0]
            return SyncRun.objects.create(tenant=acme, connection=crm, trigger="manual", requested_by="test")  # type: ignore[no-any-return]  # the manager is untyped

    def test_the_deals_that_it_touched_are_scored(self, rep: Member, run: SyncRun) -> None:
        touched, untouched = make_deal(rep), make_deal(rep)
        with context.tenant_wide(rep.tenant_id):
            TouchedDeal.objects.create(tenant=rep.tenant, run_id=run.id, opportunity_id=touched.id)
        refresh_after_sync(rep.tenant_id, run)
        with context.tenant_wide(rep.tenant_id):
            assert [health.opportunity_id for health in DealHealth.objects.all()] == [touched.id]
            run.touches_everything = True
        refresh_after_sync(rep.tenant_id, run)
        with context.tenant_wide(rep.tenant_id):
            assert {health.opportunity_id for health in DealHealth.objects.all()} == {
                touched.id,
                untouched.id,
            }

    def test_the_alert_rules_are_woken(self, rep: Member, run: SyncRun) -> None:
        far = timezone.now() + timedelta(hours=1)
        PeriodicJob.objects.update_or_create(code="alerts.evaluate", defaults={"due_at": far})
        refresh_after_sync(rep.tenant_id, run)
        assert PeriodicJob.objects.get(code="alerts.evaluate").due_at < far

    def test_a_failed_build_does_not_fail_the_sync(
        self, rep: Member, run: SyncRun, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_deal(rep)
        break_builds(monkeypatch)
        refresh_after_sync(rep.tenant_id, run)
        assert [(one.state, one.kind) for one in builds_of(rep.tenant)] == [
            (BuildState.QUEUED, BuildKind.FULL)
        ]


def break_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the health build fail in PostgreSQL, in the middle."""
    monkeypatch.setattr("pipeline.datasets.pipeline_health_summary._SUM", "SELECT 1 / 0")


def queued(tenant: Tenant) -> DatasetBuild:
    with context.tenant_wide(tenant.id):
        return dataset_rebuild(tenant=tenant, path=HEALTH, acting_user=SYSTEM)


def claim() -> list[Any]:
    with context.platform("claim builds in a test", SYSTEM):
        return builds_claim(at_most=10)


class TestABuildThatFails:
    def test_changes_nothing_and_says_why(self, rep: Member, monkeypatch: pytest.MonkeyPatch) -> None:
        make_deal(rep)
        build(rep.tenant)
        before = derived(rep.tenant)
        make_deal(rep)
        break_builds(monkeypatch)
        with pytest.raises(BuildFailed, match="division by zero"):
            build(rep.tenant)
        assert derived(rep.tenant) == before
        assert builds_of(rep.tenant)[-1].error == "division by zero"

    def test_is_tried_again_three_times(self, rep: Member, monkeypatch: pytest.MonkeyPatch) -> None:
        waiting = queued(rep.tenant)
        break_builds(monkeypatch)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            (claimed,) = claim()
            with pytest.raises(BuildFailed):
                build_run(tenant_id=claimed.tenant_id, build_id=claimed.build_id)
            state = BuildState.FAILED if attempt == MAX_ATTEMPTS else BuildState.QUEUED
            assert [(one.id, one.state, one.attempts) for one in builds_of(rep.tenant)] == [
                (waiting.id, state, attempt)
            ]
        assert claim() == []


class TestAWorkerThatDies:
    def test_leaves_the_build_to_another_when_its_lease_ends(self, rep: Member) -> None:
        make_deal(rep)
        waiting = queued(rep.tenant)
        claim()
        assert claim() == []
        with context.tenant_wide(rep.tenant_id):
            DatasetBuild.objects.filter(id=waiting.id).update(lease_until=ago(1))
        (again,) = claim()
        done = build_run(tenant_id=again.tenant_id, build_id=again.build_id)
        assert (done.id, done.state, done.rows_read) == (waiting.id, BuildState.SUCCEEDED, 1)

    def test_is_not_followed_for_ever(self, rep: Member) -> None:
        waiting = queued(rep.tenant)
        with context.tenant_wide(rep.tenant_id):
            DatasetBuild.objects.filter(id=waiting.id).update(
                state=BuildState.RUNNING, attempts=MAX_ATTEMPTS, lease_until=ago(1)
            )
        assert claim() == []
        assert builds_of(rep.tenant)[0].state == BuildState.FAILED

    def test_does_not_build_twice_what_another_has_finished(self, rep: Member) -> None:
        queued(rep.tenant)
        (claimed,) = claim()
        first = build_run(tenant_id=claimed.tenant_id, build_id=claimed.build_id)
        second = build_run(tenant_id=claimed.tenant_id, build_id=claimed.build_id)
        assert first.finished_at == second.finished_at


class TestTheJob:
    def test_hands_out_what_waits_once_it_is_committed(
        self, rep: Member, django_capture_on_commit_callbacks: Callable[..., Any]
    ) -> None:
        make_deal(rep)
        with django_capture_on_commit_callbacks() as handed_out:
            builds()
        waiting = builds_of(rep.tenant, state=BuildState.RUNNING)
        assert len(handed_out) == len(waiting) == len(all_datasets())
        for one in waiting:
            run_build(tenant_id=rep.tenant_id, build_id=str(one.id))
        assert {one.state for one in builds_of(rep.tenant)} == {BuildState.SUCCEEDED}


class TestTheDailyBuild:
    def test_is_queued_once_a_day_where_there_are_deals(self, rep: Member) -> None:
        make_deal(rep)
        with context.platform("queue builds in a test", SYSTEM):
            assert builds_queue_daily() == len(all_datasets())
            assert builds_queue_daily() == 0
        assert {(one.dataset, one.as_of) for one in builds_of(rep.tenant)} == {
            (path, today_of(rep.tenant)) for path in all_datasets()
        }

    def test_is_due_again_when_the_workspaces_day_has_begun(self, rep: Member) -> None:
        make_deal(rep)
        build(rep.tenant)
        with context.platform("queue builds in a test", SYSTEM):
            assert builds_queue_daily() == 0
            DatasetBuild.objects.update(as_of=today_of(rep.tenant) - timedelta(days=1))
            assert builds_queue_daily() == len(all_datasets())


class TestTheCommand:
    def run(self, *arguments: str) -> str:
        out = io.StringIO()
        call_command("rebuild_dataset", *arguments, stdout=out)
        return out.getvalue()

    def test_rebuilds_all_datasets_and_reports(self, rep: Member) -> None:
        make_deal(rep)
        done = json.loads(self.run("--customer", "acme-corp", "--json"))
        assert [one["dataset"] for one in done] == list(all_datasets())
        assert (done[0]["succeeded"], done[0]["rows_written"]) == (True, 1)
        with context.tenant_wide(rep.tenant_id):
            assert Event.objects.filter(code="pipeline.dataset_rebuild_requested").count() == len(
                all_datasets()
            )

    def test_rebuilds_one(self, rep: Member) -> None:
        make_deal(rep)
        assert self.run("--customer", "acme-corp", "--dataset", HEALTH).startswith(
            f"{HEALTH}: 1 deals read, 1 rows written"
        )

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("--customer", "nobody"), "nobody"),
            (("--customer", "acme-corp", "--dataset", "/x"), f"Use one of: {HEALTH}"),
        ],
    )
    def test_says_what_would_be_right(self, rep: Member, arguments: tuple[str, ...], sentence: str) -> None:
        with pytest.raises(CommandError, match=sentence) as refused:
            self.run(*arguments)
        assert refused.value.returncode == 2

    def test_fails_where_the_build_fails(self, rep: Member, monkeypatch: pytest.MonkeyPatch) -> None:
        break_builds(monkeypatch)
        with pytest.raises(CommandError, match="division by zero") as refused:
            self.run("--customer", "acme-corp")
        assert refused.value.returncode == 1


class TestTheMetrics:
    def value(self, code: str, tenant: Tenant) -> float | None:
        metric = find(code)
        assert metric is not None
        with context.platform("read a metric in a test", SYSTEM), connection.cursor() as cursor:
            cursor.execute(metric.sql)
            return dict(cursor.fetchall()).get(tenant.id)

    def test_stale_share_is_that_of_the_open_deals(
        self, rep: Member, other_rep: Member, acme: Tenant, beta: Tenant
    ) -> None:
        long_ago = {"created_at": ago(90), "last_activity_on": today_of(acme) - timedelta(days=8)}
        make_deal(rep, **long_ago)
        make_deal(other_rep)
        make_deal(other_rep, currency="EUR")
        make_deal(rep, **long_ago, is_closed=True)
        build(acme)
        assert self.value("pipeline.stale_share", acme) == pytest.approx(1 / 3)
        assert self.value("pipeline.stale_share", beta) is None

    def test_build_failures_are_counted(self, acme: Tenant, rep: Member) -> None:
        build(acme)
        assert self.value("pipeline.build_failures", acme) == 0
        with context.tenant_wide(acme.id):
            DatasetBuild.objects.filter(dataset=HEALTH).update(state=BuildState.FAILED)
        assert self.value("pipeline.build_failures", acme) == 1
