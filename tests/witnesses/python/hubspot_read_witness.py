"""hubspot-api-client, HubSpot's own Python client, reads from the sandbox."""

import math
import time
from datetime import datetime
from typing import Any

import pytest
from hand import Hand
from hubspot.crm import associations, contacts, deals
from hubspot.crm.associations import v4
from hubspot_parts import batch_of, ids, people, search_for, told, where

pytest_plugins = ("hubspot_parts",)


class TestReading:
    @pytest.mark.parametrize("kind", ["deals", "contacts", "companies"])
    def test_get_all_follows_every_page(self, hs: Any, portal: Hand, kind: str) -> None:
        before = portal.calls(f"/objects/{kind}")
        found = getattr(hs.crm, kind).get_all()
        truth = portal.records(kind)
        assert ids(found) == ids(truth)
        assert portal.calls(f"/objects/{kind}") - before == math.ceil(len(truth) / 100)

    @pytest.mark.parametrize("kind", ["calls", "meetings", "emails", "notes", "tasks"])
    def test_engagements(self, hs: Any, portal: Hand, kind: str) -> None:
        page = getattr(hs.crm.objects, kind).basic_api.get_page(limit=100)
        truth = portal.records(kind)
        assert [each.id for each in page.results] == [each["id"] for each in truth[:100]]
        assert (page.paging is not None) == (len(truth) > 100)

    def test_a_kind_by_its_type_id(self, hs: Any, portal: Hand) -> None:
        page = hs.crm.objects.basic_api.get_page("0-3", limit=100)
        assert [each.id for each in page.results] == [each["id"] for each in portal.records("deals")[:100]]

    def test_properties_and_associations_that_were_asked_for(self, hs: Any, portal: Hand) -> None:
        names = ["dealname", "amount", "dealstage", "closedate", "no_such_property"]
        truth = {each["id"]: each for each in portal.records("deals")}
        page = hs.crm.deals.basic_api.get_page(
            limit=100, properties=names, associations=["contacts", "companies"]
        )
        for record in page.results:
            there = truth[record.id]
            assert {name: record.properties[name] for name in names[:4]} == {
                name: there["properties"][name] for name in names[:4]
            }
            assert "no_such_property" not in record.properties
            for kind in ("contacts", "companies"):
                linked = (record.associations or {}).get(kind)
                shown = {each.id for each in linked.results} if linked else set()
                assert shown == {each["id"] for each in there.get("associations", {}).get(kind, [])}

    def test_default_properties_and_types(self, hs: Any) -> None:
        (record, *_) = hs.crm.deals.basic_api.get_page().results
        assert set(record.properties) == {
            "amount", "closedate", "createdate", "dealname", "dealstage", "hs_lastmodifieddate", "hs_object_id", "pipeline",
        }  # fmt: skip
        assert isinstance(record.created_at, datetime)
        assert record.updated_at >= record.created_at
        assert record.archived is False

    def test_the_history_of_a_property(self, hs: Any) -> None:
        records = hs.crm.deals.get_all(properties_with_history=["dealstage"], limit=200)
        for record in records:
            versions = record.properties_with_history["dealstage"]
            assert versions[0].value == record.properties["dealstage"]
            moments = [each.timestamp for each in versions]
            assert moments == sorted(moments, reverse=True)
        assert any(len(each.properties_with_history["dealstage"]) > 1 for each in records)

    def test_one_record_by_its_id_or_by_another_property(self, hs: Any, portal: Hand) -> None:
        there = next(each for each in portal.records("contacts") if each["properties"]["email"])
        by_id = hs.crm.contacts.basic_api.get_by_id(there["id"], properties=["email"])
        by_email = hs.crm.contacts.basic_api.get_by_id(by_id.properties["email"], id_property="email")
        assert by_id.id == by_email.id == there["id"]

    def test_archived_records_are_listed_apart(self, hs: Any, portal: Hand) -> None:
        gone = hs.crm.deals.get_all(archived=True)
        living = set(ids(portal.records("deals")))
        assert ids(gone) == sorted(set(ids(portal.records("deals", archived=1))) - living)
        assert gone
        assert all(each.archived and each.archived_at for each in gone)

    def test_owners(self, hs: Any, portal: Hand) -> None:
        owners = hs.crm.owners.get_all()
        assert ids(owners) == sorted(each["id"] for each in people(portal))
        first = owners[0]
        assert hs.crm.owners.owners_api.get_by_id(int(first.id)).email == first.email
        assert ids(hs.crm.owners.owners_api.get_page(email=first.email).results) == [first.id]

    def test_pipelines_know_every_stage_in_use(self, hs: Any, portal: Hand) -> None:
        pipelines = hs.crm.pipelines.pipelines_api.get_all("deals").results
        stages = {(pipeline.id, stage.id) for pipeline in pipelines for stage in pipeline.stages}
        used = {
            (each["properties"]["pipeline"], each["properties"]["dealstage"])
            for each in portal.records("deals")
        }
        assert used <= stages
        assert len(pipelines) == 2
        closed = {stage.metadata["isClosed"] for pipeline in pipelines for stage in pipeline.stages}
        assert closed == {"true", "false"}

    def test_properties_are_all_described(self, hs: Any, portal: Hand) -> None:
        described = {each.name: each for each in hs.crm.properties.core_api.get_all("deals").results}
        (first, *_) = portal.records("deals")
        assert first["properties"].keys() <= described.keys()
        assert described["dealstage"].type == "enumeration"
        assert hs.crm.properties.core_api.get_by_name("deals", "amount").type == "number"

    def test_more_than_a_page_may_hold_is_refused(self, hs: Any) -> None:
        with pytest.raises(deals.ApiException) as refused:
            hs.crm.deals.basic_api.get_page(limit=101)
        assert (refused.value.status, told(refused.value)["category"]) == (400, "VALIDATION_ERROR")


