"""Result pages that are fetched beside each other arrive in order and complete; breaks, kills and short results lose nothing."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import LazySettings

from crm_sync.connectors.base import PlaceLost
from crm_sync.connectors.salesforce import results
from crm_sync.connectors.salesforce.bulk import Place
from crm_sync.models import RunState
from tests.crm_sync.conftest import Crm
from tests.crm_sync.mirrored import assert_equal


@pytest.fixture
def paged(crm: Crm, settings: LazySettings) -> Iterator[Crm]:
    """120 deals in pages of ten, over a line that keeps every page waiting."""
    settings.CRM_BULK_PAGE_ROWS = 10
    crm.client.control("bulk_page_delay", seconds=0.03)
    yield crm
    crm.client.control("bulk_page_delay", seconds=0)


def calls(crm: Crm, ending: str) -> int:
    found = crm.client.http.get(f"{crm.client.base}/_sandbox/orgs/{crm.client.org}/stats").json()
    return sum(each["calls"] for each in found if each["path"].endswith(ending))


class TestPagesBesideEachOther:
    def test_give_the_same_mirror(self, paged: Crm) -> None:
        assert paged.sync().state == RunState.SUCCEEDED
        assert_equal(paged)
        assert calls(paged, "/resultPages") > 0

    def test_are_committed_in_order_each_with_its_place(self, paged: Crm) -> None:
        run = paged.sync()
        deals = paged.result(run, "Opportunity")
        assert deals.rows_read == deals.rows_inserted == deals.rows_expected == 120
        assert paged.heard.count(("Opportunity", False)) == 11

    def test_are_not_used_where_the_line_is_quicker_than_the_database(
        self, paged: Crm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(results, "DATABASE_ROWS_PER_SECOND", 0)
        assert paged.sync().state == RunState.SUCCEEDED
        assert calls(paged, "/resultPages") == 0
        assert_equal(paged)

    def test_fall_back_where_the_crm_has_no_such_list(self, paged: Crm) -> None:
        paged.client.control("fault", kind="status", status=404, path_contains="/resultPages", times=0)
        assert paged.sync().state == RunState.SUCCEEDED
        assert_equal(paged)

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "cut", "path_contains": "/results?", "after": 9, "times": 3},
            {"kind": "status", "status": 500, "path_contains": "/results?", "after": 9, "times": 3},
            {"kind": "status", "status": 401, "path_contains": "/results?", "after": 9, "times": 3},
            {"kind": "status", "status": 404, "path_contains": "/results?", "after": 9, "times": 1},
            {"kind": "status", "status": 503, "path_contains": "/resultPages", "times": 2},
        ],
        ids=["cut", "500", "401", "job forgotten", "no list for now"],
    )
    def test_of_which_some_break_lose_nothing(self, paged: Crm, fault: dict[str, Any]) -> None:
        paged.client.control("fault", **fault)
        assert paged.sync().state == RunState.SUCCEEDED
        assert_equal(paged)

    def test_leave_no_file_and_no_thread_behind(self, paged: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
        opened: list[Any] = []
        make: Callable[[], Any] = tempfile.TemporaryFile

        def noted() -> Any:
            opened.append(make())
            return opened[-1]

        monkeypatch.setattr(results, "TemporaryFile", noted)
        paged.client.control("fault", kind="cut", path_contains="/results?", after=12, times=2)
        paged.sync()
        assert opened
        assert all(file.closed for file in opened)
        for thread in threading.enumerate():
            if thread.name.startswith("crm-page"):
                thread.join(5)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("crm-page")]


class TestAResultThatIsShort:
    def test_by_whole_pages_is_read_again(self, paged: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
        """The job says 120 rows and its list of pages ends early: the run may not take that for the end."""
        locators = results.Results._locators
        cut: list[str] = []

        def short(self: results.Results, job_id: str, listed: Any) -> Iterator[str]:
            found = list(locators(self, job_id, listed))
            if not cut and len(found) > 5:
                cut.append(job_id)
                return iter(found[:-2])
            return iter(found)

        monkeypatch.setattr(results.Results, "_locators", short)
        assert paged.sync().state == RunState.SUCCEEDED
        assert cut
        assert_equal(paged)

    def test_has_a_place_that_counts_its_rows(self) -> None:
        place = Place("750A").after(10, "abc:d")
        assert Place.of(str(place)) == place == Place("750A", 10, "abc:d")
        assert Place.of(str(place.after(None, "x"))).rows is None
        for odd in ("", "bulk:750A:abc", "rest", "bulk:750A:x:y"):
            with pytest.raises(PlaceLost):
                Place.of(odd)
