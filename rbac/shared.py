"""What is shared with whom, judged by the database's clock at the moment of asking: no job ends a share, time does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from isolation.actors import NO_SHARES, Actor, Shares
from isolation.clock import StatementNow
from rbac.models import Access, Share, ShareKind
from tenants.models import Member


@dataclass(frozen=True)
class HeldShare:
    """A share that counts for a member now, own or the team's; ``until`` None: without an end."""

    id: UUID
    kind: ShareKind
    source: str
    external_id: str
    access: Access
    until: datetime | None


@dataclass(frozen=True)
class Subject:
    """A deal or account as sharing sees it: ``id`` and ``owner_id`` are internal."""

    kind: ShareKind
    source: str
    external_id: str
    label: str
    id: int
    owner_id: int | None


ShareSource = Callable[[int, Sequence[HeldShare]], Shares]
SubjectSource = Callable[[int, ShareKind, str], Subject | None]
_sources: list[tuple[ShareSource, SubjectSource]] = []


def register_share_source(expand: ShareSource, find: SubjectSource) -> None:
    """The room that mirrors the CRM says what shares stand for (``expand``) and what a CRM's id names (``find``), in the context in force."""
    _sources[:] = [(expand, find)]


def subject_of(tenant_id: int, kind: ShareKind, external_id: str) -> Subject | None:
    """The deal or account of that CRM id, as far as the context in force shows it."""
    return next((find(tenant_id, kind, external_id) for _, find in _sources), None)


def shares_of(member: Member) -> Shares:
    """The rows that are shared with the member now, by their internal ids. Needs the tenant-wide context."""
    held = shares_held(member)
    return next((expand(member.tenant_id, held) for expand, _ in _sources), NO_SHARES) if held else NO_SHARES


# A team is whoever is below now; the path to oneself need not be there (members outside any tree have none).
_HELD = """
    SELECT s.id, s.kind, s.source, s.external_id, s.access, s.valid_until
    FROM rbac_share s
    WHERE s.tenant_id = %(tenant)s AND s.revoked_at IS NULL
      AND s.valid_from <= statement_timestamp() AND coalesce(s.valid_until, 'infinity') > statement_timestamp()
      AND s.member_id IN (
        SELECT %(member)s::uuid UNION ALL
        SELECT p.ancestor_id FROM rbac_reportingpath p
        WHERE p.tenant_id = %(tenant)s AND p.descendant_id = %(member)s AND p.depth > 0)
      AND (s.with_team OR s.member_id = %(member)s)
"""


def shares_held(member: Member) -> list[HeldShare]:
    """The shares in force for the member: own ones, and those of the teams the member is in. One query."""
    values: dict[str, Any] = {"tenant": member.tenant_id, "member": member.id}
    with connection.cursor() as cursor:
        cursor.execute(_HELD, values)
        return [
            HeldShare(one, ShareKind(kind), source, external_id, Access(access), until)
            for one, kind, source, external_id, access, until in cursor.fetchall()
        ]


def may_edit(actor: Actor, subject: Subject) -> bool:
    """Whether the actor may change the subject, which includes sharing it: by owner or by a share that says so."""
    if actor.owner_ids is None or subject.owner_id in actor.owner_ids:
        return True
    shared = actor.shares.deal_edit if subject.kind is ShareKind.DEAL else actor.shares.account_edit
    return subject.id in shared


def opens(share: HeldShare, subject: Subject, tenant_id: int) -> bool:
    """Whether that share shows the subject: it names it, or the account that it comes with."""
    rows = next((expand(tenant_id, [share]) for expand, _ in _sources), NO_SHARES)
    return subject.id in (rows.deal if subject.kind is ShareKind.DEAL else rows.account)


def in_force() -> Q:
    """Condition on shares: not ended by now, by time or by hand."""
    is_begun = Q(valid_from__lte=StatementNow())
    return is_begun & Q(revoked_at=None) & (Q(valid_until=None) | Q(valid_until__gt=StatementNow()))


def shares_on(tenant_id: int, kind: ShareKind, external_id: str) -> QuerySet[Share]:
    """Every share of that deal or account, the newest first, with whom."""
    found: QuerySet[Share] = Share.objects.filter(tenant_id=tenant_id, kind=kind, external_id=external_id)
    return found.select_related("member").order_by("-valid_from", "-id")
