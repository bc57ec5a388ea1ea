"""Limits of calls and jobs, and what is told of them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import API, Client

LIMITS = "/limits"


class TestTheDailyLimit:
    def test_beyond_it_every_call_is_refused_until_24_hours_have_passed(self, scratch: Client) -> None:
        scratch.control("limits", daily=1000, used=998)
        answers = [scratch.get(LIMITS) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 403]
        assert answers[1].json()["DailyApiRequests"] == {"Max": 1000, "Remaining": 0}
        assert answers[2].json() == [
            {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
        ]
        assert answers[2].headers["Sforce-Limit-Info"] == "api-usage=1000/1000"
        scratch.sign_in()
        assert scratch.get(LIMITS).status_code == 403, "a new token does not help"
        scratch.control("clock", advance_seconds=24 * 3600)
        assert scratch.get(LIMITS).headers["Sforce-Limit-Info"] == "api-usage=1/1000"

    @pytest.mark.parametrize(
        ("form", "header"),
        [
            ("plain", "api-usage=18/100000"),
            ("per_app", "api-usage=18/100000; per-app-api-usage=18/250(appName=sandbox-scratch)"),
            ("bursts", "api-usage=18/100000; api-bursts=18/100"),
            ("none", None),
        ],
    )
    def test_the_header_has_several_forms(self, scratch: Client, form: str, header: str | None) -> None:
        scratch.control("limits", info=form, used=17)
        assert scratch.get(LIMITS).headers.get("Sforce-Limit-Info") == header

    def test_a_limit_that_does_not_exist_is_refused(self, scratch: Client) -> None:
        for body in ({"hourly": 5}, {"daily": "many"}, {"used": "x"}):
            assert scratch.try_control("limits", **body).json()[0]["errorCode"] == "BAD_COMMAND"


class TestBulkJobs:
    def test_when_they_are_used_up_there_are_no_more(self, scratch: Client) -> None:
        scratch.control("limits", bulk_jobs_used=9999)
        scratch.finished_job("SELECT Id FROM User")
        refusal = scratch.start_job("SELECT Id FROM User")
        assert refusal.status_code == 400
        assert (
            refusal.json()[0]["message"]
            == "Max bulk v2 query jobs (10000) per 24 hrs has been reached (10000)"
        )
        assert scratch.get(LIMITS).json()["DailyBulkV2QueryJobs"] == {"Max": 10000, "Remaining": 0}

    def test_a_refused_query_uses_none_up(self, scratch: Client) -> None:
        scratch.start_job("SELECT Nope FROM User")
        assert scratch.get(LIMITS).json()["DailyBulkV2QueryJobs"]["Remaining"] == 10_000


class TestCallsAtOneTime:
    def _at_once(self, crm: Client, number: int) -> list[int]:
        address, headers = f"{crm.base}/orgs/{crm.org}{API}{LIMITS}", dict(crm.http.headers)
        with ThreadPoolExecutor(number) as pool:
            found = pool.map(lambda _: crm.http.get(address, headers=headers).status_code, range(number))
            return sorted(found)

    def test_too_many_are_refused_and_the_most_is_remembered(self, scratch: Client) -> None:
        scratch.control("limits", concurrent=2)
        scratch.control("fault", kind="slow", path_contains=LIMITS, seconds=2, times=0)
        stats = f"{scratch.base}/_sandbox/orgs/scratch/stats"
        scratch.http.delete(stats)
        answers = self._at_once(scratch, 4)
        assert answers == [200, 200, 403, 403]
        traffic = scratch.http.get(f"{stats}/traffic").json()
        assert (traffic["in_flight"], traffic["most_in_flight"], traffic["refused_as_concurrent"]) == (
            0,
            2,
            2,
        )
        assert 2 <= traffic["most_in_a_second"] <= 4
