"""Says in sentences why a deal is or was seen: about somebody else now, about the past, or to the reader."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.functional import cached_property

from crm_sync.models import Opportunity, Owner
from pages.templatetags.formats import local_time
from pipeline.access.reasons import Reason, Standing, Through
from rbac.models import Sight
from rbac.sightings import SharedOnce, chain_above
from tenants.models import Member


@dataclass(frozen=True)
class Voice:
    """How reasons are worded. ``end`` closes each; the reader's own are parts of one sentence."""

    own: str
    passed_on: str
    tree: str
    climb: str
    everything: str
    share: str
    them: str
    end: str = "."


NOW = Voice(
    own="The deal is their own: its CRM owner is {owner}",
    passed_on="The deal is their own: the deals of its CRM owner {owner} are theirs",
    tree="The deal is {climbed}; a manager's role shows the team's deals",
    climb=", who reports to ",
    everything="A role of theirs shows every deal of the workspace",
    share="{what} is shared with {to} by {by} ({access}), {end}",
    them="them",
)
PAST = Voice(
    own="The deal was their own: its CRM owner was {owner}",
    passed_on="The deal was their own: the deals of its CRM owner {owner} were theirs",
    tree="The deal was {climbed}; a manager's role showed the team's deals",
    climb=", who reported to ",
    everything="A role of theirs showed every deal of the workspace",
    share="{what} was shared with {to} by {by} ({access}), {end}",
    them="them",
)
TO_READER = Voice(
    own="it is your own: its CRM owner is {owner}",
    passed_on="it is your own: the deals of its CRM owner {owner} are yours",
    tree="it is {climbed}, and your role shows your team's deals",
    climb=", who reports to ",
    everything="a role of yours shows every deal of the workspace",
    share="{what} is shared with {to} by {by} ({access}), {end}",
    them="you",
    end="",
)


class Words:
    """Says reasons with people's names; asks for the names once, and only where there is something to say.

    ``reader`` is the member who is spoken to, in the voice ``TO_READER``.
    """

    def __init__(
        self, deal: Opportunity, decided: Standing, *, voice: Voice = NOW, reader: UUID | None = None
    ) -> None:
        self._deal, self._decided, self._voice, self._reader = deal, decided, voice, reader

    @cached_property
    def _names(self) -> dict[UUID, str]:
        named = {*self._decided.chain, *(share.member_id for share in self._decided.shares)}
        members = Member.objects.filter(tenant_id=self._deal.tenant_id, pk__in=named)
        return {member.id: str(member) for member in members}

    @cached_property
    def _owner(self) -> str:
        owners = Owner.objects.filter(tenant_id=self._deal.tenant_id, pk=self._decided.owner_id)
        found: Owner | None = owners.first()
        return found.name if found else ""

    @cached_property
    def _zone(self) -> str:
        return str(self._deal.tenant.timezone)

    def reason(self, reason: Reason) -> str:
        """One reason, in one sentence."""
        return self._said(reason) + self._voice.end

    def _said(self, reason: Reason) -> str:
        voice = self._voice
        match reason.through:
            case Through.OWN:
                is_namesake = self._owner == self._name(self._decided.holder_id, by_name=True)
                return (voice.own if is_namesake else voice.passed_on).format(owner=self._owner)
            case Through.TREE:
                return voice.tree.format(climbed=self._climb(reason.path))
            case Through.EVERYTHING:
                return voice.everything
            case Through.SHARE:
                return self._shared(reason)

    def _name(self, member_id: UUID | None, *, by_name: bool = False) -> str:
        if member_id is not None and member_id == self._reader and not by_name:
            return self._voice.them
        return self._names.get(member_id, "somebody") if member_id else "nobody"

    def _climb(self, path: Sequence[UUID]) -> str:
        holder, *above = map(self._name, path)
        return self._voice.climb.join([f"{holder}'s", *above])

    def _shared(self, reason: Reason) -> str:
        share = reason.share
        assert share is not None
        what = "Its account" if share.kind == "account" else "It"
        return self._voice.share.format(
            what=what if self._voice.end else what.lower(),
            to=f"the team of {self._name(share.member_id)}" if reason.path else self._voice.them,
            by=share.shared_by, access=share.access.label.lower(), end=self._end(share),
        )  # fmt: skip

    def _end(self, share: SharedOnce) -> str:
        ends = [end for end in (share.until, share.revoked_at) if end is not None]
        return f"until {local_time(min(ends), self._zone)}" if ends else "without an end"

    def missing(self, member: Member) -> Iterator[str]:
        """What would show the deal to who does not see it, the nearest first."""
        if not member.is_active:
            yield f"{member} is deactivated: nobody lets them in."
            return
        yield from self._ended(member)
        yield from self._missing_edge(member)
        yield "A share of the deal, or a role that shows every deal, would show it."

    def _ended(self, member: Member) -> Iterator[str]:
        mine = (
            share for share in self._decided.shares if share.member_id == member.id and not share.is_in_force
        )
        for share in mine:
            ends = [end for end in (share.until, share.revoked_at) if end is not None]
            if ends:
                yield f"It was shared with them until {local_time(min(ends), self._zone)}."
                return

    def _missing_edge(self, member: Member) -> Iterator[str]:
        decided = self._decided
        if decided.owner_id is None:
            yield "The deal has no owner that the CRM names; only roles that show every deal see it."
        elif decided.holder_id is None:
            yield f"Nobody here is its CRM owner {self._owner}: say on the page of CRM owners whose deals those are."
        elif decided.sights[member.id] is Sight.OWN and member.id in decided.chain:
            climbed = self._climb(decided.chain[: decided.chain.index(member.id) + 1])
            yield f"The deal is {climbed}, but no role of theirs shows the team's deals."
        elif decided.sights[member.id] is Sight.TEAM:
            yield self._nearest_edge(member)
        else:
            yield f"The deal is {self._name(decided.holder_id)}'s, and their role shows own deals only."

    def _nearest_edge(self, member: Member) -> str:
        """The one line that is missing between the deal's member and a manager elsewhere in the tree."""
        mine = chain_above(self._deal.tenant_id, member.id)
        if self._decided.holder_id in mine:
            return f"The deal is {self._name(self._decided.holder_id)}'s, to whom they report: a manager's deals are not the team's."
        # Up to where both chains meet, or to the top where they do not: whoever is highest there could report to the member.
        apart = [one for one in self._decided.chain if one not in mine]
        return f"The deal is {self._climb(apart)}. If {self._name(apart[-1])} reported to them, they would see it."
