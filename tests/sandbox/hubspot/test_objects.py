"""Records listed, read and written."""

import msgspec
import pytest

from .conftest import Portal

DEFAULTS = {
    "amount",
    "closedate",
    "createdate",
    "dealname",
    "dealstage",
    "hs_lastmodifieddate",
    "hs_object_id",
    "pipeline",
}


class TestListing:
    def test_gives_ten_unless_told_and_a_hundred_at_most(self, demo: Portal) -> None:
        assert len(demo.objects()) == 10
        assert len(demo.objects(limit=100)) == 100
        refused = demo.get("/crm/v3/objects/deals", limit=101)
        assert (refused.status_code, refused.json()["category"]) == (400, "VALIDATION_ERROR")

    def test_pages_give_every_live_deal_once(self, demo: Portal) -> None:
        listed = [record["id"] for record in demo.everything("deals")]
        assert listed == [record["id"] for record in demo.snapshot("deals")]
        assert len(set(listed)) == len(listed) > 300

    def test_default_properties_come_when_none_are_asked_for(self, demo: Portal) -> None:
        assert set(demo.objects(limit=1)[0]["properties"]) == DEFAULTS
        assert set(demo.objects("contacts", limit=1)[0]["properties"]) == {
            "createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"}  # fmt: skip

    def test_unknown_properties_are_ignored_and_absent_ones_are_null(self, demo: Portal) -> None:
        asked = demo.objects(limit=1, properties="closed_lost_reason,no_such_thing")[0]["properties"]
        assert set(asked) == {"closed_lost_reason", "createdate", "hs_lastmodifieddate", "hs_object_id"}
        assert asked["closed_lost_reason"] is None

    def test_values_are_text_and_moments_leave_out_zero_milliseconds(self, demo: Portal) -> None:
        shown = demo.objects(limit=1, properties="amount,closedate,hs_deal_stage_probability")[0]
        assert shown["properties"]["closedate"].endswith("T17:00:00Z")
        assert shown["createdAt"] == shown["properties"]["createdate"]
        assert shown["updatedAt"] == shown["properties"]["hs_lastmodifieddate"]
        assert all(value is None or isinstance(value, str) for value in shown["properties"].values())

    @pytest.mark.parametrize("name", ["deals", "deal", "0-3", "DEAL"])
    def test_a_kind_goes_by_several_names(self, demo: Portal, name: str) -> None:
        assert demo.objects(name, limit=1) == demo.objects(limit=1)

    def test_an_unknown_kind_is_refused(self, demo: Portal) -> None:
        assert demo.get("/crm/v3/objects/spaceships").status_code == 400

    def test_history_is_the_latest_first_and_halves_the_page(self, demo: Portal) -> None:
        assert (
            demo.get("/crm/v3/objects/deals", limit=51, propertiesWithHistory="dealstage").status_code == 400
        )
        for record in demo.objects(limit=50, propertiesWithHistory="dealstage,dealname"):
            stages = record["propertiesWithHistory"]["dealstage"]
            assert stages[0]["value"] == record["properties"]["dealstage"]
            moments = [msgspec.convert(version["timestamp"], str) for version in stages]
            assert moments == sorted(moments, reverse=True)
            assert [each["value"] for each in record["propertiesWithHistory"]["dealname"]] == [
                record["properties"]["dealname"]
            ]

    def test_associations_come_on_request_under_their_type_names(self, demo: Portal) -> None:
        expected = {record["id"]: record.get("associations", {}) for record in demo.snapshot("deals")}
        for record in demo.objects(limit=100, associations="contacts,companies"):
            shown = record.get("associations", {})
            contacts = {each["id"] for each in shown.get("contacts", {}).get("results", [])}
            assert contacts == {each["id"] for each in expected[record["id"]].get("contacts", [])}
            if "companies" in shown:
                assert [each["type"] for each in shown["companies"]["results"]] == [
                    "deal_to_company_unlabeled",
                    "deal_to_company",
                ]

    def test_archived_records_are_listed_apart(self, demo: Portal) -> None:
        archived = demo.everything("contacts", archived="true")
        assert archived
        assert all(record["archived"] and record["archivedAt"] for record in archived)
        assert {record["id"] for record in archived}.isdisjoint(
            record["id"] for record in demo.everything("contacts")
        )

    def test_an_address_that_is_too_long_is_414(self, demo: Portal) -> None:
        assert demo.get("/crm/v3/objects/deals", properties="x" * 15_000).status_code == 200
        assert demo.get("/crm/v3/objects/deals", properties="x" * 16_000).status_code == 414

    @pytest.mark.parametrize("kind", ["calls", "meetings", "emails", "notes", "tasks", "0-48", "companies"])
    def test_every_kind_is_there(self, demo: Portal, kind: str) -> None:
        assert demo.objects(kind, limit=1)[0]["properties"]["hs_lastmodifieddate"]

    def test_calculated_properties_follow_the_clock_without_the_stamp(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="Slow", dealstage="qualifiedtobuy")
        scratch.control("clock", advance_seconds=3 * 86_400)
        shown = scratch.one(deal, properties="days_open")
        assert shown["properties"]["days_open"] == "3"
        assert shown["updatedAt"] == shown["createdAt"]

    def test_a_calculated_property_of_another_record_follows_that_one(self, scratch: Portal) -> None:
        deal, company = scratch.make(dealname="Far"), scratch.make("companies", name="C", industry="RETAIL")
        scratch.control(
            "associate", object="deals", id=deal, other="companies", other_id=company, label="Primary"
        )
        before = scratch.one(deal, properties="company_industry")
        scratch.control(
            "update", object="companies", id=company, fields={"industry": "LOGISTICS_AND_SUPPLY_CHAIN"}
        )
        after = scratch.one(deal, properties="company_industry")
        assert before["properties"]["company_industry"] == "RETAIL"
        assert after["properties"]["company_industry"] == "LOGISTICS_AND_SUPPLY_CHAIN"
        assert after["updatedAt"] == before["updatedAt"]


