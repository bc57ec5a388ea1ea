"""Whose rows were before is kept as long as the rows are, and no longer."""

from __future__ import annotations

import pytest

from crm_sync.models import FormerHolder, FormerOwner, Opportunity, Owner
from crm_sync.owners import owner_assign
from crm_sync.pruning import prune
from isolation import context
from tenants.models import Member
from tests.cast import PLANTER
from tests.pipeline.deals import make_deal, owner_of

pytestmark = pytest.mark.django_db


def pruned() -> int:
    with context.platform("prune", PLANTER):
        return prune().former


def test_former_owners_of_deals_go_with_the_deals(rep: Member, other_rep: Member) -> None:
    gone, kept = make_deal(rep), make_deal(rep)
    with context.tenant_wide(rep.tenant_id):
        Opportunity.objects.filter(tenant_id=rep.tenant_id).update(owner_id=owner_of(other_rep).id)
        assert FormerOwner.objects.count() == 2
    assert pruned() == 0
    with context.tenant_wide(rep.tenant_id):
        Opportunity.objects.filter(tenant_id=rep.tenant_id, pk=gone.pk).delete()
    assert pruned() == 1
    with context.tenant_wide(rep.tenant_id):
        assert [one.row_id for one in FormerOwner.objects.all()] == [kept.pk]


def test_former_holders_of_crm_owners_go_with_the_owners(rep: Member, other_rep: Member) -> None:
    owner = owner_of(rep)
    with context.tenant_wide(rep.tenant_id):
        owner_assign(owner=owner, member=other_rep, acting_user=PLANTER)
    assert pruned() == 0
    with context.tenant_wide(rep.tenant_id):
        Owner.objects.filter(tenant_id=rep.tenant_id, pk=owner.pk).delete()
    assert pruned() == 1
    with context.tenant_wide(rep.tenant_id):
        assert not FormerHolder.objects.exists()
