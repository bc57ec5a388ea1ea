"""What a portal holds is in the mirror, row for row, however it got there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import LazySettings

from crm_sync.models import ArchivedRow, Opportunity, RunKind, RunState, StageChange, SyncRun
from crm_sync.selectors import touched_deal_ids
from isolation import context
from tests.crm_sync.hubspot.conftest import Hub
from tests.crm_sync.hubspot.mirrored import ACTIVITIES, assert_equal

KINDS = ("deals", "contacts", "companies", *ACTIVITIES)


def _is_well(run: SyncRun) -> bool:
    assert (run.state, run.error_message) == (RunState.SUCCEEDED, "")
    return True


class TestTheFirstLoad:
    def test_holds_everything_row_for_row(self, hub: Hub) -> None:
        assert _is_well(hub.sync())
        assert_equal(hub)

    def test_is_read_page_by_page(self, hub: Hub, settings: LazySettings) -> None:
        settings.CRM_HUBSPOT_PAGE_ROWS = 50
        assert _is_well(hub.sync())
        assert_equal(hub)

    def test_in_several_lanes_at_once_is_the_same(self, hub: Hub, settings: LazySettings) -> None:
        settings.CRM_HUBSPOT_LANE_ROWS, settings.CRM_HUBSPOT_PAGE_ROWS = 20, 7
        run = hub.sync()
        assert _is_well(run)
        assert hub.result(run, "deals").rows_read == len(hub.portal.snapshot("deals"))
        assert_equal(hub)

    def test_in_lanes_goes_on_in_all_of_them(self, hub: Hub, settings: LazySettings) -> None:
        settings.CRM_HUBSPOT_LANE_ROWS, settings.CRM_HUBSPOT_PAGE_ROWS = 20, 7
        settings.CRM_SYNC_TRIES, settings.CRM_HUBSPOT_THREADS = 1, 2
        hub.portal.control("fault", kind="status", path_contains="/associations/deals/", after=4, times=0)
        run = hub.sync()
        assert (run.state, run.error_code) == (RunState.QUEUED, "crm_trouble")
        place = hub.result(run, "deals").place
        assert place.startswith("lanes:")
        assert 0 < hub.result(run, "deals").rows_read < 60
        hub.portal.control("faults/clear")
        run = hub.work(run)
        assert _is_well(run)
        assert hub.result(run, "deals").rows_read == len(hub.portal.snapshot("deals"))
        assert_equal(hub)

    def test_of_more_properties_than_an_address_holds_is_the_same(
        self, hub: Hub, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("crm_sync.connectors.hubspot.reading.LONGEST_LIST", 10)
        assert _is_well(hub.sync())
        assert_equal(hub)

    def test_takes_ids_of_associations_as_numbers_too(self, hub: Hub) -> None:
        hub.portal.control("switches", number_ids=True)
        assert _is_well(hub.sync())
        assert_equal(hub)

    def test_again_finds_nothing_to_write(self, hub: Hub) -> None:
        hub.sync()
        run = hub.sync()
        assert (run.rows_inserted, run.rows_changed, run.rows_deleted) == (0, 0, 0)
        full = hub.sync(is_full=True)
        assert (full.rows_inserted, full.rows_changed, full.rows_deleted) == (0, 0, 0)
        assert full.rows_read > 500
        assert_equal(hub)


class TestAChange:
    def test_of_any_kind_of_record_arrives(self, hub: Hub) -> None:
        hub.sync()
        changes = {
            "deals": {"amount": "77.5", "dealname": "Changed", "dealstage": "closedwon"}, "contacts": {"jobtitle": "Chief"},
            "companies": {"name": "Renamed"}, "calls": {"hs_call_title": "Another"}, "meetings": {"hs_meeting_outcome": "NO_SHOW"},
            "emails": {"hs_email_subject": "Re: it"}, "notes": {"hs_note_body": "<b>Five &amp; six</b>"},
            "tasks": {"hs_task_status": "COMPLETED"},
        }  # fmt: skip
        for kind, fields in changes.items():
            hub.portal.control("update", object=kind, id=hub.portal.snapshot(kind)[3]["id"], fields=fields)
        assert _is_well(hub.sync())
        assert_equal(hub)

    def test_is_read_and_nothing_else(self, hub: Hub) -> None:
        hub.sync()
        hub.portal.control("update", object="deals", id=hub.some_deal(), fields={"amount": "1"})
        hub.portal.forget_traffic()
        run = hub.sync()
        assert hub.result(run, "deals").rows_read == 1
        assert hub.calls()["/crm/v3/objects/deals/batch/read"] == 1
        assert "/crm/v3/objects/contacts/batch/read" not in hub.calls()

    def test_of_nothing_costs_a_handful_of_calls(self, hub: Hub) -> None:
        hub.sync()
        hub.portal.forget_traffic()
        hub.sync()
        # The portal, its owners twice, its pipelines, an e-mail; for each of eight objects its properties, changes and archive.
        assert sum(hub.calls().values()) == 5 + 8 * 3

    def test_that_searches_show_late_is_not_lost(self, hub: Hub) -> None:
        hub.sync()
        hub.portal.control("switches", search_lag_seconds=1800)
        deal = hub.some_deal()
        hub.portal.control("update", object="deals", id=deal, fields={"amount": "4711"})
        hub.sync()  # does not see it yet
        hub.portal.control("clock", advance_seconds=1900)
        hub.sync()
        assert_equal(hub)

    def test_of_a_new_record_with_odd_characters_arrives_whole(self, hub: Hub) -> None:
        hub.sync()
        name = 'He said "no", then\nleft; 🦄 𝄞 \\ \' %s {0}'
        made = hub.portal.control(
            "create", object="deals", fields={"dealname": name, "dealstage": "contractsent"}
        )
        run = hub.sync()
        with context.tenant_wide(hub.tenant.id):
            assert Opportunity.objects.get(external_id=made["id"]).name == name
        assert hub.result(run, "deals").note == ""
        assert_equal(hub)

    def test_with_a_nul_character_is_kept_without_it_and_noted(self, hub: Hub) -> None:
        hub.sync()
        made = hub.portal.control(
            "create", object="deals", fields={"dealname": "half\0 way", "dealstage": "contractsent"}
        )
        run = hub.sync()
        assert _is_well(run)
        with context.tenant_wide(hub.tenant.id):
            assert Opportunity.objects.get(external_id=made["id"]).name == "half way"
        assert "NUL" in hub.result(run, "deals").note

    def test_to_an_amount_that_is_none_keeps_the_row_aside_and_the_rest_goes_on(self, hub: Hub) -> None:
        hub.sync()
        bad, good = hub.some_deal(0), hub.some_deal(1)
        hub.portal.control("update", object="deals", id=bad, fields={"amount": "a lot"})
        hub.portal.control("update", object="deals", id=good, fields={"amount": "12"})
        assert _is_well(hub.sync())
        assert hub.kept_aside()[bad] == ("amount", "a lot")
        hub.portal.control("update", object="deals", id=bad, fields={"amount": "13"})
        hub.sync()
        # Its history still says what it was for a moment.
        assert [row for row in hub.kept_aside() if not row.startswith(f"{bad}-")] == []


class TestManyRecordsWithOneStamp:
    @pytest.fixture
    def imported(self, hub: Hub) -> None:
        """450 contacts made in one millisecond: more than a search gives at once."""
        hub.sync()
        moment = datetime.now(UTC) - timedelta(minutes=5)
        hub.portal.control("clock", fix=moment.isoformat(timespec="milliseconds"))
        for start in range(0, 450, 90):
            inputs = [
                {"properties": {"email": f"x{number}@example.org"}} for number in range(start, start + 90)
            ]
            assert (
                hub.portal.post("/crm/v3/objects/contacts/batch/create", {"inputs": inputs}).status_code
                == 201
            )
        hub.portal.control("clock", run=True)

    @pytest.mark.parametrize("is_unstable", [False, True])
    @pytest.mark.usefixtures("imported")
    def test_are_all_read(self, hub: Hub, is_unstable: bool) -> None:
        hub.portal.control("switches", unstable_sorts=is_unstable, search_reach=400)
        run = hub.sync()
        assert _is_well(run)
        assert hub.result(run, "contacts").rows_inserted == 450
        assert_equal(hub)


class TestStages:
    def test_renamed_rename_their_deals_and_their_history(self, hub: Hub) -> None:
        hub.sync()
        address = "/crm/v3/pipelines/deals/default/stages/contractsent"
        answer = hub.portal.http.patch(
            address, json={"label": "Papers out", "metadata": {"probability": "0.75", "isClosed": "false"}}
        )
        assert answer.status_code == 200
        run = hub.sync()
        assert _is_well(run)
        assert_equal(hub)
        with context.tenant_wide(hub.tenant.id):
            assert StageChange.objects.filter(stage="Papers out").exists()
            renamed = set(Opportunity.objects.filter(stage="Papers out").values_list("id", flat=True))
            assert renamed
            assert set(touched_deal_ids(hub.tenant.id, run)) == renamed

    def test_of_a_renamed_pipeline_too(self, hub: Hub) -> None:
        hub.sync()
        assert (
            hub.portal.http.patch(
                "/crm/v3/pipelines/deals/default", json={"label": "New business"}
            ).status_code
            == 200
        )
        assert _is_well(hub.sync())
        assert_equal(hub)


class TestAnArchivedRecord:
    @pytest.mark.parametrize("kind", KINDS)
    def test_leaves_the_mirror_and_comes_back_when_restored(self, hub: Hub, kind: str) -> None:
        hub.sync()
        gone = hub.portal.snapshot(kind)[2]["id"]
        hub.portal.control("archive", object=kind, id=gone)
        assert _is_well(hub.sync())
        assert_equal(hub)
        hub.portal.control("restore", object=kind, id=gone)
        assert _is_well(hub.sync())
        assert_equal(hub)

    def test_of_a_long_list_is_found_by_the_number_of_live_ones(
        self, hub: Hub, settings: LazySettings
    ) -> None:
        settings.CRM_HUBSPOT_ARCHIVE_ROWS = -1
        hub.sync()
        hub.portal.forget_traffic()
        hub.sync()
        before = hub.portal.look("stats")["total"]
        assert hub.calls().get("/crm/v3/objects/deals") is None
        hub.portal.control("archive", object="deals", id=hub.some_deal())
        hub.sync()
        assert hub.calls()["/crm/v3/objects/deals"] == 1
        assert before > 0
        assert_equal(hub)

    def test_that_is_purged_stays_away(self, hub: Hub) -> None:
        hub.sync()
        deal = hub.some_deal()
        hub.portal.control("archive", object="deals", id=deal)
        hub.sync()
        hub.portal.control("clock", advance_seconds=91 * 86_400)
        assert _is_well(hub.sync())
        with context.tenant_wide(hub.tenant.id):
            assert not ArchivedRow.objects.filter(external_id=deal).exists()
            assert not Opportunity.objects.filter(external_id=deal).exists()


class TestAMerge:
    @pytest.mark.parametrize("kind", ["deals", "contacts", "companies"])
    def test_removes_the_loser_and_gives_the_survivor_what_it_had(self, hub: Hub, kind: str) -> None:
        hub.sync()
        survivor, loser = (hub.portal.snapshot(kind)[place]["id"] for place in (1, 4))
        hub.portal.control("merge", object=kind, primary=survivor, loser=loser)
        assert _is_well(hub.sync())
        assert_equal(hub)


class TestAnAssociation:
    def test_between_a_deal_and_a_contact_begins_and_ends(self, hub: Hub) -> None:
        hub.sync()
        deal, contact = hub.some_deal(), hub.portal.snapshot("contacts")[-1]["id"]
        tie = {"object": "deals", "id": deal, "other": "contacts", "other_id": contact}
        hub.portal.control("associate", **tie)
        assert _is_well(hub.sync())
        assert_equal(hub)
        hub.portal.control("part", **tie)
        assert _is_well(hub.sync())
        assert_equal(hub)

    def test_of_a_contact_with_another_company_moves_it(self, hub: Hub) -> None:
        hub.sync()
        contact, company = (
            hub.portal.snapshot("contacts")[0]["id"],
            hub.portal.snapshot("companies")[-1]["id"],
        )
        hub.portal.control(
            "associate", object="contacts", id=contact, other="companies", other_id=company, label="Primary"
        )
        assert _is_well(hub.sync())
        assert_equal(hub)


class TestOtherRuns:
    def test_a_comparison_finds_what_was_deleted_without_a_trace(self, hub: Hub) -> None:
        hub.sync()
        for kind in ("contacts", "deals"):
            hub.portal.control("forget", object=kind, id=hub.portal.snapshot(kind)[5]["id"])
        run = hub.work(hub.request(kind=RunKind.CHECK))
        assert _is_well(run)
        assert_equal(hub)

    def test_a_refresh_of_calculated_fields_leaves_the_rest_alone(self, hub: Hub) -> None:
        hub.sync()
        assert _is_well(hub.work(hub.request(kind=RunKind.REFRESH)))
        assert_equal(hub)
