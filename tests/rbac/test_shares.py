"""What a share opens follows tree, owners and clock of the moment, whoever gave it and whenever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.models import Event
from crm_sync.models import Account, Opportunity
from isolation import context
from isolation.errors import Forbidden
from rbac.errors import ShareEnded, ShareHeldAlready, ShareOutlivesOwn, ShareOwnRows
from rbac.held import database_now
from rbac.models import Access
from rbac.selectors import actor_of
from rbac.services import reporting_line_set
from rbac.shares import share_end
from tenants.models import Member
from tests.cast import PLANTER
from tests.pipeline.deals import make_deal, owner_of
from tests.pipeline.shares import account_with_deals, end_by_clock, give

pytestmark = pytest.mark.django_db


def seen(member: Member) -> set[str]:
    """The names of the deals that the wall shows to the member now."""
    with context.of_actor(actor_of(member), member.tenant_id):
        return set(Opportunity.objects.values_list("name", flat=True))


class TestAShare:
    def test_with_a_team_follows_the_tree(
        self, rep: Member, manager: Member, head: Member, distant_rep: Member
    ) -> None:
        deal = make_deal(distant_rep, name="Dinas deal")
        give(deal, manager, with_team=True)
        assert "Dinas deal" in seen(rep)
        with context.tenant_wide(rep.tenant_id):
            reporting_line_set(member=rep, manager=head, acting_user=PLANTER)
        assert "Dinas deal" not in seen(rep)

    def test_of_an_account_follows_its_owner(
        self, rep: Member, other_rep: Member, distant_rep: Member
    ) -> None:
        account = account_with_deals(rep, "Ritas")
        make_deal(other_rep, name="Ottos", account_id=account.id)
        give(account, distant_rep)
        assert seen(distant_rep) == {"Ritas"}
        with context.tenant_wide(rep.tenant_id):
            Account.objects.filter(pk=account.pk).update(owner_id=owner_of(other_rep).id)
        assert seen(distant_rep) == {"Ottos"}

    def test_outlives_the_rows_removal_and_return(self, rep: Member, other_rep: Member) -> None:
        deal = make_deal(rep, name="Ritas", external_id="006BACK")
        give(deal, other_rep)
        with context.tenant_wide(rep.tenant_id):
            Opportunity.objects.filter(pk=deal.pk).delete()
        assert seen(other_rep) == set()
        make_deal(rep, name="Ritas again", external_id="006BACK")
        assert seen(other_rep) == {"Ritas again"}

    def test_counts_up_to_its_end_and_not_at_it(self, rep: Member, other_rep: Member) -> None:
        share = give(make_deal(rep, name="Ritas"), other_rep)
        end_by_clock(share, database_now() + timedelta(minutes=1))
        assert seen(other_rep) == {"Ritas"}
        end_by_clock(share, database_now())
        assert seen(other_rep) == set()

    def test_can_be_given_anew_once_it_is_over_and_not_before(self, rep: Member, other_rep: Member) -> None:
        deal = make_deal(rep)
        share = give(deal, other_rep)
        with pytest.raises(ShareHeldAlready):
            give(deal, other_rep, access=Access.EDIT)
        end_by_clock(share, database_now())
        assert give(deal, other_rep).id != share.id

    def test_is_on_record_with_who_gave_it_and_why(self, rep: Member, other_rep: Member) -> None:
        give(make_deal(rep, name="Ritas"), other_rep, acting_user=actor_of(rep))
        with context.tenant_wide(rep.tenant_id):
            event = Event.objects.get(code="rbac.share_given")
        assert (event.actor_label, event.target_label, event.facts["reason"]) == (
            rep.email,
            "Ritas",
            "They work on it",
        )


class TestPassingOn:
    def test_takes_a_share_that_may_change(self, rep: Member, other_rep: Member, distant_rep: Member) -> None:
        lent, looked = make_deal(rep, name="Lent"), make_deal(rep, name="Looked at")
        give(lent, other_rep, access=Access.EDIT)
        give(looked, other_rep)
        give(lent, distant_rep, acting_user=actor_of(other_rep))
        with pytest.raises(ShareOwnRows):
            give(looked, distant_rep, acting_user=actor_of(other_rep))
        assert seen(distant_rep) == {"Lent"}

    def test_is_no_longer_than_the_longest_of_the_own(
        self, rep: Member, other_rep: Member, distant_rep: Member
    ) -> None:
        account = account_with_deals(rep, "Ritas")
        with context.tenant_wide(rep.tenant_id):
            deal = Opportunity.objects.get(name="Ritas")
        now = database_now()
        give(deal, other_rep, access=Access.EDIT, until=now + timedelta(days=1))
        give(account, other_rep, access=Access.EDIT, until=now + timedelta(days=9))
        with pytest.raises(ShareOutlivesOwn):
            give(deal, distant_rep, acting_user=actor_of(other_rep), until=now + timedelta(days=10))
        give(deal, distant_rep, acting_user=actor_of(other_rep), until=now + timedelta(days=8))

    def test_ends_by_hand_when_the_owner_says_so(
        self, rep: Member, other_rep: Member, distant_rep: Member
    ) -> None:
        deal = make_deal(rep, name="Lent")
        give(deal, other_rep, access=Access.EDIT)
        passed = give(deal, distant_rep, acting_user=actor_of(other_rep))
        acting = actor_of(rep)
        with context.of_actor(acting, rep.tenant_id):
            share_end(tenant_id=rep.tenant_id, share_id=passed.id, reason="Enough", acting_user=acting)
            with pytest.raises(ShareEnded):
                share_end(tenant_id=rep.tenant_id, share_id=passed.id, reason="Enough", acting_user=acting)
        assert seen(distant_rep) == set()


def test_who_lacks_the_right_shares_nothing(analyst: Member, rep: Member, other_rep: Member) -> None:
    deal = make_deal(rep)
    with pytest.raises(Forbidden):
        give(deal, other_rep, acting_user=actor_of(analyst))
