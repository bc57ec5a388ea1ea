"""A comparison heals a portal's mirror too: whatever differs is read again with all that hangs on it."""

from __future__ import annotations

from crm_sync.models import CheckedMonth, Opportunity, RunKind, RunState
from crm_sync.services.runs import sync_request
from isolation import context
from tests.crm_sync.hubspot.conftest import SYSTEM, Hub
from tests.crm_sync.hubspot.mirrored import assert_equal


def compared(hub: Hub) -> str:
    """Compare; gives the note about deals."""
    with context.tenant_wide(hub.tenant.id):
        run = sync_request(connection=hub.connection, is_full=False, kind=RunKind.CHECK, acting_user=SYSTEM)
    done = hub.work(run)
    assert (done.state, done.error_message) == (RunState.SUCCEEDED, "")
    return str(hub.result(done, "deals").note)


def test_a_comparison_of_equals_finds_nothing(hub: Hub) -> None:
    hub.sync()
    assert compared(hub) == "All rows are alike."
    with context.tenant_wide(hub.tenant.id):
        deals = CheckedMonth.objects.filter(object_name="deals")
        assert sum(month.crm_rows for month in deals) == Opportunity.objects.count() > 0
        assert all(month.crm_checksum == month.mirror_checksum for month in deals)


def test_a_comparison_heals_what_is_missing_and_what_is_old_and_what_is_too_much(hub: Hub) -> None:
    hub.sync()
    missing, old, extra = (hub.some_deal(number) for number in range(3))
    with context.tenant_wide(hub.tenant.id):
        Opportunity.objects.filter(external_id=missing).delete()
        Opportunity.objects.filter(external_id=old).update(modified_at="2020-01-01T00:00:00Z", name="Old")
        ghost = Opportunity.objects.get(external_id=extra)
        ghost.pk, ghost.external_id = None, "999000111222"
        ghost.save(force_insert=True)
    assert compared(hub) == "3 rows differed and were read again."
    assert_equal(hub)
    assert compared(hub) == "All rows are alike."
