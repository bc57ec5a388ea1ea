"""Bulk API 2.0 query jobs."""

import csv
import io
import time

import httpx
import pytest

from .conftest import API, Client

ALL = "SELECT Id, Name, NextStep, Description, Amount, CreatedDate FROM Opportunity"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


class TestJobs:
    def test_a_job_runs_through_its_states(self, crm: Client) -> None:
        started = crm.start_job(ALL, columnDelimiter="COMMA", lineEnding="LF").json()
        assert started["state"] == "UploadComplete"
        assert started["id"].startswith("750")
        assert (started["object"], started["apiVersion"], started["jobType"]) == (
            "Opportunity",
            61.0,
            "V2Query",
        )
        job = crm.finished_job(ALL)
        assert job["state"] == "JobComplete"
        assert job["numberRecordsProcessed"] == crm.count("Opportunity")
        assert job["id"] in [each["id"] for each in crm.get("/jobs/query").json()["records"]]

    def test_query_all_reads_deleted_rows_too(self, crm: Client) -> None:
        assert crm.finished_job(ALL, operation="queryAll")["numberRecordsProcessed"] == 2500

    def test_a_job_is_deleted_with_its_results(self, crm: Client) -> None:
        job = crm.finished_job(ALL)
        address = f"{API}/jobs/query/{job['id']}"
        assert crm.http.patch(address, json={"state": "Aborted"}).status_code == 400, "it is over"
        assert crm.http.delete(address).status_code == 204
        assert crm.http.get(address).status_code == 404
        assert crm.results(job).status_code == 404

    def test_another_organisation_does_not_see_it(self, crm: Client, acme: Client) -> None:
        assert acme.get(f"/jobs/query/{crm.finished_job(ALL)['id']}").status_code == 404

    @pytest.mark.parametrize(
        ("soql", "words"),
        [
            ("SELECT Id, BillingAddress FROM Account", "Selecting compound data not supported in Bulk Query"),
            ("SELECT Id FROM Account OFFSET 5", "OFFSET not supported"),
            ("SELECT COUNT() FROM Account", "not supported in Bulk Query"),
            (
                "SELECT StageName, COUNT(Id) FROM Opportunity GROUP BY StageName",
                "Aggregate queries not supported",
            ),
            (
                "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
                "Aggregate Relationships not supported in Bulk V2 Query",
            ),
            ("SELECT Nope FROM Account", "No such column 'Nope'"),
        ],
    )
    def test_what_bulk_does_not_take_is_400_at_once(self, crm: Client, soql: str, words: str) -> None:
        answer = crm.start_job(soql)
        assert answer.status_code == 400
        assert words in answer.json()[0]["message"]


class TestResults:
    def test_pages_by_locator_hold_what_rest_holds(self, crm: Client) -> None:
        job = crm.finished_job(ALL)
        rows, locator = [], ""
        while locator != "null":
            page = crm.results(job, maxRecords=700, **({"locator": locator} if locator else {}))
            locator = page.headers["Sforce-Locator"]
            assert int(page.headers["Sforce-NumberOfRecords"]) == len(rows_of(page.text))
            assert page.text.startswith('"Id","Name","NextStep","Description","Amount","CreatedDate"\n')
            rows += rows_of(page.text)
        first = crm.query(ALL).json()
        records = first["records"] + crm.http.get(first["nextRecordsUrl"]).json()["records"]
        assert [row["Id"] for row in rows] == [record["Id"] for record in records]
        for row, record in zip(rows, records, strict=True):
            assert row["Name"] == record["Name"]
            assert row["Description"] == (record["Description"] or "")
            assert row["NextStep"] == (record["NextStep"] or "")
            assert row["Amount"] == ("" if record["Amount"] is None else str(record["Amount"]))
            assert row["CreatedDate"] == record["CreatedDate"].replace("+0000", "Z")

    def test_every_value_is_quoted_and_null_is_empty(self, crm: Client) -> None:
        text = crm.results(crm.finished_job("SELECT Id, Amount FROM Opportunity WHERE Amount = null")).text
        header, first = text.split("\n")[:2]
        assert header == '"Id","Amount"'
        assert first.endswith('",""')

    def test_a_page_may_cut_anywhere_between_rows_with_line_breaks(self, crm: Client) -> None:
        job = crm.finished_job(ALL)
        whole = rows_of(crm.results(job).text)
        for size in (1, 7, 333):
            page = crm.results(job, locator="MTM", maxRecords=size)
            assert rows_of(page.text) == whole[13 : 13 + size]

    def test_a_locator_can_be_read_again_and_shows_the_moment_of_the_job(self, scratch: Client) -> None:
        job = scratch.finished_job("SELECT Id, Name FROM Account")
        before = scratch.results(job).text
        account = rows_of(before)[0]["Id"]
        scratch.control("update", object="Account", id=account, fields={"Name": "Renamed meanwhile"})
        assert scratch.results(job).text == before

    def test_delimiters_and_line_endings_follow_the_order(self, crm: Client) -> None:
        job = crm.finished_job("SELECT Id, Name FROM UserRole", columnDelimiter="PIPE", lineEnding="CRLF")
        text = crm.results(job, maxRecords=2).text
        assert text.startswith('"Id"|"Name"\r\n"00E')
        assert text.count("\r\n") == 3

    def test_compressed_only_when_asked(self, crm: Client) -> None:
        job = crm.finished_job(ALL)
        plain = crm.http.get(f"{API}/jobs/query/{job['id']}/results", headers={"Accept-Encoding": "identity"})
        small = crm.http.get(f"{API}/jobs/query/{job['id']}/results", headers={"Accept-Encoding": "gzip"})
        assert "Content-Encoding" not in plain.headers
        assert small.headers["Content-Encoding"] == "gzip"
        assert small.text == plain.text
        assert small.num_bytes_downloaded < plain.num_bytes_downloaded

    def test_an_empty_result_is_a_header(self, crm: Client) -> None:
        page = crm.results(crm.finished_job("SELECT Id FROM Account WHERE Name = 'no such'"))
        assert page.text == '"Id"\n'
        assert page.headers["Sforce-Locator"] == "null"

    def test_order_limit_and_fields_of_the_record_above_work(self, crm: Client) -> None:
        soql = "SELECT Owner.Email, Amount FROM Opportunity ORDER BY Amount DESC NULLS LAST LIMIT 3"
        rows = rows_of(crm.results(crm.finished_job(soql)).text)
        assert [float(row["Amount"]) for row in rows] == [row["Amount"] for row in crm.records(soql)]
        assert "@" in rows[0]["Owner.Email"]

    @pytest.mark.parametrize("locator", ["!!", "OTk5OTk5OQ", "eA"])
    def test_a_made_up_locator_is_refused(self, crm: Client, locator: str) -> None:
        answer = crm.results(crm.finished_job(ALL), locator=locator)
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")

    def test_result_pages_give_addresses_to_fetch_side_by_side(self, crm: Client) -> None:
        job = crm.finished_job(ALL)
        rows: list[dict[str, str]] = []
        address, pages = f"{API}/jobs/query/{job['id']}/resultPages?maxRecords=400", []
        while address:
            found = crm.http.get(address).json()
            assert len(found["resultPages"]) <= 5
            assert found["done"] == (found["nextRecordsUrl"] is None)
            pages += found["resultPages"]
            address = found["nextRecordsUrl"]
        for page in pages:
            rows += rows_of(crm.http.get(page["resultUrl"]).text)
        assert len(pages) == 7
        assert rows == rows_of(crm.results(job).text)


