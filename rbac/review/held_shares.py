"""What this room puts before reviewers besides roles: deals and accounts that are shared with somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from isolation.actors import Actor
from rbac.models import Access, Share, ShareKind
from rbac.models_review import ReviewItem
from rbac.review.sources import Line, Members, Source, of_members, register
from rbac.shared import in_force
from rbac.shares import share_end


def _shares(tenant_ids: Sequence[int], members: Members) -> Iterator[Line]:
    shares = Share.objects.filter(in_force(), tenant_id__in=tenant_ids, member__is_active=True)
    for share in shares.filter(of_members(members)):
        yield Line(
            tenant_id=share.tenant_id, member_id=share.member_id, subject=str(share.id), label=_label(share),
            since=share.valid_from, until=share.valid_until, by=share.shared_by, reason=share.reason,
        )  # fmt: skip


def _label(share: Share) -> str:
    team = ", with the team" if share.with_team else ""
    return (
        f"{ShareKind(share.kind).label} “{share.label[:150]}” to {Access(share.access).label.lower()}{team}"
    )


def _end(item: ReviewItem, reason: str, acting_user: Actor) -> str:
    share_end(tenant_id=item.tenant_id, share_id=UUID(item.subject), reason=reason, acting_user=acting_user)
    return "The share was ended"


register(Source("share", "Share", 2, _shares, _end))
