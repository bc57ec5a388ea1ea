"""Which CRM field fills which of ours: what a mapping may be, what a sync makes of it, its versions, and trying it first."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from audit.models import Event
from crm_sync.connectors import OBJECTS_READ
from crm_sync.connectors.salesforce.objects import DEALS, OBJECTS
from crm_sync.errors import MappingChanged, MappingVersionMissing, ObjectUnknown
from crm_sync.mapping.applied import applied
from crm_sync.mapping.document import complete, defaults_of, from_json, is_mappable, slots_of
from crm_sync.mapping.services import MappingInvalid, Saved, mapping_restore, mapping_save
from crm_sync.mapping.trial import Trial, mapping_try
from crm_sync.mapping.versions import in_force, versions_of
from crm_sync.models import FieldMap, Opportunity, RejectedRow, RunState, SyncCursor
from isolation import context
from isolation.errors import Forbidden, InvalidInput
from rbac.selectors import actor_of
from tenants.models import Member
from tests.crm_sync.conftest import SYSTEM, Crm, ServeFiles
from tests.crm_sync.mirrored import assert_equal

CUSTOM = {"region": "Region__c", "contract_value": "Contract_Value__c", "renewal": "Renewal_Date__c",
          "strategic": "Is_Strategic__c"}  # fmt: skip


def save(crm: Crm, fields: dict[str, str], **more: Any) -> Saved:
    """Map the deals so."""
    given = {"acting_user": SYSTEM, **more}
    return mapping_save(
        tenant_id=crm.tenant.id, source="salesforce", document={"Opportunity": fields}, **given
    )


def attempt(crm: Crm, fields: dict[str, str]) -> Trial:
    return mapping_try(
        tenant_id=crm.tenant.id, source="salesforce", name="Opportunity", fields=fields, acting_user=SYSTEM
    )


def deal(crm: Crm, key: str) -> Opportunity:
    with context.tenant_wide(crm.tenant.id):
        return Opportunity.objects.get(external_id=key)  # type: ignore[no-any-return]  # untyped: the key's class hides it


class TestTheDocument:
    def test_has_the_guides_names_for_deals(self) -> None:
        guide = {
            "opportunity_id": "Id", "opportunity_name": "Name", "account_id": "AccountId", "owner_id": "OwnerId",
            "amount": "Amount", "stage_name": "StageName", "close_date": "CloseDate",
        }  # fmt: skip
        assert guide.items() <= defaults_of(DEALS).items()

    def test_has_a_name_of_its_own_for_each_of_our_fields(self) -> None:
        for spec in (spec for specs in OBJECTS_READ.values() for spec in specs if is_mappable(spec)):
            currency = 1 if spec.currency_field else 0
            assert len(slots_of(spec)) == 2 + len(spec.columns) + len(spec.references) + currency, spec.name

    def test_that_is_the_default_changes_nothing(self) -> None:
        for spec in OBJECTS:
            assert applied(spec, complete(OBJECTS, {})[spec.name], {}) == spec

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "It is no JSON"),
            ("[]", "It must be an object of objects"),
            ('{"Opportunity": {"amount": 1}}', "values are names of CRM fields"),
            ('{"Opportunity": {"a": "X", "a": "Y"}}', "“a” stands in it twice"),
            ('{"O": {}, "O": {}}', "“O” stands in it twice"),
            (" " * 600_000, "longer than 512 kB"),
            ("[" * 200_000, "nested too deeply"),
        ],
    )
    def test_is_refused_with_a_reason(self, text: str, said: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            from_json(text)
        assert said in refused.value.message
        assert refused.value.field == "document"


class TestCustomFields:
    def test_are_kept_as_what_the_crm_says_they_are(self, crm: Crm) -> None:
        row = crm.some_deal()
        crm.client.control(
            "update", object="Opportunity", id=row["Id"],
            fields={"Region__c": "EMEA", "Contract_Value__c": 1250.5, "Renewal_Date__c": "2027-01-31", "Is_Strategic__c": True},
        )  # fmt: skip
        save(crm, CUSTOM)
        crm.sync()
        found = deal(crm, row["Id"]).custom
        assert found["region"] == "EMEA"
        assert Decimal(str(found["contract_value"])) == Decimal("1250.5")
        assert (found["renewal"], found["strategic"]) == ("2027-01-31", True)
        assert_equal(crm)

    def test_that_are_added_later_make_the_object_read_anew_and_nothing_else(self, crm: Crm) -> None:
        crm.sync()
        saved = save(crm, CUSTOM)
        assert saved.reread == ["Opportunity"]
        with context.tenant_wide(crm.tenant.id):
            assert not SyncCursor.objects.filter(object_name="Opportunity").exists()
            before = Opportunity.objects.count()
        run = crm.sync()
        deals = crm.result(run, "Opportunity")
        assert (deals.rows_changed, deals.rows_inserted, deals.rows_deleted) == (before, 0, 0)
        assert crm.result(run, "Contact").rows_read == 0
        assert_equal(crm)

    def test_that_the_crm_drops_keep_their_last_values(self, crm: Crm) -> None:
        row = crm.some_deal()
        crm.client.control("update", object="Opportunity", id=row["Id"], fields={"Region__c": "EMEA"})
        save(crm, CUSTOM)
        crm.sync()
        crm.client.control("schema", object="Opportunity", remove="Region__c")
        crm.client.control(
            "update", object="Opportunity", id=row["Id"], fields={"NextStep": "Call", "Contract_Value__c": 7}
        )
        run = crm.sync(is_full=True)
        found = deal(crm, row["Id"])
        assert (found.next_step, found.custom["region"], found.custom["contract_value"]) == (
            "Call",
            "EMEA",
            7,
        )
        assert "Without Region__c" in crm.result(run, "Opportunity").note

    def test_that_are_taken_out_leave_the_rows(self, crm: Crm) -> None:
        row = crm.some_deal()
        crm.client.control("update", object="Opportunity", id=row["Id"], fields={"Region__c": "EMEA"})
        save(crm, CUSTOM)
        crm.sync()
        save(crm, {"strategic": "Is_Strategic__c"})
        crm.sync()
        assert "region" not in deal(crm, row["Id"]).custom


class TestOurFields:
    def test_are_read_from_the_field_that_is_chosen(self, crm: Crm) -> None:
        row = crm.some_deal()
        crm.client.control(
            "update", object="Opportunity", id=row["Id"],
            fields={"Contract_Value__c": 4321, "Renewal_Date__c": "2027-06-30", "Notes__c": "Ring"},
        )  # fmt: skip
        save(crm, {"amount": "Contract_Value__c", "close_date": "Renewal_Date__c", "next_step": "Notes__c"})
        crm.sync()
        found = deal(crm, row["Id"])
        assert (found.amount_minor, str(found.close_on), found.next_step) == (432100, "2027-06-30", "Ring")

    def test_that_are_mapped_to_nothing_keep_what_they_hold(self, crm: Crm) -> None:
        crm.sync()
        row = next(each for each in crm.client.snapshot("Opportunity") if each["NextStep"])
        save(crm, {"next_step": ""})
        crm.client.control(
            "update", object="Opportunity", id=row["Id"], fields={"NextStep": "other", "Amount": 5}
        )
        crm.sync()
        found = deal(crm, row["Id"])
        assert (found.next_step, found.amount_minor) == (row["NextStep"], 500)


class TestAMappingThatCannotWork:
    @pytest.mark.parametrize(
        ("fields", "at", "said"),
        [
            ({"amount": "Amuont"}, "Opportunity.amount", "has no field “Amuont”"),
            ({"amount": "Amuont"}, "Opportunity.amount", "Did you mean Amount?"),
            ({"close_date": "Notes__c"}, "Opportunity.close_date", "needs a date without a time"),
            ({"amount": "Region__c"}, "Opportunity.amount", "is of type picklist, and amount needs a number"),
            ({"is_won": "Contract_Value__c"}, "Opportunity.is_won", "needs a checkbox"),
            ({"owner_id": "Region__c"}, "Opportunity.owner_id", "needs the id of another row"),
            ({"opportunity_name": ""}, "Opportunity.opportunity_name", "is needed"),
            ({"owner_id": ""}, "Opportunity.owner_id", "is needed"),
            ({"opportunity_id": "Name"}, "Opportunity.opportunity_id", "can only be read from Id"),
            (
                {"modified_at": "CreatedDate"},
                "Opportunity.modified_at",
                "can only be read from SystemModstamp",
            ),
            ({"Region!": "Region__c"}, "Opportunity.Region!", "cannot name a custom field"),
            ({"region": ""}, "Opportunity.region", "Choose the field that region is read from"),
            ({"region": "Secret__c"}, "Opportunity.region", "has no field “Secret__c”"),
            ({"a": "Region__c", "b": "Region__c"}, "Opportunity.b", "is read as a already"),
            ({"sum": "Amount"}, "Opportunity.sum", "is read as amount already"),
            ({"x": "Id, (SELECT Id FROM Contacts)"}, "Opportunity.x", "has no field"),
        ],
    )
    def test_is_refused_at_the_field_with_what_would_be_right(
        self, crm: Crm, fields: dict[str, str], at: str, said: str
    ) -> None:
        with pytest.raises(MappingInvalid) as refused:
            save(crm, fields)
        assert refused.value.field == at
        assert said in refused.value.message
        with context.tenant_wide(crm.tenant.id):
            assert not FieldMap.objects.exists()

    def test_tells_every_fault_at_once(self, crm: Crm) -> None:
        with pytest.raises(MappingInvalid) as refused:
            save(crm, {"amount": "x", "close_date": "y"})
        assert [fault.key for fault in refused.value.faults] == ["amount", "close_date"]

    def test_of_a_hidden_field_is_refused(self, crm: Crm) -> None:
        crm.client.control("schema", object="Opportunity", hide="Region__c")
        with pytest.raises(MappingInvalid, match="hidden from the integration user"):
            save(crm, CUSTOM)

    def test_of_an_unknown_object_names_the_known_ones(self, crm: Crm) -> None:
        with pytest.raises(ObjectUnknown, match=r"Use one of: .*Opportunity"):
            mapping_save(
                tenant_id=crm.tenant.id, source="salesforce", document={"Lead": {}}, acting_user=SYSTEM
            )


class TestVersions:
    def test_begin_with_what_the_first_sync_found(self, crm: Crm) -> None:
        crm.sync()
        with context.tenant_wide(crm.tenant.id):
            first = in_force(crm.connection)
        assert (first.version, first.document, first.is_stored) == (0, {}, True)
        assert first.contract["Opportunity"]["Amount"].type == "currency"

    def test_are_kept_and_can_be_restored(self, crm: Crm) -> None:
        crm.sync()
        assert save(crm, CUSTOM).version == 1
        assert save(crm, {}).version == 2
        restored = mapping_restore(
            tenant_id=crm.tenant.id, source="salesforce", version=1, acting_user=SYSTEM
        )
        assert (restored.version, len(restored.changes)) == (3, len(CUSTOM))
        with context.tenant_wide(crm.tenant.id):
            newest = versions_of(crm.connection)[0]
            assert CUSTOM.items() <= newest.document["Opportunity"].items()
            facts = [event.facts for event in Event.objects.filter(code="crm_sync.mapping_saved")]
        assert newest.note == "Version 1 again"
        assert "Opportunity.region: not read → Region__c" in str(facts)

    def test_that_are_not_there_cannot_be_restored(self, crm: Crm) -> None:
        with pytest.raises(MappingVersionMissing):
            mapping_restore(tenant_id=crm.tenant.id, source="salesforce", version=9, acting_user=SYSTEM)

    def test_a_save_without_a_change_makes_none(self, crm: Crm) -> None:
        crm.sync()
        save(crm, CUSTOM)
        again = save(crm, CUSTOM)
        assert (again.version, again.changes, again.reread) == (1, [], [])

    def test_two_people_at_once_do_not_overwrite_each_other(self, crm: Crm) -> None:
        crm.sync()
        save(crm, CUSTOM, base_version=0)
        with pytest.raises(MappingChanged, match="saved version 1"):
            save(crm, {}, base_version=0)

    def test_are_not_an_analysts_to_change(self, crm: Crm, analyst: Member) -> None:
        with context.tenant_wide(crm.tenant.id):
            actor = actor_of(analyst)
        with pytest.raises(Forbidden):
            save(crm, CUSTOM, acting_user=actor)


class TestASaveWhileARunIsAtWork:
    def test_lets_the_run_begin_the_object_again(self, crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
        crm.sync()
        row = crm.some_deal()
        crm.client.control("update", object="Opportunity", id=row["Id"], fields={"Region__c": "EMEA"})

        def interrupted(result: Any, spec: Any, heard: Any = crm.hear) -> None:
            if result.object_name == "Opportunity" and not in_version(crm, 1):
                save(crm, CUSTOM)

        monkeypatch.setattr(crm, "hear", interrupted)
        put_back = crm.sync()
        assert put_back.state == RunState.QUEUED
        done = crm.sync()
        assert (done.id, done.state) == (put_back.id, RunState.SUCCEEDED)
        assert deal(crm, row["Id"]).custom["region"] == "EMEA"
        assert_equal(crm)


def in_version(crm: Crm, number: int) -> bool:
    with context.tenant_wide(crm.tenant.id):
        return FieldMap.objects.filter(version=number).exists()


class TestTryingAMapping:
    def test_shows_what_rows_would_become_and_stores_nothing(self, crm: Crm) -> None:
        crm.sync()
        row = crm.some_deal()
        crm.client.control(
            "update", object="Opportunity", id=row["Id"], fields={"Region__c": "EMEA", "Amount": 1234.5}
        )
        trial = attempt(crm, {**CUSTOM, "opportunity_name": "Notes__c"})
        shown = next(each for each in trial.rows if each.external_id == row["Id"])
        assert shown.reason != ""  # Notes__c is empty, and a deal needs a name
        trial = attempt(crm, CUSTOM)
        shown = next(each for each in trial.rows if each.external_id == row["Id"])
        assert (shown.values["region"], shown.values["amount"], shown.reason) == ("EMEA", "1234.5", "")
        assert len(trial.rows) == 10
        with context.tenant_wide(crm.tenant.id):
            assert not FieldMap.objects.filter(version=1).exists()
            assert not RejectedRow.objects.exists()
            assert Opportunity.objects.get(external_id=row["Id"]).amount_minor != 123450

    def test_says_which_rows_would_be_kept_aside_and_why(self, serve_files: ServeFiles) -> None:
        crm = serve_files(
            User="Id,Name,Email,IsActive\n005A,Rina,rina@acme.test,true\n",
            Opportunity="Id,Name,StageName,CloseDate,Amount,OwnerId\n"
            "006A,Good,Proposal,2026-12-01,10,005A\n006B,Bad,Proposal,2026-02-30,10,005A\n",
        )
        crm.sync()
        trial = attempt(crm, {})
        assert trial.kept_aside == 1
        bad = next(row for row in trial.rows if row.reason)
        assert (bad.external_id, bad.field) == ("006B", "CloseDate")
        assert bad.reason == "is not a date; a date looks like 2026-03-31"

    def test_refuses_what_a_save_would_refuse(self, crm: Crm) -> None:
        with pytest.raises(MappingInvalid):
            attempt(crm, {"amount": "Region__c"})


def test_an_export_can_be_imported_again(crm: Crm) -> None:
    crm.sync()
    save(crm, CUSTOM)
    with context.tenant_wide(crm.tenant.id):
        text = json.dumps(in_force(crm.connection).document)
    saved = mapping_save(
        tenant_id=crm.tenant.id, source="salesforce", document=from_json(text), acting_user=SYSTEM
    )
    assert saved.changes == []
