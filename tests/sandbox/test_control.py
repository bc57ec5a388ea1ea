"""The commands for tests."""

import time

import httpx
import pytest

from .conftest import API, Client, Server

LIMITS = "/limits"


class TestFaults:
    def test_a_status_strikes_so_many_times_then_no_more(self, scratch: Client) -> None:
        scratch.control("fault", kind="status", status=503, path_contains=LIMITS, times=2, after=1)
        assert [scratch.get(LIMITS).status_code for _ in range(4)] == [200, 503, 503, 200]

    @pytest.mark.parametrize(
        ("status", "code"),
        [(401, "INVALID_SESSION_ID"), (403, "REQUEST_LIMIT_EXCEEDED"), (500, "UNKNOWN_EXCEPTION")],
    )
    def test_bodies_are_worded_as_salesforce_words_the_status(
        self, scratch: Client, status: int, code: str
    ) -> None:
        scratch.control("fault", kind="status", status=status, path_contains=LIMITS)
        assert scratch.get(LIMITS).json()[0]["errorCode"] == code

    def test_a_body_and_headers_can_be_given(self, scratch: Client) -> None:
        scratch.control(
            "fault",
            kind="status",
            status=429,
            path_contains="/token",
            body="no",
            headers={"Retry-After": "3"},
        )
        answer = scratch.token_request(grant_type="client_credentials")
        assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (429, "no", "3")

    def test_one_organisations_faults_leave_others_alone(self, scratch: Client, crm: Client) -> None:
        scratch.control("fault", kind="status", path_contains=LIMITS)
        assert crm.get(LIMITS).status_code == 200
        assert scratch.get(LIMITS).status_code == 500

    def test_a_timeout_keeps_silent_until_the_client_gives_up(self, scratch: Client) -> None:
        scratch.control("fault", kind="timeout", path_contains=LIMITS)
        with pytest.raises(httpx.ReadTimeout):
            scratch.http.get(f"{API}{LIMITS}", timeout=0.3)
        assert scratch.get(LIMITS).status_code == 200

    def test_a_slow_answer_is_whole_but_late(self, scratch: Client) -> None:
        scratch.control("fault", kind="slow", path_contains=LIMITS, seconds=0.4)
        started = time.monotonic()
        assert "DailyApiRequests" in scratch.get(LIMITS).json()
        assert time.monotonic() - started >= 0.4

    def test_a_cut_answer_is_an_error_of_the_connection(self, scratch: Client) -> None:
        scratch.control("fault", kind="cut", path_contains=LIMITS)
        with pytest.raises(httpx.RemoteProtocolError):
            scratch.get(LIMITS)

    def test_each_call_may_fail_by_chance_the_same_each_time(self, scratch: Client) -> None:
        runs = []
        for _ in range(2):
            scratch.control(
                "fault", kind="status", status=503, path_contains=LIMITS, probability=0.3, seed=11
            )
            runs.append([scratch.get(LIMITS).status_code for _ in range(60)])
            scratch.control("faults/clear")
        assert runs[0] == runs[1]
        assert 8 <= runs[0].count(503) <= 30
        assert scratch.get(LIMITS).status_code == 200

    def test_faults_can_be_seen_and_cleared(self, scratch: Client) -> None:
        scratch.control("fault", kind="status", path_contains=LIMITS, times=0)
        assert [
            fault["path_contains"]
            for fault in scratch.http.get(f"{scratch.base}/_sandbox/faults").json()["waiting"]
        ] == [LIMITS]
        assert scratch.control("faults/clear") == {"waiting": []}
        assert scratch.get(LIMITS).status_code == 200

    @pytest.mark.parametrize("body", [{"kind": "magic"}, {"kind": "cut", "colour": "red"}, {}])
    def test_a_fault_that_does_not_exist_is_refused(self, scratch: Client, body: dict[str, str]) -> None:
        answer = scratch.try_control("fault", **body)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "BAD_COMMAND")


