"""What the objects hold: describe, stages, custom fields and formulas, and how a schema drifts."""

from datetime import UTC, datetime, timedelta

import pytest

from .conftest import API, Client

KEYS = """
aggregatable aiPredictionField autoNumber byteLength calculated calculatedFormula cascadeDelete caseSensitive compoundFieldName
controllerName createable custom defaultValue defaultValueFormula defaultedOnCreate dependentPicklist deprecatedAndHidden digits
displayLocationInDecimal encrypted externalId extraTypeInfo filterable filteredLookupInfo formulaTreatNullNumberAsZero groupable
highScaleNumber htmlFormatted idLookup inlineHelpText label length mask maskType name nameField namePointing nillable
permissionable picklistValues polymorphicForeignKey precision queryByDistance referenceTargetField referenceTo relationshipName
relationshipOrder restrictedDelete restrictedPicklist scale searchPrefilterable soapType sortable type unique updateable
writeRequiresMasterRead
"""


def fields_of(crm: Client, name: str = "Opportunity") -> dict[str, dict[str, object]]:
    described = crm.get(f"/sobjects/{name}/describe").json()
    return {field["name"]: field for field in described["fields"]}


def stamp_of(crm: Client, deal: str) -> object:
    return crm.values(f"SELECT SystemModstamp FROM Opportunity WHERE Id = '{deal}'")[0]


class TestDescribe:
    def test_every_key_of_a_real_field_is_there(self, crm: Client) -> None:
        for field in fields_of(crm).values():
            assert sorted(field) == KEYS.split()

    def test_object_level_keys_children_and_record_types_are_there(self, crm: Client) -> None:
        described = crm.get("/sobjects/Account/describe").json()
        assert ("Contact", "AccountId", "Contacts") in [
            (each["childSObject"], each["field"], each["relationshipName"])
            for each in described["childRelationships"]
        ]
        assert described["recordTypeInfos"][0]["master"] is True
        assert (described["mergeable"], described["replicateable"]) == (True, True)
        assert {"supportedScopes", "urls", "mruEnabled", "hasSubtypes"} <= set(described)

    def test_formulas_are_told_from_ordinary_fields(self, crm: Client) -> None:
        fields = fields_of(crm)
        assert fields["Account_Industry__c"]["calculatedFormula"] == "TEXT(Account.Industry)"
        assert [name for name, field in fields.items() if field["calculated"]] == [
            "Account_Industry__c", "Days_Open__c", "Weighted_Value__c",
        ]  # fmt: skip
        assert fields["Days_Open__c"]["updateable"] is False
        assert fields["Region__c"]["type"] == "picklist"
        assert fields["Notes__c"]["filterable"] is False


class TestStages:
    def test_stages_are_records_that_decide_the_picklist(self, scratch: Client) -> None:
        stages = scratch.records(
            "SELECT Id, MasterLabel, IsWon, IsClosed FROM OpportunityStage WHERE IsActive = true ORDER BY SortOrder"
        )
        picklist = fields_of(scratch)["StageName"]["picklistValues"]
        assert isinstance(picklist, list)
        assert [each["value"] for each in picklist] == [stage["MasterLabel"] for stage in stages]
        assert [stage["MasterLabel"] for stage in stages if stage["IsWon"]] == ["Closed Won"]

    def test_a_new_stage_works_and_a_changed_one_counts_from_then_on(self, scratch: Client) -> None:
        fields = {
            "MasterLabel": "Legal", "ApiName": "Legal", "IsActive": True, "SortOrder": 6, "DefaultProbability": 90,
            "ForecastCategory": "Forecast", "ForecastCategoryName": "Commit",
        }  # fmt: skip
        stage = scratch.control("create", object="OpportunityStage", fields=fields)["id"]
        deal = scratch.values("SELECT Id FROM Opportunity LIMIT 1")[0]
        scratch.control("update", object="Opportunity", id=deal, fields={"StageName": "Legal"})
        read = f"SELECT Probability, ForecastCategoryName, IsClosed FROM Opportunity WHERE Id = '{deal}'"
        assert scratch.records(read) == [
            {"Probability": 90.0, "ForecastCategoryName": "Commit", "IsClosed": False}
        ]
        scratch.control("update", object="OpportunityStage", id=stage, fields={"IsActive": False})
        picklist = fields_of(scratch)["StageName"]["picklistValues"]
        assert isinstance(picklist, list)
        assert "Legal" not in [each["value"] for each in picklist]

    def test_only_setup_writes_them(self, drifting: Client) -> None:
        stage = drifting.values("SELECT Id FROM OpportunityStage WHERE ApiName = 'Proposal'")[0]
        address = f"{API}/sobjects/OpportunityStage"
        made = drifting.http.post(address, json={"MasterLabel": "Mine"})
        assert (made.status_code, made.json()[0]["errorCode"]) == (400, "INVALID_TYPE_FOR_OPERATION")
        assert drifting.http.patch(f"{address}/{stage}", json={"SortOrder": 1}).status_code == 400
        drifting.control("delete", object="OpportunityStage", id=stage, hard=True)
        assert drifting.count("OpportunityStage WHERE ApiName = 'Proposal'") == 0

    def test_bulk_reads_them(self, crm: Client) -> None:
        job = crm.finished_job("SELECT Id, ApiName, SystemModstamp FROM OpportunityStage")
        assert job["numberRecordsProcessed"] == crm.count("OpportunityStage") == 7


