"""Faults, the snapshot, and what the command line says."""

import subprocess
import sys

import httpx
import pytest

from sandbox.cli import main
from tests.sandbox.conftest import Server

from .conftest import Portal

DEALS = "/crm/v3/objects/deals"


class TestFaults:
    @pytest.mark.parametrize(
        ("status", "word"),
        [
            (401, "INVALID_AUTHENTICATION"),
            (403, "MISSING_SCOPES"),
            (429, "RATE_LIMIT"),
            (500, "internal error"),
            (503, "internal error"),
        ],
    )
    def test_are_worded_as_hubspot_words_them(self, scratch: Portal, status: int, word: str) -> None:
        scratch.control("fault", kind="status", status=status, path_contains=DEALS)
        answer = scratch.get(DEALS)
        assert (answer.status_code, word in answer.text) == (status, True)
        assert scratch.get(DEALS).status_code == 200

    def test_befall_their_portal_only(self, scratch: Portal, demo: Portal) -> None:
        scratch.control("fault", kind="status", path_contains=DEALS)
        assert demo.get(DEALS).status_code == 200
        assert scratch.get(DEALS).status_code == 500

    def test_an_answer_can_be_cut_or_late_or_never_come(self, scratch: Portal) -> None:
        scratch.control("fault", kind="cut", path_contains=DEALS)
        with pytest.raises(httpx.RemoteProtocolError):
            scratch.get(DEALS)
        scratch.control("fault", kind="timeout", path_contains=DEALS)
        with pytest.raises(httpx.ReadTimeout):
            scratch.http.get(DEALS, timeout=0.2)

    def test_chances_follow_from_the_seed(self, scratch: Portal) -> None:
        def statuses() -> list[int]:
            scratch.control("faults/clear")
            scratch.control("fault", kind="status", status=500, path_contains=DEALS, probability=0.5, seed=7)
            return [scratch.get(DEALS).status_code for _ in range(12)]

        first = statuses()
        assert set(first) == {200, 500}
        assert statuses() == first

    def test_tokens_can_expire_at_some_call(self, scratch: Portal) -> None:
        scratch.sign_in(scratch.let_in()["access_token"])
        scratch.control("fault", kind="token_expired", path_contains=DEALS, after=1)
        assert [scratch.get(DEALS).status_code for _ in range(2)] == [200, 401]

    def test_token_requests_meet_them_too(self, scratch: Portal) -> None:
        scratch.control("fault", kind="status", status=503, path_contains="/oauth/v1/token")
        assert scratch.token(grant_type="refresh_token").status_code == 503


class TestTheSnapshot:
    def test_holds_archived_records_on_request(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="Put away")
        scratch.control("archive", object="deals", id=deal)
        assert deal not in {record["id"] for record in scratch.snapshot("deals")}
        found = next(record for record in scratch.snapshot("deals", archived=True) if record["id"] == deal)
        assert found["archived"]
        assert found["archivedAt"]

    def test_tells_the_past_on_request(self, demo: Portal) -> None:
        listed = demo.objects(limit=50, propertiesWithHistory="dealstage,amount")
        told = {
            record["id"]: record["propertiesWithHistory"]
            for record in demo.snapshot("deals", history="dealstage,amount")
        }
        assert [record["propertiesWithHistory"] for record in listed] == [
            told[record["id"]] for record in listed
        ]

    def test_agrees_with_the_listing(self, demo: Portal) -> None:
        names = ",".join(demo.snapshot("companies")[0]["properties"])
        listed = demo.everything("companies", properties=names)
        assert listed == [
            {key: value for key, value in record.items() if key != "associations"}
            for record in demo.snapshot("companies")
        ]


