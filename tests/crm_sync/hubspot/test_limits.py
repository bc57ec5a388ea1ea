"""A portal's limits are never overrun, however many processes read it, and nearly used up where there is enough to read."""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator

import pytest
import redis
from django.conf import LazySettings, settings

from crm_sync.connectors.base import BudgetSpent, PassingProblem
from crm_sync.connectors.hubspot.bucket import Bucket, Said
from crm_sync.connectors.hubspot.client import Access, Client, shared_name
from crm_sync.connectors.hubspot.records import Records
from crm_sync.models import Opportunity, RunState
from isolation import context
from tests.conftest import ROOT
from tests.crm_sync.hubspot.conftest import Hub
from tests.crm_sync.hubspot.mirrored import assert_equal
from tests.sandbox.hubspot.conftest import LIMITS, Portal

HAMMER = """
import sys, threading, time
import django
from django.conf import settings
django.setup()
settings.REDIS_URL = sys.argv[1]
settings.CRM_HUBSPOT_SEARCHES_PER_SECOND = 4
from crm_sync.connectors.hubspot.client import Access, Client
from crm_sync.connectors.hubspot.records import Records
client = Client(Access(sys.argv[2], sys.argv[3], sys.argv[4], 0))
ends = time.monotonic() + float(sys.argv[5])
def listing():
    while time.monotonic() < ends:
        client.get("/crm/v3/objects/deals", Records, limit="1")
def searching():
    while time.monotonic() < ends:
        client.post("/crm/v3/objects/deals/search", Records, {"limit": 1})
threads = [threading.Thread(target=work) for work in (listing, listing, searching)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.fixture
def portal(unused_portals: Iterator[Portal]) -> Portal:
    portal = next(unused_portals)
    portal.control("switches", **LIMITS)
    return portal


def _address(portal: Portal) -> str:
    return f"{portal.base}/portals/{portal.name}"


def _client(portal: Portal, reserve_percent: int = 0) -> Client:
    portal_id = str(portal.facts["portal_id"])
    return Client(Access(_address(portal), portal.facts["token"], portal_id, reserve_percent))


def _get(client: Client) -> Records:
    return client.get("/crm/v3/objects/deals", Records, limit="1")


class TestFourProcesses:
    def test_stay_within_the_limits_and_close_to_them(self, portal: Portal) -> None:
        portal.control("switches", calls_per_ten_seconds=120, searches_per_second=4)
        _get(_client(portal))  # from its answer all know the limit
        time.sleep(10.1)
        portal.forget_traffic()
        seconds = 22
        arguments = (
            settings.REDIS_URL,
            _address(portal),
            portal.facts["token"],
            str(portal.facts["portal_id"]),
            str(seconds),
        )
        hammers = [subprocess.Popen([sys.executable, "-c", HAMMER, *arguments], cwd=ROOT) for _ in range(4)]
        assert [hammer.wait(60) for hammer in hammers] == [0] * 4
        stats = portal.look("stats")
        assert stats["refused"] == {}, stats
        assert stats["peak_calls_in_ten_seconds"] <= 120
        assert stats["peak_searches_in_a_second"] <= 4
        assert stats["total"] >= 0.95 * 120 * 2  # two whole windows at least


class TestTheLimitOfSeconds:
    def test_that_others_used_up_is_waited_for(self, portal: Portal) -> None:
        client = _client(portal)
        portal.control("switches", calls_per_ten_seconds=3)
        for _ in range(3):
            portal.get("/crm/v3/owners")  # another program of the portal
        portal.control("fault", kind="status", path_contains="/crm/v3/objects/deals", status=429, times=2)
        assert _get(client).results

    def test_that_stays_used_up_is_a_passing_problem(
        self, portal: Portal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("crm_sync.connectors.hubspot.client._FIRST_PAUSE_SECONDS", 0.01)
        portal.control("fault", kind="status", path_contains="/crm/v3/objects/deals", status=429, times=50)
        with pytest.raises(PassingProblem, match="HubSpot asked for fewer calls") as raised:
            _get(_client(portal))
        assert raised.value.code == "limit"


class TestTheLimitOfTheDay:
    def test_leaves_the_reserve_to_others_and_says_when_it_goes_on(self, portal: Portal) -> None:
        portal.control("switches", calls_per_day=50)
        client = _client(portal, reserve_percent=20)
        with pytest.raises(
            BudgetSpent, match=r"of HubSpot's 50 calls of the day are used; the other 20 %"
        ) as raised:
            for _ in range(60):
                _get(client)
        assert portal.look("stats")["used_today"] == 40
        assert 0 < (raised.value.retry_after_seconds or 0) <= 86_405

    def test_counts_what_other_programs_use(self, portal: Portal) -> None:
        portal.control("switches", calls_per_day=50)
        client = _client(portal, reserve_percent=20)
        _get(client)
        for _ in range(39):
            portal.get("/crm/v3/owners")
        _get(client)  # from its answer it knows
        with pytest.raises(BudgetSpent):
            _get(client)

    def test_puts_a_run_off_which_goes_on_from_where_it_stood(self, hub: Hub) -> None:
        hub.portal.control("switches", calls_per_day=30)
        run = hub.sync()
        assert (run.state, run.error_code) == (RunState.QUEUED, "budget_spent")
        hub.portal.control("switches", **LIMITS)
        _next_day(hub)
        run = hub.work(run)
        assert run.state == RunState.SUCCEEDED
        assert_equal(hub)


def _next_day(hub: Hub) -> None:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        name = shared_name(hub.connection.login_url, str(hub.portal.facts["portal_id"]))
        client.delete(*Bucket(name, 0).keys)


class TestThePlaces:
    """The counter itself, on a portal of its own."""

    @pytest.fixture
    def bucket(self) -> Bucket:
        return Bucket(f"test-{uuid.uuid4()}", 0)

    def test_are_held_until_ten_seconds_after_the_answer(self, bucket: Bucket) -> None:
        with bucket.place(is_search=False) as tell:
            tell(Said(most="1"))
        started = time.monotonic()
        with bucket.place(is_search=False):
            pass
        assert 9.9 <= time.monotonic() - started < 11

    def test_are_held_while_no_answer_has_come(self, bucket: Bucket, settings: LazySettings) -> None:
        with bucket.place(is_search=True) as tell:
            tell(Said(most="50"))
        settings.CRM_HUBSPOT_SEARCHES_PER_SECOND = 1
        time.sleep(1.05)
        with bucket.place(is_search=True):
            assert bucket._admit("other", is_search=True) > 5_000

    def test_of_two_connections_to_one_portal_are_the_same(self, bucket: Bucket) -> None:
        twin = Bucket(bucket.portal, 0)
        with bucket.place(is_search=False) as tell:
            tell(Said(most="1"))
        assert twin._admit("other", is_search=False) > 0

    def test_are_not_given_without_redis(self, settings: LazySettings) -> None:
        settings.REDIS_URL = "redis://127.0.0.1:1/0"
        with (
            pytest.raises(PassingProblem, match="Redis") as raised,
            Bucket("nowhere", 0).place(is_search=False),
        ):
            raise AssertionError("no call may be made")
        assert raised.value.code == "limits_unknown"


def test_the_rows_that_a_run_had_read_stay_when_its_day_is_used_up(hub: Hub) -> None:
    hub.portal.control("switches", calls_per_day=40)
    hub.sync()
    with context.tenant_wide(hub.tenant.id):
        assert Opportunity.objects.filter(source="hubspot").exists()
