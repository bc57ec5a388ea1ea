"""Whose turn it is: a workspace with a million rows does not hold up a hundred small ones, and nobody waits for ever."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.db import connection as database
from django.utils import timezone

from audit.models import Event
from crm_sync import dispatch, tasks
from crm_sync.connectors.base import ObjectSpec
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.engine.turn import Turn, TurnOver, note_waiting, others_wait
from crm_sync.models import Connection, RunState, RunTrigger, SyncObjectResult, SyncRun, SyncSchedule
from crm_sync.services.connections import connection_begin
from crm_sync.services.schedules import schedules_fit
from isolation import context
from isolation.actors import Actor
from isolation.models import Heartbeat
from tenants.models import Tenant
from tests.crm_sync.conftest import Crm

SYSTEM = Actor.system("tests.dispatch")
SMALL = 100


@pytest.fixture
def on_the_platform(db: None, acme: Tenant, beta: Tenant, settings: LazySettings) -> Iterator[None]:
    settings.CRM_SYNC_PARALLEL_RUNS = 2
    with context.platform("test the dispatcher", SYSTEM):
        SyncSchedule.objects.update(is_paused=True)
        yield


def workspace(name: str, *, was_read: bool = True) -> Connection:
    """A small workspace with a connection that was read before."""
    tenant = Tenant.objects.create(
        name=name, slug=name, tier="growth", crm="salesforce", timezone="UTC", kind="customer"
    )
    connection, _ = connection_begin(tenant, "salesforce")
    connection.state, connection.last_synced_at = "active", timezone.now() if was_read else None
    connection.save()
    return connection


def queue(connection: Connection, *, seconds_ago: float = 0, **values: Any) -> SyncRun:
    ready_at = timezone.now() - timedelta(seconds=seconds_ago)
    return SyncRun.objects.create(  # type: ignore[no-any-return]  # untyped: the key's class hides it
        tenant_id=connection.tenant_id, connection=connection, trigger=RunTrigger.MANUAL, requested_by="x", ready_at=ready_at, **values,
    )  # fmt: skip


def hand_out() -> list[UUID]:
    return [run_id for _, run_id in dispatch.hand_out()]


def begin(run_id: UUID) -> None:
    """A worker takes the run."""
    SyncRun.objects.filter(pk=run_id).update(
        state=RunState.RUNNING, lease_until=timezone.now() + timedelta(minutes=1)
    )


def end(run_id: UUID) -> None:
    SyncRun.objects.filter(pk=run_id).update(state=RunState.SUCCEEDED, lease_until=None)


def give_back(run_id: UUID) -> None:
    """What a run does whose turn is over (``execute._give_back``)."""
    SyncRun.objects.filter(pk=run_id).update(state=RunState.QUEUED, lease_until=None, ready_at=timezone.now())


@pytest.mark.usefixtures("on_the_platform")
class TestAHundredSmallWorkspaces:
    def test_all_start_before_a_big_one_has_its_second_turn(self) -> None:
        big = queue(workspace("big", was_read=False))
        assert hand_out() == [big.id]
        begin(big.id)
        small = {queue(workspace(f"small-{number}")).id for number in range(SMALL)}
        started: list[UUID] = []
        while len(started) < SMALL:
            (handed,) = hand_out()  # the big one has the other place
            started.append(handed)
            begin(handed)
            end(handed)
            if len(started) == 10:
                give_back(big.id)
                first, second = hand_out()
                assert {first, second} <= small  # both places, because the big one stands behind all of them
                started += [first, second]
                for run_id in (first, second):
                    begin(run_id)
                end(first)
        assert set(started) == small
        assert hand_out() == [big.id]  # at last

    def test_that_wait_when_the_big_one_does_go_first(self) -> None:
        big = queue(workspace("big"), is_full=True, seconds_ago=20)
        small = [queue(workspace(f"small-{number}"), seconds_ago=10) for number in range(3)]
        assert set(hand_out()) < {run.id for run in small}
        assert big.id not in hand_out()

    def test_do_not_keep_a_big_one_waiting_for_ever(self, settings: LazySettings) -> None:
        settings.CRM_SYNC_SLICE_SECONDS = 60
        big = queue(workspace("big"), is_full=True, seconds_ago=61)
        for number in range(3):
            queue(workspace(f"small-{number}"), seconds_ago=0)
        assert big.id in hand_out()


@pytest.mark.usefixtures("on_the_platform")
class TestAWorkspace:
    def test_with_two_crms_gets_its_second_place_last(self) -> None:
        both, other = workspace("both"), workspace("other")
        second, _ = connection_begin(both.tenant, "hubspot")
        first_run, second_run = queue(both, seconds_ago=9), queue(second, seconds_ago=8)
        other_run = queue(other, seconds_ago=7)
        handed = hand_out()
        assert handed == [first_run.id, other_run.id] or set(handed) == {first_run.id, other_run.id}
        for run_id in handed:
            begin(run_id)
        end(other_run.id)
        late = queue(workspace("late"))
        assert hand_out() == [late.id]
        begin(late.id)
        end(late.id)
        assert hand_out() == [second_run.id]

    def test_whose_crm_gave_notice_comes_before_one_that_waits_a_little_longer(self) -> None:
        queue(workspace("first"), seconds_ago=5)
        queue(workspace("second"), seconds_ago=5)
        noticed = queue(workspace("noticed"), kind="notice")
        assert noticed.id in hand_out()


@pytest.mark.usefixtures("on_the_platform")
class TestAPlace:
    def test_is_taken_from_the_handing_out_on(self) -> None:
        for number in range(3):
            queue(workspace(f"small-{number}"))
        assert len(hand_out()) == 2
        assert hand_out() == []  # no worker began yet, and the places are taken all the same

    def test_is_free_again_where_no_worker_comes(self) -> None:
        run = queue(workspace("lost"))
        assert hand_out() == [run.id]
        SyncRun.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert hand_out() == [run.id]

    def test_that_somebody_waits_for_is_noted(self) -> None:
        queue(workspace("one"))
        hand_out()
        assert not others_wait()
        for number in range(3):
            queue(workspace(f"small-{number}"))
        hand_out()
        assert others_wait()


@pytest.mark.usefixtures("on_the_platform")
class TestASchedule:
    def due(self, connection: Connection, minutes_ago: float, every: int) -> datetime:
        due_at = timezone.now() - timedelta(minutes=minutes_ago)
        SyncSchedule.objects.filter(connection=connection).update(
            due_at=due_at, every_minutes=every, is_paused=False
        )
        return due_at

    def next_of(self, connection: Connection) -> datetime:
        return SyncSchedule.objects.values_list("due_at", flat=True).get(connection=connection)  # type: ignore[no-any-return]  # as above

    @pytest.mark.parametrize(("minutes_ago", "steps"), [(0.1, 1), (14.9, 1), (15.1, 2), (10_000, 667)])
    def test_keeps_to_its_grid_however_late_it_is_met(self, minutes_ago: float, steps: int) -> None:
        connection = workspace("grid")
        due_at = self.due(connection, minutes_ago, every=15)
        dispatch.queue_due()
        assert self.next_of(connection) == due_at + steps * timedelta(minutes=15)
        assert SyncRun.objects.filter(connection=connection).count() == 1

    def test_makes_one_run_after_a_long_rest_and_no_burst(self) -> None:
        connection = workspace("rest")
        self.due(connection, 60 * 24 * 30, every=5)
        for _ in range(3):
            dispatch.queue_due()
            SyncRun.objects.filter(connection=connection).update(state=RunState.SUCCEEDED)
        assert SyncRun.objects.filter(connection=connection).count() == 1

    @pytest.mark.parametrize(
        ("tier", "given", "kept"),
        [("starter", 60, 1440), ("growth", 5, 15), ("growth", 30, 30), ("enterprise", 5, 5), ("enterprise", 1, 5)],
    )  # fmt: skip
    def test_is_pulled_into_the_bounds_of_a_tier_that_changed(self, tier: str, given: int, kept: int) -> None:
        connection = workspace("tier")
        Tenant.objects.filter(pk=connection.tenant_id).update(tier=tier)
        SyncSchedule.objects.filter(connection=connection).update(every_minutes=given)
        assert schedules_fit(acting_user=SYSTEM) == int(given != kept)
        assert SyncSchedule.objects.get(connection=connection).every_minutes == kept
        told = Event.objects.filter(tenant_id=connection.tenant_id, code="crm_sync.schedule_set")
        assert [event.facts["every_minutes"] for event in told] == ([kept] if given != kept else [])


@pytest.mark.django_db
class TestATurn:
    def test_lasts_while_nobody_waits(self, settings: LazySettings) -> None:
        settings.CRM_SYNC_SLICE_SECONDS = 0
        Turn().require()

    def test_ends_after_its_slice_when_somebody_does(self, settings: LazySettings) -> None:
        note_waiting()
        settings.CRM_SYNC_SLICE_SECONDS = 60
        Turn().require()
        settings.CRM_SYNC_SLICE_SECONDS = 0
        with pytest.raises(TurnOver):
            Turn().require()

    def test_is_not_ended_by_an_old_note(self, settings: LazySettings) -> None:
        settings.CRM_SYNC_SLICE_SECONDS = 0
        note_waiting()
        with context.shared_tables():
            Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=5))
        Turn().require()


class _OverAfter:
    """A listener that ends the turn after so many pages."""

    def __init__(self, pages: int) -> None:
        self.left = pages

    def __call__(self, result: SyncObjectResult, spec: ObjectSpec) -> None:
        self.left -= 1
        if not self.left:
            raise TurnOver


class TestARunWhoseTurnIsOver:
    def test_goes_on_where_it_stood_and_loses_nothing(self, crm: Crm) -> None:
        run, turns = crm.request(is_full=True), 0
        while run.state != RunState.SUCCEEDED:
            lease = claim(run.tenant_id, run.id)
            assert lease is not None
            run, turns = execute(lease, _OverAfter(2)), turns + 1
            assert turns < 50
        assert turns > 2
        assert (run.attempts, run.error_code) == (0, "")
        with context.tenant_wide(run.tenant_id):
            results = list(SyncObjectResult.objects.filter(run=run))
        assert all(result.is_done for result in results)
        assert sum(result.rows_read for result in results) == run.rows_read > 0

    def test_is_given_back_by_the_task_itself(
        self, crm: Crm, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.CRM_SYNC_SLICE_SECONDS = 0
        woken: list[float] = []
        monkeypatch.setattr(tasks.dispatch, "delay", lambda: woken.append(time.monotonic()))
        note_waiting()
        run = crm.request(is_full=True)
        tasks.sync_run(tenant_id=run.tenant_id, run_id=str(run.id))
        with context.tenant_wide(run.tenant_id):
            run.refresh_from_db()
        assert (run.state, run.lease_until, len(woken)) == (RunState.QUEUED, None, 1)


@pytest.mark.usefixtures("on_the_platform")
def test_a_thousand_waiting_runs_are_looked_through_quickly() -> None:
    """Not a measurement: the plan must not look at other workspaces' finished runs one by one."""
    connection = workspace("history")
    with database.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO crm_sync_syncrun (id, tenant_id, connection_id, trigger, is_full, state, requested_by, attempts,
                touches_everything, rows_read, rows_inserted, rows_changed, rows_unchanged, rows_deleted, rows_rejected,
                error_code, error_message)
            SELECT gen_random_uuid(), %s, %s, 'schedule', false, 'succeeded', 'x', 0, false, 0, 0, 0, 0, 0, 0, '', ''
            FROM generate_series(1, 5000)
            """,
            [connection.tenant_id, connection.id],
        )
        cursor.execute(f"EXPLAIN {dispatch._READY}", {"free": 2, "slice": 60.0})
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "crm_sync_run_waiting" in plan or "crm_sync_run_one_active" in plan, plan
