"""Who is associated with whom."""

from typing import Any

import httpx
import pytest

from .conftest import Portal

V4 = "/crm/v4/associations/deals/contacts"


def read(portal: Portal, ids: list[Any], other: str = "contacts", kind: str = "deals") -> httpx.Response:
    """A batch read of associations."""
    return portal.post(
        f"/crm/v4/associations/{kind}/{other}/batch/read", {"inputs": [{"id": each} for each in ids]}
    )


def labels_of(to: dict[str, Any]) -> list[str | None]:
    """The labels of an associated record."""
    return [each["label"] for each in to["associationTypes"]]


class TestReading:
    def test_a_batch_tells_what_the_snapshot_holds(self, demo: Portal) -> None:
        deals = demo.snapshot("deals")
        expected = {
            deal["id"]: {each["id"]: set(each["labels"]) for each in deal["associations"]["contacts"]}
            for deal in deals
            if "contacts" in deal.get("associations", {})
        }
        body = read(demo, [deal["id"] for deal in deals]).json()
        found = {
            result["from"]["id"]: {to["toObjectId"]: set(filter(None, labels_of(to))) for to in result["to"]}
            for result in body["results"]
        }
        assert found == expected
        assert any("Decision maker" in labels for links in found.values() for labels in links.values())

    def test_records_without_any_make_it_207(self, demo: Portal) -> None:
        lonely = next(
            deal["id"] for deal in demo.snapshot("deals") if "contacts" not in deal.get("associations", {})
        )
        answer = read(demo, [lonely])
        assert (answer.status_code, answer.json()["numErrors"]) == (207, 1)
        assert answer.json()["errors"][0]["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"

    def test_ids_may_be_numbers_and_come_as_numbers_on_request(self, scratch: Portal) -> None:
        deal = next(deal for deal in scratch.snapshot("deals") if "companies" in deal.get("associations", {}))
        company = deal["associations"]["companies"][0]["id"]
        assert (
            read(scratch, [int(deal["id"])], "companies").json()["results"][0]["to"][0]["toObjectId"]
            == company
        )
        scratch.control("switches", number_ids=True)
        assert read(scratch, [deal["id"]], "companies").json()["results"][0]["to"][0]["toObjectId"] == int(
            company
        )

    def test_either_side_tells_the_same(self, demo: Portal) -> None:
        deal = demo.objects(limit=1, associations="companies")[0]
        company = deal["associations"]["companies"]["results"][0]["id"]
        back = read(demo, [company], "deals", "companies").json()["results"][0]["to"]
        found = next(to for to in back if to["toObjectId"] == deal["id"])
        assert [each["typeId"] for each in found["associationTypes"]] == [342, 6]

    def test_a_thousand_inputs_are_the_most(self, demo: Portal) -> None:
        assert read(demo, list(range(1, 1001))).status_code == 207
        assert read(demo, list(range(1, 1002))).status_code == 400
        assert read(demo, []).status_code == 400

    def test_more_than_five_hundred_of_one_record_are_paged(self, scratch: Portal) -> None:
        company = scratch.make("companies", name="Huge")
        made = []
        for _ in range(6):
            inputs = [{"properties": {"firstname": "N"}} for _ in range(100)]
            made += [
                each["id"]
                for each in scratch.post("/crm/v3/objects/contacts/batch/create", {"inputs": inputs}).json()[
                    "results"
                ]
            ]
        pairs = [{"from": {"id": each}, "to": {"id": company}} for each in made]
        answer = scratch.post(
            "/crm/v4/associations/contacts/companies/batch/associate/default", {"inputs": pairs}
        )
        assert answer.status_code == 201
        first = read(scratch, [company], "contacts", "companies").json()["results"][0]
        after = first["paging"]["next"]["after"]
        body = {"inputs": [{"id": company, "after": after}]}
        rest = scratch.post("/crm/v4/associations/companies/contacts/batch/read", body).json()["results"][0]
        found = [to["toObjectId"] for to in [*first["to"], *rest["to"]]]
        assert (len(first["to"]), found) == (500, made)
        assert "paging" not in rest

    def test_the_older_address_gives_type_names(self, demo: Portal) -> None:
        deal = next(deal for deal in demo.snapshot("deals") if "contacts" in deal.get("associations", {}))
        body = {"inputs": [{"id": deal["id"]}]}
        to = demo.post("/crm/v3/associations/deals/contacts/batch/read", body).json()["results"][0]["to"]
        assert {each["id"] for each in to} == {each["id"] for each in deal["associations"]["contacts"]}
        assert to[0]["type"] == "deal_to_contact"

    def test_one_records_associations_can_be_listed_in_pages(self, demo: Portal) -> None:
        deal = next(
            deal
            for deal in demo.snapshot("deals")
            if len(deal.get("associations", {}).get("contacts", [])) > 1
        )
        address = f"/crm/v4/objects/deals/{deal['id']}/associations/contacts"
        first = demo.get(address, limit=1).json()
        rest = demo.get(address, after=first["paging"]["next"]["after"]).json()
        found = [to["toObjectId"] for to in [*first["results"], *rest["results"]]]
        assert found == [each["id"] for each in deal["associations"]["contacts"]]

    def test_kinds_that_cannot_be_associated_are_refused(self, demo: Portal) -> None:
        assert read(demo, ["1"], "tasks", "calls").status_code == 400

    def test_archived_records_do_not_show_and_come_back(self, scratch: Portal) -> None:
        deal, contact = scratch.make(dealname="D"), scratch.make("contacts", firstname="C")
        scratch.control("associate", object="deals", id=deal, other="contacts", other_id=contact)
        scratch.control("archive", object="contacts", id=contact)
        assert read(scratch, [deal]).json()["results"] == []
        scratch.control("restore", object="contacts", id=contact)
        assert read(scratch, [deal]).json()["results"][0]["to"][0]["toObjectId"] == contact


class TestWriting:
    @pytest.fixture
    def pair(self, scratch: Portal) -> tuple[str, str]:
        """A deal and a contact that are not associated, made in the year 2030."""
        scratch.control("clock", fix="2030-01-01T00:00:00Z")
        return scratch.make(dealname="D"), scratch.make("contacts", firstname="C")

    def test_associating_moves_both_stamps_through_what_counts_them(
        self, scratch: Portal, pair: tuple[str, str]
    ) -> None:
        scratch.control("clock", fix="2030-01-02T00:00:00Z")
        answer = scratch.http.put(f"/crm/v4/objects/deals/{pair[0]}/associations/default/contacts/{pair[1]}")
        assert answer.status_code == 200
        deal, contact = (
            scratch.one(pair[0], properties="num_associated_contacts"),
            scratch.one(pair[1], "contacts"),
        )
        assert deal["properties"]["num_associated_contacts"] == "1"
        assert deal["updatedAt"] == contact["updatedAt"] == "2030-01-02T00:00:00Z"

    def test_labels_are_given_and_taken(self, scratch: Portal, pair: tuple[str, str]) -> None:
        both = {"from": {"id": pair[0]}, "to": {"id": pair[1]}}
        types = [{"associationCategory": "USER_DEFINED", "associationTypeId": 38}]
        made = scratch.post(f"{V4}/batch/create", {"inputs": [both | {"types": types}]})
        assert (made.status_code, made.json()["results"][0]["labels"]) == (201, ["Champion"])
        assert labels_of(read(scratch, [pair[0]]).json()["results"][0]["to"][0]) == [None, "Champion"]
        assert (
            scratch.post(f"{V4}/batch/labels/archive", {"inputs": [both | {"types": types}]}).status_code
            == 204
        )
        assert labels_of(read(scratch, [pair[0]]).json()["results"][0]["to"][0]) == [None]

    def test_ending_one_moves_the_stamp_too(self, scratch: Portal, pair: tuple[str, str]) -> None:
        scratch.control(
            "associate", object="deals", id=pair[0], other="contacts", other_id=pair[1], label="Champion"
        )
        scratch.control("clock", fix="2030-01-03T00:00:00Z")
        body = {"inputs": [{"from": {"id": pair[0]}, "to": [{"id": pair[1]}]}]}
        assert scratch.post(f"{V4}/batch/archive", body).status_code == 204
        shown = scratch.one(pair[0], properties="num_associated_contacts", associations="contacts")
        assert (shown["properties"]["num_associated_contacts"], shown["updatedAt"]) == (
            "0",
            "2030-01-03T00:00:00Z",
        )
        assert "associations" not in shown

    def test_what_is_not_there_makes_it_207(self, scratch: Portal, pair: tuple[str, str]) -> None:
        inputs = [{"from": {"id": pair[0]}, "to": {"id": each}, "types": []} for each in (pair[1], "77")]
        answer = scratch.post(f"{V4}/batch/create", {"inputs": inputs})
        assert (answer.status_code, len(answer.json()["results"]), answer.json()["numErrors"]) == (207, 1, 1)

    def test_a_deal_has_one_primary_company(self, scratch: Portal, pair: tuple[str, str]) -> None:
        companies = [scratch.make("companies", name=name) for name in "AB"]
        for company in companies:
            scratch.control(
                "associate", object="deals", id=pair[0], other="companies", other_id=company, label="Primary"
            )
        to = read(scratch, [pair[0]], "companies").json()["results"][0]["to"]
        assert {each["toObjectId"]: labels_of(each) for each in to} == {
            companies[0]: [None],
            companies[1]: [None, "Primary"],
        }

    def test_an_activity_moves_the_deal(self, scratch: Portal, pair: tuple[str, str]) -> None:
        note = scratch.make("notes", hs_note_body="Hi", hs_timestamp="2030-01-01T00:00:00Z")
        scratch.control("clock", fix="2030-01-04T00:00:00Z")
        scratch.control("associate", object="notes", id=note, other="deals", other_id=pair[0])
        shown = scratch.one(pair[0], properties="num_notes,notes_last_updated")
        assert shown["properties"]["num_notes"] == "1"
        assert (shown["properties"]["notes_last_updated"], shown["updatedAt"]) == (
            "2030-01-01T00:00:00Z",
            "2030-01-04T00:00:00Z",
        )


class TestLabels:
    def test_are_listed_made_renamed_and_removed(self, scratch: Portal) -> None:
        made = scratch.post(f"{V4}/labels", {"label": "Blocker", "name": "blocker", "inverseLabel": "Blocks"})
        number = next(each["typeId"] for each in made.json()["results"] if each["label"] == "Blocker")
        listed = {each["typeId"]: each["label"] for each in scratch.get(f"{V4}/labels").json()["results"]}
        assert (listed[3], listed[36], listed[number]) == (None, "Decision maker", "Blocker")
        back = scratch.get("/crm/v4/associations/contacts/deals/labels").json()["results"]
        assert "Blocks" in {each["label"] for each in back}
        assert (
            scratch.http.put(
                f"{V4}/labels", json={"associationTypeId": number, "label": "Opponent"}
            ).status_code
            == 204
        )
        assert "Opponent" in {each["label"] for each in scratch.get(f"{V4}/labels").json()["results"]}
        assert scratch.http.delete(f"{V4}/labels/{number}").status_code == 204
        assert number not in {each["typeId"] for each in scratch.get(f"{V4}/labels").json()["results"]}

    def test_hubspots_own_stay(self, scratch: Portal) -> None:
        assert scratch.http.delete(f"{V4}/labels/3").status_code == 400
