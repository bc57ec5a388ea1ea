"""A comparison finds every row that differs from the CRM, mends those alone, and leaves alone what changed meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync.connectors.salesforce.source import SalesforceSource
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.models import (
    ArchivedRow,
    CheckedMonth,
    Connection,
    Contact,
    NoticedRow,
    Opportunity,
    RunKind,
    RunState,
    RunTrigger,
    SeenRow,
    SyncRun,
)  # fmt: skip
from crm_sync.services.runs import sync_request
from isolation import context
from tests.crm_sync.conftest import SYSTEM, Crm
from tests.crm_sync.mirrored import assert_equal
from tests.crm_sync.test_refresh import run_of


@pytest.fixture
def synced(crm: Crm) -> Crm:
    crm.client.control("clock", advance_seconds=-3600)
    crm.client.control("clock", advance_seconds=0)
    crm.sync()
    crm.client.control("clock", run=True)
    return crm


def months(crm: Crm, name: str) -> list[CheckedMonth]:
    with context.tenant_wide(crm.tenant.id):
        return list(CheckedMonth.objects.filter(object_name=name).order_by("month"))


def compared(crm: Crm) -> SyncRun:
    run = run_of(crm, RunKind.CHECK)
    assert (run.state, run.error_message) == (RunState.SUCCEEDED, "")
    return run


class TestAComparison:
    def test_of_equals_finds_equal_months_and_reads_nothing_again(self, synced: Crm) -> None:
        run = compared(synced)
        deals = months(synced, "Opportunity")
        assert len(deals) > 1
        assert sum(month.crm_rows for month in deals) == len(synced.client.snapshot("Opportunity"))
        assert all(
            (m.crm_rows, m.crm_checksum, m.healed_rows) == (m.mirror_rows, m.mirror_checksum, 0)
            for m in deals
        )
        assert run.rows_inserted + run.rows_changed + run.rows_deleted == 0
        assert synced.result(run, "Opportunity").note == "All rows are alike."
        assert synced.connection.checked_at is not None

    def test_heals_what_is_missing_what_is_old_and_what_is_too_much(self, synced: Crm) -> None:
        missing, old, extra = (synced.some_deal(number)["Id"] for number in range(3))
        with context.tenant_wide(synced.tenant.id):
            deals = Opportunity.objects
            deals.filter(external_id=missing).delete()
            deals.filter(external_id=old).update(modified_at="2020-01-01T00:00:00Z", name="Old", stage="Gone")
            ghost = deals.get(external_id=extra)
            ghost.pk, ghost.external_id = None, "006000000000GHOST"
            ghost.save(force_insert=True)
            Contact.objects.all()[0].delete()
        run = compared(synced)
        assert "3 rows differed" in synced.result(run, "Opportunity").note
        assert "1 row differed" in synced.result(run, "Contact").note
        assert sum(month.healed_rows for month in months(synced, "Opportunity")) == 3
        assert_equal(synced)
        again = compared(synced)
        assert synced.result(again, "Opportunity").note == "All rows are alike."

    def test_reads_only_what_differs(self, synced: Crm) -> None:
        with context.tenant_wide(synced.tenant.id):
            Opportunity.objects.filter(external_id=synced.some_deal()["Id"]).delete()
        run = compared(synced)
        result = synced.result(run, "Opportunity")
        assert (result.rows_inserted, result.rows_changed, result.rows_deleted) == (1, 0, 0)

    def test_finds_a_deletion_that_no_list_told_of(self, synced: Crm) -> None:
        deal = synced.some_deal()["Id"]
        synced.client.control("delete", object="Opportunity", id=deal)
        synced.client.control("empty_bin", object="Opportunity")
        compared(synced)
        with context.tenant_wide(synced.tenant.id):
            assert not Opportunity.objects.filter(external_id=deal).exists()

    def test_leaves_what_changed_meanwhile_to_the_next_sync(
        self, synced: Crm, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deal = synced.some_deal()["Id"]
        identities = SalesforceSource.identities

        def changing(self: SalesforceSource, spec: Any) -> Any:
            if spec.name == "Opportunity":
                synced.client.control("clock", advance_seconds=30)
                synced.client.control(
                    "update", object="Opportunity", id=deal, fields={"NextStep": "meanwhile"}
                )
            return identities(self, spec)

        monkeypatch.setattr(SalesforceSource, "identities", changing)
        run = compared(synced)
        assert synced.result(run, "Opportunity").note == "All rows are alike."
        assert synced.result(run, "Opportunity").rows_deleted == 0
        monkeypatch.undo()
        synced.sync()
        assert_equal(synced)

    def test_does_not_ask_again_and_again_for_rows_that_are_kept_aside(self, synced: Crm) -> None:
        synced.client.control(
            "update", object="Opportunity", id=synced.some_deal()["Id"], fields={"CloseDate": "3999-01-01"}
        )
        synced.sync()
        assert len(synced.kept_aside()) == 2  # the deal, and the entry of its history
        synced.client.control("clock", advance_seconds=600)
        run = compared(synced)
        for name in ("Opportunity", "OpportunityHistory"):
            assert synced.result(run, name).note == "All rows are alike."

    def test_goes_on_after_the_line_broke(self, synced: Crm) -> None:
        with context.tenant_wide(synced.tenant.id):
            Opportunity.objects.filter(external_id=synced.some_deal()["Id"]).delete()
        synced.client.control("fault", kind="cut", path_contains="/results", times=2)
        compared(synced)
        assert_equal(synced)

    def test_leaves_no_notice_behind(self, synced: Crm) -> None:
        with context.tenant_wide(synced.tenant.id):
            Opportunity.objects.all().delete()
        compared(synced)
        with context.tenant_wide(synced.tenant.id):
            assert not NoticedRow.objects.exists()
            assert not ArchivedRow.objects.exists()
        assert_equal(synced)


class TestAnotherCrmsRun:
    def test_keeps_what_it_has_seen_so_far(self, synced: Crm) -> None:
        """Two connections of one workspace are read at the same time: neither may forget the other's notes."""
        with context.tenant_wide(synced.tenant.id):
            other = Connection.objects.create(tenant=synced.tenant, source="hubspot", state="active")
            run = SyncRun(
                tenant=synced.tenant, connection=other, trigger=RunTrigger.MANUAL, requested_by="x", state=RunState.RUNNING
            )  # fmt: skip
            run.save(force_insert=True)
            SeenRow.objects.create(tenant=synced.tenant, run_id=run.id, object_name="deals", external_id="1")
            SeenRow.objects.create(
                tenant=synced.tenant,
                run_id="00000000-0000-0000-0000-000000000001",
                object_name="deals",
                external_id="1",
            )
            connection = Connection.objects.get(source="salesforce")
            asked = sync_request(connection=connection, is_full=False, acting_user=SYSTEM)
        lease = claim(synced.tenant.id, asked.id)
        assert lease is not None
        assert execute(lease, synced.hear).state == RunState.SUCCEEDED
        with context.tenant_wide(synced.tenant.id):
            assert [row.run_id for row in SeenRow.objects.all()] == [run.id]
