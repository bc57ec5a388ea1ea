"""What rooms above add to a person's page, and where they show what a change of that person would do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.urls import reverse

from pages.objects import Definition
from rbac.requests import Workspace
from tenants.models import Member


@dataclass(frozen=True)
class PersonPart:
    """A card of a person's page; without ``definitions`` it says ``empty``."""

    id: str
    title: str
    definitions: Sequence[Definition]
    empty: str = ""


PartSource = Callable[[Workspace, Member], PersonPart | None]
_sources: list[PartSource] = []


def register_person_part(source: PartSource) -> None:
    """``source(workspace, member)`` gives a card for the person's page, or None where this reader gets none."""
    _sources.append(source)


def person_parts(workspace: Workspace, member: Member) -> list[PersonPart]:
    """Every card, in the order of the rooms."""
    return [part for source in _sources if (part := source(workspace, member)) is not None]


def preview_url(member: Member, kind: str) -> str:
    """Where to see what a change of that kind would show and hide, before it is saved."""
    return reverse(
        "access:change", kwargs={"tenant": member.tenant.slug, "member_id": member.id, "kind": kind}
    )
