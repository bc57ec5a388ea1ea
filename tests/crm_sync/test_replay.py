"""Rows that were kept aside are tried again: after the CRM was mended, after the mapping was, and because somebody asks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from audit.models import Event
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.models import ContractViolation, NoticedRow, RunKind, RunState, SyncRun
from crm_sync.replay import Replay, rejected_replay
from isolation import context
from tenants.models import Member
from tests.crm_sync.conftest import SYSTEM, Crm, ServeFiles
from tests.crm_sync.test_bad_rows import DEALS, USERS, deals
from tests.crm_sync.test_mapping import save

SignedIn = Callable[[Member], Client]
HOME = "/w/acme-corp/settings/crm/salesforce/"


@pytest.fixture
def spoilt(serve_files: ServeFiles) -> Crm:
    """Acme, synced, with eleven rows kept aside, of which one has no id."""
    crm = serve_files(User=USERS, Opportunity=DEALS)
    crm.sync()
    assert len(crm.kept_aside()) == 11
    return crm


def replay(crm: Crm, name: str = "", *ids: str) -> Replay:
    with context.tenant_wide(crm.tenant.id):
        return rejected_replay(connection=crm.connection, object_name=name, ids=ids, acting_user=SYSTEM)


def work(crm: Crm, asked: Replay) -> SyncRun:
    assert asked.run is not None
    lease = claim(crm.tenant.id, asked.run.id)
    assert lease is not None
    return execute(lease, crm.hear)


class TestAReplay:
    def test_takes_up_what_was_mended_and_leaves_the_rest(self, spoilt: Crm) -> None:
        spoilt.client.control(
            "update", object="Opportunity", id="006DATE", fields={"CloseDate": "2026-02-28"}
        )
        asked = replay(spoilt)
        assert (asked.rows, asked.nameless) == (10, 1)
        run = work(spoilt, asked)
        assert (run.kind, run.state) == (RunKind.NOTICE, RunState.SUCCEEDED)
        assert (run.rows_read, run.rows_inserted, run.rows_rejected) == (10, 1, 9)
        assert "006DATE" in deals(spoilt)
        assert "006DATE" not in spoilt.kept_aside()
        assert len(spoilt.kept_aside()) == 10
        with context.tenant_wide(spoilt.tenant.id):
            assert not NoticedRow.objects.exists()
            counted = ContractViolation.objects.get(resolved_at=None, field="CloseDate", kind="type")
            assert counted.rows == 1
            assert Event.objects.get(code="crm_sync.rejected_rows_replayed").facts["rows"] == 10

    def test_can_be_of_a_few_rows(self, spoilt: Crm) -> None:
        for key in ("006DATE", "006WORD"):
            spoilt.client.control("update", object="Opportunity", id=key, fields={"CloseDate": "2026-02-28"})
        run = work(spoilt, replay(spoilt, "Opportunity", "006DATE"))
        assert run.rows_read == 1
        assert "006WORD" in spoilt.kept_aside()

    def test_forgets_what_the_crm_no_longer_has(self, spoilt: Crm) -> None:
        spoilt.client.control("delete", object="Opportunity", id="006AMOUNT", hard=True)
        spoilt.client.control("delete", object="Opportunity", id="006NAN")
        work(spoilt, replay(spoilt))
        assert not {"006AMOUNT", "006NAN"} & spoilt.kept_aside().keys()

    def test_of_nothing_starts_nothing(self, crm: Crm) -> None:
        crm.sync()
        assert replay(crm) == Replay(0, 0, None)

    def test_waits_for_a_run_that_is_under_way(self, spoilt: Crm) -> None:
        spoilt.client.control(
            "update", object="Opportunity", id="006DATE", fields={"CloseDate": "2026-02-28"}
        )
        spoilt.request()
        asked = replay(spoilt)
        assert (asked.rows, asked.run) == (10, None)
        spoilt.sync()
        assert "006DATE" in deals(spoilt)


class TestAMendedMapping:
    def test_takes_the_rows_up_with_the_next_sync(self, serve_files: ServeFiles) -> None:
        head = "Id,Name,StageName,CloseDate,Amount,OwnerId,Real_Amount__c\n"
        crm = serve_files(User=USERS, Opportunity=f"{head}006A,A,Proposal,2026-12-01,lots,005A,12.5\n")
        crm.client.control(
            "schema", object="Opportunity", retype={"field": "Real_Amount__c", "type": "currency"}
        )
        crm.sync()
        assert crm.kept_aside() == {"006A": ("Amount", "lots")}
        save(crm, {"amount": "Real_Amount__c"})
        crm.sync()
        assert (crm.kept_aside(), deals(crm)) == ({}, {"006A"})


class TestTheButton:
    def test_starts_a_run_and_leads_to_its_counts(
        self, spoilt: Crm, analyst: Member, client_of: SignedIn
    ) -> None:
        answer = client_of(analyst).post(f"{HOME}rejected/replay/", follow=True)
        page = answer.content.decode()
        assert "Reading 10 rows again" in page
        assert "Without a usable id: 1 row" in page
        with context.tenant_wide(spoilt.tenant.id):
            assert SyncRun.objects.get(kind=RunKind.NOTICE).state == RunState.QUEUED

    def test_stands_where_there_is_something_to_try(
        self, spoilt: Crm, analyst: Member, client_of: SignedIn
    ) -> None:
        browser = client_of(analyst)
        assert "Try all again" in browser.get(f"{HOME}rejected/").content.decode()
        assert "Try Opportunity again" in browser.get(f"{HOME}rejected/?object=Opportunity").content.decode()
        assert "Try" not in browser.get(f"{HOME}rejected/?q=nothing").content.decode()

    def test_is_not_a_reps_to_press(self, spoilt: Crm, rep: Member, client_of: SignedIn) -> None:
        assert client_of(rep).post(f"{HOME}rejected/replay/").status_code == 403
