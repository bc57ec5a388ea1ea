"""The REST data API."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin

import httpx
import pytest

from .conftest import API, Client


class TestTheApiItself:
    def test_versions_need_no_token(self, crm: Client) -> None:
        del crm.http.headers["Authorization"]
        found = {version["version"]: version for version in crm.http.get("/services/data").json()}
        assert found["61.0"] == {"label": "Summer '24", "url": "/services/data/v61.0", "version": "61.0"}

    @pytest.mark.parametrize(
        "path",
        ["/services//data", "/services/data/v9.0/limits", f"{API}/sobjects/Nothing/describe", f"{API}/nope"],
    )
    def test_addresses_that_lead_nowhere_are_404(self, crm: Client, path: str) -> None:
        answer = crm.http.get(path)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "NOT_FOUND")

    def test_every_answer_tells_how_much_of_the_daily_limit_is_used(self, crm: Client) -> None:
        first, second = (crm.get("/limits").headers["Sforce-Limit-Info"] for _ in range(2))
        used = [int(header.removeprefix("api-usage=").partition("/")[0]) for header in (first, second)]
        assert used[1] == used[0] + 1
        assert first.endswith("/100000")

    def test_describe_tells_types_and_references(self, crm: Client) -> None:
        names = {each["name"] for each in crm.get("/sobjects").json()["sobjects"]}
        assert {"User", "Account", "Contact", "Opportunity", "OpportunityHistory", "Task", "Event"} <= names
        described = crm.get("/sobjects/opportunity/describe").json()
        fields = {field["name"]: field for field in described["fields"]}
        assert described["keyPrefix"] == "006"
        assert fields["Amount"]["type"] == "currency"
        assert fields["OwnerId"]["referenceTo"] == ["User"]
        assert fields["OwnerId"]["relationshipName"] == "Owner"
        assert [value["value"] for value in fields["StageName"]["picklistValues"]][-1] == "Closed Lost"


class TestQuery:
    def test_pages_of_2000_hold_every_row_once(self, crm: Client) -> None:
        page = crm.query("SELECT Id FROM Opportunity").json()
        assert page["done"] is False
        assert page["nextRecordsUrl"].startswith(f"{API}/query/0r8")
        rest = crm.http.get(page["nextRecordsUrl"]).json()
        ids = {record["Id"] for record in page["records"] + rest["records"]}
        assert len(page["records"]) == 2000
        assert rest["done"] is True
        assert len(ids) == page["totalSize"] == crm.count("Opportunity")

    def test_the_next_page_is_found_from_the_root_too(self, crm: Client) -> None:
        page = crm.query("SELECT Id FROM Opportunity").json()
        address = urljoin(str(crm.http.base_url), page["nextRecordsUrl"])
        assert httpx.get(address, headers=crm.http.headers).json()["done"] is True

    def test_the_page_size_can_be_asked_for_within_limits(self, crm: Client) -> None:
        crm.http.headers["Sforce-Query-Options"] = "batchSize=10"
        assert len(crm.query("SELECT Id FROM Opportunity").json()["records"]) == 200

    def test_values_have_their_json_types(self, crm: Client) -> None:
        record = crm.query(
            "SELECT Id, Amount, IsWon, CreatedDate, CloseDate, PushCount FROM Opportunity WHERE Amount > 0 LIMIT 1"
        )
        row = record.json()["records"][0]
        assert row["attributes"] == {"type": "Opportunity", "url": f"{API}/sobjects/Opportunity/{row['Id']}"}
        assert isinstance(row["Amount"], float)
        assert isinstance(row["PushCount"], int)
        assert isinstance(row["IsWon"], bool)
        assert row["CreatedDate"].endswith(".000+0000")
        assert datetime.fromisoformat(row["CloseDate"])

    def test_fields_of_the_record_above_come_nested(self, crm: Client) -> None:
        row = crm.records(
            "SELECT Id, OwnerId, Owner.Email, Account.BillingAddress, Account.Owner.Name FROM Opportunity LIMIT 1"
        )[0]
        address = f"/services/data/v61.0/sobjects/User/{row['OwnerId']}"
        assert row["Owner"]["attributes"] == {"type": "User", "url": address}
        assert row["Account"]["Owner"]["Name"]
        assert "@" in row["Owner"]["Email"]
        assert set(row["Account"]["BillingAddress"]) == {"street", "city", "state", "postalCode", "country"}

    def test_a_record_above_that_there_is_not_is_null(self, scratch: Client) -> None:
        made = scratch.control(
            "create",
            object="Opportunity",
            fields={"Name": "x", "StageName": "Proposal", "CloseDate": "2030-01-01"},
        )
        soql = f"SELECT Account.Name, Account.Owner.Name FROM Opportunity WHERE Id = '{made['id']}'"
        assert scratch.records(soql) == [{"Account": None}]

    def test_deleted_rows_show_only_in_query_all(self, crm: Client) -> None:
        living, all_ = (
            crm.query("SELECT COUNT() FROM Opportunity", end).json()["totalSize"]
            for end in ("query", "queryAll")
        )
        assert all_ == 2500
        assert living < all_
        assert crm.records(
            "SELECT IsDeleted FROM Opportunity WHERE IsDeleted = true LIMIT 1", "queryAll"
        ) == [{"IsDeleted": True}]

    def test_a_locator_lives_for_two_days(self, drifting: Client) -> None:
        drifting.http.headers["Sforce-Query-Options"] = "batchSize=200"
        more = drifting.query("SELECT Id FROM Opportunity").json()["nextRecordsUrl"]
        drifting.control("clock", advance_seconds=2 * 86400 - 60)
        assert drifting.http.get(more).status_code == 200
        drifting.control("clock", advance_seconds=120)
        assert drifting.http.get(more).json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"

    def test_a_made_up_locator_is_refused(self, crm: Client) -> None:
        assert crm.get("/query/0r8xx-2000").json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


class TestRecords:
    def test_a_record_is_made_read_changed_and_deleted(self, scratch: Client) -> None:
        fields = {"Name": "New deal", "StageName": "Discovery", "CloseDate": "2031-01-31", "Amount": 5000}
        made = scratch.http.post(f"{API}/sobjects/Opportunity/", json=fields)
        assert (made.status_code, made.json()["success"]) == (201, True)
        address = f"{API}/sobjects/Opportunity/{made.json()['id']}"
        assert scratch.http.patch(address, json={"StageName": "Closed Won"}).status_code == 204
        record = scratch.http.get(address[:-3]).json()
        assert (record["IsWon"], record["Probability"], record["ExpectedRevenue"]) == (True, 100.0, 5000.0)
        history = scratch.values(
            f"SELECT StageName FROM OpportunityHistory WHERE OpportunityId = '{made.json()['id']}'"
        )
        assert history == ["Discovery", "Closed Won"]
        assert scratch.http.delete(address).status_code == 204
        assert scratch.http.get(address).status_code == 404

    def test_only_the_asked_fields_come(self, crm: Client) -> None:
        deal = crm.values("SELECT Id FROM Opportunity LIMIT 1")[0]
        assert set(crm.get(f"/sobjects/Opportunity/{deal}", fields="Id,Name").json()) == {
            "attributes",
            "Id",
            "Name",
        }

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ('{"Name": "x"}', "REQUIRED_FIELD_MISSING"),
            ('{"Nmae": "x"}', "INVALID_FIELD"),
            ("{", "JSON_PARSER_ERROR"),
            ("[]", "JSON_PARSER_ERROR"),
        ],
    )
    def test_a_bad_record_is_refused(self, scratch: Client, body: str, code: str) -> None:
        answer = scratch.http.post(f"{API}/sobjects/Opportunity", content=body)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, code)

    def test_users_cannot_be_deleted(self, scratch: Client) -> None:
        user = scratch.values("SELECT Id FROM User LIMIT 1")[0]
        assert scratch.http.delete(f"{API}/sobjects/User/{user}").status_code == 400


def moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


class TestChangeLists:
    def test_a_changed_record_is_listed_and_covered_by_the_date_given(self, scratch: Client) -> None:
        deal = scratch.values("SELECT Id FROM Opportunity LIMIT 1")[0]
        start = datetime.now(UTC) - timedelta(seconds=2)
        scratch.control("update", object="Opportunity", id=deal, fields={"NextStep": "Call"})
        listed = scratch.get(
            "/sobjects/Opportunity/updated/", start=moment(start), end=moment(start + timedelta(days=1))
        ).json()
        assert deal in listed["ids"]
        assert datetime.fromisoformat(listed["latestDateCovered"]) <= datetime.now(UTC)

    def test_a_long_transaction_holds_the_covered_date_back(self, scratch: Client) -> None:
        scratch.control("clock", covered_lag_seconds=3600)
        now = datetime.now(UTC)
        listed = scratch.get(
            "/sobjects/Task/updated", start=moment(now - timedelta(hours=2)), end=moment(now)
        ).json()
        assert datetime.fromisoformat(listed["latestDateCovered"]) <= now - timedelta(minutes=59)

    def test_soft_and_hard_deletions_are_listed(self, scratch: Client) -> None:
        soft, hard = scratch.values("SELECT Id FROM Contact LIMIT 2")
        now = datetime.now(UTC)
        scratch.control("delete", object="Contact", id=soft)
        scratch.control("delete", object="Contact", id=hard, hard=True)
        span = {"start": moment(now - timedelta(minutes=1)), "end": moment(now + timedelta(minutes=1))}
        listed = scratch.get("/sobjects/Contact/deleted/", **span).json()
        assert {soft, hard} <= {each["id"] for each in listed["deletedRecords"]}
        assert soft not in scratch.get("/sobjects/Contact/updated/", **span).json()["ids"]
        in_the_bin = scratch.records("SELECT Id FROM Contact WHERE IsDeleted = true", "queryAll")
        assert {"Id": soft} in in_the_bin
        assert {"Id": hard} not in in_the_bin

    @pytest.mark.parametrize(
        ("back", "length"), [(timedelta(hours=1), timedelta(0)), (timedelta(days=31), timedelta(days=1))]
    )
    def test_an_impossible_span_is_refused(self, crm: Client, back: timedelta, length: timedelta) -> None:
        start = datetime.now(UTC) - back
        answer = crm.get("/sobjects/Account/updated", start=moment(start), end=moment(start + length))
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_REPLICATION_DATE")