class TestSearching:
    def test_pages_by_after_and_total(self, hs: Any, portal: Hand) -> None:
        sums = [float(each["properties"]["amount"] or 0) for each in portal.records("deals")]
        groups, found, after = where("amount", "GTE", value="20000"), [], None
        while True:
            page = hs.crm.deals.search_api.do_search(search_for(filter_groups=groups, after=after))
            found.extend(page.results)
            if page.paging is None:
                break
            after = page.paging.next.after
        assert len(found) == len({each.id for each in found}) == page.total
        assert page.total == len([each for each in sums if each >= 20000])
        assert all(float(each.properties["amount"]) >= 20000 for each in found)

    def test_operators_and_sorting(self, hs: Any, portal: Hand) -> None:
        truth = portal.records("deals")
        open_stages = ["appointmentscheduled", "qualifiedtobuy"]
        found = hs.crm.deals.search_api.do_search(
            search_for(
                filter_groups=where("dealstage", "IN", values=open_stages),
                sorts=[{"propertyName": "createdate", "direction": "DESCENDING"}],
                limit=200,
                properties=["createdate", "dealstage"],
            )
        )
        assert found.total == len([each for each in truth if each["properties"]["dealstage"] in open_stages])
        assert found.total > 0
        created = [each.properties["createdate"] for each in found.results]
        assert created == sorted(created, reverse=True)
        without = hs.crm.deals.search_api.do_search(
            search_for(filter_groups=where("amount", "NOT_HAS_PROPERTY"))
        )
        assert without.total == len([each for each in truth if not each["properties"]["amount"]])

    def test_changes_since_a_moment(self, writer: Any, scratch: Hand, deal: str) -> None:
        before = str(int(time.time() * 1000) - 60_000)
        found = writer.crm.deals.search_api.do_search(
            search_for(filter_groups=where("hs_lastmodifieddate", "GTE", value=before))
        )
        assert deal in ids(found.results)

    def test_the_index_may_lag_behind(self, writer: Any, scratch: Hand, deal: str) -> None:
        name = f"Renamed {deal}"
        scratch.command("switches", search_lag_seconds=3600)
        writer.crm.deals.basic_api.update(deal, deals.SimplePublicObjectInput(properties={"dealname": name}))
        renamed = search_for(filter_groups=where("dealname", "EQ", value=name))
        assert writer.crm.deals.search_api.do_search(renamed).total == 0
        assert writer.crm.deals.basic_api.get_by_id(deal).properties["dealname"] == name
        scratch.command("clock", advance_seconds=3601)
        assert ids(writer.crm.deals.search_api.do_search(renamed).results) == [deal]

    @pytest.mark.parametrize(
        "more",
        [
            {"after": "9950", "limit": 100},
            {"limit": 201},
            {"filter_groups": where("no_such_property", "EQ", value="x")},
            {"filter_groups": where("amount", "HAS_PROPERTY") * 6},
        ],
    )
    def test_what_a_search_does_not_do(self, hs: Any, more: dict[str, Any]) -> None:
        with pytest.raises(deals.ApiException) as refused:
            hs.crm.deals.search_api.do_search(search_for(**more))
        assert (refused.value.status, told(refused.value)["category"]) == (400, "VALIDATION_ERROR")


