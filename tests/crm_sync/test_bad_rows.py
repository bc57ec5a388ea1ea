"""Bad rows are kept aside with field, value and reason; everything else is loaded."""

from __future__ import annotations

from crm_sync.models import Opportunity, RejectedRow, RunState
from isolation import context
from tests.crm_sync.conftest import Crm, ServeFiles
from tests.crm_sync.mirrored import assert_equal

USERS = "Id,Name,Email,IsActive\n005A,Rina,rina@acme.test,true\n"
HEAD = "Id,Name,StageName,CloseDate,Amount,OwnerId,Probability,IsClosed\n"
DEALS = HEAD + (
    "006GOOD,Good,Proposal,2026-12-01,1000.50,005A,60,false\n"
    "006DATE,Bad date,Proposal,2026-02-30,1,005A,60,false\n"
    "006WORD,A word,Proposal,today,1,005A,60,false\n"
    "006AMOUNT,Bad amount,Proposal,2026-12-01,lots,005A,60,false\n"
    "006NAN,No number,Proposal,2026-12-01,NaN,005A,60,false\n"
    "006HUGE,Huge,Proposal,2026-12-01,1e30,005A,60,false\n"
    "006OWNER,Bad owner,Proposal,2026-12-01,1,005NOBODY,60,false\n"
    "006NOONE,No owner,Proposal,2026-12-01,1,,60,false\n"
    "006SHARE,Bad share,Proposal,2026-12-01,1,005A,160,false\n"
    "006FLAG,Bad flag,Proposal,2026-12-01,1,005A,60,perhaps\n"
    "006STAGE,No stage,,2026-12-01,1,005A,60,false\n"
    ",No id,Proposal,2026-12-01,1,005A,60,false\n"
    "006EMPTY,Little known,Proposal,,,005A,,\n"
)
BAD = {
    "006DATE": ("CloseDate", "2026-02-30"),
    "006WORD": ("CloseDate", "today"),
    "006AMOUNT": ("Amount", "lots"),
    "006NAN": ("Amount", "NaN"),
    "006HUGE": ("Amount", "1e30"),
    "006OWNER": ("OwnerId", "005NOBODY"),
    "006NOONE": ("OwnerId", ""),
    "006SHARE": ("Probability", "160"),
    "006FLAG": ("IsClosed", "perhaps"),
    "006STAGE": ("StageName", ""),
}


def deals(crm: Crm) -> set[str]:
    with context.tenant_wide(crm.tenant.id):
        return set(Opportunity.objects.values_list("external_id", flat=True))


class TestBadRows:
    def test_are_kept_aside_while_the_rest_loads(self, serve_files: ServeFiles) -> None:
        crm = serve_files(User=USERS, Opportunity=DEALS)
        run = crm.sync()
        assert (run.state, run.rows_rejected) == (RunState.SUCCEEDED, len(BAD) + 1)
        assert deals(crm) == {"006GOOD", "006EMPTY"}
        kept = crm.kept_aside()
        nameless = [row for row in kept if row.startswith("no id")]
        assert {row: told for row, told in kept.items() if row not in nameless} == BAD
        assert [kept[row][0] for row in nameless] == ["Id"]

    def test_are_told_with_a_reason_and_kept_whole(self, serve_files: ServeFiles) -> None:
        crm = serve_files(User=USERS, Opportunity=DEALS)
        crm.sync()
        with context.tenant_wide(crm.tenant.id):
            row = RejectedRow.objects.get(external_id="006DATE")
        assert row.reason == "is not a date; a date looks like 2026-03-31"
        assert row.raw["Name"] == "Bad date"

    def test_leave_when_they_are_mended_or_deleted(self, serve_files: ServeFiles) -> None:
        crm = serve_files(User=USERS, Opportunity=DEALS)
        crm.sync()
        crm.client.control("update", object="Opportunity", id="006DATE", fields={"CloseDate": "2026-02-28"})
        crm.client.control("delete", object="Opportunity", id="006AMOUNT", hard=True)
        crm.client.control("delete", object="Opportunity", id="006NAN")
        crm.sync()
        assert "006DATE" in deals(crm)
        assert not {"006DATE", "006AMOUNT", "006NAN"} & crm.kept_aside().keys()

    def test_wait_for_an_owner_who_comes_later(self, serve_files: ServeFiles) -> None:
        crm = serve_files(User=USERS, Opportunity=DEALS)
        crm.sync()
        crm.client.control(
            "create",
            object="User",
            fields={"Id": "005NOBODY", "Username": "n@x", "LastName": "N", "Email": "n@x.test"},
        )
        crm.sync()
        assert "006OWNER" in deals(crm)
        assert "006OWNER" not in crm.kept_aside()

    def test_do_not_touch_what_was_good_before(self, crm: Crm) -> None:
        crm.sync()
        deal = crm.some_deal()
        crm.client.control(
            "update",
            object="Opportunity",
            id=deal["Id"],
            fields={"LastActivityDate": "soon", "NextStep": "later"},
        )
        run = crm.sync()
        assert run.rows_rejected >= 1
        with context.tenant_wide(crm.tenant.id):
            assert Opportunity.objects.get(external_id=deal["Id"]).next_step == deal["NextStep"]
        crm.sync(is_full=True)
        assert deal["Id"] in deals(crm)
        crm.client.control("update", object="Opportunity", id=deal["Id"], fields={"LastActivityDate": None})
        crm.sync()
        assert crm.kept_aside() == {}
        assert_equal(crm)

    def test_that_share_an_id_count_once(self, serve_files: ServeFiles) -> None:
        twice = (
            HEAD
            + "006X,First,Proposal,2026-12-01,1,005A,60,false\n006X,Second,Proposal,2026-12-01,1,005A,60,false\n"
        )
        crm = serve_files(User=USERS, Opportunity=twice)
        run = crm.sync()
        assert run.state == RunState.SUCCEEDED
        assert deals(crm) == {"006X"}
        result = crm.result(run, "Opportunity")
        assert (result.rows_read, result.rows_inserted, result.rows_unchanged) == (2, 1, 1)


class TestAnOddCrm:
    def test_with_objects_that_have_no_rows_is_synced(self, serve_files: ServeFiles) -> None:
        crm = serve_files(User=USERS)
        assert crm.sync().state == RunState.SUCCEEDED
