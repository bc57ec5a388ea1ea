"""Writes about shares."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from audit.services import record
from isolation.actors import Actor, require
from isolation.errors import InvalidInput, NotFound
from rbac.errors import (
    MemberNotActive,
    ShareEnded,
    ShareHeldAlready,
    ShareOutlivesOwn,
    ShareOwnRows,
    ShareTwoWorkspaces,
)
from rbac.events import ShareEndedEarly, ShareGiven
from rbac.grants import LONGEST, require_reason
from rbac.held import database_now
from rbac.models import Access, Share, ShareKind
from rbac.permissions import SHARES_EDIT
from rbac.shared import Subject, in_force, may_edit, opens, shares_held, subject_of
from tenants.models import Member, Tenant


@transaction.atomic
def share_give(
    *,
    tenant: Tenant,
    subject: Subject,
    member: Member,
    access: Access,
    reason: str,
    acting_user: Actor,
    with_team: bool = False,
    until: datetime | None = None,
) -> Share:
    """Let a member (``with_team``: and everyone below) see a deal or account until ``until`` (None: until it is ended).

    Whoever may change the row may share it; whoever may only because it was shared with them, no longer than that lasts.
    Raises: Forbidden, ShareOwnRows, ShareOutlivesOwn, ShareTwoWorkspaces, MemberNotActive, ShareHeldAlready, InvalidInput.
    """
    require(acting_user, SHARES_EDIT, tenant.id)
    require_reason(reason)
    target = (subject.external_id, subject.label)
    if member.tenant_id != tenant.id:
        raise ShareTwoWorkspaces(acting_user=acting_user, tenant_id=tenant.id, target=target)
    if not may_edit(acting_user, subject):
        raise ShareOwnRows(acting_user=acting_user, tenant_id=tenant.id, target=target, label=subject.label)
    member = _locked(member)
    _require_use(subject, member, until, acting_user)
    _require_within_own(subject, until, acting_user, tenant.id)
    share = Share(
        tenant=tenant, kind=subject.kind, source=subject.source, external_id=subject.external_id,
        label=subject.label[:200], member=member, with_team=with_team, access=access, valid_from=database_now(),
        valid_until=until, reason=reason.strip(), shared_by=acting_user.label, shared_by_member_id=acting_user.member_id,
    )  # fmt: skip
    share.save(force_insert=True)
    record(_given(share), acting_user=acting_user, tenant_id=tenant.id)
    return share


def _given(share: Share) -> ShareGiven:
    return ShareGiven(
        target_id=share.external_id,
        target_label=share.label,
        share_id=str(share.id),
        member=f"{share.member.email} and team" if share.with_team else share.member.email,
        access=Access(share.access).label.lower(),
        until=share.valid_until.isoformat() if share.valid_until else "it is ended",
        reason=share.reason,
    )


def _locked(member: Member) -> Member:
    """Two shares of one row with one member at once must see each other."""
    found: Member = Member.objects.select_for_update(no_key=True).get(
        tenant_id=member.tenant_id, pk=member.pk
    )
    return found


def _require_use(subject: Subject, member: Member, until: datetime | None, acting_user: Actor) -> None:
    """Refuse what would share nothing: with somebody gone, with oneself, over already, or a second time."""
    about: dict[str, Any] = {
        "acting_user": acting_user, "tenant_id": member.tenant_id, "target": (subject.external_id, subject.label),
    }  # fmt: skip
    if not member.is_active:
        raise MemberNotActive(**about, member=member.email)
    if member.id == acting_user.member_id:
        raise InvalidInput(field="member", problem="That is you. Choose somebody else to share with.")
    _require_later(until)
    same = Share.objects.filter(
        in_force(), tenant_id=member.tenant_id, kind=subject.kind, source=subject.source,
        external_id=subject.external_id, member=member,
    )  # fmt: skip
    if same.exists():
        raise ShareHeldAlready(**about, member=member.email, label=subject.label)


def _require_later(until: datetime | None) -> None:
    if until is None:
        return
    now = database_now()
    if until <= now:
        raise InvalidInput(field="until", problem="That moment is past. Choose a later one, or none.")
    if until > now + LONGEST:
        raise InvalidInput(
            field="until", problem="That is more than ten years away. Choose an earlier moment, or none."
        )


def _require_within_own(subject: Subject, until: datetime | None, acting_user: Actor, tenant_id: int) -> None:
    """Whoever holds the row by shares alone passes on no more time than that. Raises: ShareOutlivesOwn."""
    if acting_user.owner_ids is None or subject.owner_id in acting_user.owner_ids:
        return
    own_end = _latest_end(subject, acting_user, tenant_id)
    if own_end is not None and (until is None or until > own_end):
        raise ShareOutlivesOwn(
            acting_user=acting_user, tenant_id=tenant_id, target=(subject.external_id, subject.label),
            label=subject.label, until=own_end.strftime("%Y-%m-%d %H:%M UTC"),
        )  # fmt: skip


def _latest_end(subject: Subject, acting_user: Actor, tenant_id: int) -> datetime | None:
    """When the last share ends by which the actor may change the subject; None where one has no end."""
    assert acting_user.member_id is not None
    me = Member.objects.get(tenant_id=tenant_id, pk=acting_user.member_id)
    editable = (share for share in shares_held(me) if share.access is Access.EDIT)
    ends = [share.until for share in editable if opens(share, subject, tenant_id)]
    return None if None in ends else max((end for end in ends if end is not None), default=None)


@transaction.atomic
def share_end(*, tenant_id: int, share_id: UUID, reason: str, acting_user: Actor) -> Share:
    """End a share at once. Who gave it, who holds it, who may change the row, and who sees the whole workspace may.

    Raises: Forbidden, NotFound, ShareEnded, ShareOwnRows.
    """
    require(acting_user, SHARES_EDIT, tenant_id)
    require_reason(reason)
    shares = Share.objects.select_for_update(of=("self",), no_key=True).select_related("member")
    share: Share | None = shares.filter(tenant_id=tenant_id, pk=share_id).first()
    if share is None:
        raise NotFound(what="such share")
    about: dict[str, Any] = {
        "acting_user": acting_user,
        "tenant_id": tenant_id,
        "target": (share.external_id, share.label),
    }
    if not may_end(acting_user, share):
        raise ShareOwnRows(**about, label=share.label)
    now = database_now()
    if share.revoked_at is not None or (share.valid_until is not None and share.valid_until <= now):
        raise ShareEnded(**about, member=share.member.email, label=share.label)
    share.revoked_at, share.revoked_by, share.revoked_reason = now, acting_user.label, reason.strip()
    share.save(update_fields=["revoked_at", "revoked_by", "revoked_reason"])
    event = ShareEndedEarly(
        target_id=share.external_id, target_label=share.label, share_id=str(share.id),
        member=share.member.email, reason=share.revoked_reason,
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=tenant_id)
    return share


def may_end(acting_user: Actor, share: Share) -> bool:
    """Whether the actor may end that share."""
    if acting_user.owner_ids is None or acting_user.is_trusted_everywhere:
        return True
    if acting_user.member_id in (share.member_id, share.shared_by_member_id):
        return True
    subject = subject_of(share.tenant_id, ShareKind(share.kind), share.external_id)
    return subject is not None and may_edit(acting_user, subject)
