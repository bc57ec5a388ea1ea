"""Where the known connectors lose rows: a class for each loss, named after it. HubSpot's are in ``hubspot/test_losses.py``."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from django.conf import LazySettings
from django.db import connection as database
from django.test import Client

from crm_sync.connectors import opener_of
from crm_sync.connectors.base import ObjectSpec
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.mapping.services import mapping_save
from crm_sync.models import CheckedMonth, Opportunity, RunKind, RunState, StageChange, SyncObjectResult
from isolation import context
from tests.crm_sync.conftest import SYSTEM, Crm, ServeFiles
from tests.crm_sync.mirrored import assert_equal, mirror
from tests.crm_sync.test_oauth import browser, connect, refreshes  # noqa: F401  # a fixture
from tests.crm_sync.test_refresh import run_of


def edit(crm: Crm, number: int, **fields: object) -> str:
    """Change the deal at that place of the organisation's list; gives its id."""
    deal = crm.some_deal(number)["Id"]
    crm.client.control("update", object="Opportunity", id=deal, fields=fields)
    return deal


def deal_of(crm: Crm, external_id: str) -> Opportunity:
    """The mirror's deal of that id."""
    with context.tenant_wide(crm.tenant.id):
        return Opportunity.objects.get(external_id=external_id)  # type: ignore[no-any-return]  # untyped: the manager hides it


class TestACursorReadWithGreaterThan:
    def test_would_lose_rows_that_share_the_stamp_of_the_last_one_read(self, crm: Crm) -> None:
        moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        crm.client.control("clock", fix=moment.isoformat())
        edit(crm, 0, NextStep="read")
        crm.sync()
        for number in range(1, 6):
            edit(crm, number, NextStep="in the same second, after the read")
        crm.sync()
        assert_equal(crm)


class TestALookBackOfZero:
    def test_would_lose_a_row_whose_transaction_committed_late(self, crm: Crm) -> None:
        crm.sync()
        late, fields = crm.some_deal(3)["Id"], {"NextStep": "stamped before the next sync, seen after it"}
        crm.client.control("late", object="Opportunity", id=late, fields=fields, seconds=120)
        edit(crm, 4, NextStep="stamped and seen meanwhile")
        crm.sync()
        assert deal_of(crm, late).next_step != fields["NextStep"]
        crm.client.control("clock", advance_seconds=180)
        crm.sync()
        assert deal_of(crm, late).next_step == fields["NextStep"]
        assert_equal(crm)


class TestRowsOfAPageChangedMidRead:
    def test_are_read_by_the_next_run(self, crm: Crm, settings: LazySettings) -> None:
        settings.CRM_BULK_PAGE_ROWS = 25
        lease = claim(crm.tenant.id, crm.request().id)
        assert lease is not None
        changed: list[str] = []

        def change_in_the_middle(result: SyncObjectResult, spec: ObjectSpec) -> None:
            if spec.name == "Opportunity" and not changed:
                changed.extend(edit(crm, number, NextStep="changed mid-read") for number in (0, 60, 118))
                crm.client.control("delete", object="Opportunity", id=crm.some_deal(80)["Id"])

        execute(lease, change_in_the_middle)
        crm.sync()
        assert changed
        assert_equal(crm)


class TestARequestLimitThatFailsTheRun:
    def test_puts_it_off_instead_and_it_goes_on_where_it_stopped(
        self, crm: Crm, settings: LazySettings
    ) -> None:
        settings.CRM_BULK_PAGE_ROWS = 25
        settings.CRM_SYNC_ATTEMPTS = 1  # a limit is no failed attempt
        crm.client.control("fault", kind="status", status=403, path_contains="/results", after=6, times=0)
        put_off = crm.sync()
        assert put_off.state == RunState.QUEUED
        assert put_off.rows_read > 0
        crm.client.control("faults/clear")
        run = crm.sync()
        assert (run.id, run.state) == (put_off.id, RunState.SUCCEEDED)
        assert run.rows_read == run.rows_inserted  # nothing was read twice
        assert_equal(crm)


class TestAPollLoopThatNeverEndsOnAborted:
    def test_ends_and_orders_the_job_anew(self, crm: Crm) -> None:
        crm.client.control("fault", kind="job_aborted", path_contains="FROM Opportunity", times=2)
        assert crm.sync().state == RunState.SUCCEEDED
        assert_equal(crm)


