"""Whose a CRM owner's deals are: matched by e-mail, chosen by somebody, or passed on by who left. Every change leaves its period."""

from __future__ import annotations

from django.db import connection, transaction

from audit.services import record
from crm_sync.errors import HeirNotActive, HeirRequired
from crm_sync.events import OwnerAssigned, OwnersExported, OwnersPassedOn
from crm_sync.models import HolderOrigin, Opportunity, Owner
from isolation.actors import Actor, require
from rbac.errors import OwnerChangedMeanwhile, OwnTeam
from rbac.selectors import email_of, manager_id_of
from rbac.services import MemberSeen, widens_own_sight
from tenants.models import Member
from tenants.permissions import PEOPLE_DEACTIVATE, PEOPLE_EDIT, PEOPLE_VIEW

# Whom somebody chose, or who took over, stays: the e-mail speaks only where nobody has spoken.
_MATCH = """
    UPDATE crm_sync_owner o SET member_id = m.id
    FROM crm_sync_owner mine
    LEFT JOIN tenants_member m ON m.tenant_id = %(tenant)s AND lower(m.email) = lower(mine.email) AND mine.email <> ''
    WHERE mine.tenant_id = %(tenant)s AND mine.holder_origin = '' AND o.tenant_id = %(tenant)s AND o.id = mine.id
      AND o.member_id IS DISTINCT FROM m.id
"""


@transaction.atomic
def owners_match_members(tenant_id: int) -> int:
    """Give each CRM owner of whom nobody said otherwise the member of the same e-mail, capitals aside, or none; gives how many changed.

    Needs a context in which the workspace's owners and members can be reached. Not a user's doing, so it is not audited.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MATCH, {"tenant": tenant_id})
        return int(cursor.rowcount)


@transaction.atomic
def owner_assign(
    *, owner: Owner, member: Member | None, acting_user: Actor, seen: MemberSeen | None = None
) -> Owner:
    """Say whose a CRM owner's deals are (None: nobody's), whatever the e-mails; a member may have several owners.

    ``seen`` is whose they were when that was decided (None: whosever they are now).
    Raises: Forbidden; HeirNotActive, where the member is deactivated; OwnTeam; OwnerChangedMeanwhile.
    """
    require(acting_user, PEOPLE_EDIT, owner.tenant_id)
    owner = Owner.objects.select_for_update(no_key=True).get(tenant_id=owner.tenant_id, pk=owner.pk)
    if member is not None:
        if member.id != owner.member_id:  # who left keeps what nobody else took
            _require_active(member)
        _require_not_own(owner, member, acting_user)
    chosen = member.id if member else None
    if seen is not None and owner.member_id not in (seen.member_id, chosen):
        raise OwnerChangedMeanwhile(
            acting_user=acting_user, tenant_id=owner.tenant_id, target=(owner.external_id, owner.name),
            owner=owner.name, member=email_of(owner.tenant_id, owner.member_id),
        )  # fmt: skip
    owner.member_id, owner.holder_origin = chosen, HolderOrigin.CHOSEN
    owner.save(update_fields=["member_id", "holder_origin"])
    _record_assigned(owner, member.email if member else "nobody", acting_user)
    return owner


def _require_not_own(owner: Owner, member: Member, acting_user: Actor) -> None:
    if widens_own_sight(member, acting_user):
        target = (owner.external_id, owner.name)
        raise OwnTeam(acting_user=acting_user, tenant_id=owner.tenant_id, target=target)


def _record_assigned(owner: Owner, member: str, acting_user: Actor) -> None:
    event = OwnerAssigned(target_id=owner.external_id, target_label=owner.name, member=member)
    record(event, acting_user=acting_user, tenant_id=owner.tenant_id)


@transaction.atomic
def owner_follow_email(*, owner: Owner, acting_user: Actor) -> None:
    """Let the e-mail say again whose the owner's deals are. Raises: Forbidden."""
    require(acting_user, PEOPLE_EDIT, owner.tenant_id)
    owner.holder_origin = HolderOrigin.EMAIL
    owner.save(update_fields=["holder_origin"])
    owners_match_members(owner.tenant_id)
    _record_assigned(owner, "who has the same e-mail", acting_user)


@transaction.atomic
def owners_pass_on(*, member: Member, heir: Member | None, acting_user: Actor) -> int:
    """Give everything of somebody who leaves to ``heir``; gives how many CRM owners that was.

    Without an heir the deals stay the leaver's, where managers above still see them; that is refused where there are open ones and
    nobody above. Raises: Forbidden, HeirRequired, HeirNotActive.
    """
    require(acting_user, PEOPLE_DEACTIVATE, member.tenant_id)
    owners = Owner.objects.filter(tenant_id=member.tenant_id, member_id=member.id)
    names = list(owners.order_by("name", "id").values_list("name", flat=True))
    if heir is None:
        _require_nothing_lost(member)
        return 0
    _require_active(heir, besides=member)
    if not names:
        return 0
    owners.update(member_id=heir.id, holder_origin=HolderOrigin.PASSED_ON)
    event = OwnersPassedOn(target_id=str(member.id), target_label=member.email, heir=heir.email, owners=names)
    record(event, acting_user=acting_user, tenant_id=member.tenant_id)
    return len(names)


def _require_active(member: Member, *, besides: Member | None = None) -> None:
    if not member.is_active or member == besides:
        raise HeirNotActive(member=member.email)


def _require_nothing_lost(member: Member) -> None:
    if manager_id_of(member) is not None:
        return
    owners = Owner.objects.filter(tenant_id=member.tenant_id, member_id=member.id)
    deals = Opportunity.objects.filter(
        tenant_id=member.tenant_id, owner_id__in=owners.values("id"), is_closed=False
    )
    if found := deals.count():
        raise HeirRequired(member=member.email, deals=found)


@transaction.atomic
def owners_export_record(*, tenant_id: int, filters: str, acting_user: Actor) -> None:
    """Put on record that the list of CRM owners leaves as a file. Raises: Forbidden."""
    require(acting_user, PEOPLE_VIEW, tenant_id)
    event = OwnersExported(target_id=str(tenant_id), target_label="CRM owners", filters=filters)
    record(event, acting_user=acting_user, tenant_id=tenant_id)
