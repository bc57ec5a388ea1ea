"""How records change and vanish: late transactions, merges, the recycle bin, stamps, odd data."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import API, Client

NOON = "2031-05-05T12:00:00Z"


def listed(
    crm: Client, kind: str, name: str, start: str = "2031-05-05T11:00:00Z", end: str = "2031-05-05T13:00:00Z"
) -> Any:
    return crm.get(f"/sobjects/{name}/{kind}/", start=start, end=end).json()


def one(crm: Client, soql: str) -> dict[str, Any]:
    return crm.records(f"{soql} LIMIT 1")[0]


@pytest.fixture
def at_noon(scratch: Client) -> Client:
    """The scratch organisation at a moment that stands still."""
    scratch.control("clock", fix=NOON)
    return scratch


class TestLateTransactions:
    def test_a_late_change_is_stamped_before_it_can_be_seen(self, at_noon: Client) -> None:
        deal = one(at_noon, "SELECT Id, NextStep FROM Opportunity")
        at_noon.control("late", object="Opportunity", id=deal["Id"], fields={"NextStep": "late"}, seconds=90)
        read = f"SELECT NextStep, SystemModstamp FROM Opportunity WHERE Id = '{deal['Id']}'"
        assert one(at_noon, read)["NextStep"] == deal["NextStep"]
        at_noon.control("clock", advance_seconds=89)
        assert deal["Id"] not in listed(at_noon, "updated", "Opportunity")["ids"]
        at_noon.control("clock", advance_seconds=1)
        assert one(at_noon, read) == {"NextStep": "late", "SystemModstamp": "2031-05-05T12:00:00.000+0000"}
        assert deal["Id"] in listed(at_noon, "updated", "Opportunity")["ids"]

    def test_the_covered_date_falls_back_to_the_oldest_open_transaction(self, at_noon: Client) -> None:
        deal = one(at_noon, "SELECT Id FROM Opportunity")["Id"]
        for seconds in (30, 120):
            at_noon.control(
                "late", object="Opportunity", id=deal, fields={"NextStep": str(seconds)}, seconds=seconds
            )
            at_noon.control("clock", advance_seconds=10)
        covered = []
        for _ in range(3):
            covered.append(listed(at_noon, "updated", "Task")["latestDateCovered"][11:19])
            at_noon.control("clock", advance_seconds=60)
        assert covered == ["12:00:00", "12:00:10", "12:02:20"]

    def test_a_late_record_and_a_late_deletion(self, at_noon: Client) -> None:
        gone = one(at_noon, "SELECT Id FROM Contact")["Id"]
        made = at_noon.control("late", object="Account", fields={"Name": "Late Ltd"}, seconds=5)["id"]
        at_noon.control("late", object="Contact", id=gone, delete=True, seconds=5)
        assert at_noon.count(f"Account WHERE Id = '{made}'") == 0
        assert at_noon.count(f"Contact WHERE Id = '{gone}'") == 1
        at_noon.control("clock", advance_seconds=5)
        assert at_noon.values(f"SELECT CreatedDate FROM Account WHERE Id = '{made}'") == [
            "2031-05-05T12:00:00.000+0000"
        ]
        assert at_noon.count(f"Contact WHERE Id = '{gone}'") == 0
        assert gone in [each["id"] for each in listed(at_noon, "deleted", "Contact")["deletedRecords"]]

    def test_bulk_sees_no_sooner(self, at_noon: Client) -> None:
        at_noon.control("late", object="Account", fields={"Name": "Bulk Late"}, seconds=5)
        soql = "SELECT Id FROM Account WHERE Name = 'Bulk Late'"
        assert at_noon.finished_job(soql)["numberRecordsProcessed"] == 0
        at_noon.control("clock", advance_seconds=5)
        assert at_noon.finished_job(soql)["numberRecordsProcessed"] == 1

    def test_an_impossible_change_is_refused_at_once(self, at_noon: Client) -> None:
        assert at_noon.try_control("late", object="Account", fields={"Nope": 1}, seconds=5).status_code == 400


class TestMerges:
    def test_the_losers_vanish_into_the_master(self, at_noon: Client) -> None:
        role = one(at_noon, "SELECT ContactId, Contact.AccountId FROM OpportunityContactRole")
        loser, account = role["ContactId"], role["Contact"]["AccountId"]
        master = at_noon.control(
            "create", object="Contact", fields={"LastName": "Kept", "AccountId": account}
        )["id"]
        tasks, roles = (at_noon.count(f"{name} WHERE {field} = '{loser}'")
                        for name, field in (("Task", "WhoId"), ("OpportunityContactRole", "ContactId")))  # fmt: skip
        at_noon.control("clock", advance_seconds=60)
        moved = at_noon.control("merge", object="Contact", master=master[:15], losers=[loser])["moved"]
        assert moved["OpportunityContactRole"] == roles > 0
        assert at_noon.count(f"OpportunityContactRole WHERE ContactId = '{master}'") == roles
        assert at_noon.count(f"Task WHERE WhoId = '{master}'") == tasks
        read = f"SELECT IsDeleted, MasterRecordId FROM Contact WHERE Id = '{loser}'"
        assert at_noon.records(read, "queryAll") == [{"IsDeleted": True, "MasterRecordId": master}]
        assert at_noon.count(f"Contact WHERE Id = '{loser}'") == 0
        assert loser in [each["id"] for each in listed(at_noon, "deleted", "Contact")["deletedRecords"]]
        changed = listed(at_noon, "updated", "Contact", start="2031-05-05T12:00:30Z")["ids"]
        assert master in changed
        assert loser not in changed

    def test_deals_of_a_merged_account_belong_to_the_master_and_are_stamped(self, at_noon: Client) -> None:
        master, loser = at_noon.values(
            "SELECT AccountId, COUNT(Id) FROM Opportunity WHERE AccountId != null GROUP BY AccountId LIMIT 2"
        )
        deals = at_noon.values(f"SELECT Id FROM Opportunity WHERE AccountId = '{loser}'")
        at_noon.control("merge", object="Account", master=master, losers=[loser])
        assert set(deals) <= set(at_noon.values(f"SELECT Id FROM Opportunity WHERE AccountId = '{master}'"))
        assert set(deals) <= set(listed(at_noon, "updated", "Opportunity")["ids"])

    @pytest.mark.parametrize("name", ["Opportunity", "Contact"])
    def test_what_cannot_be_merged_is_refused(self, scratch: Client, name: str) -> None:
        first = one(scratch, f"SELECT Id FROM {name}")["Id"]
        answer = scratch.try_control("merge", object=name, master=first, losers=[first])
        assert answer.json()[0]["errorCode"] == "INVALID_OPERATION_WITH_ARGUMENTS"


class TestTheRecycleBin:
    def test_emptied_it_leaves_only_the_deleted_list(self, at_noon: Client) -> None:
        task = one(at_noon, "SELECT Id FROM Task")["Id"]
        at_noon.control("delete", object="Task", id=task[:15])
        assert (
            at_noon.query(f"SELECT COUNT() FROM Task WHERE Id = '{task}'", "queryAll").json()["totalSize"]
            == 1
        )
        at_noon.control("clock", advance_seconds=600)
        assert at_noon.control("empty_bin", object="Task")["removed"] >= 1
        assert (
            at_noon.query(f"SELECT COUNT() FROM Task WHERE Id = '{task}'", "queryAll").json()["totalSize"]
            == 0
        )
        gone = {
            each["id"]: each["deletedDate"] for each in listed(at_noon, "deleted", "Task")["deletedRecords"]
        }
        assert gone[task] == "2031-05-05T12:00:00.000+0000"
        assert at_noon.try_control("undelete", object="Task", id=task).status_code == 404


class TestStamps:
    def test_a_finished_task_may_move_the_date_and_not_the_stamp(self, at_noon: Client) -> None:
        at_noon.control("behaviour", activity_moves_stamp=False)
        deal = one(at_noon, "SELECT Id, SystemModstamp FROM Opportunity")
        fields = {
            "WhatId": deal["Id"],
            "Subject": "Call",
            "Status": "Completed",
            "ActivityDate": "2031-05-05",
        }
        at_noon.control("create", object="Task", fields=fields)
        read = f"SELECT LastActivityDate, SystemModstamp FROM Opportunity WHERE Id = '{deal['Id']}'"
        assert one(at_noon, read) == {
            "LastActivityDate": "2031-05-05",
            "SystemModstamp": deal["SystemModstamp"],
        }

    def test_change_lists_may_go_by_whole_minutes(self, at_noon: Client) -> None:
        deal = one(at_noon, "SELECT Id FROM Opportunity")["Id"]
        at_noon.control("update", object="Opportunity", id=deal, fields={"NextStep": "x"})
        at_noon.control("behaviour", change_list_seconds=60)
        at_noon.control("clock", advance_seconds=90)
        span = {"start": "2031-05-05T12:00:40Z", "end": "2031-05-05T12:01:59Z"}
        answer = listed(at_noon, "updated", "Opportunity", **span)
        assert deal in answer["ids"], "the start is cut to 12:00:00"
        assert answer["latestDateCovered"] == "2031-05-05T12:01:00.000+0000"

    def test_tracked_fields_leave_a_row_each(self, at_noon: Client) -> None:
        deal = one(at_noon, "SELECT Id, Amount FROM Opportunity WHERE Amount > 0")
        at_noon.control("update", object="Opportunity", id=deal["Id"], fields={"Amount": 7, "NextStep": "x"})
        rows = at_noon.records(
            f"SELECT Field, OldValue, NewValue, CreatedDate FROM OpportunityFieldHistory WHERE OpportunityId = '{deal['Id']}' "
            "ORDER BY CreatedDate DESC LIMIT 1"
        )
        assert rows == [{
            "Field": "Amount", "OldValue": str(deal["Amount"]), "NewValue": "7.0", "CreatedDate": "2031-05-05T12:00:00.000+0000",
        }]  # fmt: skip
        history = at_noon.values(f"SELECT Id FROM OpportunityFieldHistory WHERE CreatedDate = {NOON}")
        assert set(history) <= set(listed(at_noon, "updated", "OpportunityFieldHistory")["ids"])


class TestOddData:
    def test_names_come_unharmed_by_rest_and_by_bulk(self, drifting: Client) -> None:
        ids = drifting.control("oddities", kind="names", object="Account", records=20)["ids"]
        by_rest = {
            row["Id"]: row["Name"] for row in drifting.records("SELECT Id, Name FROM Account LIMIT 2000")
        }
        names = [by_rest[each] for each in ids]
        assert any("\0" in name for name in names)
        assert any("🚀" in name for name in names)
        assert any('"' in name and "'" in name for name in names)
        text = drifting.results(drifting.finished_job("SELECT Id, Name FROM Account")).text
        by_bulk = {row["Id"]: row["Name"] for row in csv.DictReader(io.StringIO(text, newline=""))}
        assert by_bulk == by_rest
        assert "\\u0000" in drifting.query("SELECT Name FROM Account").text

    def test_many_records_may_share_one_stamp(self, drifting: Client) -> None:
        drifting.control("clock", fix=NOON)
        ids = drifting.control("oddities", kind="equal_stamps", records=120)["ids"]
        assert len(ids) == 120
        assert set(drifting.values(f"SELECT Id FROM Opportunity WHERE SystemModstamp = {NOON}")) == set(ids)

    def test_days_of_clock_changes(self, drifting: Client) -> None:
        ids = drifting.control("oddities", kind="local_dates", object="Opportunity")["ids"]
        days = set(
            drifting.values(
                f"SELECT CloseDate FROM Opportunity WHERE Id IN ('{ids[0]}','{ids[2]}','{ids[7]}')"
            )
        )
        assert days == {"2026-03-08", "2026-03-29", "9999-12-31"}

    def test_ids_of_15_characters_do_everywhere(self, scratch: Client) -> None:
        deal = one(scratch, "SELECT Id, OwnerId FROM Opportunity")
        short = deal["Id"][:15]
        assert scratch.get(f"/sobjects/Opportunity/{short}").json()["Id"] == deal["Id"]
        assert (
            scratch.http.patch(f"{API}/sobjects/Opportunity/{short}", json={"NextStep": "short"}).status_code
            == 204
        )
        assert scratch.values(f"SELECT NextStep FROM Opportunity WHERE Id = '{short}'") == ["short"]
        assert scratch.count(f"Opportunity WHERE OwnerId = '{deal['OwnerId'][:15]}'") >= 1
        scratch.control("update", object="Opportunity", id=short, fields={"NextStep": "shorter"})
        job = scratch.finished_job("SELECT Id FROM User")
        assert scratch.get(f"/jobs/query/{job['id'][:15]}").json()["id"] == job["id"]

    def test_now_is_the_machines_unless_told(self, scratch: Client) -> None:
        now = datetime.fromisoformat(scratch.control("clock")["now"])
        assert abs(now - datetime.now(UTC)) < timedelta(seconds=5)
