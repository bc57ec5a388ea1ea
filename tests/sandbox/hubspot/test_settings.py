"""Owners, the account, pipelines and properties."""

import pytest

from .conftest import Portal


class TestOwners:
    def test_come_in_pages_without_those_who_left(self, scratch: Portal) -> None:
        first = scratch.get("/crm/v3/owners", limit=3).json()
        rest = scratch.get("/crm/v3/owners/", limit=500, after=first["paging"]["next"]["after"]).json()
        listed = [owner["id"] for owner in [*first["results"], *rest["results"]]]
        people = scratch.look("people")
        assert listed == [person["id"] for person in people if person["is_active"]]
        assert "paging" not in rest
        assert scratch.get("/crm/v3/owners", limit=501).status_code == 400

    def test_those_who_left_are_archived(self, demo: Portal) -> None:
        archived = demo.get("/crm/v3/owners", archived="true").json()["results"]
        assert {owner["id"] for owner in archived} == {
            person["id"] for person in demo.look("people") if not person["is_active"]
        }
        assert all(owner["userId"] is None and owner["userIdIncludingInactive"] for owner in archived)

    def test_can_be_found_by_email_and_id(self, demo: Portal) -> None:
        (owner,) = demo.get("/crm/v3/owners", email="Rep.One@acme.example").json()["results"]
        assert (owner["firstName"], owner["lastName"]) == ("Rina", "Okafor")
        assert demo.get(f"/crm/v3/owners/{owner['id']}").json() == owner
        assert demo.get(f"/crm/v3/owners/{owner['userId']}", idProperty="userId").json() == owner
        assert demo.get("/crm/v3/owners/5").status_code == 404

    def test_given_people_own_deals(self, demo: Portal) -> None:
        people = {person["email"]: person for person in demo.look("people")}
        assert people["rep.one@acme.example"]["deals"] > 0
        assert sum(person["deals"] for person in people.values()) == len(demo.snapshot("deals"))


class TestTheAccount:
    def test_says_which_portal_it_is(self, demo: Portal) -> None:
        details = demo.get("/account-info/v3/details").json()
        assert (details["portalId"], details["companyCurrency"]) == (demo.facts["portal_id"], "USD")
        assert (details["timeZone"], details["uiDomain"]) == ("America/New_York", "app.hubspot.com")
        assert details["utcOffset"] in {"-05:00", "-04:00"}

    def test_says_how_much_of_the_day_is_used(self, demo: Portal) -> None:
        before, after = (
            demo.get("/account-info/v3/api-usage/daily/private-apps").json()["results"][0]["currentUsage"]
            for _ in range(2)
        )
        assert after == before + 1


class TestPipelines:
    def test_stages_say_whether_deals_are_closed(self, demo: Portal) -> None:
        pipelines = demo.get("/crm/v3/pipelines/deals").json()["results"]
        assert [pipeline["label"] for pipeline in pipelines] == ["Sales Pipeline", "Renewals"]
        stages = {stage["id"]: stage["metadata"] for pipeline in pipelines for stage in pipeline["stages"]}
        for deal in demo.snapshot("deals"):
            values, metadata = deal["properties"], stages[deal["properties"]["dealstage"]]
            assert values["hs_is_closed"] == metadata["isClosed"]
            assert float(values["hs_deal_stage_probability"]) == float(metadata["probability"])

    def test_a_renamed_stage_leaves_its_deals_as_they_are(self, scratch: Portal) -> None:
        before = scratch.everything("deals")
        scratch.control("clock", advance_seconds=60)
        address = "/crm/v3/pipelines/deals/default/stages/qualifiedtobuy"
        assert (
            scratch.http.patch(address, json={"label": "Really qualified"}).json()["label"]
            == "Really qualified"
        )
        assert scratch.get(address).json()["label"] == "Really qualified"
        assert scratch.everything("deals") == before

    def test_are_made_changed_and_archived(self, scratch: Portal) -> None:
        stages = [{"label": "In", "displayOrder": 0, "metadata": {"probability": "0.5"}},
                  {"label": "Done", "displayOrder": 1, "metadata": {"probability": "1.0"}}]  # fmt: skip
        made = scratch.post(
            "/crm/v3/pipelines/deals", {"label": "Partners", "displayOrder": 2, "stages": stages}
        )
        address = f"/crm/v3/pipelines/deals/{made.json()['id']}"
        assert (made.status_code, made.json()["stages"][1]["metadata"]["isClosed"]) == (201, "true")
        stage = scratch.post(
            f"{address}/stages", {"label": "Out", "displayOrder": 2, "metadata": {"probability": "0.0"}}
        ).json()
        assert [each["label"] for each in scratch.get(f"{address}/stages").json()["results"]] == [
            "In",
            "Done",
            "Out",
        ]
        deal = scratch.make(dealname="P", pipeline=made.json()["id"], dealstage=stage["id"])
        assert scratch.one(deal, properties="hs_is_closed")["properties"]["hs_is_closed"] == "true"
        assert scratch.http.delete(f"{address}/stages/{stage['id']}").status_code == 204
        assert scratch.http.patch(address, json={"label": "Allies"}).json()["label"] == "Allies"
        assert scratch.http.delete(address).status_code == 204
        assert scratch.get(address).status_code == 404


