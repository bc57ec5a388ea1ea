"""Who would gain and who would lose which deals, as pages show it: ``pipeline/_preview.html`` reads the rows that are made here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse

from isolation.actors import Actor
from pages.objects import Badge
from pages.templatetags.formats import count, money, number
from pipeline import permissions
from pipeline.access.preview import Difference, Preview
from pipeline.views.deals import deal_url
from rbac.permissions import ACCESS_EXPLAIN

GAINS, LOSES = Badge("Gains", "good", "plus"), Badge("Loses", "warning", "minus")


@dataclass(frozen=True, slots=True)
class DealLink:
    """A deal among the largest that somebody gains or loses."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class PreviewRow:
    """What one person would gain, or lose. ``money`` is that of the open deals, one text a currency; ``more`` counts what is not linked."""

    name: str
    url: str
    badge: Badge
    open_deals: str
    closed_deals: str
    money: tuple[str, ...]
    deals: tuple[DealLink, ...]
    more: str


def may_see_preview(actor: Actor, tenant_id: int) -> bool:
    """Whether deals of everybody may be named to this reader: who sees them all anyway, and may ask who else does."""
    codes = (ACCESS_EXPLAIN, permissions.VIEW)
    return actor.owner_ids is None and all(actor.may(code, tenant_id) for code in codes)


def preview_rows(found: Preview, slug: str) -> list[PreviewRow]:
    """The differences as rows, in their order; ``slug`` is the workspace's.

    They name deals and money of everybody: ask ``may_see_preview`` first, unless the reader sees the deals in question.
    """
    return [_row(one, slug) for one in found.differences]


def preview_sentence(found: Preview) -> str:
    """The differences in one sentence."""
    if not found.differences:
        return "Nobody would see more or fewer deals."
    parts = [
        f"{_people(some)} would {verb} {_most(some)}"
        for verb, some in (("gain", found.gains), ("lose", found.losses))
        if some
    ]
    return "; ".join(parts) + "."


def _people(some: Iterable[Difference]) -> str:
    names = [str(one.member) for one in some]
    return names[0] if len(names) == 1 else count(len(names), "person", "people")


def _most(some: list[Difference]) -> str:
    """One person's numbers, or the largest of several."""
    largest = max(one.open_deals + one.closed_deals for one in some)
    return count(largest, "deal") if len(some) == 1 else f"up to {count(largest, 'deal')} each"


def _row(one: Difference, slug: str) -> PreviewRow:
    rest = one.open_deals + one.closed_deals - len(one.sample)
    return PreviewRow(
        name=str(one.member),
        url=reverse("people:person", kwargs={"tenant": slug, "member_id": one.member.id}),
        badge=GAINS if one.is_gain else LOSES,
        open_deals=number(one.open_deals),
        closed_deals=number(one.closed_deals),
        money=tuple(money(minor, currency) for currency, minor in one.money),
        deals=tuple(DealLink(name, deal_url(slug, external_id)) for external_id, name in one.sample),
        more=f"and {number(rest)} more" if rest > 0 else "",
    )
