"""What is due is queued once and handed out fairly; what a dead worker left is handed out again."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from django.db import connection as database

from crm_sync import dispatch
from crm_sync.models import Connection, RunState, RunTrigger, SyncRun, SyncSchedule
from isolation import context
from isolation.actors import Actor
from tenants.models import Tenant

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("tests.dispatch")


@pytest.fixture(autouse=True)
def on_the_platform(acme: Tenant, beta: Tenant) -> Iterator[None]:
    with context.platform("test the dispatcher", SYSTEM):
        SyncSchedule.objects.update(is_paused=True)
        yield


def hand_out() -> set[UUID]:
    dispatch.queue_due()
    return {run_id for _, run_id in dispatch.hand_out()}


def queued(tenant: Tenant, **values: object) -> SyncRun:
    connection, _ = Connection.objects.get_or_create(tenant=tenant, source="salesforce")
    run = SyncRun(tenant=tenant, connection=connection, trigger=RunTrigger.MANUAL, requested_by="x", **values)
    run.save(force_insert=True)
    return run


def sql(statement: str, *values: object) -> None:
    with database.cursor() as cursor:
        cursor.execute(statement, values)


class TestASchedule:
    def test_that_is_due_queues_one_run_and_moves_on(self, acme: Tenant) -> None:
        Connection.objects.filter(tenant=acme).update(state="active")
        sql(
            "UPDATE crm_sync_syncschedule SET is_paused = false, due_at = now() WHERE tenant_id = %s", acme.id
        )
        handed = hand_out()
        run = SyncRun.objects.get(tenant=acme)
        assert handed == {run.id}
        assert (run.trigger, run.state) == ("schedule", RunState.QUEUED)
        assert hand_out() == set()
        sql("UPDATE crm_sync_syncschedule SET due_at = now() WHERE tenant_id = %s", acme.id)
        hand_out()
        assert SyncRun.objects.filter(tenant=acme).count() == 1

    def test_of_a_connection_that_needs_attention_rests(self, acme: Tenant) -> None:
        Connection.objects.filter(tenant=acme).update(state="needs_attention")
        sql(
            "UPDATE crm_sync_syncschedule SET is_paused = false, due_at = now() WHERE tenant_id = %s", acme.id
        )
        assert hand_out() == set()


class TestARun:
    def test_whose_worker_fell_silent_is_handed_out_again(self, acme: Tenant) -> None:
        run = queued(acme, state=RunState.RUNNING)
        sql("UPDATE crm_sync_syncrun SET lease_until = now() - interval '1 s' WHERE id = %s", run.id)
        assert hand_out() == {run.id}

    def test_that_is_held_or_put_off_is_left_alone(self, acme: Tenant, beta: Tenant) -> None:
        held, later = queued(acme, state=RunState.RUNNING), queued(beta)
        sql("UPDATE crm_sync_syncrun SET lease_until = now() + interval '1 min' WHERE id = %s", held.id)
        sql("UPDATE crm_sync_syncrun SET ready_at = now() + interval '1 min' WHERE id = %s", later.id)
        assert hand_out() == set()

    def test_waits_while_as_many_are_at_work_as_may_be(
        self, acme: Tenant, beta: Tenant, settings: object
    ) -> None:
        settings.CRM_SYNC_PARALLEL_RUNS = 1  # type: ignore[attr-defined]  # pytest-django's proxy takes any name
        held = queued(acme, state=RunState.RUNNING)
        sql("UPDATE crm_sync_syncrun SET lease_until = now() + interval '1 min' WHERE id = %s", held.id)
        queued(beta)
        assert hand_out() == set()
