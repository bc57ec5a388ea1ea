"""The CRM's daily limit never fails a run: it waits, keeps its place, says so, and goes on; a share of the day is left to others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.db import connection as database

from crm_sync.connectors.base import Allowance, BudgetSpent
from crm_sync.connectors.budget import Budget
from crm_sync.models import Connection, ConnectionState, RunState, SyncRun
from isolation import context
from tests.crm_sync.conftest import Crm
from tests.crm_sync.mirrored import assert_equal

DAILY = 1000


@pytest.fixture
def limited(crm: Crm) -> Iterator[Crm]:
    """An organisation with 1,000 calls a day, of which a fifth is kept for others."""
    crm.client.control("limits", daily=DAILY, used=0)
    yield crm
    crm.client.http.delete(f"{crm.client.base}/_sandbox/orgs/{crm.client.org}/limits")


def used(crm: Crm) -> int:
    answer = crm.client.http.get(f"{crm.client.base}/_sandbox/orgs/{crm.client.org}/limits")
    return int(answer.json()["used"])


def waiting_minutes(crm: Crm, run: SyncRun) -> float:
    """How long until a put-off run is ready, by the database's clock."""
    with context.tenant_wide(crm.tenant.id), database.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM ready_at - now()) / 60 FROM crm_sync_syncrun WHERE id = %s", [run.id]
        )
        return float(cursor.fetchone()[0])


class TestTheReserve:
    def test_is_never_touched(self, limited: Crm) -> None:
        """A first sync makes about fifty calls; it begins with thirty to go."""
        limited.client.control("limits", used=770)
        run = limited.sync()
        assert (run.state, run.error_code) == (RunState.QUEUED, "budget_spent")
        assert used(limited) == 800

    def test_puts_a_run_off_without_an_attempt_and_the_page_can_say_why(
        self, limited: Crm, settings: LazySettings
    ) -> None:
        settings.CRM_SYNC_ATTEMPTS = 2
        limited.client.control("limits", used=900)
        for _ in range(4):
            run = limited.sync()
            assert (run.state, run.attempts) == (RunState.QUEUED, 0)
        assert (
            "of Salesforce's 1,000 calls of the day are used, and 20 % are kept for others"
            in run.error_message
        )
        assert 55 < waiting_minutes(limited, run) <= 60
        assert limited.connection.state == ConnectionState.ACTIVE

    def test_costs_one_call_an_hour_while_nothing_is_left(self, limited: Crm) -> None:
        limited.client.control("limits", used=850)
        limited.sync()
        assert used(limited) <= 851

    def test_lets_the_run_go_on_from_its_place_when_the_day_is_over(
        self, limited: Crm, settings: LazySettings
    ) -> None:
        settings.CRM_BULK_PAGE_ROWS = 20
        limited.client.control("limits", used=740)
        first = limited.sync()
        assert (first.state, first.rows_read > 0) == (RunState.QUEUED, True)
        limited.client.control("limits", used=0)
        second = limited.sync()
        assert (second.id, second.state, second.error_message) == (first.id, RunState.SUCCEEDED, "")
        assert second.rows_read == second.rows_inserted
        assert_equal(limited)

    def test_of_nothing_lets_all_be_used(self, limited: Crm) -> None:
        with context.tenant_wide(limited.tenant.id):
            Connection.objects.update(reserve_percent=0)
        limited.client.control("limits", used=850)
        assert limited.sync().state == RunState.SUCCEEDED

    def test_is_told_with_when_it_was_seen_however_the_run_ends(self, limited: Crm) -> None:
        limited.client.control("limits", used=850)
        limited.sync()
        connection = limited.connection
        assert (connection.api_calls_limit, connection.api_calls_used) == (DAILY, 851)
        assert connection.api_calls_seen_at is not None


class TestTheCrmsOwnLimit:
    @pytest.mark.parametrize("status", [403, 429])
    def test_met_again_and_again_fails_no_run(self, crm: Crm, settings: LazySettings, status: int) -> None:
        settings.CRM_SYNC_ATTEMPTS = 1
        crm.client.control("fault", kind="status", status=status, path_contains="/describe", times=0)
        for _ in range(3):
            run = crm.sync()
            assert (run.state, run.error_code, run.attempts) == (RunState.QUEUED, "limit", 0)
        crm.client.control("faults/clear")
        assert crm.sync().state == RunState.SUCCEEDED
        assert_equal(crm)

    def test_of_bulk_jobs_puts_the_run_off_too(self, crm: Crm) -> None:
        crm.client.control("limits", bulk_jobs=10, bulk_jobs_used=10)
        run = crm.sync()
        assert (run.state, run.error_code) == (RunState.QUEUED, "limit")
        crm.client.control("limits", bulk_jobs=10_000)
        assert crm.sync().state == RunState.SUCCEEDED


class TestTheHeader:
    @pytest.mark.parametrize("info", ["plain", "per_app", "bursts"])
    def test_is_read_in_each_form_of_the_crm(self, crm: Crm, info: str) -> None:
        crm.client.control("limits", info=info, daily=DAILY, used=100)
        assert crm.sync().state == RunState.SUCCEEDED
        assert crm.connection.api_calls_limit == DAILY
        assert crm.connection.api_calls_used == used(crm)

    def test_may_be_missing(self, crm: Crm) -> None:
        crm.client.control("limits", info="none")
        assert crm.sync().state == RunState.SUCCEEDED
        assert crm.connection.api_calls_limit is None

    @pytest.mark.parametrize(
        "header",
        [
            "api-usage=18/15000",
            "api-usage=18/15000; per-app-api-usage=17/250(appName=sample-connected-app)",
            "per-app-api-usage=17/250(appName=x, y); api-usage=18/15000",
            "api-usage=18/15000; api-bursts=3/100",
            " api-usage = 18/15000 ;",
        ],
    )
    def test_gives_the_days_calls(self, header: str) -> None:
        budget = Budget("Salesforce")
        budget.note(header)
        assert budget.allowance == Allowance(18, 15000)

    @pytest.mark.parametrize(
        "header", ["", "api-usage=", "api-usage=a/b", "api-usage=5", "=", "\u00b2/\u00b3"]
    )
    def test_that_says_nothing_changes_nothing(self, header: str) -> None:
        budget = Budget("Salesforce", 20)
        budget.note(header)
        budget.require()
        assert (budget.allowance, budget.usable) == (None, None)

    def test_decides_to_the_very_call(self) -> None:
        budget = Budget("Salesforce", 20)
        budget.note("api-usage=799/1000")
        budget.require()
        budget.note("api-usage=800/1000")
        with pytest.raises(BudgetSpent):
            budget.require()
