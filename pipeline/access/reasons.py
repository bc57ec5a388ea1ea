"""Why members see a deal: by owner and tree, by shares, by a role that shows everything. Now, or at an instant of the past."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import connection

from crm_sync.models import Opportunity
from rbac import sightings
from rbac.models import Access, ShareKind, Sight
from rbac.sightings import SharedOnce


class Through(StrEnum):
    """What shows a deal to somebody."""

    OWN = "own"
    TREE = "tree"
    SHARE = "share"
    EVERYTHING = "everything"


@dataclass(frozen=True)
class Reason:
    """One way in which a member sees a deal.

    ``path`` is the chain from the deal's member up to the viewer (TREE), or from the member shared with down to the viewer's team
    (SHARE with a team: leader, viewer). ``share`` is None but for SHARE.
    """

    through: Through
    path: tuple[UUID, ...] = ()
    share: SharedOnce | None = None

    @property
    def is_edit(self) -> bool:
        """Whether it lets the viewer change the deal, too."""
        return self.share is None or self.share.access is Access.EDIT


@dataclass(frozen=True)
class Standing:
    """A deal at an instant, with everything that decides who sees it. ``owner_id`` and ``holder_id`` None: nobody's.

    ``chain`` is the holder with all managers above; ``shares`` are all shares of the deal, and of its account while that was the
    same owner's; ``sights`` of the members asked for.
    """

    owner_id: int | None
    holder_id: UUID | None
    chain: tuple[UUID, ...]
    shares: tuple[SharedOnce, ...]
    teams: dict[UUID, set[UUID]]
    sights: dict[UUID, Sight]

    def reasons(self, member_id: UUID) -> Iterator[Reason]:
        """Every way in which the member sees the deal, the plainest first; none for who was not let in."""
        sight = self.sights.get(member_id)
        if sight is None:
            return
        if member_id == self.holder_id:
            yield Reason(Through.OWN)
        elif sight is Sight.TEAM and member_id in self.chain:
            yield Reason(Through.TREE, self.chain[: self.chain.index(member_id) + 1])
        if sight is Sight.EVERYTHING:
            yield Reason(Through.EVERYTHING)
        for share in self.shares:
            if share.is_in_force and share.member_id == member_id:
                yield Reason(Through.SHARE, share=share)
            elif share.is_in_force and share.with_team and member_id in self.teams[share.member_id]:
                yield Reason(Through.SHARE, (share.member_id, member_id), share)


# The end of a period is not part of it: at ``at`` it is the first row that ends later, else what the row itself says now.
_THEN = """
    SELECT o.owner_id, h.member_id, a.source, a.external_id
    FROM (
        SELECT coalesce(%(at)s::timestamptz, statement_timestamp()) AS instant
    ) AS asked
    CROSS JOIN LATERAL (
        SELECT coalesce(
            (SELECT ARRAY[f.owner_id] FROM crm_sync_formerowner f
             WHERE f.tenant_id = %(tenant)s AND f.kind = 'deal' AND f.row_id = %(deal)s AND f.valid_until > asked.instant
             ORDER BY f.valid_until, f.id LIMIT 1),
            ARRAY[%(owner)s::bigint]) AS owner_ids
    ) AS was
    CROSS JOIN LATERAL (SELECT was.owner_ids[1] AS owner_id) AS o
    LEFT JOIN LATERAL (
        SELECT (coalesce(
            (SELECT ARRAY[f.member_id] FROM crm_sync_formerholder f
             WHERE f.tenant_id = %(tenant)s AND f.owner_id = o.owner_id AND f.valid_until > asked.instant
             ORDER BY f.valid_until, f.id LIMIT 1),
            (SELECT ARRAY[w.member_id] FROM crm_sync_owner w WHERE w.tenant_id = %(tenant)s AND w.id = o.owner_id)))[1] AS member_id
    ) AS h ON true
    LEFT JOIN LATERAL (
        SELECT a.source, a.external_id
        FROM crm_sync_account a
        WHERE a.tenant_id = %(tenant)s AND a.id = %(account)s AND o.owner_id IS NOT DISTINCT FROM (coalesce(
            (SELECT ARRAY[f.owner_id] FROM crm_sync_formerowner f
             WHERE f.tenant_id = %(tenant)s AND f.kind = 'account' AND f.row_id = a.id AND f.valid_until > asked.instant
             ORDER BY f.valid_until, f.id LIMIT 1),
            ARRAY[a.owner_id]))[1]
    ) AS a ON true
"""


def standing(
    deal: Opportunity, *, at: datetime | None = None, members: Collection[UUID] | None = None
) -> Standing:
    """What decides who sees the deal at ``at`` (None: now). ``members``: those that are asked about (None: all).

    Needs the tenant-wide context. Which account a deal is with is taken as it is now: the CRM's history of that is not read.
    """
    tenant = deal.tenant_id
    owner_id, holder_id, *account = _then(deal, at)
    named = [(ShareKind.DEAL.value, deal.source, deal.external_id)]
    if account[0] is not None:
        named.append((ShareKind.ACCOUNT.value, *account))
    shares = sightings.shares_named(tenant, named, at=at)
    return Standing(
        owner_id=owner_id,
        holder_id=holder_id,
        chain=tuple(sightings.chain_above(tenant, holder_id, at=at)) if holder_id else (),
        shares=tuple(shares),
        teams=sightings.teams_of(tenant, {share.member_id for share in shares if share.with_team}, at=at),
        sights=sightings.sights(tenant, at=at, members=members),
    )


def _then(deal: Opportunity, at: datetime | None) -> tuple[Any, ...]:
    values = {
        "tenant": deal.tenant_id, "at": at, "deal": deal.id, "owner": deal.owner_id, "account": deal.account_id,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_THEN, values)
        row: tuple[Any, ...] | None = cursor.fetchone()
    assert row is not None
    return row