class TestOddities:
    def test_awkward_names_come_through_every_door(self, scratch: Portal) -> None:
        ids = scratch.control("oddities", kind="names", records=10)["ids"]
        held = {record["id"]: record["properties"]["dealname"] for record in scratch.snapshot("deals")}
        names = [held[each] for each in ids]
        assert any("\0" in name for name in names)
        assert any("🚀" in name for name in names)
        body = {"inputs": [{"id": each} for each in ids], "properties": ["dealname"]}
        read = scratch.post("/crm/v3/objects/deals/batch/read", body).json()["results"]
        assert [record["properties"]["dealname"] for record in read] == names
        assert [scratch.one(each)["properties"]["dealname"] for each in ids] == names

    def test_dates_fall_on_days_of_clock_changes(self, scratch: Portal) -> None:
        first = scratch.control("oddities", kind="local_dates", records=9)["ids"][0]
        shown = scratch.one(first, properties="closedate,renewal_date")["properties"]
        assert (shown["closedate"], shown["renewal_date"]) == ("2026-03-08T02:30:00Z", "2026-03-08")

    @pytest.mark.parametrize(
        "kind", ["contacts", "companies", "calls", "meetings", "emails", "notes", "tasks"]
    )
    def test_every_kind_can_be_odd(self, scratch: Portal, kind: str) -> None:
        ids = scratch.control("oddities", kind="names", object=kind, records=2)["ids"]
        odd = next(each for each in scratch.snapshot(kind) if each["id"] == ids[0])
        assert [value for value in odd["properties"].values() if value and value.startswith("O'Brien")]


class TestCommands:
    def test_a_stamp_given_by_hand_wins(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="H")
        scratch.control(
            "update", object="deals", id=deal, fields={"hs_lastmodifieddate": "2020-01-01T00:00:00.500Z"}
        )
        assert scratch.one(deal)["updatedAt"] == "2020-01-01T00:00:00.500Z"
        assert deal in scratch.found(("hs_lastmodifieddate", "LTE", "2020-01-01T00:00:00.500Z"))

    def test_values_that_the_api_refuses_can_be_put_in(self, scratch: Portal) -> None:
        deal = scratch.control(
            "create",
            object="deals",
            fields={"amount": "12k", "closedate": "31/02/2026", "dealstage": "limbo"},
        )["id"]
        shown = scratch.one(deal)["properties"]
        assert (shown["amount"], shown["closedate"], shown["dealstage"]) == ("12k", "31/02/2026", "limbo")

    @pytest.mark.parametrize(
        ("command", "body"),
        [
            ("create", {"object": "spaceships"}),
            ("create", {"object": "deals", "fields": {"nope": 1}}),
            ("update", {"object": "deals", "fields": 5}),
            ("clock", {"stop": True}),
            ("switches", {"speed": 5}),
            ("fault", {"kind": "magic"}),
            ("associate", {"object": "deals", "id": "x", "other": "contacts", "other_id": "1"}),
            (
                "associate",
                {"object": "deals", "id": "1", "other": "contacts", "other_id": "1", "label": "Friend"},
            ),
        ],
    )
    def test_what_does_not_fit_is_400_with_a_sentence(
        self, scratch: Portal, command: str, body: dict[str, object]
    ) -> None:
        answer = scratch.try_control(command, **body)
        assert answer.status_code == 400
        assert answer.json()["message"]

    def test_what_is_not_there_is_404(self, scratch: Portal) -> None:
        assert scratch.try_control("update", object="deals", id="5", fields={"amount": 1}).status_code == 404
        assert scratch.try_control("nothing").status_code == 404


class TestTheServer:
    def test_the_page_shows_tokens_and_counts(self, portals: Server, demo: Portal) -> None:
        page = httpx.get(portals.url).text
        assert demo.facts["token"] in page
        assert f"Portal “demo”, {demo.facts['portal_id']}" in page

    def test_organisations_are_served_beside_portals(self, portals: Server) -> None:
        crm = portals.client()
        assert crm.count("Opportunity") == 5

    def test_the_same_order_makes_the_same_portal(
        self, start: object, demo: Portal, people_file: object
    ) -> None:
        assert callable(start)
        again = Portal(start("--scale", 5, "--portal", f"demo=400:3:{people_file}").url, "demo")
        assert again.snapshot("deals") == demo.snapshot("deals")
        assert again.facts["token"] == demo.facts["token"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--portal", "acme"], "--portal acme: must read NAME=SCALE:SEED"),
            (["--portal", "a=5:1", "--portal", "a=6:1"], "--portal a: is there more than once"),
            (["--portal", "a=0:1"], "scale 0 is out of range"),
            (["--portal", "a=5:1:/nowhere.csv"], "people file /nowhere.csv: cannot be read"),
        ],
    )
    def test_a_command_line_that_does_not_do_is_one_line(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
    ) -> None:
        assert main(["--port", "0", *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line

    def test_help_names_portals(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "sandbox", "--help"], capture_output=True, text=True, check=True
        )
        assert "--portal NAME=SCALE:SEED" in done.stdout
