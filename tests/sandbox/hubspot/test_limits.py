"""Limits, and the counts by which tests prove that none was overrun."""

import time
from concurrent.futures import ThreadPoolExecutor

from .conftest import Portal

DEALS = "/crm/v3/objects/deals"


class TestTheTenSecondWindow:
    def test_calls_beyond_it_are_429(self, scratch: Portal) -> None:
        scratch.forget_traffic()
        scratch.control("switches", calls_per_ten_seconds=5)
        answers = [scratch.get(DEALS) for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        body = answers[-1].json()
        assert (body["status"], body["errorType"], body["policyName"]) == (
            "error",
            "RATE_LIMIT",
            "TEN_SECONDLY_ROLLING",
        )
        assert body["message"] == "You have reached your ten_secondly_rolling limit."
        assert {"correlationId", "requestId"} <= body.keys()
        assert "Retry-After" not in answers[-1].headers

    def test_headers_say_how_much_is_left(self, scratch: Portal) -> None:
        scratch.forget_traffic()
        scratch.control("switches", calls_per_ten_seconds=100, calls_per_day=1_000_000)
        first, second = (scratch.get(DEALS).headers for _ in range(2))
        assert (first["X-HubSpot-RateLimit-Max"], first["X-HubSpot-RateLimit-Interval-Milliseconds"]) == (
            "100",
            "10000",
        )
        assert (first["X-HubSpot-RateLimit-Remaining"], second["X-HubSpot-RateLimit-Remaining"]) == (
            "99",
            "98",
        )
        assert first["X-HubSpot-RateLimit-Daily"] == "1000000"
        left = [int(headers["X-HubSpot-RateLimit-Daily-Remaining"]) for headers in (first, second)]
        assert left[0] == left[1] + 1
        assert (first["X-HubSpot-RateLimit-Secondly"], first["X-HubSpot-RateLimit-Secondly-Remaining"]) == (
            "10",
            "9",
        )

    def test_retry_after_comes_on_request(self, scratch: Portal) -> None:
        scratch.forget_traffic()
        scratch.control("switches", calls_per_ten_seconds=1, with_retry_after=True)
        scratch.get(DEALS)
        assert 1 <= int(scratch.get(DEALS).headers["Retry-After"]) <= 10

    def test_refused_calls_do_not_use_it_up(self, scratch: Portal) -> None:
        scratch.forget_traffic()
        scratch.control("switches", searches_per_second=1)
        statuses = []
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            statuses.append(scratch.search(limit=1).status_code)
            time.sleep(0.05)
        assert statuses.count(200) == 2


class TestSearches:
    def test_have_a_limit_of_their_own_and_no_headers(self, scratch: Portal) -> None:
        scratch.forget_traffic()
        scratch.control("switches", searches_per_second=2)
        answers = [scratch.search(limit=1) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert (answers[-1].json()["policyName"], answers[-1].json()["message"]) == (
            "SECONDLY",
            "You have reached your secondly limit.",
        )
        assert not [name for name in answers[0].headers if name.startswith("x-hubspot-ratelimit")]
        assert scratch.get(DEALS).status_code == 200


class TestTheDay:
    def test_beyond_it_everything_is_429_until_the_next(self, scratch: Portal) -> None:
        scratch.control("clock", fix="2031-01-01T12:00:00Z")
        scratch.get(DEALS)
        scratch.control("switches", calls_per_day=2)
        assert [scratch.get(DEALS).status_code for _ in range(2)] == [200, 429]
        assert scratch.get(DEALS).json()["policyName"] == "DAILY"
        scratch.control("clock", advance_seconds=86_400)
        assert scratch.get(DEALS).status_code == 200


class TestStats:
    def test_calls_are_counted_by_pattern_and_status(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="Counted")
        scratch.forget_traffic()
        for _ in range(3):
            scratch.one(deal)
        scratch.get(f"{DEALS}/5")
        stats = scratch.look("stats")
        assert stats["calls"] == [
            {"method": "GET", "path": f"{DEALS}/5", "status": 404, "calls": 1},
            {"method": "GET", "path": f"{DEALS}/{{id}}", "status": 200, "calls": 3},
        ]
        assert (stats["total"], stats["peak_calls_in_ten_seconds"], stats["refused"]) == (4, 4, {})

    def test_peaks_count_what_was_asked_refused_or_not(self, scratch: Portal) -> None:
        scratch.forget_traffic()
        scratch.control("switches", searches_per_second=2)
        for _ in range(4):
            scratch.search(limit=1)
        stats = scratch.look("stats")
        assert (stats["peak_searches_in_a_second"], stats["refused"]) == (4, {"SECONDLY": 2})

    def test_calls_at_once_are_seen(self, scratch: Portal) -> None:
        scratch.forget_traffic()
        scratch.control("fault", kind="slow", seconds=0.3, times=3, path_contains=DEALS)
        with ThreadPoolExecutor(3) as pool:
            statuses = list(pool.map(lambda _: scratch.get(DEALS).status_code, range(3)))
        assert (statuses, scratch.look("stats")["most_in_flight"]) == ([200] * 3, 3)

    def test_token_requests_and_control_are_not_counted(self, scratch: Portal) -> None:
        scratch.forget_traffic()
        scratch.let_in()
        assert scratch.look("stats")["total"] == 0
