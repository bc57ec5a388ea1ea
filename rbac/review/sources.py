"""What a review covers. Each room declares what people hold of it; this one never hears the tables' names.

A source needs two functions: one that lists what is held now, for many workspaces at once, and one that takes one such thing
away by the service that always does it. Whatever the list does not name any more counts as ended.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from isolation.actors import Actor
from rbac.models_review import ReviewItem

Members = Collection[UUID] | None


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that an active member holds now. ``subject`` names it for its source, ``label`` for people.

    ``level`` is that of a role (1 is the top), ``rights`` how many it holds; None for what is no role. ``by`` and ``reason``
    say who gave it and why, "" where nobody knows.
    """

    tenant_id: int
    member_id: UUID
    subject: str
    label: str
    level: int | None = None
    rights: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    reason: str = ""

    def facts(self) -> dict[str, object]:
        """What the snapshot keeps beside the label and the level."""
        return {
            "since": self.since, "until": self.until, "by": self.by, "reason": self.reason, "rights": self.rights,
        }  # fmt: skip


@dataclass(frozen=True)
class Source:
    """One kind of thing that people hold. ``place`` orders a person's lines, the base role being 0.

    ``held(tenant_ids, members)`` gives every line of those workspaces, or of those members alone; it runs in the platform context
    or in that of the one workspace, and asks once, not once a workspace. ``revoke(item, reason, acting_user)`` takes the thing away by its
    service, in the running transaction, and returns what came of it in a few words; its refusals leave the item undecided.
    """

    code: str
    label: str
    place: int
    held: Callable[[Sequence[int], Members], Iterable[Line]]
    revoke: Callable[[ReviewItem, str, Actor], str]
    is_role: bool = False


@dataclass(frozen=True)
class Fact:
    """Something else that a reviewer should know of people, such as their name in the CRM: texts by member."""

    label: str
    known: Callable[[Sequence[int]], Mapping[UUID, str]]


_sources: dict[str, Source] = {}
_facts: list[Fact] = []


def register(source: Source) -> None:
    """Add a kind of thing to every review that begins from now on. Raises: ValueError, if its code is taken."""
    if _sources.setdefault(source.code, source) != source:
        raise ValueError(f"Review source {source.code} is registered twice.")


def register_fact(fact: Fact) -> None:
    """Have reviews show something else about people."""
    _facts.append(fact)


def all_sources() -> list[Source]:
    """Every source, in the order in which a person's lines stand."""
    return sorted(_sources.values(), key=lambda source: source.place)


def all_facts() -> list[Fact]:
    """Everything else that reviewers are shown."""
    return list(_facts)


def find(code: str) -> Source | None:
    """The source of that code; None where the room that had it is gone."""
    return _sources.get(code)


def of_members(members: Members) -> Q:
    """The condition that keeps rows of those members; None: of everybody."""
    return Q() if members is None else Q(member_id__in=list(members))


def still_held(tenant_ids: Sequence[int], members: Members = None) -> set[tuple[int, str, str]]:
    """Everything that those members (None: everybody) of those workspaces hold now, as (tenant id, source, subject)."""
    return {
        (line.tenant_id, source.code, line.subject)
        for source in all_sources()
        for line in source.held(tenant_ids, members)
    }
