"""Why a member sees a deal or does not, in sentences: the wall gives the answer, the histories the reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from crm_sync.models import Opportunity
from isolation import context
from isolation.actors import Actor
from pipeline.access.reasons import Reason, standing
from pipeline.access.words import TO_READER, Words
from rbac.permissions import SHARES_EDIT
from rbac.selectors import actor_of
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


def own_reasons(deal: Opportunity, member: Member) -> str:
    """Why ``member``, who reads this, sees ``deal``: one sentence, "" where they do not. Opens a tenant-wide context."""
    with context.tenant_wide(deal.tenant_id):
        decided = standing(deal, members=[member.id])
        words = Words(deal, decided, voice=TO_READER, reader=member.id)
        said = [words.reason(reason) for reason in decided.reasons(member.id)]
    return f"You see this deal because {', and because '.join(said)}." if said else ""