class TestReadingOne:
    def test_a_record_that_is_not_there_is_404(self, demo: Portal) -> None:
        for object_id in ("1", "none", "9" * 30):
            answer = demo.get(f"/crm/v3/objects/deals/{object_id}")
            assert (answer.status_code, answer.json()["category"]) == (404, "OBJECT_NOT_FOUND")

    def test_a_contact_can_be_read_by_email(self, demo: Portal) -> None:
        contact = next(record for record in demo.objects("contacts") if record["properties"]["email"])
        email = contact["properties"]["email"]
        assert demo.one(email, "contacts", idProperty="email")["id"] == contact["id"]

    def test_only_unique_properties_stand_in_for_ids(self, demo: Portal) -> None:
        for name in ("dealname", "x') OR 1=1 --"):
            assert demo.get("/crm/v3/objects/deals/x", idProperty=name).status_code == 400

    def test_archived_ones_are_read_only_on_request(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="Short")
        assert scratch.http.delete(f"/crm/v3/objects/deals/{deal}").status_code == 204
        assert scratch.get(f"/crm/v3/objects/deals/{deal}").status_code == 404
        assert scratch.one(deal, archived="true")["archivedAt"]


class TestBatchReading:
    def read(
        self, portal: Portal, ids: list[str], **more: object
    ) -> tuple[int, dict[str, list[dict[str, object]]]]:
        answer = portal.post(
            "/crm/v3/objects/deals/batch/read", {"inputs": [{"id": each} for each in ids], **more}
        )
        return answer.status_code, answer.json()

    def test_gives_the_properties_that_were_asked_for(self, demo: Portal) -> None:
        ids = [record["id"] for record in demo.objects(limit=100)]
        status, body = self.read(demo, ids, properties=["amount"])
        assert status == 200
        assert [record["id"] for record in body["results"]] == ids
        assert body["results"][0]["properties"].keys() == {
            "amount",
            "createdate",
            "hs_lastmodifieddate",
            "hs_object_id",
        }

    def test_unknown_ids_make_it_207_and_are_named(self, demo: Portal) -> None:
        known = demo.objects(limit=1)[0]["id"]
        status, body = self.read(demo, [known, "7"])
        assert (status, [record["id"] for record in body["results"]]) == (207, [known])
        assert body["errors"][0]["context"] == {"ids": ["7"]}

    def test_takes_a_hundred_and_half_with_history(self, demo: Portal) -> None:
        ids = [record["id"] for record in demo.everything("deals")][:101]
        assert self.read(demo, ids)[0] == 400
        assert self.read(demo, ids[:51], propertiesWithHistory=["amount"])[0] == 400
        assert self.read(demo, ids[:50], propertiesWithHistory=["amount"])[0] == 200

    def test_a_body_that_does_not_fit_is_a_sentence(self, demo: Portal) -> None:
        answer = demo.http.post("/crm/v3/objects/deals/batch/read", content=b"{")
        assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


