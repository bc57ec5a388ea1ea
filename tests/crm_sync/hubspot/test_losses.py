"""Where the known connectors lose HubSpot's records: a class for each loss, named after it. The others are in ``../test_losses.py``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm_sync.engine import notices
from crm_sync.models import ContactRole, Opportunity, RunKind, RunState
from crm_sync.services.runs import sync_request
from isolation import context
from tests.crm_sync.hubspot.conftest import SYSTEM, Hub
from tests.crm_sync.hubspot.mirrored import assert_equal


class TestTheCapOfTenThousand:
    def test_would_lose_what_lies_behind_it_and_more_that_share_one_millisecond(self, hub: Hub) -> None:
        """The portal's cap is set to one page of a search, 200; three hundred contacts and more share one stamp."""
        hub.sync()
        hub.portal.control("switches", search_reach=200)
        for start in range(0, 300, 100):
            inputs = [{"properties": {"email": f"{start + n}@example.org"}} for n in range(100)]
            hub.portal.post("/crm/v3/objects/contacts/batch/create", {"inputs": inputs}).raise_for_status()
        moment = datetime.now(UTC) - timedelta(minutes=1)
        stamped = hub.portal.control("restamp", object="contacts", first=1000, at=moment.isoformat())
        run = hub.sync()
        assert run.state == RunState.SUCCEEDED
        assert stamped["stamped"] > 300
        assert hub.result(run, "contacts").rows_inserted == 300
        assert_equal(hub)


class TestArchivedRowsNeverSeen:
    def test_leave_the_mirror_though_their_stamp_did_not_move(self, hub: Hub) -> None:
        hub.sync()
        gone = hub.some_deal()
        before = next(row for row in hub.portal.snapshot("deals") if row["id"] == gone)
        hub.portal.control("archive", object="deals", id=gone)
        after = next(row for row in hub.portal.snapshot("deals", archived=True) if row["id"] == gone)
        assert before["properties"]["hs_lastmodifieddate"] == after["properties"]["hs_lastmodifieddate"]
        hub.sync()
        with context.tenant_wide(hub.tenant.id):
            assert not Opportunity.objects.filter(external_id=gone).exists()
        assert_equal(hub)


class TestAnIndexThatLags:
    def test_would_lose_what_searches_show_after_the_watermark_has_passed(self, hub: Hub) -> None:
        hub.sync()
        hub.portal.control("switches", search_lag_seconds=600)
        late = hub.some_deal()
        hub.portal.control("update", object="deals", id=late, fields={"dealname": "shown ten minutes late"})
        hub.portal.control("update", object="deals", id=hub.some_deal(1), fields={"amount": "77"})
        hub.sync()
        hub.portal.control("clock", advance_seconds=900)
        hub.sync()
        with context.tenant_wide(hub.tenant.id):
            assert Opportunity.objects.get(external_id=late).name == "shown ten minutes late"
        assert_equal(hub)


@pytest.fixture
def deal(hub: Hub) -> dict[str, Any]:
    """A deal with contacts and a company, as the portal has it; the mirror has it too."""
    hub.sync()
    ties = ("contacts", "companies")
    return next(
        row for row in hub.portal.snapshot("deals") if all(map(row.get("associations", {}).get, ties))
    )


def read_named(hub: Hub, *rows: tuple[str, str]) -> None:
    """Read these rows, as if a notice had named them, and nothing else."""
    with context.tenant_wide(hub.tenant.id):
        notices.note(hub.connection, rows)
        run = sync_request(connection=hub.connection, is_full=False, kind=RunKind.NOTICE, acting_user=SYSTEM)
    hub.work(run)


class TestAContactThatCameAndWentUnseen:
    def test_would_leave_its_part_in_a_deal_for_ever(self, hub: Hub, deal: dict[str, Any]) -> None:
        """Restored, read with a deal, and archived again before the contacts were looked at."""
        contact = deal["associations"]["contacts"][0]["id"]
        hub.portal.control("archive", object="contacts", id=contact)
        hub.sync()
        hub.portal.control("restore", object="contacts", id=contact)
        read_named(hub, ("deals", deal["id"]))
        with context.tenant_wide(hub.tenant.id):
            assert ContactRole.objects.filter(contact_external_id=contact, contact_id=None).exists()
        hub.portal.control("archive", object="contacts", id=contact)
        hub.sync()
        assert_equal(hub)


