"""The made-up organisation."""

import itertools
from collections import Counter
from pathlib import Path

import pytest

from .conftest import PEOPLE, Client, Refusal, Server, Start

OBJECTS = (
    "User",
    "Account",
    "Contact",
    "Opportunity",
    "OpportunityContactRole",
    "OpportunityHistory",
    "Task",
    "Event",
)
Rows = list[dict[str, str]]


class TestTheSameEachTime:
    def test_scale_seed_and_day_decide_every_value(self, start: Start) -> None:
        snapshots = []
        for _ in range(2):
            crm = start("--scale", 120, "--seed", 7, "--today", "2026-03-01").client()
            snapshots.append({name: crm.snapshot(name, deleted=1) for name in OBJECTS})
        assert snapshots[0] == snapshots[1]
        assert len(snapshots[0]["Opportunity"]) == 120

    def test_another_seed_makes_other_records(self, crm: Client, acme: Client) -> None:
        assert not {row["Id"] for row in crm.snapshot("Opportunity")} & {
            row["Id"] for row in acme.snapshot("Opportunity")
        }


class TestPeople:
    def test_given_people_come_first_and_as_given(self, acme: Client) -> None:
        users = acme.snapshot("User")
        emails = {user["Id"]: user["Email"] for user in users}
        shown = [
            f"{user['Email']},{user['FirstName']},{user['LastName']},{emails.get(user['ManagerId'], '')}"
            for user in users
        ]
        assert shown[:4] == PEOPLE.splitlines()[1:]
        assert len(users) > 20

    def test_given_people_own_deals_and_the_rest_sell_below_them(self, acme: Client) -> None:
        users, owned = acme.snapshot("User"), Counter(row["OwnerId"] for row in acme.snapshot("Opportunity"))
        ids = {user["Email"]: user["Id"] for user in users}
        assert owned[ids["manager@acme.example"]] >= 1
        assert min(owned[ids[f"{name}@acme.example"]] for name in ("rep.one", "rep.two")) >= 5
        head, manager = ids["head@acme.example"], ids["manager@acme.example"]
        assert [user["Email"] for user in users if not user["ManagerId"]] == ["head@acme.example"]
        assert sum(user["ManagerId"] == manager for user in users) > 2
        assert any(user["ManagerId"] == head and user["Title"] == "Regional Director" for user in users)

    def test_every_email_is_one_persons(self, crm: Client) -> None:
        emails = [row["Email"] for row in crm.snapshot("User")]
        assert len(set(emails)) == len(emails)
        people = crm.http.get(f"{crm.base}/_sandbox/people").json()
        assert [person["email"] for person in people] == emails

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("Email,Name\na@x,A\n", "the header must be Email,FirstName,LastName,ManagerEmail"),
            (
                "Email,FirstName,LastName,ManagerEmail\na@x,A,B,boss@x\n",
                "the manager boss@x is not in the file",
            ),
            ("Email,FirstName,LastName,ManagerEmail\na@x,A,B,a@x\n", "their own manager"),
            ("Email,FirstName,LastName,ManagerEmail\na@x,A,B,\nA@x,A,B,\n", "more than once"),
        ],
    )
    def test_a_people_file_that_does_not_do_is_refused(
        self, refusal: Refusal, tmp_path: Path, text: str, words: str
    ) -> None:
        (tmp_path / "people.csv").write_text(text)
        assert words in refusal("--org", f"x=5:1:{tmp_path / 'people.csv'}")


@pytest.fixture(scope="module")
def deals(server: Server) -> Rows:
    return server.client().snapshot("Opportunity", deleted=1)


@pytest.fixture(scope="module")
def histories(server: Server) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for row in server.client().snapshot("OpportunityHistory", deleted=1):
        found.setdefault(row["OpportunityId"], []).append(row)
    return found


class TestDeals:
    def test_about_a_third_is_open_some_overdue_some_stale(self, deals: Rows, crm: Client) -> None:
        open_ = [deal for deal in deals if deal["IsClosed"] == "false"]
        assert 0.28 < len(open_) / len(deals) < 0.4
        assert 0.05 < crm.count("Opportunity WHERE IsClosed = false AND CloseDate < TODAY") / len(open_) < 0.3
        assert (
            0.05
            < crm.count("Opportunity WHERE IsClosed = false AND LastActivityDate < LAST_N_DAYS:14")
            / len(open_)
            < 0.4
        )

    def test_the_last_history_row_says_what_the_deal_says(
        self, deals: Rows, histories: dict[str, Rows]
    ) -> None:
        for deal in deals:
            last = histories[deal["Id"]][-1]
            for name in ("StageName", "Amount", "CloseDate", "Probability", "ForecastCategory"):
                assert deal[name] == last[name], (deal, last)

    def test_history_follows_itself_and_time(self, histories: dict[str, Rows]) -> None:
        for rows in histories.values():
            assert rows[0]["PrevCloseDate"] == ""
            for before, after in itertools.pairwise(rows):
                assert before["CreatedDate"] <= after["CreatedDate"]
                assert (after["PrevAmount"], after["PrevCloseDate"]) == (
                    before["Amount"],
                    before["CloseDate"],
                )

    def test_pushes_are_counted_and_dates_slip_out_only(
        self, deals: Rows, histories: dict[str, Rows]
    ) -> None:
        assert sum(int(deal["PushCount"]) for deal in deals) > len(deals) / 5
        for deal in deals:
            days = [row["CloseDate"] for row in histories[deal["Id"]]]
            assert days == sorted(days)
            assert min(days) >= deal["CreatedDate"][:10]
            assert len(set(days)) == int(deal["PushCount"]) + 1

    def test_the_last_activity_is_the_latest_done(self, deals: Rows, crm: Client) -> None:
        done: dict[str, str] = {}
        for row in crm.snapshot("Task", deleted=1) + crm.snapshot("Event", deleted=1):
            if row.get("IsClosed", "true") == "true":
                done[row["WhatId"]] = max(done.get(row["WhatId"], ""), row["ActivityDate"])
        assert {deal["Id"]: deal["LastActivityDate"] for deal in deals if deal["LastActivityDate"]} == done

    def test_nothing_has_happened_after_now_and_stamps_keep_their_order(
        self, deals: Rows, crm: Client
    ) -> None:
        now = crm.control("clock")["now"]
        for deal in deals:
            assert (
                deal["CreatedDate"]
                <= deal["LastStageChangeDate"]
                <= deal["LastModifiedDate"]
                <= deal["SystemModstamp"]
                < now
            )

    def test_references_lead_somewhere(self, deals: Rows, crm: Client) -> None:
        ids = {name: {row["Id"] for row in crm.snapshot(name, deleted=1)} for name in OBJECTS}
        contacts = {row["Id"]: row["AccountId"] for row in crm.snapshot("Contact")}
        accounts = {deal["Id"]: deal["AccountId"] for deal in deals}
        assert all(deal["AccountId"] in ids["Account"] and deal["OwnerId"] in ids["User"] for deal in deals)
        assert set(contacts.values()) <= ids["Account"]
        roles = crm.snapshot("OpportunityContactRole")
        assert all(contacts[role["ContactId"]] == accounts[role["OpportunityId"]] for role in roles)