class TestWriting:
    def test_a_new_deal_is_listed_at_once_with_what_follows_from_its_stage(self, scratch: Portal) -> None:
        deal = scratch.make(
            dealname="New", dealstage="closedwon", amount=1000, closedate="2026-03-01T00:00:00.000Z"
        )
        shown = scratch.one(
            deal,
            properties="hs_is_closed,hs_is_closed_won,hs_deal_stage_probability,amount,closedate,pipeline",
        )
        values = shown["properties"]
        assert (values["hs_is_closed"], values["hs_is_closed_won"], values["hs_deal_stage_probability"]) == (
            "true",
            "true",
            "1",
        )
        assert (values["amount"], values["closedate"], values["pipeline"]) == (
            "1000",
            "2026-03-01T00:00:00Z",
            "default",
        )

    def test_a_change_moves_the_stamp_and_keeps_what_was(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="First name")
        scratch.control("clock", fix="2031-05-05T05:05:05.678Z")
        answer = scratch.http.patch(
            f"/crm/v3/objects/deals/{deal}", json={"properties": {"dealname": "Renamed"}}
        )
        assert answer.json()["updatedAt"] == "2031-05-05T05:05:05.678Z"
        history = scratch.one(deal, propertiesWithHistory="dealname")["propertiesWithHistory"]["dealname"]
        assert [each["value"] for each in history] == ["Renamed", "First name"]

    def test_setting_what_is_there_already_moves_nothing(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="Same")
        before = scratch.one(deal)
        scratch.control("clock", advance_seconds=60)
        scratch.http.patch(f"/crm/v3/objects/deals/{deal}", json={"properties": {"dealname": "Same"}})
        assert scratch.one(deal) == before

    @pytest.mark.parametrize(
        ("properties", "code"),
        [
            ({"nope": "1"}, "PROPERTY_DOESNT_EXIST"),
            ({"amount": "many"}, "INVALID_DOUBLE"),
            ({"closedate": "soon"}, "INVALID_LONG"),
            ({"dealtype": "barter"}, "INVALID_OPTION"),
            ({"dealstage": "limbo"}, "INVALID_OPTION"),
            ({"hs_is_closed": "true"}, "READ_ONLY_VALUE"),
        ],
    )
    def test_values_that_do_not_do_are_named(
        self, scratch: Portal, properties: dict[str, str], code: str
    ) -> None:
        answer = scratch.post("/crm/v3/objects/deals", {"properties": properties})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, code)

    def test_batches_create_change_and_archive(self, scratch: Portal) -> None:
        made = scratch.post(
            "/crm/v3/objects/notes/batch/create",
            {"inputs": [{"properties": {"hs_note_body": str(n)}} for n in range(3)]},
        )
        ids = [record["id"] for record in made.json()["results"]]
        assert (made.status_code, len(ids)) == (201, 3)
        inputs = [{"id": each, "properties": {"hs_note_body": "again"}} for each in [*ids, "5"]]
        changed = scratch.post("/crm/v3/objects/notes/batch/update", {"inputs": inputs})
        assert (changed.status_code, changed.json()["numErrors"]) == (207, 1)
        archived = scratch.post(
            "/crm/v3/objects/notes/batch/archive", {"inputs": [{"id": each} for each in ids]}
        )
        assert archived.status_code == 204
        assert {record["id"] for record in scratch.everything("notes", archived="true")} >= set(ids)

    def test_upserting_by_email_creates_once(self, scratch: Portal) -> None:
        body = {
            "inputs": [{"id": "new@x.example", "idProperty": "email", "properties": {"firstname": "Neo"}}]
        }
        first = scratch.post("/crm/v3/objects/contacts/batch/upsert", body).json()["results"][0]
        again = scratch.post("/crm/v3/objects/contacts/batch/upsert", body).json()["results"][0]
        assert (first["new"], again["new"], again["id"]) == (True, False, first["id"])
        assert scratch.one(first["id"], "contacts")["properties"]["email"] == "new@x.example"

    def test_a_record_can_be_created_with_its_associations(self, scratch: Portal) -> None:
        contact = scratch.objects("contacts", limit=1)[0]["id"]
        link = {
            "to": {"id": contact},
            "types": [{"associationCategory": "USER_DEFINED", "associationTypeId": 36}],
        }
        made = scratch.post(
            "/crm/v3/objects/deals", {"properties": {"dealname": "Tied"}, "associations": [link]}
        ).json()
        shown = scratch.one(made["id"], associations="contacts")
        assert shown["associations"]["contacts"]["results"] == [
            {"id": contact, "type": "deal_to_contact"}, {"id": contact, "type": "decision_maker"}]  # fmt: skip

    @pytest.mark.parametrize(
        "text",
        ['Quote " and \\', "two\nlines", "emoji 🦄 𝒳", "NUL \x00 inside", "zero\u200bwidth", "<b>&amp;"],
    )
    def test_text_of_any_kind_comes_back_as_it_went_in(self, scratch: Portal, text: str) -> None:
        deal = scratch.control("create", object="deals", fields={"dealname": text})["id"]
        assert scratch.one(deal)["properties"]["dealname"] == text
        assert (
            next(each for each in scratch.snapshot("deals") if each["id"] == deal)["properties"]["dealname"]
            == text
        )