class TestFormulas:
    def test_a_formula_across_objects_follows_without_moving_the_stamp(self, scratch: Client) -> None:
        deal, account = scratch.records(
            "SELECT Id, AccountId FROM Opportunity WHERE Account.Industry != null LIMIT 1"
        )[0].values()
        before = stamp_of(scratch, deal)
        scratch.control("update", object="Account", id=account, fields={"Industry": "Space"})
        soql = f"SELECT Account_Industry__c FROM Opportunity WHERE Id = '{deal}'"
        assert scratch.values(soql) == ["Space"]
        assert stamp_of(scratch, deal) == before
        job = scratch.finished_job(
            "SELECT Id, Account_Industry__c FROM Opportunity WHERE Account_Industry__c = 'Space'"
        )
        assert f'"{deal}","Space"' in scratch.results(job).text

    def test_a_formula_of_the_clock_moves_with_it(self, scratch: Client) -> None:
        soql = "SELECT Days_Open__c FROM Opportunity WHERE IsClosed = false ORDER BY Id"
        closed = "SELECT Days_Open__c FROM Opportunity WHERE IsClosed = true ORDER BY Id"
        before, ended = scratch.values(soql), scratch.values(closed)
        scratch.control("clock", advance_seconds=3 * 86400)
        assert scratch.values(soql) == [days + 3 for days in before]
        assert scratch.values(closed) == ended
        assert len(before) > 10

    def test_a_formula_can_be_filtered_sorted_and_counted(self, crm: Client) -> None:
        values = crm.values(
            "SELECT Weighted_Value__c FROM Opportunity WHERE Weighted_Value__c > 1000 ORDER BY Weighted_Value__c"
        )
        assert values == sorted(values)
        assert crm.count("Opportunity WHERE Days_Open__c >= 0") == crm.count("Opportunity")

    def test_nobody_can_write_one(self, scratch: Client) -> None:
        deal = scratch.values("SELECT Id FROM Opportunity LIMIT 1")[0]
        answer = scratch.http.patch(f"{API}/sobjects/Opportunity/{deal}", json={"Days_Open__c": 5})
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_FIELD_FOR_INSERT_UPDATE")

    @pytest.mark.parametrize(
        ("formula", "kind", "value"),
        [
            ("Amount * 2 + 1", "currency", 2001.0),
            (
                "IF(ISPICKVAL(StageName, 'Proposal') && NOT(IsClosed), 'late ' & TEXT(Amount), 'x')",
                "string",
                "late 1000",
            ),
            ("CloseDate + 31", "date", "2031-02-28"),
            ("YEAR(CloseDate) - MONTH(CloseDate)", "double", 2030.0),
            ("CASE(StageName, 'Discovery', 1, 'Proposal', 2, 3)", "double", 2.0),
            ("ISBLANK(NextStep) || Amount < 0", "boolean", True),
            ("Account.Name", "string", None),
            ("Amount / 0", "double", None),
            ("ROUND(Amount / 3, 2)", "currency", 333.33),
            ('BLANKVALUE(NextStep, "it\'s \\"nothing\\"")', "string", 'it\'s "nothing"'),
            ("DATEVALUE(CreatedDate) <= TODAY()", "boolean", True),
        ],
    )
    def test_the_formula_language(self, scratch: Client, formula: str, kind: str, value: object) -> None:
        scratch.control(
            "schema", object="Opportunity", add={"name": "F__c", "type": kind, "formula": formula}
        )
        fields = {"Name": "f", "StageName": "Proposal", "CloseDate": "2031-01-28", "Amount": 1000}
        deal = scratch.control("create", object="Opportunity", fields=fields)["id"]
        assert scratch.values(f"SELECT F__c FROM Opportunity WHERE Id = '{deal}'") == [value]
        scratch.control("schema", object="Opportunity", remove="F__c")

    @pytest.mark.parametrize(
        ("formula", "words"),
        [
            ("Nope__c + 1", "Field Nope__c does not exist"),
            ("FROB(Amount)", "Unknown function FROB"),
            ("Amount +", "Syntax error"),
            ("Name * 2", "Expected Number, received Text"),
            ("Name", "incompatible with expected data type (number)"),
            ("IF(IsWon, 1)", "Incorrect number of parameters"),
        ],
    )
    def test_a_bad_formula_is_refused_when_it_is_added(
        self, scratch: Client, formula: str, words: str
    ) -> None:
        answer = scratch.try_control(
            "schema", object="Opportunity", add={"name": "F__c", "type": "double", "formula": formula}
        )
        assert answer.status_code == 400
        assert words in answer.json()[0]["message"]


