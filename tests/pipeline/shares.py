"""Shares for tests, given by the program itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crm_sync.models import Account, Opportunity
from isolation import context
from isolation.actors import Actor
from rbac.models import Access, Share, ShareKind
from rbac.shared import subject_of
from rbac.shares import share_give
from tenants.models import Member
from tests.cast import PLANTER
from tests.pipeline.deals import external_id, make_deal, owner_of


def give(
    row: Opportunity | Account, member: Member, *, acting_user: Actor = PLANTER, access: Access = Access.VIEW, **how: Any
) -> Share:  # fmt: skip
    """Share that deal or account with the member."""
    kind = ShareKind.DEAL if isinstance(row, Opportunity) else ShareKind.ACCOUNT
    with (
        context.of_actor(acting_user, row.tenant_id)
        if acting_user.member_id
        else context.tenant_wide(row.tenant_id)
    ):
        subject = subject_of(row.tenant_id, kind, row.external_id)
        assert subject is not None
        return share_give(
            tenant=member.tenant, subject=subject, member=member, access=access, reason="They work on it",
            acting_user=acting_user, **how,
        )  # fmt: skip


def end_by_clock(share: Share, until: datetime) -> None:
    """Make a share end at that moment, past or future, as if it had been given so."""
    with context.platform("end a share by the clock", PLANTER):
        Share.objects.filter(pk=share.pk).update(
            valid_from=datetime(2026, 1, 1, tzinfo=until.tzinfo), valid_until=until
        )


def account_with_deals(member: Member, *names: str) -> Account:
    """An account of the member with deals of these names, all the member's own."""
    owner = owner_of(member)
    with context.tenant_wide(member.tenant_id):
        account: Account = Account.objects.create(
            tenant_id=member.tenant_id, source="salesforce", external_id=external_id("001"), name="Northwind",
            modified_at=datetime.now().astimezone(), owner_id=owner.id, owner_external_id=owner.external_id,
        )  # fmt: skip
    for name in names:
        make_deal(member, name=name, account_id=account.id, account_external_id=account.external_id)
    return account