class TestChanges:
    def test_a_change_moves_the_stamp_and_keeps_history(self, scratch: Client) -> None:
        deal = scratch.records("SELECT Id, CloseDate FROM Opportunity WHERE IsClosed = false LIMIT 1")[0][
            "Id"
        ]
        scratch.control("clock", fix="2031-05-05T05:05:05Z")
        scratch.control(
            "update", object="Opportunity", id=deal, fields={"CloseDate": "2031-09-30", "Amount": 777}
        )
        read = f"SELECT SystemModstamp, LastModifiedDate, Amount FROM Opportunity WHERE Id = '{deal}'"
        moment = "2031-05-05T05:05:05.000+0000"
        assert scratch.records(read) == [
            {"SystemModstamp": moment, "LastModifiedDate": moment, "Amount": 777.0}
        ]
        last = f"SELECT CloseDate, Amount FROM OpportunityHistory WHERE OpportunityId = '{deal}' ORDER BY CreatedDate DESC LIMIT 1"
        assert scratch.records(last) == [{"CloseDate": "2031-09-30", "Amount": 777.0}]

    def test_a_stamp_given_by_hand_wins(self, scratch: Client) -> None:
        account = scratch.values("SELECT Id FROM Account LIMIT 1")[0]
        scratch.control(
            "update", object="Account", id=account, fields={"SystemModstamp": "2020-01-01T00:00:00Z"}
        )
        assert scratch.values(f"SELECT SystemModstamp FROM Account WHERE Id = '{account}'") == [
            "2020-01-01T00:00:00.000+0000"
        ]

    def test_a_deleted_deal_takes_its_children_along_and_back(self, scratch: Client) -> None:
        deal = scratch.values("SELECT Id FROM Opportunity LIMIT 1")[0]
        history = f"OpportunityHistory WHERE OpportunityId = '{deal}'"
        before = scratch.count(history)
        scratch.control("delete", object="Opportunity", id=deal)
        assert scratch.count(f"Opportunity WHERE Id = '{deal}'") == scratch.count(history) == 0
        assert scratch.try_control("delete", object="Opportunity", id=deal).status_code == 404
        scratch.control("undelete", object="Opportunity", id=deal)
        assert scratch.count(f"Opportunity WHERE Id = '{deal}'") == 1
        assert scratch.count(history) == before > 0

    def test_a_finished_task_is_the_deals_last_activity(self, scratch: Client) -> None:
        deal = scratch.values("SELECT Id FROM Opportunity WHERE IsClosed = false LIMIT 1")[0]
        today = scratch.control("clock")["now"][:10]
        fields = {"WhatId": deal, "Subject": "Call", "Status": "Completed", "ActivityDate": today}
        assert scratch.control("create", object="Task", fields=fields)["id"].startswith("00T")
        assert scratch.values(f"SELECT LastActivityDate FROM Opportunity WHERE Id = '{deal}'") == [today]

    def test_unknown_records_fields_and_objects_are_refused(self, scratch: Client) -> None:
        assert scratch.try_control("update", object="Account", id="001x", fields={}).status_code == 404
        assert scratch.try_control("update", object="Nothing", id="001x", fields={}).status_code == 404
        account = scratch.values("SELECT Id FROM Account LIMIT 1")[0]
        assert (
            scratch.try_control("update", object="Account", id=account, fields={"Nope": 1}).status_code == 400
        )


class TestLooking:
    def test_calls_are_counted_by_pattern(self, scratch: Client) -> None:
        account = scratch.values("SELECT Id FROM Account LIMIT 1")[0]
        address = f"{scratch.base}/_sandbox/orgs/scratch/stats"
        scratch.http.delete(address)
        for _ in range(3):
            scratch.get(f"/sobjects/Account/{account}")
        assert scratch.http.get(address).json() == [
            {"method": "GET", "path": f"{API}/sobjects/Account/{{id}}", "status": 200, "calls": 3}
        ]

    def test_health_names_the_organisations(self, server: Server) -> None:
        health = httpx.get(f"{server.url}/_sandbox/health").json()
        assert health["status"] == "ok"
        assert [org["client_id"] for org in health["orgs"]] == [
            "sandbox-default",
            "sandbox-acme",
            "sandbox-scratch",
        ]

    def test_the_page_for_people_names_organisations_and_loads_nothing_from_elsewhere(
        self, server: Server
    ) -> None:
        answer = httpx.get(server.url)
        assert answer.headers["content-type"].startswith("text/html")
        assert "sandbox-acme" in answer.text
        assert "2,500" in answer.text
        assert "src=" not in answer.text