class TestArchivingAndReturning:
    def test_neither_moves_the_stamp(self, scratch: Portal) -> None:
        deal = scratch.one(scratch.make(dealname="Away"))
        scratch.control("clock", advance_seconds=100)
        scratch.control("archive", object="deals", id=deal["id"])
        archived = scratch.one(deal["id"], archived="true")
        assert archived["updatedAt"] == deal["updatedAt"] < archived["archivedAt"]
        scratch.control("restore", object="deals", id=deal["id"])
        assert scratch.one(deal["id"]) == deal
        assert scratch.found(
            ("hs_lastmodifieddate", "EQ", deal["updatedAt"]), ("dealname", "EQ", "Away")
        ) == [deal["id"]]

    def test_after_ninety_days_they_are_gone(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="Old")
        scratch.control("archive", object="deals", id=deal)
        scratch.control("clock", advance_seconds=89 * 86_400)
        assert deal in {record["id"] for record in scratch.everything("deals", archived="true")}
        scratch.control("clock", advance_seconds=2 * 86_400)
        assert deal not in {record["id"] for record in scratch.everything("deals", archived="true")}
        assert scratch.try_control("restore", object="deals", id=deal).status_code == 404


class TestMerging:
    def test_the_survivor_takes_over_and_the_other_vanishes(self, scratch: Portal) -> None:
        contact = scratch.make("contacts", firstname="Ann")
        survivor, loser = scratch.make(dealname="Kept"), scratch.make(dealname="Lost", amount=5)
        scratch.control(
            "associate", object="deals", id=loser, other="contacts", other_id=contact, label="Champion"
        )
        scratch.control("clock", fix="2031-01-01T00:00:00.001Z")
        merged = scratch.post(
            "/crm/v3/objects/deals/merge", {"primaryObjectId": survivor, "objectIdToMerge": loser}
        )
        assert (merged.status_code, merged.json()["updatedAt"]) == (200, "2031-01-01T00:00:00.001Z")
        shown = scratch.one(
            survivor, properties="dealname,amount,hs_merged_object_ids", associations="contacts"
        )
        assert shown["properties"]["dealname"] == "Kept"
        assert (shown["properties"]["amount"], shown["properties"]["hs_merged_object_ids"]) == ("5", loser)
        assert {each["id"] for each in shown["associations"]["contacts"]["results"]} == {contact}
        assert scratch.get(f"/crm/v3/objects/deals/{loser}").status_code == 404
        assert loser not in {record["id"] for record in scratch.everything("deals", archived="true")}

    def test_counts_associations_anew_so_that_later_ones_move_the_stamps(self, scratch: Portal) -> None:
        """A count that was still the one of before would be “unchanged” by the next association, and its stamp would stay."""
        scratch.control("clock", fix="2031-01-01T00:00:00Z")
        survivor, loser, third = (scratch.make(dealname=name) for name in ("Kept", "Lost", "Third"))
        shared, own = scratch.make("contacts", firstname="Ann"), scratch.make("contacts", firstname="Bo")
        for deal, contact in ((survivor, shared), (loser, shared), (loser, own)):
            scratch.control("associate", object="deals", id=deal, other="contacts", other_id=contact)
        scratch.control("clock", fix="2031-01-02T00:00:00Z")
        scratch.control("merge", object="deals", primary=survivor, loser=loser)
        assert self._counted(scratch, "deals", survivor) == ("2", "2031-01-02T00:00:00Z")
        assert self._counted(scratch, "contacts", shared) == ("1", "2031-01-01T00:00:00Z")
        scratch.control("clock", fix="2031-01-03T00:00:00Z")
        scratch.control("part", object="deals", id=survivor, other="contacts", other_id=own)
        scratch.control("associate", object="deals", id=third, other="contacts", other_id=shared)
        assert self._counted(scratch, "deals", survivor) == ("1", "2031-01-03T00:00:00Z")
        assert self._counted(scratch, "contacts", shared) == ("2", "2031-01-03T00:00:00Z")

    @staticmethod
    def _counted(portal: Portal, kind: str, record_id: str) -> tuple[str, str]:
        """How many of the other kind a record counts, and its stamp."""
        name = "num_associated_contacts" if kind == "deals" else "num_associated_deals"
        shown = portal.one(record_id, kind, properties=name)
        return shown["properties"][name], shown["updatedAt"]

    def test_a_record_is_not_merged_with_itself(self, scratch: Portal) -> None:
        deal = scratch.make(dealname="One")
        answer = scratch.post(
            "/crm/v3/objects/deals/merge", {"primaryObjectId": deal, "objectIdToMerge": deal}
        )
        assert answer.status_code == 400


