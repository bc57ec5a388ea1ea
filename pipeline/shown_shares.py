"""Shares as pages show them: one line each, the card of a deal or account, and what a share would open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from django.http import QueryDict

from pages.objects import Badge
from pages.templatetags.formats import count, local_time, money
from pipeline.access.preview import Difference
from rbac.forms_people import MEMBERS_LISTED
from rbac.forms_shares import ShareForm
from rbac.held import database_now
from rbac.models import Access, Share, ShareKind
from rbac.permissions import SHARES_EDIT
from rbac.requests import Workspace
from rbac.shared import Subject, may_edit, shares_on
from rbac.sharing import partners_offered

EARLIER_SHOWN = 20
_IN_FORCE = Badge("In force", "good", "check")
_OVER = Badge("Ended", "neutral", "circle-x")


@dataclass(frozen=True, slots=True)
class ShareLine:
    """One share, ready to show. ``end_url`` is "" where the reader may not end it, ``ended`` where it is in force."""

    id: str
    what: str
    kind: str
    url: str
    who: str
    access: str
    since: str
    until: str
    by: str
    reason: str
    state: Badge
    ended: str
    end_url: str


@dataclass(frozen=True, slots=True)
class SharingCard:
    """The shares of one deal or account. ``form`` is None where the reader may not share it, ``why_not`` says so then."""

    shares: Sequence[ShareLine]
    earlier: Sequence[ShareLine]
    form: ShareForm | None
    form_url: str
    preview: Sequence[str] | None
    why_not: str
    note: str


def subject_url(slug: str, kind: str, external_id: str) -> str:
    """The page of what is shared."""
    return f"/w/{slug}/{'deals' if kind == ShareKind.DEAL else 'accounts'}/{quote(external_id, safe='')}/"


def is_over(share: Share, now: datetime) -> bool:
    """Whether time or somebody has ended the share."""
    return share.revoked_at is not None or (share.valid_until is not None and share.valid_until <= now)


def share_line(share: Share, workspace: Workspace, *, now: datetime, can_end: bool) -> ShareLine:
    """The share in the reader's words and time zone."""
    slug, zone, over = workspace.tenant.slug, workspace.tenant.timezone, is_over(share, now)
    return ShareLine(
        id=str(share.id),
        what=share.label,
        kind=ShareKind(share.kind).label,
        url=subject_url(slug, share.kind, share.external_id),
        who=f"{share.member} and everyone below" if share.with_team else str(share.member),
        access=Access(share.access).label,
        since=local_time(share.valid_from, zone),
        until=local_time(share.valid_until, zone) if share.valid_until else "Somebody ends it",
        by=share.shared_by,
        reason=share.reason,
        state=_OVER if over else _IN_FORCE,
        ended=_ended(share, zone) if over else "",
        end_url=f"/w/{slug}/shares/{share.id}/end/" if can_end and not over else "",
    )


def _ended(share: Share, zone: str) -> str:
    if share.revoked_at is None:
        return f"Ended by itself on {local_time(share.valid_until, zone)}."
    return f"Ended on {local_time(share.revoked_at, zone)} by {share.revoked_by}: {share.revoked_reason}"


@dataclass(frozen=True, slots=True)
class SentShare:
    """A share form that came back: refused, or with the answer to "who would see it?"."""

    form: ShareForm
    preview: Sequence[str] | None = None

    @property
    def status(self) -> int:
        """Of the page that shows it."""
        return 400 if self.form.errors else 200


def share_form(workspace: Workspace, data: QueryDict | None = None) -> ShareForm:
    """The form, with those to choose from."""
    tenant = workspace.tenant
    listed = partners_offered(tenant.id, besides=workspace.actor.member_id, at_most=MEMBERS_LISTED)
    return ShareForm(data, zone=tenant.timezone, listed=listed)


def sharing_card(workspace: Workspace, subject: Subject, sent: SentShare | None = None) -> SharingCard:
    """The card of ``subject`` for this reader, in the reader's own context."""
    actor, now = workspace.actor, database_now()
    mine, has_right = may_edit(actor, subject), workspace.may(SHARES_EDIT)
    found = shares_on(workspace.tenant.id, subject.kind, subject.external_id).filter(source=subject.source)

    def line(share: Share) -> ShareLine:
        own = actor.member_id in (share.member_id, share.shared_by_member_id)
        return share_line(share, workspace, now=now, can_end=has_right and (mine or own))

    lines = [line(share) for share in found]
    return SharingCard(
        shares=[one for one in lines if not one.ended],
        earlier=[one for one in lines if one.ended][:EARLIER_SHOWN],
        form=(sent.form if sent else share_form(workspace)) if mine and has_right else None,
        form_url=f"{subject_url(workspace.tenant.slug, subject.kind, subject.external_id)}share/",
        preview=sent.preview if sent else None,
        why_not=_why_not(subject, has_right=has_right),
        note=_note(subject),
    )


def _why_not(subject: Subject, *, has_right: bool) -> str:
    what = subject.kind.label.lower()
    if not has_right:
        return f"Sharing this {what} takes the right to share."
    return f"You may see this {what} and not change it, so you cannot share it on."


def _note(subject: Subject) -> str:
    if subject.kind is ShareKind.DEAL:
        return ""
    return "With the account come those of its deals and contacts that are its owner's; others' deals stay theirs."


def told(gains: Sequence[Difference]) -> list[str]:
    """What a share would open, one sentence a member."""
    lines = [_gain(one) for one in gains]
    return lines or ["Nobody would see more: they see it already."]


def _gain(one: Difference) -> str:
    parts = [
        count(number, f"{kind} deal")
        for number, kind in ((one.open_deals, "open"), (one.closed_deals, "closed"))
        if number
    ]
    worth = ", ".join(money(minor, currency) for currency, minor in one.money)
    names = ", ".join(name for _, name in one.sample)
    return f"{one.member} would see {' and '.join(parts)}{f' worth {worth}' if worth else ''}: {names}."
