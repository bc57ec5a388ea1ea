"""By small calls or by an order: whichever was measured to be quicker for so many rows, and no more calls than the day has left."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import LazySettings

from crm_sync.connectors.salesforce.rest import ROWS_A_CALL
from crm_sync.connectors.salesforce.signing_in import Credentials
from crm_sync.connectors.salesforce.source import SalesforceSource
from crm_sync.engine.pace import Pace
from crm_sync.models import Connection
from isolation import context
from tests.crm_sync.conftest import Crm
from tests.crm_sync.mirrored import assert_equal

USUAL: dict[str, Any] = {
    "rest": {"seconds_per_call": 0.2, "rows_per_second": 5_000},
    "bulk": {"seconds_before_first_row": 8.0, "rows_per_second": 60_000},
}


def threshold(**bulk: float) -> int:
    found = Pace.of({**USUAL, "bulk": {**USUAL["bulk"], **bulk}}, ROWS_A_CALL).threshold_rows
    assert found is not None
    return found


class TestTheThreshold:
    def test_is_where_both_ways_take_as_long(self) -> None:
        rows = threshold()
        small = rows * (0.2 / ROWS_A_CALL + 1 / 5_000) + 0.2
        order = 8.0 + 3 * 0.2 + rows / 60_000
        assert small == pytest.approx(order, rel=0.01)

    def test_rises_with_slow_jobs_and_falls_with_fast_ones(self) -> None:
        assert threshold(seconds_before_first_row=1) < threshold() < threshold(seconds_before_first_row=60)

    def test_is_far_where_an_order_is_never_quicker(self) -> None:
        assert threshold(rows_per_second=100) == 1_000_000

    @pytest.mark.parametrize(
        "stored",
        [
            {},
            {"rest": USUAL["rest"]},
            {"bulk": USUAL["bulk"]},
            {**USUAL, "bulk": {"rows_per_second": "x"}},
            {"rest": 3},
        ],
    )
    def test_is_not_known_before_both_were_measured(self, stored: dict[str, Any]) -> None:
        assert Pace.of(stored, ROWS_A_CALL).threshold_rows is None


class TestMeasures:
    def test_of_jobs_follow_how_long_they_take(self, crm: Crm) -> None:
        def before_first_row() -> float:
            crm.sync(is_full=True)
            return float(crm.connection.pace["bulk"]["seconds_before_first_row"])

        quick = before_first_row()
        crm.client.control("bulk_job_delay", seconds=1.5)
        slow = before_first_row()
        crm.client.control("bulk_job_delay", seconds=0)
        again = before_first_row()
        assert slow > quick + 0.3
        assert again < slow

    def test_weigh_less_the_older_they_are(self) -> None:
        pace = Pace.of({}, ROWS_A_CALL)
        for seconds in (10, 0, 0, 0, 0, 0):
            pace.note_order(seconds)
        assert 0 < pace.measures["bulk"]["seconds_before_first_row"] < 2

    def test_of_a_handful_of_rows_tell_no_rate(self) -> None:
        pace = Pace.of({}, ROWS_A_CALL)
        pace.note_bulk(3, 0.5)
        assert pace.measures == {}


def jobs_for_changes(crm: Crm, pace: dict[str, Any]) -> int:
    """How many Bulk jobs a sync of sixty changed deals orders, with that behind it."""
    crm.sync()
    for deal in crm.client.snapshot("Opportunity")[:60]:
        crm.client.control("update", object="Opportunity", id=deal["Id"], fields={"NextStep": "changed"})
    with context.tenant_wide(crm.tenant.id):
        Connection.objects.update(pace=pace)
    address = f"{crm.client.base}/_sandbox/orgs/{crm.client.org}/stats"
    crm.client.http.delete(address)
    crm.sync()
    assert_equal(crm)
    ordered = (each for each in crm.client.http.get(address).json() if each["method"] == "POST")
    return sum(each["calls"] for each in ordered if each["path"].endswith("/jobs/query"))


class TestChanges:
    def test_come_by_small_calls_where_jobs_are_slow(self, crm: Crm, settings: LazySettings) -> None:
        settings.CRM_REST_ROWS = 0
        assert (
            jobs_for_changes(crm, {**USUAL, "bulk": {**USUAL["bulk"], "seconds_before_first_row": 30}}) == 0
        )

    def test_come_by_a_job_where_calls_are_slow(self, crm: Crm) -> None:
        slow_calls = {"rest": {"seconds_per_call": 0.1, "rows_per_second": 2}}
        assert jobs_for_changes(crm, {**USUAL, **slow_calls}) > 0

    def test_come_as_the_installation_says_where_nothing_was_measured(
        self, crm: Crm, settings: LazySettings
    ) -> None:
        settings.CRM_REST_ROWS = 0
        assert jobs_for_changes(crm, {}) > 0

    def test_never_take_more_small_calls_than_a_twentieth_of_what_is_left(self, crm: Crm) -> None:
        source = SalesforceSource(
            Credentials(crm.client.base, "c", "s"),
            pace={**USUAL, "bulk": {**USUAL["bulk"], "seconds_before_first_row": 600}},
        )
        assert source._rest_rows() == 100_000
        source._client.budget.note("api-usage=14800/15000")
        assert source._rest_rows() == 10 * ROWS_A_CALL
        source.close()
