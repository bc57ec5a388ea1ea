"""What is merged, deleted for good, restored or committed late in Salesforce is so in the mirror after the next sync."""

from __future__ import annotations

import time

import pytest

from crm_sync.models import Account, Connection, Contact, ContactRole, Opportunity, RunState, Stage
from isolation import context
from tests.crm_sync.conftest import Crm
from tests.crm_sync.mirrored import assert_equal


@pytest.fixture
def synced(crm: Crm) -> Crm:
    crm.sync()
    return crm


def accounts_with_children(crm: Crm) -> list[str]:
    """Accounts that deals and contacts belong to, those of most deals first."""
    owners = [row["AccountId"] for row in crm.client.snapshot("Opportunity") if row["AccountId"]]
    with_contacts = {row["AccountId"] for row in crm.client.snapshot("Contact")}
    return sorted(set(owners) & with_contacts, key=lambda key: -owners.count(key))


class TestAMerge:
    def test_of_accounts_removes_the_losers_and_moves_what_belonged_to_them(self, synced: Crm) -> None:
        master, first, second = accounts_with_children(synced)[:3]
        synced.client.control("merge", object="Account", master=master, losers=[first, second])
        run = synced.sync()
        assert synced.result(run, "Account").rows_deleted == 2
        with context.tenant_wide(synced.tenant.id):
            assert not Account.objects.filter(external_id__in=[first, second]).exists()
            assert not Opportunity.objects.filter(account_external_id__in=[first, second]).exists()
            assert not Contact.objects.filter(account_external_id__in=[first, second]).exists()
        assert_equal(synced)

    def test_of_contacts_moves_their_roles(self, synced: Crm) -> None:
        roles = synced.client.snapshot("OpportunityContactRole")
        loser = roles[0]["ContactId"]
        master = next(row["Id"] for row in synced.client.snapshot("Contact") if row["Id"] != loser)
        synced.client.control("merge", object="Contact", master=master, losers=[loser])
        synced.sync()
        with context.tenant_wide(synced.tenant.id):
            assert not ContactRole.objects.filter(contact_external_id=loser).exists()
        assert_equal(synced)


class TestADeletion:
    def test_of_which_the_bin_was_emptied_is_known(self, synced: Crm) -> None:
        gone = [synced.some_deal(number)["Id"] for number in range(3)]
        for deal in gone:
            synced.client.control("delete", object="Opportunity", id=deal)
        synced.client.control("empty_bin")
        run = synced.sync()
        assert synced.result(run, "Opportunity").rows_deleted == 3
        assert_equal(synced)

    def test_from_before_the_first_sync_that_is_undone_comes_back(self, crm: Crm) -> None:
        deal = crm.some_deal()["Id"]
        crm.client.control("delete", object="Opportunity", id=deal)
        crm.sync()
        crm.client.control("clock", advance_seconds=40 * 24 * 3600)
        crm.client.control("undelete", object="Opportunity", id=deal)
        assert crm.sync().state == RunState.SUCCEEDED
        with context.tenant_wide(crm.tenant.id):
            assert Opportunity.objects.filter(external_id=deal).exists()
        assert_equal(crm)

    def test_that_is_undone_before_anybody_looked_leaves_the_row_in_place(self, synced: Crm) -> None:
        deal = synced.some_deal()["Id"]
        synced.client.control("delete", object="Opportunity", id=deal)
        synced.client.control("undelete", object="Opportunity", id=deal)
        synced.sync()
        assert_equal(synced)


