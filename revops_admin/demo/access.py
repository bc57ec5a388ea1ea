"""What the demo's people have given one another: a role of Acme's own, a grant that ends, a shared deal."""

from __future__ import annotations

from datetime import timedelta

from crm_sync.models import Opportunity
from isolation import context
from pipeline import permissions
from rbac.custom_roles import RoleDraft, custom_role_create
from rbac.grants import Term, role_grant
from rbac.held import database_now
from rbac.models import Access, CustomRole, Share, ShareKind, Sight
from rbac.selectors import actor_of
from rbac.shared import Subject
from rbac.shares import share_give
from tenants.models import Member, Tenant

_ADMIN, _MANAGER, _OWNER, _HELPER, _STAND_IN = (
    f"{mailbox}@acme.example"
    for mailbox in ("alice.adler", "marco.rossi", "ravi.patel", "robert.king", "ruth.stone")
)


def ensure_access(tenant: Tenant) -> None:
    """Give it once, after the first sync; later changes are the user's own."""
    with context.tenant_wide(tenant.id):
        people = {
            member.email: member for member in Member.objects.filter(tenant=tenant).select_related("tenant")
        }
        if not CustomRole.objects.filter(tenant=tenant).exists():
            _give_role(tenant, people)
        if not Share.objects.filter(tenant=tenant).exists():
            _share_deal(tenant, people)


def _give_role(tenant: Tenant, people: dict[str, Member]) -> None:
    admin = actor_of(people[_ADMIN])
    draft = RoleDraft(
        name="Deal desk", sentence="Reads and exports every deal, to check prices and terms.", level=8,
        sight=Sight.EVERYTHING, permissions=frozenset({permissions.VIEW, permissions.EXPORT}),
    )  # fmt: skip
    role = custom_role_create(tenant=tenant, draft=draft, acting_user=admin)
    term = Term(until=database_now() + timedelta(days=14))
    reason = "Stands in at the deal desk for two weeks"
    role_grant(member=people[_STAND_IN], role=role.code, term=term, reason=reason, acting_user=admin)


def _share_deal(tenant: Tenant, people: dict[str, Member]) -> None:
    deals = Opportunity.objects.filter(
        tenant=tenant, owner_id__in=actor_of(people[_OWNER]).owner_ids, is_closed=False
    )
    deal = deals.order_by("-amount_minor", "id").first()
    if deal is not None:
        share_give(
            tenant=tenant,
            subject=Subject(ShareKind.DEAL, deal.source, deal.external_id, deal.name, deal.id, deal.owner_id),
            member=people[_HELPER], access=Access.VIEW, reason="Robert knows the buyer from a deal of last year",
            until=database_now() + timedelta(days=30), acting_user=actor_of(people[_MANAGER]),
        )  # fmt: skip
