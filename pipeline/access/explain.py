"""Why a member sees a deal or does not, in sentences: the wall gives the answer, the histories the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.utils.functional import cached_property

from crm_sync.models import Opportunity, Owner
from isolation import context
from isolation.actors import Actor
from pages.templatetags.formats import local_time
from pipeline.access.reasons import Reason, Standing, Through, standing
from rbac.models import Sight
from rbac.permissions import SHARES_EDIT
from rbac.selectors import actor_of
from rbac.sightings import chain_above
from tenants.models import Member


@dataclass(frozen=True)
class Explanation:
    """One member and one deal. ``reasons`` say why it is seen, one sentence each; ``missing`` what would show it, the nearest first.

    ``may_edit`` includes sharing it; where it is seen and not changed, ``edit_missing`` says what that would take.
    """

    member: Member
    deal: Opportunity
    sees: bool
    may_edit: bool
    reasons: tuple[str, ...]
    missing: tuple[str, ...]
    edit_missing: str

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        who, what = str(self.member), f"“{self.deal.name}”"
        if not self.sees:
            return f"{who} does not see {what}."
        return (
            f"{who} sees {what} and may {'change and share' if self.may_edit else 'not change or share'} it."
        )


def explain(deal: Opportunity, member: Member) -> Explanation:
    """Why ``member`` sees ``deal`` or not. Needs the tenant-wide context."""
    actor = actor_of(member)
    decided = standing(deal, members=[member.id])
    words = Words(deal, decided)
    found = list(decided.reasons(member.id))
    sees = member.is_active and walled_answer(deal, actor)
    may_edit = sees and any(reason.is_edit for reason in found) and actor.may(SHARES_EDIT, deal.tenant_id)
    return Explanation(
        member=member,
        deal=deal,
        sees=sees,
        may_edit=may_edit,
        reasons=tuple(words.reason(reason) for reason in found) if sees else (),
        missing=() if sees else tuple(words.missing(member)),
        edit_missing=_edit_missing(found) if sees and not may_edit else "",
    )


def walled_answer(deal: Opportunity, actor: Actor) -> bool:
    """Whether PostgreSQL shows the row to that actor: the very statement that a page would run, under the same policy."""
    with context.of_actor(actor, deal.tenant_id):
        return Opportunity.objects.filter(tenant_id=deal.tenant_id, pk=deal.pk).exists()


def _edit_missing(found: Iterable[Reason]) -> str:
    if any(reason.is_edit for reason in found):
        return "Changing it takes a role with the right to share deals."
    return "It is shared to be seen only; a share with “view and edit” would let it be changed."


class Words:
    """Says reasons with people's names; asks for the names once, and only where there is something to say."""

    def __init__(self, deal: Opportunity, decided: Standing) -> None:
        self._deal, self._decided = deal, decided

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
        match reason.through:
            case Through.OWN:
                return f"The deal is their own: its CRM owner {self._owner} is {self._name(self._decided.holder_id)}."
            case Through.TREE:
                return f"{self._climb(reason.path)}; a manager's role shows the team's deals."
            case Through.EVERYTHING:
                return "A role of theirs shows every deal of the workspace."
            case Through.SHARE:
                return self._shared(reason)

    def _name(self, member_id: UUID | None) -> str:
        return self._names.get(member_id, "somebody") if member_id else "nobody"

    def _climb(self, path: Sequence[UUID]) -> str:
        holder, *above = map(self._name, path)
        return ", who reports to ".join([f"The deal is {holder}'s", *above])

    def _shared(self, reason: Reason) -> str:
        share = reason.share
        assert share is not None
        what = "Its account" if share.kind == "account" else "It"
        to = f"the team of {self._name(share.member_id)}" if reason.path else "them"
        end = f"until {local_time(share.until, self._zone)}" if share.until else "without an end"
        return f"{what} is shared with {to} by {share.shared_by} ({share.access.label.lower()}), {end}."

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
            yield f"{self._climb(decided.chain[: decided.chain.index(member.id) + 1])}, but no role of theirs shows the team's deals."
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
        return f"{self._climb(apart)}. If {self._name(apart[-1])} reported to them, they would see it."
