"""A sync leaves the mirror equal to the CRM, and says exactly what it did."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection as database

from crm_sync import hooks
from crm_sync.models import Opportunity, Owner, RunState, SyncCursor, SyncRun
from crm_sync.selectors import owner_ids_of, touched_deal_ids
from isolation import context
from tests import cast
from tests.crm_sync.conftest import Crm
from tests.crm_sync.mirrored import assert_equal, mirror


def writes() -> int:
    """Rows that PostgreSQL has written to the mirror so far."""
    sql = (
        "SELECT sum(pg_stat_get_tuples_inserted(oid) + pg_stat_get_tuples_updated(oid) + pg_stat_get_tuples_deleted(oid)) "
        "FROM pg_class WHERE relname IN ('crm_sync_owner', 'crm_sync_account', 'crm_sync_contact', 'crm_sync_opportunity', "
        "'crm_sync_contactrole', 'crm_sync_stagechange', 'crm_sync_activity')"
    )
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


class TestAFirstSync:
    def test_mirrors_every_row_of_every_object(self, crm: Crm) -> None:
        run = crm.sync()
        assert (run.state, run.error_message) == (RunState.SUCCEEDED, "")
        assert run.rows_read == sum(len(rows) for rows in mirror(crm).values())
        assert run.touches_everything
        assert_equal(crm)

    def test_in_pages_gives_the_same(self, crm: Crm, settings: LazySettings) -> None:
        settings.CRM_BULK_PAGE_ROWS = 37
        crm.sync()
        assert_equal(crm)
        assert crm.heard.count(("Opportunity", False)) == 3

    def test_fills_the_same_counters_as_its_objects(self, crm: Crm) -> None:
        run = crm.sync()
        deals = crm.result(run, "Opportunity")
        assert deals.rows_read == deals.rows_inserted == deals.rows_expected > 0
        assert run.rows_read == run.rows_inserted + run.rows_unchanged + run.rows_changed + run.rows_rejected

    def test_finds_members_by_their_email(self, crm: Crm) -> None:
        user = crm.client.snapshot("User")[3]
        member = cast.member_of("rep")
        crm.client.control("update", object="User", id=user["Id"], fields={"Email": member.email.upper()})
        crm.sync()
        with context.tenant_wide(crm.tenant.id):
            owner = Owner.objects.get(external_id=user["Id"])
            assert owner.member_id == member.id
            assert owner.id in owner_ids_of(crm.tenant.id, [member.id])


class TestASecondSync:
    def test_of_an_unchanged_crm_reads_and_writes_nothing(self, crm: Crm) -> None:
        crm.sync()
        before = writes()
        run = crm.sync()
        assert (run.state, run.rows_inserted, run.rows_changed, run.rows_deleted) == (
            RunState.SUCCEEDED,
            0,
            0,
            0,
        )
        assert writes() == before

    def test_of_an_unchanged_crm_costs_a_sign_in_and_two_calls(self, crm: Crm) -> None:
        crm.sync()
        stats = f"{crm.client.base}/_sandbox/orgs/{crm.client.org}/stats"
        crm.client.http.delete(stats)
        assert crm.sync().state == RunState.SUCCEEDED
        calls = {each["path"]: each["calls"] for each in crm.client.http.get(stats).json()}
        calls.pop("/services/oauth2/token", None)
        assert calls == {"/services/data/v61.0/composite/batch": 2}

    def test_whose_questions_cannot_be_asked_together_asks_them_one_by_one(self, crm: Crm) -> None:
        crm.sync()
        deal = crm.some_deal()
        crm.client.control("update", object="Opportunity", id=deal["Id"], fields={"NextStep": "one by one"})
        crm.client.control("fault", kind="status", status=503, path_contains="composite/batch", times=0)
        assert crm.sync().state == RunState.SUCCEEDED
        assert_equal(crm)

    def test_that_reads_everything_writes_nothing_either(self, crm: Crm) -> None:
        first = crm.sync()
        before = writes()
        run = crm.sync(is_full=True)
        assert run.rows_read == run.rows_unchanged == len_of(crm)
        assert first.rows_read >= run.rows_read
        assert writes() == before
        assert_equal(crm)

    def test_brings_changes_and_names_the_deals_they_are_about(self, crm: Crm) -> None:
        crm.sync()
        deal, other = crm.some_deal(0), crm.some_deal(1)
        crm.client.control(
            "update", object="Opportunity", id=deal["Id"], fields={"StageName": "Proposal", "Amount": 1234.56}
        )
        crm.client.control(
            "create",
            object="Task",
            fields={"WhatId": other["Id"], "Subject": "Call", "OwnerId": other["OwnerId"]},
        )
        run = crm.sync()
        assert run.rows_inserted >= 1
        assert run.rows_changed >= 1
        assert not run.touches_everything
        assert_equal(crm)
        with context.tenant_wide(crm.tenant.id):
            touched = Opportunity.objects.filter(id__in=list(touched_deal_ids(crm.tenant.id, run)))
            assert {each.external_id for each in touched} == {deal["Id"], other["Id"]}

    def test_by_bulk_brings_the_same(self, crm: Crm, settings: LazySettings) -> None:
        settings.CRM_REST_ROWS = 0
        crm.sync()
        deal = crm.some_deal()
        crm.client.control(
            "update", object="Opportunity", id=deal["Id"], fields={"NextStep": 'Ring "Bo",\nthen write'}
        )
        crm.client.control("delete", object="Opportunity", id=crm.some_deal(5)["Id"])
        crm.sync()
        assert_equal(crm)

    def test_passes_on_a_new_owner_and_a_new_account_name(self, crm: Crm) -> None:
        crm.sync()
        deal = next(row for row in crm.client.snapshot("Opportunity") if row["AccountId"])
        heir = next(row for row in crm.client.snapshot("User") if row["Id"] != deal["OwnerId"])
        crm.client.control("update", object="Opportunity", id=deal["Id"], fields={"OwnerId": heir["Id"]})
        crm.client.control(
            "update", object="Account", id=deal["AccountId"], fields={"Name": "Renamed & Sons"}
        )
        crm.sync()
        assert_equal(crm)


def len_of(crm: Crm) -> int:
    return sum(len(rows) for rows in mirror(crm).values())


class TestWhatIsDeleted:
    @pytest.mark.parametrize("hard", [False, True])
    def test_leaves_the_mirror(self, crm: Crm, hard: bool) -> None:
        crm.sync()
        deal, account = crm.some_deal(), next(row for row in crm.client.snapshot("Account"))
        crm.client.control("delete", object="Opportunity", id=deal["Id"], hard=hard)
        crm.client.control("delete", object="Account", id=account["Id"], hard=hard)
        run = crm.sync()
        assert crm.result(run, "Opportunity").rows_deleted == 1
        assert crm.result(run, "Account").rows_deleted == 1
        assert_equal(crm)

    def test_comes_back_when_it_is_undeleted_with_all_that_points_at_it(self, crm: Crm) -> None:
        crm.sync()
        deal = crm.some_deal()
        crm.client.control("delete", object="Opportunity", id=deal["Id"])
        crm.sync()
        crm.client.control("undelete", object="Opportunity", id=deal["Id"])
        account = next(row for row in crm.client.snapshot("Account") if row["Id"] == deal["AccountId"])
        crm.client.control("delete", object="Account", id=account["Id"])
        crm.sync()
        assert_equal(crm)
        crm.client.control("undelete", object="Account", id=account["Id"])
        crm.sync()
        assert_equal(crm)

    def test_without_a_trace_is_found_by_a_full_sync(self, crm: Crm) -> None:
        crm.sync()
        with context.tenant_wide(crm.tenant.id):
            Opportunity.objects.filter(external_id=crm.some_deal()["Id"]).update(external_id="006GONE")
        run = crm.sync(is_full=True)
        deals = crm.result(run, "Opportunity")
        assert (deals.rows_inserted, deals.rows_deleted) == (1, 1)
        assert_equal(crm)


class TestTheWatermark:
    def test_keeps_rows_with_the_very_stamp_that_was_read_last(self, crm: Crm) -> None:
        crm.client.control("clock", fix="2026-11-20T10:00:00Z")
        first, late = crm.some_deal(0), crm.some_deal(1)
        crm.client.control("update", object="Opportunity", id=first["Id"], fields={"NextStep": "first"})
        crm.sync()
        crm.client.control("update", object="Opportunity", id=late["Id"], fields={"NextStep": "same second"})
        crm.sync()
        assert_equal(crm)

    def test_stays_behind_a_transaction_that_is_still_open(self, crm: Crm) -> None:
        crm.sync()
        crm.client.control("clock", covered_lag_seconds=600)
        with context.tenant_wide(crm.tenant.id):
            before = SyncCursor.objects.get(object_name="Opportunity").watermark
        crm.sync()
        with context.tenant_wide(crm.tenant.id):
            assert SyncCursor.objects.get(object_name="Opportunity").watermark == before

    def test_older_than_deletions_are_kept_makes_the_run_read_everything(self, crm: Crm) -> None:
        crm.sync()
        with context.tenant_wide(crm.tenant.id):
            SyncCursor.objects.update(watermark="2020-01-01T00:00:00Z")
            Opportunity.objects.filter(external_id=crm.some_deal()["Id"]).update(external_id="006GONE")
        run = crm.sync()
        assert run.touches_everything
        assert_equal(crm)


class TestAfterASync:
    def test_upper_rooms_are_called_before_the_run_counts_as_succeeded(
        self, crm: Crm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[int, str, Any]] = []
        monkeypatch.setattr(
            hooks, "_after_sync", [lambda tenant, run: seen.append((tenant, run.state, run.id))]
        )
        run = crm.sync()
        assert seen == [(crm.tenant.id, RunState.RUNNING, run.id)]
        with context.tenant_wide(crm.tenant.id):
            assert SyncRun.objects.get(pk=run.pk).state == RunState.SUCCEEDED
