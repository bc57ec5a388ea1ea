"""simple-salesforce, the Python client that most scripts use, signs in, writes and meets errors at the sandbox."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from hand import AWKWARD, Hand
from salesforce_parts import CLIENT, SCRATCH, VERSION, ids, rows, signed_in, to_sandbox
from simple_salesforce import Salesforce, format_soql
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceGeneralError,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from urllib3.util import Retry

pytest_plugins = ("salesforce_parts",)


def asserted(username: str, key: str) -> Any:
    """A client that has signed in by a JWT, at the address where one asks for them."""
    consumer_key = CLIENT["consumer_key"]
    return signed_in(domain="login", username=username, consumer_key=consumer_key, privatekey=key)


class TestSigningIn:
    def test_with_a_users_password(self, crm: Hand) -> None:
        user = crm.snapshot("User")[1]
        sf = signed_in(username=user["Username"], password="sandbox", **CLIENT)
        assert sf.auth_type == "password"
        assert sf.oauth2("userinfo")["user_id"] == user["Id"]

    def test_with_client_credentials(self) -> None:
        sf = signed_in(**CLIENT)
        assert sf.auth_type == "client-credentials"
        assert sf.query("SELECT Id FROM User LIMIT 1")["totalSize"] == 1

    def test_with_a_token_from_elsewhere(self, sf: Any, crm: Hand) -> None:
        again = Salesforce(
            session_id=sf.session_id, instance=sf.sf_instance, version=VERSION, session=to_sandbox()
        )
        assert again.query("SELECT COUNT() FROM Account")["totalSize"] == len(crm.snapshot("Account"))

    def test_with_an_assertion_signed_by_a_private_key(self, crm: Hand) -> None:
        user = crm.snapshot("User")[2]
        sf = asserted(user["Username"], crm.text("jwt_key"))
        assert sf.auth_type == "jwt-bearer"
        assert sf.oauth2("userinfo")["user_id"] == user["Id"]

    def test_with_an_assertion_that_another_key_signed(self, crm: Hand, scratch: Hand) -> None:
        with pytest.raises(SalesforceAuthenticationFailed) as refused:
            asserted(crm.snapshot("User")[2]["Username"], scratch.text("jwt_key"))
        assert (refused.value.code, refused.value.auth_message) == ("invalid_grant", "invalid assertion")

    def test_with_an_assertion_about_a_stranger(self, crm: Hand) -> None:
        with (
            pytest.warns(UserWarning, match="self-authorize"),
            pytest.raises(SalesforceAuthenticationFailed) as refused,
        ):
            asserted("nobody@example.com", crm.text("jwt_key"))
        assert refused.value.auth_message == "user hasn't approved this consumer"

    @pytest.mark.parametrize(
        ("credentials", "code", "message"),
        [
            (CLIENT | {"consumer_secret": "guessed"}, "invalid_client", "invalid client credentials"),
            (CLIENT | {"consumer_key": "stranger"}, "invalid_client_id", "client identifier invalid"),
            (
                CLIENT | {"username": "nobody@example.com", "password": "sandbox"},
                "invalid_grant",
                "authentication failure",
            ),
        ],
    )
    def test_wrong_credentials_are_the_clients_own_error(
        self, credentials: dict[str, str], code: str, message: str
    ) -> None:
        with pytest.raises(SalesforceAuthenticationFailed) as refused:
            signed_in(**credentials)
        assert (refused.value.code, refused.value.auth_message) == (code, message)

    def test_a_wrong_password_of_a_known_user_too(self, crm: Hand) -> None:
        with pytest.raises(SalesforceAuthenticationFailed) as refused:
            signed_in(username=crm.snapshot("User")[0]["Username"], password="guessed", **CLIENT)
        assert refused.value.code == "invalid_grant"


class TestRecords:
    def test_create_read_update_delete(self, writer: Any, scratch: Hand, account: str) -> None:
        assert writer.Account.update(account, {"Industry": "Energy", "NumberOfEmployees": None}) == 204
        record = writer.Account.get(account)
        assert (record["Name"], record["Industry"], record["NumberOfEmployees"]) == (
            "Witness",
            "Energy",
            None,
        )
        assert writer.Account.delete(account) == 204
        assert account not in ids(scratch.snapshot("Account"))
        assert account in ids(scratch.snapshot("Account", deleted=1))
        with pytest.raises(SalesforceResourceNotFound):
            writer.Account.get(account)

    def test_changes_and_deletions_are_listed(self, writer: Any, account: str) -> None:
        now = datetime.now(UTC)
        span = (now - timedelta(minutes=5), now + timedelta(minutes=5))
        changed = writer.Account.updated(*span)
        assert account in changed["ids"]
        writer.Account.delete(account)
        deleted = writer.Account.deleted(*span)
        assert account in [each["id"] for each in deleted["deletedRecords"]]
        assert account not in writer.Account.updated(*span)["ids"]

    def test_the_list_says_up_to_when_it_is_complete(self, writer: Any, scratch: Hand) -> None:
        scratch.command("clock", covered_lag_seconds=600)
        now = datetime.now(UTC)
        covered = writer.Account.updated(now - timedelta(hours=1), now)["latestDateCovered"]
        moment = datetime.strptime(covered, "%Y-%m-%dT%H:%M:%S.%f%z")
        assert abs((now - moment).total_seconds() - 600) < 30

    def test_a_change_that_commits_late_holds_that_back(self, writer: Any, scratch: Hand) -> None:
        began = datetime.now(UTC).replace(microsecond=0)
        late = scratch.command("late", object="Account", fields={"Name": "Late"}, seconds=300)["id"]
        scratch.command("clock", advance_seconds=120)
        span = (began - timedelta(minutes=1), began + timedelta(minutes=10))
        changes = writer.Account.updated(*span)
        assert late not in changes["ids"]
        assert datetime.strptime(changes["latestDateCovered"], "%Y-%m-%dT%H:%M:%S.%f%z") <= began + timedelta(
            seconds=2
        )
        scratch.command("clock", advance_seconds=200)
        assert late in writer.Account.updated(*span)["ids"]

    def test_merging_leaves_the_master_and_a_trace(self, writer: Any, scratch: Hand, account: str) -> None:
        other = writer.Account.create({"Name": "Double"})["id"]
        deal = {"Name": "D", "StageName": "Proposal", "CloseDate": "2030-01-31", "AccountId": other}
        moved = writer.Opportunity.create(deal)["id"]
        scratch.command("merge", object="Account", master=account, losers=[other])
        assert writer.Opportunity.get(moved)["AccountId"] == account
        soql = format_soql("SELECT IsDeleted, MasterRecordId FROM Account WHERE Id = {}", other)
        (loser,) = writer.query_all(soql, include_deleted=True)["records"]
        assert (loser["IsDeleted"], loser["MasterRecordId"]) == (True, account)

    def test_several_calls_in_one(self, writer: Any, account: str) -> None:
        calls = [
            {"method": "GET", "url": f"v{VERSION}/sobjects/Account/{account}?fields=Name"},
            {"method": "GET", "url": f"v{VERSION}/sobjects/Account/001000000000000AAA"},
        ]
        answer = writer.restful("composite/batch", method="POST", json={"batchRequests": calls})
        assert [each["statusCode"] for each in answer["results"]] == [200, 404]
        assert (answer["hasErrors"], answer["results"][0]["result"]["Name"]) == (True, "Witness")

    def test_a_span_that_ends_before_it_starts(self, writer: Any) -> None:
        now = datetime.now(UTC)
        with pytest.raises(SalesforceMalformedRequest) as refused:
            writer.Account.updated(now, now - timedelta(hours=1))
        assert refused.value.content[0]["errorCode"] == "INVALID_REPLICATION_DATE"

    def test_awkward_text_comes_back_by_every_way(self, writer: Any, scratch: Hand) -> None:
        made = writer.Account.create({"Name": AWKWARD, "Website": "https://a.example/?q=1&r=2#%20"})["id"]
        assert writer.Account.get(made)["Name"] == AWKWARD
        soql = format_soql("SELECT Id, Name FROM Account WHERE Name = {}", AWKWARD)
        assert [each["Id"] for each in writer.query(soql)["records"]] == [made]
        pages = writer.bulk2.Account.query("SELECT Id, Name FROM Account", wait=0)
        assert {row["Id"]: row["Name"] for text in pages for row in rows(text)}[made] == AWKWARD
        assert {row["Id"]: row["Name"] for row in scratch.snapshot("Account")}[made] == AWKWARD

    def test_a_required_field_is_named(self, writer: Any) -> None:
        with pytest.raises(SalesforceMalformedRequest) as refused:
            writer.Contact.create({"FirstName": "Only"})
        (error,) = refused.value.content
        assert (error["errorCode"], error["fields"]) == ("REQUIRED_FIELD_MISSING", ["LastName"])

    def test_a_deleted_record_cannot_be_changed(self, writer: Any, account: str) -> None:
        writer.Account.delete(account)
        with pytest.raises(SalesforceResourceNotFound) as refused:
            writer.Account.update(account, {"Name": "Back"})
        assert refused.value.content[0]["errorCode"] == "ENTITY_IS_DELETED"


class TestLimits:
    SOQL = "SELECT Id FROM User LIMIT 1"

    def test_the_use_of_the_daily_limit_is_told_with_every_answer(self, writer: Any) -> None:
        used = []
        for _ in range(2):
            writer.query(self.SOQL)
            used.append(writer.api_usage["api-usage"])
        assert used[1].used == used[0].used + 1
        limits = writer.limits()
        assert limits["DailyApiRequests"]["Max"] == used[0].total
        assert limits["DailyApiRequests"]["Remaining"] <= used[0].total - used[1].used
        assert limits["DailyBulkV2QueryJobs"]["Remaining"] <= limits["DailyBulkV2QueryJobs"]["Max"]

    def test_the_use_by_this_app_too_where_it_is_told(self, writer: Any, scratch: Hand) -> None:
        scratch.command("limits", info="per_app")
        writer.query(self.SOQL)
        assert writer.api_usage["per-app-api-usage"].name
        assert writer.api_usage["per-app-api-usage"].used <= writer.api_usage["api-usage"].used

    def test_beyond_the_daily_limit_everything_is_refused(self, writer: Any, scratch: Hand) -> None:
        scratch.command("limits", daily=100, used=99)
        writer.query(self.SOQL)
        with pytest.raises(SalesforceRefusedRequest) as refused:
            writer.query(self.SOQL)
        assert refused.value.content[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
        scratch.command("clock", advance_seconds=86_401)
        assert writer.query(self.SOQL)["totalSize"] == 1

    def test_beyond_the_limit_of_bulk_jobs_no_job_begins(self, writer: Any, scratch: Hand) -> None:
        scratch.command("limits", bulk_jobs=1)
        list(writer.bulk2.User.query("SELECT Id FROM User", wait=0))
        with pytest.raises(SalesforceMalformedRequest, match="Max bulk v2 query jobs"):
            list(writer.bulk2.User.query("SELECT Id FROM User", wait=0))


class TestThingsThatGoWrong:
    SOQL = "SELECT Id FROM Account LIMIT 1"

    def test_an_ended_session_is_signed_in_again(self, writer: Any, scratch: Hand) -> None:
        before = writer.session_id
        scratch.command("expire_tokens")
        assert writer.query(self.SOQL)["totalSize"] == 1
        assert writer.session_id != before
        scratch.command("expire_tokens")
        assert writer.User.describe()["name"] == "User"

    def test_a_session_that_ends_between_two_pages(self, sf: Any, crm: Hand) -> None:
        crm.fault(kind="token_expired", path_contains="/query/")
        found = sf.query_all("SELECT Id FROM Opportunity")
        assert ids(found["records"]) == ids(crm.snapshot("Opportunity"))

    def test_an_ended_session_of_a_bare_token_is_an_error(self, writer: Any, scratch: Hand) -> None:
        bare_token = Salesforce(
            session_id=writer.session_id, instance=writer.sf_instance, version=VERSION, session=to_sandbox()
        )
        scratch.command("expire_tokens")
        with pytest.raises(SalesforceExpiredSession) as refused:
            bare_token.query(self.SOQL)
        assert refused.value.status == 401
        assert refused.value.content == [
            {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}
        ]

    @pytest.mark.parametrize(
        ("status", "error", "code"),
        [
            (403, SalesforceRefusedRequest, "REQUEST_LIMIT_EXCEEDED"),
            (404, SalesforceResourceNotFound, "NOT_FOUND"),
            (429, SalesforceGeneralError, "REQUEST_LIMIT_EXCEEDED"),
            (500, SalesforceGeneralError, "UNKNOWN_EXCEPTION"),
            (503, SalesforceGeneralError, "SERVER_UNAVAILABLE"),
        ],
    )
    def test_refusals_are_the_clients_own_errors(
        self, writer: Any, scratch: Hand, status: int, error: type[Exception], code: str
    ) -> None:
        scratch.fault(kind="status", status=status, path_contains="/query")
        with pytest.raises(error) as refused:
            writer.query(self.SOQL)
        assert type(refused.value) is error
        assert refused.value.status == status  # type: ignore[attr-defined]  # each of these errors has one
        assert refused.value.content[0]["errorCode"] == code  # type: ignore[attr-defined]  # as above
        assert writer.query(self.SOQL)["totalSize"] == 1

    def test_a_client_that_retries_waits_as_it_is_told(self, scratch: Hand) -> None:
        retry = Retry(total=3, status_forcelist=[429, 503], backoff_factor=0.01)
        patient = signed_in(retry, **SCRATCH)
        scratch.fault(
            kind="status", status=429, path_contains="/query", times=2, headers={"Retry-After": "1"}
        )
        started, before = time.monotonic(), scratch.calls("/query")
        assert patient.query(self.SOQL)["totalSize"] == 1
        assert time.monotonic() - started >= 2
        assert scratch.calls("/query") - before == 3

    def test_an_answer_cut_in_the_middle_is_not_taken_for_whole(self, writer: Any, scratch: Hand) -> None:
        scratch.fault(kind="cut", path_contains="/query")
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            writer.query("SELECT Id, Name FROM Account")
        assert writer.query(self.SOQL)["totalSize"] == 1

    def test_a_server_that_keeps_silent_runs_into_the_clients_time_limit(
        self, writer: Any, scratch: Hand
    ) -> None:
        scratch.fault(kind="timeout", path_contains="/query", seconds=5)
        with pytest.raises(requests.exceptions.ReadTimeout):
            writer.query(self.SOQL, timeout=0.3)