class TestTrouble:
    def test_a_job_can_be_made_to_fail(self, scratch: Client) -> None:
        scratch.control("fault", kind="job_failed", path_contains="FROM Task", body="Query timed out")
        assert scratch.finished_job("SELECT Id FROM Event")["state"] == "JobComplete"
        job = scratch.finished_job("SELECT Id FROM Task")
        assert (job["state"], job["errorMessage"]) == ("Failed", "Query timed out")
        assert scratch.results(job).status_code == 400
        assert scratch.finished_job("SELECT Id FROM Task")["state"] == "JobComplete"

    def test_a_cut_page_is_noticed_by_the_client(self, scratch: Client) -> None:
        job = scratch.finished_job("SELECT Id, Name FROM Contact")
        scratch.control("fault", kind="cut", path_contains="/results")
        with pytest.raises(httpx.RemoteProtocolError):
            scratch.results(job)
        assert scratch.results(job).status_code == 200

    def test_pages_can_be_delayed(self, scratch: Client) -> None:
        job = scratch.finished_job("SELECT Id FROM Contact")
        scratch.control("bulk_page_delay", seconds=0.3)
        started = time.monotonic()
        scratch.results(job)
        assert time.monotonic() - started >= 0.3

    def test_an_administrator_may_abort_one(self, scratch: Client) -> None:
        scratch.control("fault", kind="job_aborted", path_contains="FROM Task", body="Aborted by admin")
        job = scratch.finished_job("SELECT Id FROM Task")
        assert (job["state"], job["errorMessage"]) == ("Aborted", "Aborted by admin")
        assert scratch.results(job).status_code == 400

    def test_a_job_takes_as_long_as_is_set_and_can_be_aborted_meanwhile(self, scratch: Client) -> None:
        scratch.control("bulk_job_delay", seconds=2)
        started = time.monotonic()
        address = f"{API}/jobs/query/{scratch.start_job('SELECT Id FROM User').json()['id']}"
        assert scratch.http.get(address).json()["state"] == "InProgress"
        assert scratch.http.delete(address).status_code == 400, "while it runs"
        assert scratch.http.patch(address, json={"state": "Aborted"}).json()["state"] == "Aborted"
        assert scratch.finished_job("SELECT Id FROM User")["state"] == "JobComplete"
        assert time.monotonic() - started >= 2
        assert scratch.http.get(address).json()["state"] == "Aborted"

    def test_results_are_kept_for_seven_days(self, scratch: Client) -> None:
        job = scratch.finished_job("SELECT Id FROM User")
        scratch.control("clock", advance_seconds=7 * 86400 - 60)
        assert scratch.results(job).status_code == 200
        scratch.control("clock", advance_seconds=120)
        assert scratch.results(job).json()[0]["errorCode"] == "NOT_FOUND"
        assert job["id"] not in [each["id"] for each in scratch.get("/jobs/query").json()["records"]]

    def test_result_pages_came_with_version_58(self, crm: Client) -> None:
        job = crm.finished_job("SELECT Id FROM User")
        path = f"jobs/query/{job['id']}/resultPages"
        answers = [crm.http.get(f"/services/data/v{number}.0/{path}").status_code for number in (57, 58)]
        assert answers == [404, 200]
