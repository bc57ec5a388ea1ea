"""simple-salesforce, the Python client that most scripts use, reads from the sandbox."""

import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hand import Hand
from salesforce_parts import bare, ids, rows
from simple_salesforce import format_soql
from simple_salesforce.exceptions import (
    SalesforceMalformedRequest,
    SalesforceOperationError,
    SalesforceResourceNotFound,
)

pytest_plugins = ("salesforce_parts",)


class TestQuerying:
    def test_all_pages_hold_every_living_row_once(self, sf: Any, crm: Hand) -> None:
        found = sf.query_all("SELECT Id FROM Opportunity")
        assert len(found["records"]) > 2 * 2000
        assert ids(found["records"]) == ids(crm.snapshot("Opportunity"))

    def test_deleted_rows_come_when_asked_for(self, sf: Any, crm: Hand) -> None:
        found = sf.query_all("SELECT Id, IsDeleted FROM Opportunity", include_deleted=True)["records"]
        assert ids(found) == ids(crm.snapshot("Opportunity", deleted=1))
        gone = {each["Id"] for each in found if each["IsDeleted"]}
        assert gone
        assert gone.isdisjoint(ids(crm.snapshot("Opportunity")))

    def test_values_and_types(self, sf: Any, crm: Hand) -> None:
        fields = "Id, Name, Amount, Probability, CloseDate, IsClosed, PushCount, NextStep, SystemModstamp"
        truth = {each["Id"]: each for each in crm.snapshot("Opportunity")}
        for record in sf.query(f"SELECT {fields} FROM Opportunity")["records"]:
            there = truth[record["Id"]]
            assert record["Name"] == there["Name"]
            assert record["Amount"] == (float(there["Amount"]) if there["Amount"] else None)
            assert record["IsClosed"] is (there["IsClosed"] == "true")
            assert (record["CloseDate"], record["NextStep"] or "") == (there["CloseDate"], there["NextStep"])
            assert record["SystemModstamp"] == there["SystemModstamp"].replace("Z", "+0000")

    def test_the_fields_of_related_records(self, sf: Any, crm: Hand) -> None:
        users = {each["Id"]: each for each in crm.snapshot("User")}
        accounts = {each["Id"]: each for each in crm.snapshot("Account")}
        fields = "Id, OwnerId, Owner.Email, AccountId, Account.Name, Account.Owner.Email"
        soql = f"SELECT {fields} FROM Opportunity ORDER BY Id LIMIT 300"
        for record in sf.query(soql)["records"]:
            assert record["Owner"]["Email"] == users[record["OwnerId"]]["Email"]
            assert record["Owner"]["attributes"]["type"] == "User"
            account = accounts[record["AccountId"]]
            assert record["Account"]["Name"] == account["Name"]
            assert record["Account"]["Owner"]["Email"] == users[account["OwnerId"]]["Email"]
            assert record["Account"]["Owner"]["attributes"]["url"].endswith(f"/User/{account['OwnerId']}")

    def test_a_record_that_refers_to_nothing_has_null_there(self, writer: Any) -> None:
        made = writer.Opportunity.create(
            {"Name": "Alone", "StageName": "Discovery", "CloseDate": "2030-01-31"}
        )
        soql = format_soql(
            "SELECT Account.Name, Account.Owner.Name FROM Opportunity WHERE Id = {}", made["id"]
        )
        assert bare(writer.query(soql)["records"][0]) == {"Account": None}

    def test_the_next_page_by_its_address_and_by_its_id(self, sf: Any) -> None:
        first = sf.query(
            "SELECT Id FROM Opportunity ORDER BY Id", headers={"Sforce-Query-Options": "batchSize=500"}
        )
        assert (first["done"], len(first["records"])) == (False, 500)
        by_address = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
        by_id = sf.query_more(first["nextRecordsUrl"].rpartition("/")[2])
        assert by_address == by_id
        assert by_address["totalSize"] == first["totalSize"]
        assert ids(by_address["records"])[0] > ids(first["records"])[-1]

    def test_pages_are_fetched_one_by_one(self, sf: Any, crm: Hand) -> None:
        before = crm.calls("/query")
        records = sf.query_all_iter("SELECT Id FROM Opportunity")
        next(records)
        assert crm.calls("/query") - before == 1
        rest = sum(1 for _ in records)
        assert crm.calls("/query") - before == math.ceil((rest + 1) / 2000)

    def test_counting_and_finding_nothing(self, sf: Any, crm: Hand) -> None:
        won = [each for each in crm.snapshot("Opportunity") if each["IsWon"] == "true"]
        counted = sf.query("SELECT COUNT() FROM Opportunity WHERE IsWon = true")
        assert (counted["totalSize"], counted["records"]) == (len(won), [])
        nothing = sf.query_all("SELECT Id FROM Opportunity WHERE Name = 'no such deal'")
        assert (nothing["totalSize"], nothing["records"]) == (0, [])

    def test_sums_by_group(self, sf: Any, crm: Hand) -> None:
        truth: dict[str, list[float]] = defaultdict(list)
        for row in crm.snapshot("Opportunity"):
            truth[row["StageName"]].append(float(row["Amount"] or 0))
        found = sf.query(
            "SELECT StageName, COUNT(Id) deals, SUM(Amount), MAX(Amount) FROM Opportunity GROUP BY StageName"
        )
        assert found["totalSize"] == len(truth)
        for record in found["records"]:
            amounts = truth.pop(record["StageName"])
            assert record["attributes"]["type"] == "AggregateResult"
            assert (record["deals"], record["expr1"]) == (len(amounts), max(amounts))
            assert record["expr0"] == pytest.approx(sum(amounts))
        assert not truth

    def test_sums_by_year(self, sf: Any, crm: Hand) -> None:
        truth = Counter(int(row["CloseDate"][:4]) for row in crm.snapshot("Opportunity"))
        soql = "SELECT CALENDAR_YEAR(CloseDate) y, COUNT(Id) n FROM Opportunity GROUP BY CALENDAR_YEAR(CloseDate)"
        assert {each["y"]: each["n"] for each in sf.query(soql)["records"]} == truth

    def test_a_query_that_does_not_parse(self, sf: Any) -> None:
        with pytest.raises(SalesforceMalformedRequest) as refused:
            sf.query("SELECT Id FROM Opportunity WHERE")
        assert refused.value.status == 400
        assert refused.value.content[0]["errorCode"] == "MALFORMED_QUERY"

    def test_a_field_that_there_is_not(self, sf: Any) -> None:
        with pytest.raises(SalesforceMalformedRequest) as refused:
            sf.query("SELECT Nope FROM Opportunity")
        assert refused.value.content[0]["errorCode"] == "INVALID_FIELD"
        assert "No such column 'Nope' on entity 'Opportunity'" in refused.value.content[0]["message"]

    def test_a_cursor_that_there_is_not(self, sf: Any) -> None:
        with pytest.raises(SalesforceMalformedRequest) as refused:
            sf.query_more("0r8000000000000AAA-2000")
        assert refused.value.content[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


class TestBulk:
    SOQL = "SELECT Id, Name, Amount, CloseDate FROM Opportunity"

    def test_pages_by_locator_hold_every_row_once(self, sf: Any, crm: Hand) -> None:
        pages = [rows(text) for text in sf.bulk2.Opportunity.query(self.SOQL, max_records=5000, wait=0)]
        truth = crm.snapshot("Opportunity", fields="Id,Name,Amount,CloseDate")
        assert [len(page) for page in pages[:-1]] == [5000] * (len(truth) // 5000)
        found = [row for page in pages for row in page]
        assert sorted(found, key=lambda row: row["Id"]) == sorted(truth, key=lambda row: row["Id"])

    def test_deleted_rows_come_when_asked_for(self, sf: Any, crm: Hand) -> None:
        text = "".join(sf.bulk2.Opportunity.query_all("SELECT Id FROM Opportunity", wait=0))
        assert ids(rows(text)) == ids(crm.snapshot("Opportunity", deleted=1))

    def test_files_are_streamed(self, sf: Any, crm: Hand, tmp_path: Path) -> None:
        files = sf.bulk2.OpportunityHistory.download(
            "SELECT Id, OpportunityId FROM OpportunityHistory", str(tmp_path), max_records=40_000, wait=0
        )
        parts = [rows(Path(each["file"]).read_text(encoding="utf-8")) for each in files]
        assert [len(part) for part in parts] == [each["number_of_records"] for each in files]
        assert ids([row for part in parts for row in part]) == ids(crm.snapshot("OpportunityHistory"))
        assert len(files) == 2

    def test_other_delimiters_and_line_endings(self, sf: Any, crm: Hand) -> None:
        soql = "SELECT Id, Name FROM Account"
        (text,) = sf.bulk2.Account.query(soql, column_delimiter="PIPE", line_ending="CRLF", wait=0)
        assert text.startswith('"Id"|"Name"\r\n')
        assert len(rows(text, delimiter="|")) == len(crm.snapshot("Account"))

    def test_a_job_that_fails_says_why(self, writer: Any, scratch: Hand) -> None:
        scratch.fault(kind="job_failed", body="InternalServerError: too much to read")
        with pytest.raises(SalesforceOperationError, match="InternalServerError: too much to read"):
            list(writer.bulk2.Account.query("SELECT Id FROM Account", wait=0))

    def test_a_job_that_somebody_aborts(self, writer: Any, scratch: Hand) -> None:
        scratch.fault(kind="job_aborted")
        with pytest.raises(SalesforceOperationError, match="Aborted"):
            list(writer.bulk2.Account.query("SELECT Id FROM Account", wait=0))

    @pytest.mark.parametrize(
        "soql",
        [
            "SELECT Id, BillingAddress FROM Account",
            "SELECT COUNT() FROM Account",
            "SELECT Industry, COUNT(Id) FROM Account GROUP BY Industry",
            "SELECT Id FROM Account LIMIT 5 OFFSET 5",
            "SELECT Nope FROM Account",
        ],
    )
    def test_queries_that_bulk_does_not_take(self, sf: Any, soql: str) -> None:
        with pytest.raises(SalesforceMalformedRequest) as refused:
            list(sf.bulk2.Account.query(soql, wait=0))
        assert refused.value.content[0]["errorCode"] in {"API_ERROR", "INVALID_FIELD"}


class TestDescribing:
    def test_every_object_is_listed(self, sf: Any) -> None:
        listed = {each["name"]: each for each in sf.describe()["sobjects"]}
        assert {
            "Account",
            "Contact",
            "Opportunity",
            "OpportunityHistory",
            "Task",
            "Event",
            "User",
        } <= listed.keys()
        assert listed["Opportunity"]["keyPrefix"] == "006"
        assert listed["Opportunity"]["urls"]["describe"].endswith("/sobjects/Opportunity/describe")

    def test_the_fields_of_an_object_are_those_that_can_be_read(self, sf: Any, crm: Hand) -> None:
        fields = {each["name"]: each for each in sf.Opportunity.describe()["fields"]}
        (first, *_) = crm.snapshot("Opportunity")
        assert first.keys() <= fields.keys()
        names = ", ".join(name for name, field in fields.items() if field["type"] != "address")
        assert sf.query(f"SELECT {names} FROM Opportunity LIMIT 5")["totalSize"] == 5
        assert fields["OwnerId"]["referenceTo"] == ["User"]
        assert fields["OwnerId"]["relationshipName"] == "Owner"
        stages = {value["value"] for value in fields["StageName"]["picklistValues"] if value["active"]}
        assert {each["StageName"] for each in crm.snapshot("Opportunity")} <= stages

    def test_calculated_fields_follow_what_they_are_made_of(self, writer: Any, account: str) -> None:
        field = {each["name"]: each for each in writer.Opportunity.describe()["fields"]}[
            "Account_Industry__c"
        ]
        assert (field["calculated"], field["updateable"], bool(field["calculatedFormula"])) == (
            True,
            False,
            True,
        )
        deal = {"Name": "D", "StageName": "Proposal", "CloseDate": "2030-01-31", "AccountId": account}
        made = writer.Opportunity.create(deal)["id"]
        before = writer.Opportunity.get(made)
        writer.Account.update(account, {"Industry": "Energy"})
        after = writer.Opportunity.get(made)
        assert (before["Account_Industry__c"], after["Account_Industry__c"]) == (None, "Energy")
        assert after["SystemModstamp"] == before["SystemModstamp"]

    def test_a_new_field_shows_and_a_hidden_one_does_not(self, writer: Any, scratch: Hand) -> None:
        scratch.command("schema", object="Account", add={"name": "Witness__c", "type": "double"})
        made = writer.Account.create({"Name": "A", "Witness__c": 1.5})["id"]
        assert writer.Account.get(made)["Witness__c"] == 1.5
        scratch.command("schema", object="Account", hide="Witness__c")
        assert "Witness__c" not in {each["name"] for each in writer.Account.describe()["fields"]}
        with pytest.raises(SalesforceMalformedRequest, match="No such column 'Witness__c'"):
            writer.query("SELECT Witness__c FROM Account")

    def test_the_short_description(self, sf: Any) -> None:
        assert sf.Account.metadata()["objectDescribe"]["name"] == "Account"

    def test_an_object_that_there_is_not(self, sf: Any) -> None:
        with pytest.raises(SalesforceResourceNotFound) as refused:
            sf.Nope.describe()
        assert refused.value.status == 404
        assert refused.value.content[0]["errorCode"] == "NOT_FOUND"