class TestProperties:
    def test_are_described(self, demo: Portal) -> None:
        listed = {each["name"]: each for each in demo.get("/crm/v3/properties/deals").json()["results"]}
        assert (
            listed["amount"]["type"],
            listed["amount"]["fieldType"],
            listed["amount"]["hubspotDefined"],
        ) == ("number", "number", True)
        assert listed["days_open"]["calculated"]
        assert not listed["region"]["hubspotDefined"]
        assert {option["value"] for option in listed["region"]["options"]} == {
            "North America",
            "EMEA",
            "APAC",
            "LATAM",
        }
        assert demo.get("/crm/v3/properties/0-3/amount").json() == listed["amount"]
        assert demo.get("/crm/v3/properties/deals/nope").status_code == 404

    def test_every_value_that_records_hold_is_described(self, demo: Portal) -> None:
        for kind in ("deals", "contacts", "companies", "calls", "meetings", "emails", "notes", "tasks"):
            assert demo.snapshot(kind)[0]["properties"].keys() == {
                each["name"] for each in demo.get(f"/crm/v3/properties/{kind}").json()["results"]
            }

    def test_are_made_changed_and_archived(self, scratch: Portal) -> None:
        given = {
            "name": "tier",
            "label": "Tier",
            "type": "string",
            "fieldType": "text",
            "groupName": "information",
        }
        assert scratch.post("/crm/v3/properties/deals", given).status_code == 201
        assert scratch.post("/crm/v3/properties/deals", given).status_code == 409
        deal = scratch.make(dealname="T", tier="gold")
        assert scratch.one(deal, properties="tier")["properties"]["tier"] == "gold"
        assert (
            scratch.http.patch("/crm/v3/properties/deals/tier", json={"label": "Level"}).json()["label"]
            == "Level"
        )
        assert scratch.http.delete("/crm/v3/properties/deals/tier").status_code == 204
        assert "tier" not in scratch.one(deal, properties="tier")["properties"]
        assert "tier" in {
            each["name"]
            for each in scratch.get("/crm/v3/properties/deals", archived="true").json()["results"]
        }

    def test_hubspots_own_cannot_be_archived(self, scratch: Portal) -> None:
        assert scratch.http.delete("/crm/v3/properties/deals/amount").status_code == 400

    def test_can_be_read_in_batches(self, demo: Portal) -> None:
        body = {"inputs": [{"name": "amount"}, {"name": "nope"}]}
        answer = demo.post("/crm/v3/properties/deals/batch/read", body)
        assert (answer.status_code, [each["name"] for each in answer.json()["results"]]) == (207, ["amount"])

    @pytest.mark.parametrize("path", ["/crm/v3/schemas/deals", "/crm-object-schemas/v3/schemas/0-3"])
    def test_a_kinds_schema_holds_them(self, demo: Portal, path: str) -> None:
        schema = demo.get(path).json()
        assert (schema["objectTypeId"], schema["name"]) == ("0-3", "DEAL")
        assert len(schema["properties"]) == len(demo.get("/crm/v3/properties/deals").json()["results"])


class TestDrift:
    def test_properties_come_and_go_and_change_behind_ones_back(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="D", internal_notes="kept")
        before = scratch.one(deal)
        scratch.control("clock", advance_seconds=60)
        scratch.control("schema", object="deals", add={"name": "colour", "type": "string"})
        scratch.control("schema", object="deals", retype={"push_count": ["string", "text"]})
        scratch.control("schema", object="deals", options={"region": ["North", "South"]})
        scratch.control("schema", object="deals", remove="internal_notes")
        listed = {each["name"]: each for each in scratch.get("/crm/v3/properties/deals").json()["results"]}
        assert (listed["colour"]["type"], listed["push_count"]["type"]) == ("string", "string")
        assert [option["value"] for option in listed["region"]["options"]] == ["North", "South"]
        assert "internal_notes" not in listed
        assert "internal_notes" not in scratch.one(deal, properties="internal_notes")["properties"]
        assert scratch.one(deal) == before

    def test_what_is_not_there_cannot_be_changed(self, scratch: Portal) -> None:
        assert scratch.try_control("schema", object="deals", remove="nope").status_code == 404
        assert scratch.try_control("schema", object="deals", paint="red").status_code == 400