class TestWhatIsCommittedLate:
    """A transaction stamps its rows when it begins and shows them when it ends: a sync in between must not step over them."""

    def late(self, crm: Crm, **order: object) -> None:
        crm.client.control("late", seconds=2.0, **order)
        crm.sync()
        crm.sync()
        time.sleep(2.1)
        crm.sync()

    def test_change_is_read_once_it_shows(self, synced: Crm) -> None:
        deal = synced.some_deal()["Id"]
        self.late(synced, object="Opportunity", id=deal, fields={"NextStep": "committed late"})
        assert synced.some_deal()["NextStep"] == "committed late"
        assert_equal(synced)

    def test_new_row_is_read_once_it_shows(self, synced: Crm) -> None:
        fields = {
            "Name": "Late", "StageName": "Proposal", "CloseDate": "2026-12-01", "OwnerId": synced.some_deal()["OwnerId"],
        }  # fmt: skip
        self.late(synced, object="Opportunity", fields=fields)
        with context.tenant_wide(synced.tenant.id):
            assert Opportunity.objects.filter(name="Late").count() == 1
        assert_equal(synced)

    def test_deletion_is_followed_once_it_shows(self, synced: Crm) -> None:
        deal = synced.some_deal()["Id"]
        self.late(synced, object="Opportunity", id=deal, delete=True)
        with context.tenant_wide(synced.tenant.id):
            assert not Opportunity.objects.filter(external_id=deal).exists()
        assert_equal(synced)


class TestStages:
    def test_follow_the_setup_of_the_crm(self, synced: Crm) -> None:
        stage = synced.client.snapshot("OpportunityStage")[0]
        fields = {"MasterLabel": "Renamed", "DefaultProbability": 35, "IsActive": False}
        synced.client.control("update", object="OpportunityStage", id=stage["Id"], fields=fields)
        synced.sync()
        with context.tenant_wide(synced.tenant.id):
            found = Stage.objects.get(external_id=stage["Id"])
        assert (found.name, found.probability_percent, found.is_active) == ("Renamed", 35, False)
        assert_equal(synced)

    def test_that_bulk_does_not_take_come_by_small_calls(self, crm: Crm) -> None:
        crm.client.control("schema", object="OpportunityStage", bulk=False)
        assert crm.sync().state == RunState.SUCCEEDED
        assert_equal(crm)

    def test_may_be_hidden(self, crm: Crm) -> None:
        crm.client.control("schema", object="OpportunityStage", hide_object=True)
        run = crm.sync()
        assert run.state == RunState.SUCCEEDED
        assert (
            "has no OpportunityStage, or the integration user may not read it"
            in crm.result(run, "OpportunityStage").note
        )


class TestAnOrganisation:
    def test_whose_deals_may_not_be_read_is_said_so(self, crm: Crm) -> None:
        crm.client.control("schema", object="Opportunity", hide_object=True)
        run = crm.sync()
        assert (run.state, run.error_code) == (RunState.FAILED, "object_missing")
        assert "may not read Opportunity. Give it read access" in run.error_message

    def test_whose_contacts_may_not_be_read_is_read_without_them(self, crm: Crm) -> None:
        crm.client.control("schema", object="Contact", hide_object=True)
        run = crm.sync()
        assert run.state == RunState.SUCCEEDED
        assert "Contact" in crm.result(run, "Contact").note
        with context.tenant_wide(crm.tenant.id):
            assert Opportunity.objects.count() == 120

    def test_without_a_list_of_changes_of_an_object_misses_none(self, crm: Crm) -> None:
        crm.client.control("schema", object="Task", updated_list=False)
        crm.sync()
        task = crm.client.snapshot("Task")[0]
        crm.client.control("update", object="Task", id=task["Id"], fields={"Subject": "changed"})
        crm.client.control("delete", object="Task", id=crm.client.snapshot("Task")[1]["Id"])
        assert crm.sync().state == RunState.SUCCEEDED
        assert_equal(crm)

    def test_whose_app_lacks_the_scope_is_told_which(self, crm: Crm) -> None:
        crm.client.control("oauth", scopes=["refresh_token"])
        run = crm.sync()
        assert (run.state, run.error_code) == (RunState.FAILED, "scope_missing")
        assert "Add the scope “api”" in run.error_message

    def test_that_does_not_know_the_app_is_told_so(self, crm: Crm) -> None:
        with context.tenant_wide(crm.tenant.id):
            Connection.objects.update(client_id="nobody")
        run = crm.sync()
        assert (run.state, run.error_code) == (RunState.FAILED, "sign_in_invalid_client_id")
        assert "does not accept the client id and secret" in run.error_message
