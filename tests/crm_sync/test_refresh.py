"""Fields that change without a stamp are read anew at night: only they are written, and a sync's place is not moved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection as database

from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.mapping.services import mapping_save
from crm_sync.models import (
    Connection,
    FieldMap,
    Opportunity,
    RunKind,
    RunState,
    SyncCursor,
    SyncRun,
    TouchedDeal,
)
from crm_sync.nightly import queue_nightly
from crm_sync.services.runs import sync_request
from isolation import context
from isolation.actors import Actor
from tenants.models import Tenant
from tests.crm_sync.conftest import SYSTEM, Crm
from tests.crm_sync.mirrored import assert_equal

DEALS = "Opportunity"


def run_of(crm: Crm, kind: RunKind) -> SyncRun:
    """A run of that kind, in this process to its end."""
    with context.tenant_wide(crm.tenant.id):
        connection = Connection.objects.get()
        run = sync_request(connection=connection, is_full=False, kind=kind, acting_user=SYSTEM)
    lease = claim(crm.tenant.id, run.id)
    assert lease is not None
    return execute(lease, crm.hear)


def rows(crm: Crm) -> dict[str, dict[str, object]]:
    with context.tenant_wide(crm.tenant.id):
        return {row["external_id"]: row for row in Opportunity.objects.values()}


@pytest.fixture
def active(crm: Crm) -> Crm:
    """An organisation, synced, in which a call was made about a deal since: its date moved, its stamp did not."""
    crm.client.control("behaviour", activity_moves_stamp=False)
    crm.sync()
    deal = crm.some_deal()
    crm.client.control(
        "create", object="Task",
        fields={"WhatId": deal["Id"], "Subject": "Call", "OwnerId": deal["OwnerId"], "Status": "Completed", "ActivityDate": "2026-11-20"},
    )  # fmt: skip
    assert crm.some_deal()["SystemModstamp"] == deal["SystemModstamp"]
    return crm


class TestARefresh:
    def test_brings_what_a_sync_cannot_see(self, active: Crm) -> None:
        deal = active.some_deal()
        active.sync()
        assert str(rows(active)[deal["Id"]]["last_activity_on"]) != deal["LastActivityDate"]
        run = run_of(active, RunKind.REFRESH)
        assert (run.state, run.rows_changed, run.rows_inserted, run.rows_deleted) == (
            RunState.SUCCEEDED,
            1,
            0,
            0,
        )
        assert_equal(active)

    def test_names_the_deals_that_it_changed(self, active: Crm) -> None:
        run = run_of(active, RunKind.REFRESH)
        with context.tenant_wide(active.tenant.id):
            touched = TouchedDeal.objects.filter(run_id=run.id).values_list("opportunity_id", flat=True)
            names = Opportunity.objects.filter(id__in=list(touched)).values_list("external_id", flat=True)
            assert list(names) == [active.some_deal()["Id"]]

    def test_writes_no_other_column_and_no_stamp(self, active: Crm) -> None:
        deal = active.some_deal()
        before = rows(active)
        active.client.control("update", object=DEALS, id=deal["Id"], fields={"NextStep": "not of tonight"})
        active.client.control("create", object=DEALS, fields={
            "Name": "New", "StageName": "Proposal", "CloseDate": "2026-12-01", "OwnerId": deal["OwnerId"],
        })  # fmt: skip
        run_of(active, RunKind.REFRESH)
        after = rows(active)
        assert after.keys() == before.keys()
        changed = {name for key in before for name in before[key] if before[key][name] != after[key][name]}
        assert changed == {"last_activity_on"}
        active.sync()
        assert_equal(active)

    def test_moves_no_watermark(self, active: Crm) -> None:
        def watermarks() -> list[tuple[str, object]]:
            with context.tenant_wide(active.tenant.id):
                return list(
                    SyncCursor.objects.order_by("object_name").values_list("object_name", "watermark")
                )

        before = watermarks()
        run_of(active, RunKind.REFRESH)
        assert watermarks() == before
        assert active.connection.refreshed_at is not None

    def test_twice_writes_nothing_the_second_time(self, active: Crm) -> None:
        run_of(active, RunKind.REFRESH)
        again = run_of(active, RunKind.REFRESH)
        assert (again.rows_changed, again.rows_read) == (0, again.rows_unchanged)

    def test_reads_formulas_of_custom_fields_and_leaves_the_others(self, crm: Crm) -> None:
        fields = {"account_industry": "Account_Industry__c", "region": "Region__c"}
        mapping_save(
            tenant_id=crm.tenant.id, source="salesforce", document={DEALS: fields}, acting_user=SYSTEM
        )
        crm.sync()
        deal = next(row for row in crm.client.snapshot(DEALS) if row["AccountId"])
        before = rows(crm)[deal["Id"]]["custom"]
        crm.client.control("update", object="Account", id=deal["AccountId"], fields={"Industry": "Aerospace"})
        crm.sync()
        assert rows(crm)[deal["Id"]]["custom"] == before
        run_of(crm, RunKind.REFRESH)
        after = rows(crm)[deal["Id"]]["custom"]
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        assert after == {**before, "account_industry": "Aerospace"}


SYSTEM_ACTOR = Actor.system("tests.nightly")


@pytest.mark.django_db
class TestTheNight:
    @pytest.fixture(autouse=True)
    def synced(self, acme: Tenant, beta: Tenant) -> Iterator[None]:
        """Acme is connected, was read, and is old enough to be compared; it is in the platform's context."""
        with context.platform("test the dispatcher", SYSTEM_ACTOR):
            with database.cursor() as cursor:
                cursor.execute(
                    "UPDATE crm_sync_connection SET state = 'active', last_synced_at = now(), "
                    "created_at = now() - interval '30 days' WHERE tenant_id = %s",
                    [acme.id],
                )
            yield

    @staticmethod
    def queued_at(tenant: Tenant, hour: int) -> list[str]:
        """The kinds that are queued when it is that hour where the workspace is (its zone is moved, not the clock)."""
        with database.cursor() as cursor:
            cursor.execute("SELECT extract(hour FROM statement_timestamp() AT TIME ZONE 'UTC')::integer")
            shift = (hour - cursor.fetchone()[0] + 12) % 24 - 12
            # POSIX turns the sign around: Etc/GMT-3 is three hours ahead.
            zone = f"Etc/GMT{-shift:+d}"
            cursor.execute("UPDATE tenants_tenant SET timezone = %s WHERE id = %s", [zone, tenant.id])
        queue_nightly()
        runs = SyncRun.objects.filter(tenant=tenant).order_by("requested_at")
        return [run.kind for run in runs]

    @pytest.mark.parametrize("hour", [0, 1, 6, 12, 23])
    def test_is_not_by_day(self, acme: Tenant, hour: int) -> None:
        assert self.queued_at(acme, hour) == []

    def test_refreshes_once(self, acme: Tenant) -> None:
        assert self.queued_at(acme, 2) == ["refresh"]
        SyncRun.objects.update(state=RunState.FAILED)
        assert self.queued_at(acme, 2) == ["refresh"]

    def test_compares_once_a_week_after_the_refresh(self, acme: Tenant) -> None:
        assert self.queued_at(acme, 3) == ["refresh"]
        SyncRun.objects.update(state=RunState.SUCCEEDED)
        assert self.queued_at(acme, 3) == ["refresh", "check"]
        SyncRun.objects.update(state=RunState.SUCCEEDED)
        assert self.queued_at(acme, 3) == ["refresh", "check"]

    @pytest.mark.parametrize(("is_calculated", "kinds"), [(True, ["refresh"]), (False, [])])
    def test_refreshes_another_crm_only_where_a_formula_is_mapped(
        self, acme: Tenant, is_calculated: bool, kinds: list[str]
    ) -> None:
        Connection.objects.filter(tenant=acme).update(source="hubspot")
        contract = {"deals": {"score": {"name": "score", "is_calculated": is_calculated}}}
        FieldMap.objects.create(
            tenant=acme, connection=Connection.objects.get(tenant=acme), version=1, document={}, contract=contract,
            saved_by="x",
        )  # fmt: skip
        assert self.queued_at(acme, 2) == kinds

    def test_rests_where_the_schedule_is_paused(self, acme: Tenant) -> None:
        with database.cursor() as cursor:
            cursor.execute(
                "UPDATE crm_sync_syncschedule SET is_paused = true WHERE tenant_id = %s", [acme.id]
            )
        assert self.queued_at(acme, 3) == []