class TestListsLongerThanAnAddress:
    def test_are_asked_for_in_pieces(self, crm: Crm) -> None:
        crm.sync()
        with context.tenant_wide(crm.tenant.id):
            lost, _ = StageChange.objects.all().delete()
        assert lost * len("'00800000000000AAA', ") > 16_384 or lost > 400
        assert run_of(crm, RunKind.CHECK).state == RunState.SUCCEEDED
        assert_equal(crm)


class TestFormulaFieldsStaleForEver:
    def test_are_read_anew_though_no_stamp_moved(self, crm: Crm) -> None:
        mapping = {"Opportunity": {"industry": "Account_Industry__c"}}
        mapping_save(tenant_id=crm.tenant.id, source="salesforce", document=mapping, acting_user=SYSTEM)
        crm.sync()
        deal = next(row for row in crm.client.snapshot("Opportunity") if row["AccountId"])
        fields = {
            "Industry": "Energy" if deal_of(crm, deal["Id"]).custom.get("industry") != "Energy" else "Retail"
        }
        crm.client.control("update", object="Account", id=deal["AccountId"], fields=fields)
        crm.sync()
        assert deal_of(crm, deal["Id"]).custom.get("industry") != fields["Industry"]
        run_of(crm, RunKind.REFRESH)
        assert deal_of(crm, deal["Id"]).custom["industry"] == fields["Industry"]


class TestASilentDefaultStartDate:
    def test_would_lose_what_is_older(self, serve_files: ServeFiles) -> None:
        old = serve_files(
            User="Id,Name,Email,IsActive\n005000000000001AAA,Ann,ann@example.com,true\n",
            Opportunity="Id,Name,OwnerId,StageName,CloseDate,CreatedDate,SystemModstamp\n"
            "006000000000001AAA,First ever,005000000000001AAA,Proposal,1999-12-31,1999-02-03T04:05:06Z,1999-02-03T04:05:06Z\n",
        )
        old.sync()
        assert deal_of(old, "006000000000001AAA").created_at == datetime(1999, 2, 3, 4, 5, 6, tzinfo=UTC)


class TestASchemaChangeThatTruncatesATable:
    def test_leaves_every_row_and_the_last_values_of_what_is_gone(self, crm: Crm) -> None:
        edit(crm, 0, NextStep="the last value")
        crm.sync()
        before = {key: row["next_step"] for key, row in mirror(crm)[Opportunity].items()}
        crm.client.control("schema", object="Opportunity", hide="NextStep")
        crm.client.control("schema", object="Opportunity", add={"name": "Budget__c", "type": "currency"})
        run = crm.sync(is_full=True)
        assert run.state == RunState.SUCCEEDED
        assert "NextStep" in crm.result(run, "Opportunity").note
        assert {key: row["next_step"] for key, row in mirror(crm)[Opportunity].items()} == before


class TestTwoTokenRefreshesAtOnce:
    def test_are_one_and_every_process_goes_on(self, crm: Crm, browser: Client) -> None:  # noqa: F811  # the fixture
        connect(browser, crm)
        crm.client.control("oauth", rotate_refresh_tokens=True, refresh_seconds=0.3)
        crm.client.control("expire_tokens")
        before, found, start = refreshes(crm), list[str](), threading.Barrier(2)

        def work() -> None:
            source = opener_of("salesforce")(crm.connection)
            start.wait()
            found.append(source.check())
            source.close()
            database.close()

        workers = [threading.Thread(target=work) for _ in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert len(found) == 2
        assert refreshes(crm) == before + 1


class TestNoComparisonOfRowCountsAtTheEnd:
    def test_would_leave_lost_rows_lost(self, crm: Crm) -> None:
        crm.sync()
        with context.tenant_wide(crm.tenant.id):
            lost = list(Opportunity.objects.order_by("id").values_list("id", flat=True)[:7])
            Opportunity.objects.filter(id__in=lost).delete()
        crm.sync()
        assert len(mirror(crm)[Opportunity]) == len(crm.client.snapshot("Opportunity")) - 7
        assert run_of(crm, RunKind.CHECK).state == RunState.SUCCEEDED
        with context.tenant_wide(crm.tenant.id):
            months = CheckedMonth.objects.filter(object_name="Opportunity", healed_rows__gt=0)
            assert sum(month.crm_rows - month.mirror_rows for month in months) == 7
        assert_equal(crm)