class TestBatches:
    def test_a_hundred_at_once(self, hs: Any, portal: Hand) -> None:
        wanted = ids(portal.records("deals"))[:100]
        read = hs.crm.deals.batch_api.read(batch_of(wanted))
        assert (read.status, ids(read.results)) == ("COMPLETE", wanted)

    def test_what_is_missing_is_told_beside_the_rest(self, hs: Any, portal: Hand) -> None:
        wanted = ids(portal.records("deals"))[:2]
        read = hs.crm.deals.batch_api.read(batch_of([*wanted, "999"]))
        assert isinstance(read, deals.BatchResponseSimplePublicObjectWithErrors)
        assert (ids(read.results), read.num_errors) == (wanted, 1)
        assert read.errors[0].category == "OBJECT_NOT_FOUND"
        assert read.errors[0].context["ids"] == ["999"]

    def test_more_than_a_hundred_are_refused(self, hs: Any) -> None:
        with pytest.raises(deals.ApiException) as refused:
            hs.crm.deals.batch_api.read(batch_of([str(number) for number in range(101)]))
        assert (refused.value.status, told(refused.value)["category"]) == (400, "VALIDATION_ERROR")

    def test_create_update_upsert_archive(self, writer: Any, scratch: Hand) -> None:
        names = ["one@witness.example", "two@witness.example"]
        new = [contacts.SimplePublicObjectBatchInputForCreate(properties={"email": name}) for name in names]
        made = writer.crm.contacts.batch_api.create(
            contacts.BatchInputSimplePublicObjectBatchInputForCreate(inputs=new)
        ).results
        changes = [
            contacts.SimplePublicObjectBatchInput(id=each.id, properties={"lastname": "W"}) for each in made
        ]
        writer.crm.contacts.batch_api.update(contacts.BatchInputSimplePublicObjectBatchInput(inputs=changes))
        upserts = [
            contacts.SimplePublicObjectBatchInputUpsert(
                id=name, id_property="email", properties={"firstname": "F"}
            )
            for name in (names[0], "three@witness.example")
        ]
        upserted = writer.crm.contacts.batch_api.upsert(
            contacts.BatchInputSimplePublicObjectBatchInputUpsert(inputs=upserts)
        ).results
        assert [each.new for each in upserted] == [False, True]
        there = {each["id"]: each["properties"] for each in scratch.records("contacts")}
        assert [there[each.id]["lastname"] for each in made] == ["W", "W"]
        assert there[upserted[0].id]["firstname"] == there[upserted[1].id]["firstname"] == "F"
        every = [contacts.SimplePublicObjectId(id=each.id) for each in (*made, upserted[1])]
        writer.crm.contacts.batch_api.archive(contacts.BatchInputSimplePublicObjectId(inputs=every))
        assert not {each.id for each in every} & set(ids(scratch.records("contacts")))


class TestAssociations:
    def test_all_of_a_kind_at_once_with_their_labels(self, hs: Any, portal: Hand) -> None:
        truth = {
            each["id"]: {link["id"]: set(link["labels"]) for link in each["associations"]["contacts"]}
            for each in portal.records("deals")
            if each.get("associations", {}).get("contacts")
        }
        inputs = [v4.PublicFetchAssociationsBatchRequest(id=each) for each in list(truth)[:1000]]
        read = hs.crm.associations.v4.batch_api.get_page(
            "deals", "contacts", v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=inputs)
        )
        found = {
            each._from.id: {
                str(link.to_object_id): {kind.label for kind in link.association_types if kind.label}
                for link in each.to
            }
            for each in read.results
        }
        assert found == {key: truth[key] for key in list(truth)[:1000]}
        assert any(labels for links in found.values() for labels in links.values())

    def test_a_record_without_any_is_told_as_an_error(self, hs: Any, portal: Hand) -> None:
        alone = next(
            each["id"] for each in portal.records("deals") if not each.get("associations", {}).get("contacts")
        )
        read = hs.crm.associations.v4.batch_api.get_page(
            "deals",
            "contacts",
            v4.BatchInputPublicFetchAssociationsBatchRequest(
                inputs=[v4.PublicFetchAssociationsBatchRequest(id=alone)]
            ),
        )
        assert isinstance(read, v4.BatchResponsePublicAssociationMultiWithLabelWithErrors)
        assert (read.results, read.num_errors) == ([], 1)

    def test_one_by_one(self, writer: Any, scratch: Hand, deal: str) -> None:
        contact = ids(scratch.records("contacts"))[0]
        api = writer.crm.associations.v4.basic_api
        api.create_default("deals", deal, "contacts", contact)
        label = v4.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=3)
        api.create("deals", deal, "contacts", contact, [label])
        page = api.get_page("deals", deal, "contacts")
        assert [str(each.to_object_id) for each in page.results] == [contact]
        assert {kind.type_id for kind in page.results[0].association_types} == {3}
        back = api.get_page("contacts", contact, "deals").results
        assert deal in [str(each.to_object_id) for each in back]
        api.archive("deals", deal, "contacts", contact)
        assert api.get_page("deals", deal, "contacts").results == []

    def test_the_older_way(self, hs: Any, portal: Hand) -> None:
        there = next(
            each for each in portal.records("deals") if each.get("associations", {}).get("companies")
        )
        wanted = associations.BatchInputPublicObjectId(inputs=[associations.PublicObjectId(id=there["id"])])
        (read,) = hs.crm.associations.batch_api.read("deals", "companies", wanted).results
        assert {each.id for each in read.to} == {each["id"] for each in there["associations"]["companies"]}

    def test_the_labels_of_a_pair(self, hs: Any) -> None:
        labels = hs.crm.associations.v4.schema.definitions_api.get_all("deals", "contacts").results
        assert 3 in {each.type_id for each in labels}
        assert {each.category for each in labels} == {"HUBSPOT_DEFINED", "USER_DEFINED"}