class TestDrift:
    def test_a_field_is_added_filled_and_removed(self, drifting: Client) -> None:
        new = {"name": "Tier__c", "type": "picklist", "values": ["A", "B"]}
        drifting.control("schema", object="Opportunity", add=new)
        deal = drifting.values("SELECT Id FROM Opportunity LIMIT 1")[0]
        drifting.control("update", object="Opportunity", id=deal, fields={"Tier__c": "B"})
        assert drifting.records("SELECT Id, Tier__c FROM Opportunity WHERE Tier__c = 'B'") == [
            {"Id": deal, "Tier__c": "B"}
        ]
        assert '"B"' in drifting.results(drifting.finished_job("SELECT Tier__c FROM Opportunity")).text
        drifting.control("schema", object="Opportunity", remove="Tier__c")
        assert "Tier__c" not in fields_of(drifting)
        for answer in (
            drifting.query("SELECT Tier__c FROM Opportunity"),
            drifting.start_job("SELECT Tier__c FROM Opportunity"),
        ):
            assert answer.json()[0]["errorCode"] == "INVALID_FIELD"
        drifting.control("schema", object="Opportunity", add={"name": "Tier__c"})
        assert set(drifting.values("SELECT Tier__c FROM Opportunity")) == {None}, (
            "what was removed does not come back"
        )

    def test_every_type_can_be_added_and_several_currencies_turned_on(self, drifting: Client) -> None:
        deal = drifting.values("SELECT Id FROM Opportunity LIMIT 1")[0]
        values = {
            "long": 2**53 + 1,
            "time": "13:30:00.000Z",
            "multipicklist": "a;b",
            "json": '{"a": 1}',
            "percent": 12.5,
        }
        for kind, value in values.items():
            drifting.control("schema", object="Opportunity", add={"name": f"A_{kind}__c", "type": kind})
            drifting.control("update", object="Opportunity", id=deal, fields={f"A_{kind}__c": value})
        drifting.control(
            "schema",
            object="Opportunity",
            add={"name": "CurrencyIsoCode", "type": "picklist", "values": ["USD"]},
        )
        names = ", ".join(f"A_{kind}__c" for kind in values)
        record = drifting.records(f"SELECT {names}, CurrencyIsoCode FROM Opportunity WHERE Id = '{deal}'")[0]
        assert list(record.values()) == [*values.values(), None]
        assert fields_of(drifting)["CurrencyIsoCode"]["custom"] is False

    def test_a_renamed_field_keeps_its_values_and_its_formulas(self, drifting: Client) -> None:
        before = drifting.values("SELECT Contract_Value__c FROM Opportunity ORDER BY Id")
        weighted = drifting.values("SELECT Weighted_Value__c FROM Opportunity ORDER BY Id")
        rename = {"field": "Contract_Value__c", "to": "Worth__c"}
        drifting.control("schema", object="Opportunity", rename=rename)
        assert drifting.values("SELECT Worth__c FROM Opportunity ORDER BY Id") == before
        assert drifting.values("SELECT Weighted_Value__c FROM Opportunity ORDER BY Id") == weighted
        assert any(before)
        assert fields_of(drifting)["Worth__c"]["type"] == "currency"
        assert drifting.query("SELECT Contract_Value__c FROM Opportunity").status_code == 400

    def test_a_page_of_a_query_that_began_before_a_renaming_is_lost(self, drifting: Client) -> None:
        drifting.http.headers["Sforce-Query-Options"] = "batchSize=200"
        first = drifting.query("SELECT Region__c FROM Opportunity").json()
        drifting.control("schema", object="Opportunity", rename={"field": "Region__c", "to": "Land__c"})
        answer = drifting.http.get(first["nextRecordsUrl"])
        assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")

    def test_a_retyped_field_loses_what_does_not_fit(self, drifting: Client) -> None:
        one, other = drifting.values("SELECT Id FROM Opportunity LIMIT 2")
        drifting.control("schema", object="Opportunity", add={"name": "Code__c"})
        drifting.control("update", object="Opportunity", id=one, fields={"Code__c": "12"})
        drifting.control("update", object="Opportunity", id=other, fields={"Code__c": "twelve"})
        drifting.control("schema", object="Opportunity", retype={"field": "Code__c", "type": "double"})
        assert fields_of(drifting)["Code__c"]["type"] == "double"
        assert drifting.values(
            f"SELECT Code__c FROM Opportunity WHERE Id IN ('{one}', '{other}') ORDER BY Code__c"
        ) == [None, 12.0]

    def test_a_picklist_changes(self, drifting: Client) -> None:
        drifting.control("schema", object="Opportunity", picklist={"field": "Type", "values": ["New", "Old"]})
        picklist = fields_of(drifting)["Type"]["picklistValues"]
        assert isinstance(picklist, list)
        assert [each["value"] for each in picklist] == ["New", "Old"]

    def test_a_hidden_field_is_there_for_formulas_and_for_nobody_else(self, drifting: Client) -> None:
        expected = drifting.values("SELECT Weighted_Value__c FROM Opportunity ORDER BY Id")
        drifting.control("schema", object="Opportunity", hide="Amount")
        assert "Amount" not in fields_of(drifting)
        assert drifting.query("SELECT Amount FROM Opportunity").json()[0]["errorCode"] == "INVALID_FIELD"
        assert "Amount" not in drifting.records("SELECT FIELDS(STANDARD) FROM Opportunity LIMIT 1")[0]
        assert drifting.start_job("SELECT Amount FROM Opportunity").status_code == 400
        assert drifting.values("SELECT Weighted_Value__c FROM Opportunity ORDER BY Id") == expected
        assert drifting.snapshot("Opportunity")[0]["Amount"], "the test's own view sees everything"
        drifting.control("schema", object="Opportunity", show="Amount")
        assert "Amount" in fields_of(drifting)

    def test_a_hidden_object_is_not_there(self, drifting: Client) -> None:
        drifting.control("schema", object="Contact", hide_object=True)
        assert drifting.get("/sobjects/Contact/describe").status_code == 404
        assert "Contact" not in [each["name"] for each in drifting.get("/sobjects").json()["sobjects"]]
        assert drifting.query("SELECT Id FROM Contact").json()[0]["errorCode"] == "INVALID_TYPE"
        assert (
            drifting.query("SELECT Contact.Name FROM OpportunityContactRole").json()[0]["errorCode"]
            == "INVALID_FIELD"
        )
        drifting.control("schema", object="Contact", hide_object=False)
        assert drifting.get("/sobjects/Contact/describe").status_code == 200

    def test_an_object_may_have_no_change_lists_and_not_be_for_bulk(self, drifting: Client) -> None:
        drifting.control("schema", object="Task", updated_list=False, bulk=False)
        now = datetime.now(UTC)
        span = {"start": (now - timedelta(hours=1)).isoformat(), "end": now.isoformat()}
        assert drifting.get("/sobjects/Task/describe").json()["replicateable"] is False
        assert drifting.get("/sobjects/Task/updated", **span).json()[0]["errorCode"] == "INVALID_TYPE"
        refusal = drifting.start_job("SELECT Id FROM Task").json()[0]
        assert (refusal["errorCode"], refusal["message"]) == (
            "INVALIDENTITY",
            "Entity 'Task' is not supported by the Bulk API.",
        )
        assert drifting.query("SELECT Id FROM Task LIMIT 1").status_code == 200

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"remove": "Amount"}, "Amount is a standard field"),
            ({"remove": "Contract_Value__c"}, "used by the formula of Opportunity.Weighted_Value__c"),
            ({"add": {"name": "Tier"}}, "__c behind"),
            ({"add": {"name": "Region__c"}}, "has a field Region__c already"),
            ({"add": {"name": "X__c", "type": "colour"}}, "colour is no type"),
            ({"add": {"name": "X__c", "type": "reference"}}, "a reference needs refers_to"),
            ({"picklist": {"field": "StageName", "values": ["A"]}}, "the records of OpportunityStage"),
            ({"hide": "Nope"}, "Opportunity has no field Nope"),
        ],
    )
    def test_an_impossible_change_is_refused_with_a_sentence(
        self, scratch: Client, change: dict[str, object], words: str
    ) -> None:
        answer = scratch.try_control("schema", object="Opportunity", **change)
        assert answer.status_code == 400
        assert words in answer.json()[0]["message"]

    def test_a_reference_that_was_added_leads_on(self, drifting: Client) -> None:
        drifting.control(
            "schema",
            object="Opportunity",
            add={"name": "Partner__c", "type": "reference", "refers_to": "Account"},
        )
        deal = drifting.values("SELECT Id FROM Opportunity LIMIT 1")[0]
        account, name = drifting.records("SELECT Id, Name FROM Account LIMIT 1")[0].values()
        drifting.control("update", object="Opportunity", id=deal, fields={"Partner__c": account})
        assert (
            drifting.records("SELECT Partner__r.Name FROM Opportunity WHERE Partner__c != null")[0][
                "Partner__r"
            ]["Name"]
            == name
        )
