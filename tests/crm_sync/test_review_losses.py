"""Rows and scores that would be lost between two runs: fields that come back, another organisation, runs that failed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.conf import LazySettings

from crm_sync import hooks
from crm_sync.connectors.base import ObjectSpec
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.engine.turn import TurnOver
from crm_sync.mapping.services import mapping_save
from crm_sync.models import Opportunity, RunState, SyncObjectResult, SyncRun
from crm_sync.selectors import touched_deal_ids
from isolation import context
from tests.crm_sync.conftest import SYSTEM, Crm, ServeFiles
from tests.crm_sync.mirrored import assert_equal
from tests.crm_sync.test_losses import deal_of, edit
from tests.sandbox.conftest import Client


class TestAFieldThatComesBack:
    def test_brings_what_changed_while_it_was_hidden(self, crm: Crm) -> None:
        crm.sync()
        crm.client.control("schema", object="Opportunity", hide="NextStep")
        edit(crm, 0, NextStep="changed while hidden")
        assert "Without NextStep" in crm.result(crm.sync(), "Opportunity").note
        crm.client.control("clock", advance_seconds=3600)
        crm.sync()
        crm.client.control("clock", advance_seconds=3600)
        crm.client.control("schema", object="Opportunity", show="NextStep")
        crm.sync()
        assert_equal(crm)

    def test_is_read_of_all_rows_once_only(self, crm: Crm) -> None:
        crm.client.control("schema", object="Opportunity", hide="NextStep")
        crm.sync()
        crm.client.control("schema", object="Opportunity", show="NextStep")
        assert crm.result(crm.sync(), "Opportunity").since is None
        assert crm.result(crm.sync(), "Opportunity").since is not None
        assert_equal(crm)

    @pytest.mark.parametrize("change", ["show", "hide"])
    def test_in_the_middle_of_a_run_begins_the_object_again(
        self, crm: Crm, settings: LazySettings, change: str
    ) -> None:
        settings.CRM_BULK_PAGE_ROWS = 25
        crm.client.control(
            "schema", object="Opportunity", **{"hide" if change == "show" else "show": "NextStep"}
        )
        lease = claim(crm.tenant.id, crm.request().id)
        assert lease is not None

        def stop_in_the_middle(result: SyncObjectResult, spec: ObjectSpec) -> None:
            if spec.name == "Opportunity":
                raise TurnOver

        assert execute(lease, stop_in_the_middle).state == RunState.QUEUED
        crm.client.control("schema", object="Opportunity", **{change: "NextStep"})
        assert crm.sync().state == RunState.SUCCEEDED
        crm.client.control("schema", object="Opportunity", show="NextStep")
        crm.sync()
        assert_equal(crm)


class TestAnotherOrganisation:
    def test_behind_the_same_connection_is_read_from_its_beginning(
        self, crm: Crm, organisations: Iterator[Client]
    ) -> None:
        crm.sync()
        other = Crm(next(organisations), crm.tenant)
        other.connect()
        other.sync()
        assert_equal(other)

    def test_is_not_mixed_with_what_a_run_under_way_had_read(
        self, crm: Crm, organisations: Iterator[Client], settings: LazySettings
    ) -> None:
        settings.CRM_BULK_PAGE_ROWS = 25
        lease = claim(crm.tenant.id, crm.request().id)
        assert lease is not None
        other = Crm(next(organisations), crm.tenant)

        def change_in_the_middle(result: SyncObjectResult, spec: ObjectSpec) -> None:
            if spec.name == "Opportunity":
                other.connect()

        execute(lease, change_in_the_middle)
        other.sync()
        assert_equal(other)


class TestDealsOfARunThatFailed:
    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch) -> list[set[int] | None]:
        """What upper rooms are told has changed: ids of deals, None for everything."""
        heard: list[set[int] | None] = []

        def hear(tenant_id: int, run: SyncRun) -> None:
            with context.tenant_wide(tenant_id):
                heard.append(None if run.touches_everything else set(touched_deal_ids(tenant_id, run)))

        monkeypatch.setattr(hooks, "_after_sync", [hear])
        return heard

    def test_are_told_of_by_the_next_one(self, crm: Crm, told: list[set[int] | None]) -> None:
        crm.sync()
        changed = edit(crm, 3, NextStep="merged by the run that fails")

        def fail(result: SyncObjectResult, spec: ObjectSpec) -> None:
            if spec.name == "Opportunity":
                raise ZeroDivisionError

        lease = claim(crm.tenant.id, crm.request().id)
        assert lease is not None
        with pytest.raises(ZeroDivisionError):
            execute(lease, fail)
        crm.client.control("clock", advance_seconds=600)
        crm.sync()
        assert deal_of(crm, changed).next_step == "merged by the run that fails"
        assert told[1] is not None
        assert deal_of(crm, changed).id in told[1]

    def test_are_all_told_of_where_it_had_read_them_from_their_beginning(
        self, crm: Crm, told: list[set[int] | None]
    ) -> None:
        crm.sync()
        mapping_save(
            tenant_id=crm.tenant.id, source="salesforce", document={"Opportunity": {"region": "Region__c"}},
            acting_user=SYSTEM,
        )  # fmt: skip

        def fail(result: SyncObjectResult, spec: ObjectSpec) -> None:
            if spec.name == "Opportunity":
                raise ZeroDivisionError

        lease = claim(crm.tenant.id, crm.request().id)
        assert lease is not None
        with pytest.raises(ZeroDivisionError):
            execute(lease, fail)
        crm.sync()
        assert told[1] is None
        edit(crm, 3, NextStep="one deal again")
        crm.sync()
        assert told[2] is not None


class TestManyCustomFields:
    def test_are_kept_all(self, serve_files: ServeFiles) -> None:
        names = [f"Extra{number}__c" for number in range(150)]
        heads = "Id,Name,OwnerId,StageName,CloseDate,IsClosed,IsWon,CreatedDate,SystemModstamp,IsDeleted"
        row = (
            "006A,One,005A,New,2026-01-01,false,false,2026-01-01T00:00:00.000Z,2026-01-01T00:00:00.000Z,false"
        )
        crm = serve_files(
            User="Id,Name,Email,IsActive,SystemModstamp\n005A,Ann,ann@example.com,true,2026-01-01T00:00:00.000Z\n",
            Opportunity=f"{heads},{','.join(names)}\n{row},{','.join(map(str, range(150)))}\n",
        )
        wanted = {name.removesuffix("__c").lower(): name for name in names}
        mapping_save(
            tenant_id=crm.tenant.id, source="salesforce", document={"Opportunity": wanted}, acting_user=SYSTEM
        )
        assert crm.sync().state == RunState.SUCCEEDED
        with context.tenant_wide(crm.tenant.id):
            custom = Opportunity.objects.get().custom
        assert {key: json.loads(str(value)) for key, value in custom.items()} == {
            key: number for number, key in enumerate(wanted)
        }