class TestForgetting:
    def test_leaves_no_trace(self, scratch: Portal) -> None:
        contact, deal = scratch.make("contacts", email="gone@x.example"), scratch.make(dealname="Left")
        scratch.control("associate", object="deals", id=deal, other="contacts", other_id=contact)
        answer = scratch.post(
            "/crm/v3/objects/contacts/gdpr-delete", {"objectId": "gone@x.example", "idProperty": "email"}
        )
        assert answer.status_code == 204
        assert scratch.get(f"/crm/v3/objects/contacts/{contact}", archived="true").status_code == 404
        assert contact not in {record["id"] for record in scratch.snapshot("contacts", archived=True)}
        assert "associations" not in scratch.one(deal, associations="contacts")


class TestOddInput:
    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("GET", "/crm/v3/objects/deals?after=x", None),
            ("GET", "/crm/v3/objects/deals?limit=many", None),
            ("POST", "/crm/v3/objects/deals", []),
            ("POST", "/crm/v3/objects/deals", {"properties": {"closedate": "9" * 30}}),
            (
                "POST",
                "/crm/v3/objects/deals",
                {"associations": [{"to": {"id": "x"}, "types": [{"associationTypeId": 3}]}]},
            ),
            (
                "POST",
                "/crm/v3/objects/deals",
                {"associations": [{"to": {"id": "1"}, "types": [{"associationTypeId": 999}]}]},
            ),
            ("POST", "/crm/v3/objects/deals/batch/update", {"inputs": [{"properties": []}]}),
            ("POST", "/crm/v3/objects/deals/batch/archive", {"inputs": "all"}),
            ("POST", "/crm/v3/objects/contacts/gdpr-delete", ["x"]),
            ("POST", "/crm/v3/objects/deals/merge", {"primaryObjectId": "1"}),
            ("POST", "/crm/v4/associations/deals/contacts/batch/read", {"inputs": [{"id": "x"}]}),
            (
                "POST",
                "/crm/v4/associations/deals/contacts/batch/read",
                {"inputs": [{"id": "1", "after": "x"}]},
            ),
            ("POST", "/crm/v4/associations/deals/planets/batch/read", {"inputs": [{"id": "1"}]}),
            ("GET", "/crm/v4/objects/deals/x/associations/contacts", None),
            ("PUT", "/crm/v4/objects/deals/1/associations/contacts/2", [{"associationTypeId": 12345}]),
            ("GET", "/crm/v3/owners?after=x", None),
            ("POST", "/crm/v3/pipelines/deals", {"label": "No stages"}),
        ],
    )
    def test_is_refused_with_a_sentence(self, scratch: Portal, method: str, path: str, body: object) -> None:
        answer = scratch.http.request(
            method, path, content=None if body is None else msgspec.json.encode(body)
        )
        assert (answer.status_code, answer.json()["status"]) == (400, "error")
        assert answer.json()["message"]

    def test_numbers_too_large_for_the_index_find_nothing(self, scratch: Portal) -> None:
        assert scratch.found(("hs_object_id", "GT", "9" * 25)) == []

    def test_an_address_or_method_that_there_is_not_is_an_error_of_the_same_form(
        self, scratch: Portal
    ) -> None:
        assert scratch.get("/crm/v3/nothing").json()["message"] == "resource not found"
        assert scratch.http.delete("/crm/v3/objects/deals").status_code == 405

    def test_an_email_address_is_a_contacts_own(self, scratch: Portal) -> None:
        first = scratch.make("contacts", email="one@x.example")
        again = scratch.post("/crm/v3/objects/contacts", {"properties": {"email": "one@x.example"}})
        assert (again.status_code, again.json()["message"]) == (
            409,
            f"Contact already exists. Existing ID: {first}",
        )
