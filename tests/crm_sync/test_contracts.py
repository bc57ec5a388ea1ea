"""Where the CRM does not keep to its mapping: fields that drift, values that do not fit, and where that is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection as database
from django.test import Client

from alerts.registry import find
from audit.models import Event
from crm_sync.models import Connection, ContractViolation, Opportunity, RejectedRow, RunState, ViolationKind
from isolation import context
from isolation.actors import Actor
from tenants.models import Member
from tests import cast
from tests.crm_sync.conftest import Crm, ServeFiles
from tests.crm_sync.mirrored import assert_equal
from tests.crm_sync.test_bad_rows import DEALS, HEAD, USERS
from tests.crm_sync.test_mapping import CUSTOM, save

SignedIn = Callable[[Member], Client]
PAGE = "/w/acme-corp/settings/crm/salesforce/contract/"


def violations(crm: Crm, **wanted: Any) -> list[ContractViolation]:
    """The open ones, unless others are wanted."""
    with context.tenant_wide(crm.tenant.id):
        found = ContractViolation.objects.filter(**(wanted or {"resolved_at": None}))
        return list(found.order_by("object_name", "field", "kind"))


def told(crm: Crm) -> set[tuple[str, str]]:
    return {(each.field, each.kind) for each in violations(crm)}


@pytest.fixture
def mapped(crm: Crm) -> Crm:
    """Acme, with custom fields mapped and synced."""
    save(crm, CUSTOM)
    crm.sync()
    assert violations(crm) == []
    return crm


class TestAFieldThatDrifts:
    @pytest.mark.parametrize(
        ("change", "field", "kind"),
        [
            ({"remove": "Region__c"}, "Region__c", "removed"),
            ({"hide": "Region__c"}, "Region__c", "removed"),
            ({"hide": "NextStep"}, "NextStep", "removed"),
            ({"rename": {"field": "Region__c", "to": "Area__c"}}, "Region__c", "removed"),
            ({"retype": {"field": "Renewal_Date__c", "type": "string"}}, "Renewal_Date__c", "retyped"),
            ({"add": {"name": "Must__c", "type": "string", "required": True}}, "Must__c", "added"),
        ],
    )
    def test_is_told_and_nothing_is_lost(
        self, mapped: Crm, change: dict[str, Any], field: str, kind: str
    ) -> None:
        mapped.client.control("schema", object="Opportunity", **change)
        run = mapped.sync()
        assert run.state == RunState.SUCCEEDED
        assert told(mapped) == {(field, kind)}
        assert mapped.sync().state == RunState.SUCCEEDED
        assert len(violations(mapped)) == 1

    @pytest.mark.parametrize(
        "change",
        [
            {"retype": {"field": "Contract_Value__c", "type": "double"}},
            {"retype": {"field": "Notes__c", "type": "string"}},
            {"add": {"name": "May__c", "type": "string"}},
            {
                "picklist": {
                    "field": "Region__c",
                    "values": ["North America", "EMEA", "APAC", "LATAM", "Space"],
                }
            },
        ],
    )
    def test_that_still_fits_is_no_violation(self, mapped: Crm, change: dict[str, Any]) -> None:
        mapped.client.control("schema", object="Opportunity", **change)
        mapped.sync()
        assert violations(mapped) == []

    def test_is_over_when_the_field_is_back(self, mapped: Crm) -> None:
        mapped.client.control("schema", object="Opportunity", hide="Region__c")
        mapped.sync()
        mapped.client.control("schema", object="Opportunity", show="Region__c")
        mapped.sync()
        assert violations(mapped) == []
        assert len(violations(mapped, resolved_at__isnull=False)) == 1

    def test_is_over_when_the_mapping_accepts_it(self, mapped: Crm) -> None:
        mapped.client.control(
            "schema", object="Opportunity", retype={"field": "Renewal_Date__c", "type": "string"}
        )
        mapped.sync()
        assert told(mapped) == {("Renewal_Date__c", "retyped")}
        save(mapped, CUSTOM)
        assert violations(mapped) == []
        mapped.sync()
        assert violations(mapped) == []

    def test_of_another_object_is_not_accepted_by_the_way(self, mapped: Crm) -> None:
        mapped.client.control("schema", object="Contact", hide="Title")
        mapped.sync()
        save(mapped, {})
        mapped.sync()
        assert told(mapped) == {("Title", "removed")}

    def test_leaves_a_whole_object_that_is_hidden_as_it_was(self, mapped: Crm) -> None:
        mapped.client.control("schema", object="Contact", hide_object=True)
        assert mapped.sync().state == RunState.SUCCEEDED
        assert told(mapped) == {("", "removed")}


class TestOptions:
    def test_that_go_away_matter_only_where_rows_have_them(self, mapped: Crm) -> None:
        row = mapped.some_deal()
        mapped.client.control("update", object="Opportunity", id=row["Id"], fields={"Region__c": "LATAM"})
        mapped.sync()
        others = [each for each in mapped.client.snapshot("Opportunity") if each["Region__c"] == "LATAM"]
        mapped.client.control(
            "schema",
            object="Opportunity",
            picklist={"field": "Region__c", "values": ["EMEA", "APAC", "North America"]},
        )
        mapped.sync()
        (found,) = violations(mapped)
        assert (found.field, found.kind, found.rows) == ("Region__c", ViolationKind.OPTIONS, len(others))
        assert row["Id"] in found.examples or len(others) > 5
        for each in others:
            mapped.client.control("update", object="Opportunity", id=each["Id"], fields={"Region__c": "EMEA"})
        mapped.sync()
        mapped.sync()
        assert violations(mapped) == []

    def test_that_do_not_exist_are_told_and_the_row_is_loaded(self, mapped: Crm) -> None:
        row = mapped.some_deal()
        mapped.client.control("update", object="Opportunity", id=row["Id"], fields={"Region__c": "Mars"})
        mapped.sync()
        (found,) = violations(mapped)
        assert (found.field, found.kind, found.rows) == ("Region__c", ViolationKind.PICKLIST, 1)
        assert (found.examples, found.found) == ([row["Id"]], "Mars")
        with context.tenant_wide(mapped.tenant.id):
            assert Opportunity.objects.get(external_id=row["Id"]).custom["region"] == "Mars"
        mapped.client.control("update", object="Opportunity", id=row["Id"], fields={"Region__c": "EMEA"})
        mapped.sync()
        assert violations(mapped) == []


class TestValues:
    def test_of_custom_fields_that_do_not_fit_keep_no_row_aside(self, mapped: Crm) -> None:
        row = mapped.some_deal()
        odd = {
            "Contract_Value__c": "lots",
            "Renewal_Date__c": "soon",
            "Is_Strategic__c": "perhaps",
            "NextStep": "Ring",
        }
        mapped.client.control("update", object="Opportunity", id=row["Id"], fields=odd)
        run = mapped.sync()
        assert run.rows_rejected == 0
        assert told(mapped) == {
            ("Contract_Value__c", "type"), ("Renewal_Date__c", "type"), ("Is_Strategic__c", "type"),
        }  # fmt: skip
        assert [(each.rows, each.examples) for each in violations(mapped)] == [(1, [row["Id"]])] * 3
        with context.tenant_wide(mapped.tenant.id):
            deal = Opportunity.objects.get(external_id=row["Id"])
        assert deal.next_step == "Ring"
        assert not {"contract_value", "renewal", "strategic"} & deal.custom.keys()
        assert deal.custom["!"] == {"contract_value": "lots", "renewal": "soon", "strategic": "perhaps"}
        mended = {"Contract_Value__c": 5, "Renewal_Date__c": "2027-01-01", "Is_Strategic__c": False}
        mapped.client.control("update", object="Opportunity", id=row["Id"], fields=mended)
        mapped.sync()
        assert violations(mapped) == []
        assert_equal(mapped)

    def test_of_our_own_fields_are_counted_by_field_and_kind(self, serve_files: ServeFiles) -> None:
        crm = serve_files(User=USERS, Opportunity=DEALS)
        crm.sync()
        counted = {(each.field, each.kind): (each.rows, each.examples) for each in violations(crm)}
        assert counted[("CloseDate", "type")] == (2, ["006DATE", "006WORD"])
        assert counted[("Amount", "type")][0] == 2
        assert counted[("Amount", "range")] == (1, ["006HUGE"])
        assert counted[("OwnerId", "reference")] == (1, ["006OWNER"])
        assert counted[("OwnerId", "required")] == (1, ["006NOONE"])
        assert counted[("Probability", "range")] == (1, ["006SHARE"])
        assert counted[("Id", "required")][0] == 1
        with context.tenant_wide(crm.tenant.id):
            assert RejectedRow.objects.get(external_id="006HUGE").kind == "range"

    def test_count_again_when_rows_are_mended_or_deleted(self, serve_files: ServeFiles) -> None:
        crm = serve_files(User=USERS, Opportunity=DEALS)
        crm.sync()
        crm.client.control("update", object="Opportunity", id="006DATE", fields={"CloseDate": "2026-02-28"})
        crm.client.control("delete", object="Opportunity", id="006HUGE")
        crm.sync()
        counted = {(each.field, each.kind): each.rows for each in violations(crm)}
        assert counted[("CloseDate", "type")] == 1
        assert ("Amount", "range") not in counted

    def test_that_are_too_long_for_an_id_are_never_cut(self, serve_files: ServeFiles) -> None:
        long = "A" * 41
        crm = serve_files(
            User=USERS.replace("IsActive\n", "IsActive,ManagerId\n").replace("true\n", f"true,{long}\n")
            + "005B,Bo,bo@acme.test,true,\n",
            Opportunity=HEAD.replace("Id,", "Id,AccountId,", 1)
            + f"006ACC,{long},Long account,Proposal,2026-12-01,1,005B,60,false\n",
        )
        run = crm.sync()
        assert run.state == RunState.SUCCEEDED
        assert crm.kept_aside() == {"005A": ("ManagerId", long), "006ACC": ("AccountId", long)}

    @pytest.mark.parametrize("currency", ["EURO", "eur", "E"])
    def test_of_currencies_that_are_none_are_never_cut(self, serve_files: ServeFiles, currency: str) -> None:
        crm = serve_files(
            User=USERS,
            Opportunity=HEAD.replace("Id,", "Id,CurrencyIsoCode,", 1)
            + f"006BAD,{currency},Bad,Proposal,2026-12-01,1,005A,60,false\n"
            + "006GOOD,EUR,Good,Proposal,2026-12-01,1,005A,60,false\n",
        )
        crm.sync()
        assert crm.kept_aside() == {"006BAD": ("CurrencyIsoCode", currency)}
        with context.tenant_wide(crm.tenant.id):
            assert Opportunity.objects.get().currency == "EUR"


class TestTheCommand:
    def run(self, *arguments: str) -> int:
        try:
            call_command("validate_contracts", *arguments)
        except SystemExit as ended:
            return int(str(ended.code))
        return 0

    def test_says_that_all_is_well_with_0(self, mapped: Crm, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run("--customer", "acme-corp", "--source", "salesforce") == 0
        assert "0 open violations" in capsys.readouterr().out

    def test_finds_drift_that_no_sync_has_met_and_ends_with_1(
        self, mapped: Crm, capsys: pytest.CaptureFixture[str]
    ) -> None:
        mapped.client.control("schema", object="Opportunity", remove="Region__c")
        assert self.run("--customer", "acme-corp", "--json") == 1
        (found,) = json.loads(capsys.readouterr().out)["salesforce"]["violations"]
        assert (found["object"], found["field"], found["kind"]) == ("Opportunity", "Region__c", "removed")
        assert "map another one" in found["what_to_do"]

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("--customer", "nobody"), "There is no customer nobody"),
            (("--customer", "acme-corp", "--source", "dynamics"), "“dynamics” is not a CRM"),
            (("--customer", "beta-inc", "--source", "salesforce"), "no credentials yet"),
            (("--customer", "beta-inc"), "no credentials yet"),
        ],
    )
    def test_refuses_bad_input_with_2(
        self, crm: Crm, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
    ) -> None:
        assert self.run(*arguments) == 2
        assert said in capsys.readouterr().err

    def test_tells_a_crm_that_cannot_be_asked_with_3(
        self, crm: Crm, capsys: pytest.CaptureFixture[str]
    ) -> None:
        crm.connect(secret="wrong")
        assert self.run("--customer", "acme-corp") == 3
        assert "client id and secret" in capsys.readouterr().err


class TestThePage:
    def test_lists_open_ones_with_what_to_do(self, mapped: Crm, analyst: Member, client_of: SignedIn) -> None:
        mapped.client.control("schema", object="Opportunity", remove="Region__c")
        browser = client_of(analyst)
        assert browser.post(f"{PAGE}check/").status_code == 302
        page = browser.get(PAGE).content.decode()
        for said in ("Region__c", "Field removed or hidden", "map another one", "1 way in which"):
            assert said in page

    def test_links_rows_to_the_crm_and_exports_them(
        self, serve_files: ServeFiles, analyst: Member, client_of: SignedIn
    ) -> None:
        crm = serve_files(User=USERS, Opportunity=DEALS)
        crm.sync()
        browser = client_of(analyst)
        page = browser.get(f"{PAGE}?kind=range").content.decode()
        assert f"{crm.client.base}/006HUGE" in page
        assert "006DATE" not in page
        sheet = b"".join(browser.get(f"{PAGE}export/").streaming_content).decode()  # type: ignore[attr-defined]  # streamed
        assert "006DATE 006WORD" in sheet
        with context.tenant_wide(crm.tenant.id):
            assert Event.objects.filter(code="crm_sync.violations_exported").count() == 1

    def test_keeps_resolved_ones_in_its_history(
        self, mapped: Crm, analyst: Member, client_of: SignedIn
    ) -> None:
        mapped.client.control("schema", object="Opportunity", hide="Region__c")
        mapped.sync()
        mapped.client.control("schema", object="Opportunity", show="Region__c")
        mapped.sync()
        browser = client_of(analyst)
        assert "No violations" in browser.get(PAGE).content.decode()
        assert "Region__c" in browser.get(f"{PAGE}?state=resolved").content.decode()

    def test_refuses_an_unknown_filter_next_to_it(
        self, mapped: Crm, analyst: Member, client_of: SignedIn
    ) -> None:
        answer = client_of(analyst).get(f"{PAGE}?state=odd")
        assert answer.status_code == 400
        assert "there is no “odd”" in answer.content.decode()

    def test_is_not_a_reps_to_see(self, mapped: Crm, rep: Member, client_of: SignedIn) -> None:
        assert client_of(rep).get(PAGE).status_code == 403


def test_the_metric_counts_open_violations_of_each_workspace(mapped: Crm) -> None:
    metric = find("crm_sync.contract_violations")
    assert metric is not None

    def measured() -> dict[int, float]:
        with context.platform("measure", Actor.system("tests")), database.cursor() as cursor:
            cursor.execute(metric.sql)
            return dict(cursor.fetchall())

    assert measured() == {mapped.tenant.id: 0.0}
    mapped.client.control("schema", object="Opportunity", remove="Region__c")
    mapped.sync()
    assert measured() == {mapped.tenant.id: 1.0}


def test_two_workspaces_do_not_see_each_others_violations(mapped: Crm) -> None:
    mapped.client.control("schema", object="Opportunity", remove="Region__c")
    mapped.sync()
    with context.tenant_wide(cast.tenant_of(cast.BETA).id):
        assert not ContractViolation.objects.exists()
        assert Connection.objects.exists()