class TestARecordThatWasAwayUnseen:
    """Archived and restored between two looks at the list of archived records: no stamp moved, and no list ever held it."""

    @pytest.mark.parametrize("kind", ["contacts", "companies"])
    def test_would_lose_its_deal_that_was_read_meanwhile(
        self, hub: Hub, deal: dict[str, Any], kind: str
    ) -> None:
        away = [each["id"] for each in deal["associations"][kind]]
        for each in away:
            hub.portal.control("archive", object=kind, id=each)
        read_named(hub, ("deals", deal["id"]))
        for each in away:
            hub.portal.control("restore", object=kind, id=each)
        hub.sync()
        assert_equal(hub)

    def test_would_lose_the_calls_that_were_read_meanwhile(self, hub: Hub) -> None:
        hub.sync()
        call = next(row for row in hub.portal.snapshot("calls") if row.get("associations", {}).get("deals"))
        deals = [each["id"] for each in call["associations"]["deals"]]
        for each in deals:
            hub.portal.control("archive", object="deals", id=each)
        read_named(hub, ("calls", call["id"]))
        for each in deals:
            hub.portal.control("restore", object="deals", id=each)
        hub.sync()
        assert_equal(hub)

    @pytest.mark.parametrize("kind", ["contacts", "companies", "deals"])
    def test_would_stay_away_where_it_was_found_missing(
        self, hub: Hub, deal: dict[str, Any], kind: str
    ) -> None:
        away = deal["id"] if kind == "deals" else deal["associations"][kind][0]["id"]
        hub.portal.control("archive", object=kind, id=away)
        read_named(hub, (kind, away))
        hub.portal.control("restore", object=kind, id=away)
        hub.sync()
        assert_equal(hub)


class TestAMergeIntoARecordThatIsThenArchived:
    def test_would_leave_the_loser_for_ever(self, hub: Hub) -> None:
        hub.sync()
        primary, loser = (row["id"] for row in hub.portal.snapshot("contacts")[:2])
        hub.portal.control("merge", object="contacts", primary=primary, loser=loser)
        hub.portal.control("archive", object="contacts", id=primary)
        hub.sync()
        assert_equal(hub)


class TestAMergeIntoARecordThatIsMergedOnward:
    def test_would_leave_the_first_loser_for_ever(self, hub: Hub) -> None:
        hub.sync()
        first, second, third, fourth = (row["id"] for row in hub.portal.snapshot("contacts")[:4])
        for primary, loser in ((third, fourth), (second, first), (third, second)):
            hub.portal.control("merge", object="contacts", primary=primary, loser=loser)
        hub.sync()
        assert_equal(hub)


class TestAnAssociationThatMovesNoStamp:
    def test_would_stay_as_it_was_but_for_the_comparison(self, hub: Hub, deal: dict[str, Any]) -> None:
        """A contact of a deal becomes something else to it, and no notice tells of that."""
        contact = deal["associations"]["contacts"][0]["id"]
        labels = hub.portal.get("/crm/v4/associations/deals/contacts/labels").json()["results"]
        label = next(each["label"] for each in labels if each["category"] == "USER_DEFINED")
        hub.portal.control("part", object="deals", id=deal["id"], other="contacts", other_id=contact)
        hub.portal.control("associate", object="deals", id=deal["id"], other="contacts", other_id=contact)
        hub.sync()
        assert_equal(hub)
        hub.portal.control(
            "associate", object="deals", id=deal["id"], other="contacts", other_id=contact, label=label
        )
        hub.sync()
        with pytest.raises(AssertionError, match="ContactRole"):
            assert_equal(hub)
        run = hub.work(hub.request(kind=RunKind.CHECK))
        assert run.state == RunState.SUCCEEDED
        assert hub.result(run, "deals").note == "1 row differed and was read again."
        assert_equal(hub)
