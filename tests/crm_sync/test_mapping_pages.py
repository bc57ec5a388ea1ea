"""The mapping's pages: choosing and trying, what is refused stays typed, history, export and import."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crm_sync.mapping.versions import in_force
from crm_sync.models import FieldMap, SyncRun
from isolation import context
from tenants.models import Member
from tests.crm_sync.conftest import Crm
from tests.crm_sync.test_mapping import CUSTOM, save

SignedIn = Callable[[Member], Client]
PAGE = "/w/acme-corp/settings/crm/salesforce/mapping/"


def version(crm: Crm) -> int:
    with context.tenant_wide(crm.tenant.id):
        return in_force(crm.connection).version


class TestThePage:
    def test_shows_fields_types_and_newest_values(self, crm: Crm, admin: Member, client_of: SignedIn) -> None:
        row = crm.some_deal()
        crm.client.control("update", object="Opportunity", id=row["Id"], fields={"Name": "The <newest> deal"})
        page = client_of(admin).get(PAGE).content.decode()
        for said in (
            "close_date",
            "CloseDate",
            "currency",
            "The &lt;newest&gt; deal",
            "Days Open",
            "calculated",
            "OpportunityStage",
        ):
            assert said in page

    def test_shows_the_object_that_is_asked_for(self, crm: Crm, admin: Member, client_of: SignedIn) -> None:
        page = client_of(admin).get(f"{PAGE}?object=Contact").content.decode()
        assert "Our fields of Contact" in page
        assert client_of(admin).get(f"{PAGE}?object=Lead").status_code == 400

    def test_is_only_to_look_at_for_an_analyst(self, crm: Crm, analyst: Member, client_of: SignedIn) -> None:
        browser = client_of(analyst)
        page = browser.get(PAGE).content.decode()
        assert "CloseDate" in page
        assert 'value="save"' not in page
        assert browser.post(PAGE, {"object": "Opportunity", "do": "save"}).status_code == 403

    def test_stays_readable_when_the_crm_cannot_be_asked(
        self, crm: Crm, admin: Member, client_of: SignedIn
    ) -> None:
        crm.connect(secret="wrong")
        answer = client_of(admin).get(PAGE)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "The CRM could not be asked" in page
        assert "client id and secret" in page
        assert "CloseDate" in page
        assert 'value="save"' not in page


class TestSaving:
    def test_makes_a_version_and_asks_for_a_sync(self, crm: Crm, admin: Member, client_of: SignedIn) -> None:
        crm.sync()
        form = {
            "object": "Opportunity", "base_version": "0", "do": "save", "field.amount": "Contract_Value__c",
            "custom_key": ["region", "", "old"], "custom_field": [" Region__c ", "", "Notes__c"], "remove": ["2"],
        }  # fmt: skip
        answer = client_of(admin).post(PAGE, form, follow=True)
        page = answer.content.decode()
        assert "Version 1 of the mapping is in force" in page
        assert "has been asked for" in page
        with context.tenant_wide(crm.tenant.id):
            fields = in_force(crm.connection).document["Opportunity"]
            assert SyncRun.objects.filter(state="queued").count() == 1
        assert (fields["amount"], fields["region"], "old" in fields) == (
            "Contract_Value__c",
            "Region__c",
            False,
        )

    @pytest.mark.parametrize(
        ("form", "said"),
        [
            ({"field.amount": "Amuont"}, "Did you mean Amount?"),
            ({"custom_key": ["Odd Name"], "custom_field": ["Region__c"]}, "cannot name a custom field"),
            (
                {"custom_key": [""], "custom_field": ["Region__c"]},
                "Name the custom field that Region__c is kept as",
            ),
            ({"custom_key": ["amount"], "custom_field": ["Region__c"]}, "is one of our own fields"),
            (
                {"custom_key": ["a", "a"], "custom_field": ["Region__c", "Notes__c"]},
                "There is a custom field a above",
            ),
            ({"custom_key": ["a"], "custom_field": [""]}, "Choose the field that a is read from"),
        ],
    )
    def test_is_refused_next_to_the_field_and_keeps_what_was_typed(
        self, crm: Crm, admin: Member, client_of: SignedIn, form: dict[str, object], said: str
    ) -> None:
        typed = {
            "object": "Opportunity",
            "base_version": "0",
            "do": "save",
            "field.next_step": "Notes__c",
            **form,
        }
        answer = client_of(admin).post(PAGE, typed)
        page = answer.content.decode()
        assert answer.status_code == 400
        assert said in page
        assert 'name="field.next_step" value="Notes__c"' in page
        assert version(crm) == 0

    def test_of_an_old_page_is_refused(self, crm: Crm, admin: Member, client_of: SignedIn) -> None:
        crm.sync()
        save(crm, CUSTOM)
        form = {
            "object": "Opportunity",
            "base_version": "0",
            "do": "save",
            "field.amount": "Contract_Value__c",
        }
        answer = client_of(admin).post(PAGE, form)
        assert answer.status_code == 409
        assert "saved version 1 of this mapping" in answer.content.decode()


class TestTrying:
    def test_shows_ten_rows_and_saves_nothing(self, crm: Crm, admin: Member, client_of: SignedIn) -> None:
        crm.sync()
        form = {
            "object": "Opportunity", "base_version": "0", "do": "try", "custom_key": ["region"],
            "custom_field": ["Region__c"],
        }  # fmt: skip
        page = client_of(admin).post(PAGE, form).content.decode()
        assert "10 of 10 rows would be loaded" in page
        assert 'name="custom_key" value="region"' in page
        assert version(crm) == 0


class TestTheHistory:
    def test_tells_what_changed_and_goes_back(self, crm: Crm, admin: Member, client_of: SignedIn) -> None:
        crm.sync()
        save(crm, CUSTOM)
        save(crm, {"amount": "Contract_Value__c"})
        browser = client_of(admin)
        page = browser.get(f"{PAGE}history/").content.decode()
        for said in (
            "Version 2",
            "In force",
            "Opportunity.amount: Amount → Contract_Value__c",
            "As the first sync found",
        ):
            assert said in page
        assert browser.post(f"{PAGE}restore/1/").status_code == 302
        assert version(crm) == 3
        with context.tenant_wide(crm.tenant.id):
            assert "region" in in_force(crm.connection).document["Opportunity"]
        assert browser.post(f"{PAGE}restore/9/").status_code == 404


class TestExportAndImport:
    def test_go_together(self, crm: Crm, admin: Member, client_of: SignedIn) -> None:
        crm.sync()
        save(crm, CUSTOM)
        browser = client_of(admin)
        exported = browser.get(f"{PAGE}export/")
        assert exported["Content-Disposition"] == 'attachment; filename="acme-corp-salesforce-field-map.json"'
        document = json.loads(exported.content)
        assert CUSTOM.items() <= document["Opportunity"].items()
        del document["Opportunity"]["region"]
        file = SimpleUploadedFile("map.json", json.dumps(document).encode())
        assert browser.post(f"{PAGE}import/", {"file": file}).status_code == 302
        assert version(crm) == 2

    @pytest.mark.parametrize(
        ("form", "said"),
        [
            ({"document": ""}, "Paste a mapping, or choose a file"),
            ({"document": "{"}, "It is no JSON"),
            (
                {"document": '{"Opportunity": {"amount": "X"}}'},
                "Opportunity, amount: Opportunity has no field “X”",
            ),
            ({"document": '{"Lead": {}}'}, "“Lead” is not an object"),
            ({"file": SimpleUploadedFile("map.json", b"\xff\xfe")}, "not text in UTF-8"),
        ],
    )
    def test_refuse_what_is_no_mapping_next_to_the_field(
        self, crm: Crm, admin: Member, client_of: SignedIn, form: dict[str, object], said: str
    ) -> None:
        answer = client_of(admin).post(f"{PAGE}import/", form)
        assert answer.status_code == 400
        assert said in answer.content.decode()
        with context.tenant_wide(crm.tenant.id):
            assert not FieldMap.objects.exists()
