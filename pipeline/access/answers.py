"""Who sees a deal and why, said: for pages, files, the API and the command alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from crm_sync.models import Opportunity
from isolation.errors import InvalidInput, NotFound
from pages.templatetags.formats import local_time
from pipeline.access.explain import explain
from pipeline.access.past import who_saw
from pipeline.access.reasons import standing
from pipeline.access.words import NOW, PAST, Words
from rbac.held import database_now
from rbac.sharing import member_named
from tenants.models import Member, Tenant


@dataclass(frozen=True)
class Seen:
    """Somebody who sees or saw the deal, with every reason in a sentence."""

    member: Member
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Everybody:
    """All who see the deal (``at`` None) or saw it then, by name; ``remark`` says why there may be nobody."""

    at: datetime | None
    seen: tuple[Seen, ...]
    remark: str


@dataclass(frozen=True)
class Verdict:
    """Whether one member sees or saw the deal. ``missing`` says what would show it; of the past it is not told.

    ``may_edit`` is None for the past.
    """

    at: datetime | None
    member: Member
    sees: bool
    may_edit: bool | None
    sentence: str
    reasons: tuple[str, ...]
    missing: tuple[str, ...]


def member_asked(tenant: Tenant, name: str) -> Member:
    """The member of that id or e-mail address. Raises: NotFound."""
    found = member_named(tenant, name)
    if found is None:
        raise NotFound(what="such person", field="member")
    return found


def everybody(deal: Opportunity, at: datetime | None = None) -> Everybody:
    """Everybody who sees the deal, or saw it at ``at``. Needs the tenant-wide context. Raises: InvalidInput."""
    _require_come(at)
    found = who_saw(deal, at=at)
    words = Words(deal, found.standing, voice=NOW if at is None else PAST)
    seen = tuple(
        Seen(viewer.member, tuple(words.reason(reason) for reason in viewer.reasons))
        for viewer in found.viewers
    )
    return Everybody(at, seen, _not_here_yet(deal) if found.is_before_first_seen else "")


def verdict(deal: Opportunity, member: Member, at: datetime | None = None) -> Verdict:
    """Whether and why ``member`` sees the deal, or saw it at ``at``. Needs the tenant-wide context. Raises: InvalidInput."""
    _require_come(at)
    if at is not None:
        return _past_verdict(deal, member, at)
    said = explain(deal, member)
    missing = (*said.missing, said.edit_missing) if said.edit_missing else said.missing
    return Verdict(None, member, said.sees, said.may_edit, said.verdict, said.reasons, missing)


def _past_verdict(deal: Opportunity, member: Member, at: datetime) -> Verdict:
    when, what = local_time(at, deal.tenant.timezone), f"“{deal.name}”"
    if at < deal.first_seen_at:
        sentence = f"{member} did not see {what} on {when}."
        return Verdict(at, member, False, None, sentence, (), (_not_here_yet(deal),))
    decided = standing(deal, at=at, members=[member.id])
    words = Words(deal, decided, voice=PAST)
    reasons = tuple(words.reason(reason) for reason in decided.reasons(member.id))
    sentence = f"{member} {'saw' if reasons else 'did not see'} {what} on {when}."
    return Verdict(at, member, bool(reasons), None, sentence, reasons, ())


def _not_here_yet(deal: Opportunity) -> str:
    since = local_time(deal.first_seen_at, deal.tenant.timezone)
    return f"The deal came here from the CRM on {since}; before that, nobody saw it here."


def _require_come(at: datetime | None) -> None:
    if at is not None and at > database_now():
        problem = "That moment has not come yet. Choose one up to now, or leave it empty for now."
        raise InvalidInput(field="at", problem=problem)
