"""Taking stock: everything that is held now becomes the items of a campaign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from audit.services import record
from isolation.actors import Actor
from pages.templatetags.formats import day
from rbac.events import ReviewStarted
from rbac.models_review import ReviewCampaign, ReviewItem
from rbac.review.sources import Line, Source, all_facts, all_sources
from tenants.models import Member

_BATCH = 1000


@dataclass(frozen=True)
class _Person:
    """What a reviewer sees of a member beside the things held."""

    member: Member
    roles: list[str]
    facts: list[dict[str, str]]


def stock_take(campaigns: Sequence[ReviewCampaign], acting_user: Actor) -> int:
    """Write the items of campaigns that have none yet, and record each start; how many items. One query a source, not a workspace."""
    of_tenant = {campaign.tenant_id: campaign for campaign in campaigns}
    lines = [(source, line) for source in all_sources() for line in source.held(list(of_tenant), None)]
    people = _people(list(of_tenant), lines)
    items = [_item(of_tenant[line.tenant_id], source, line, people[line.member_id]) for source, line in lines]
    ReviewItem.objects.bulk_create(items, batch_size=_BATCH)
    _record(campaigns, items, acting_user)
    return len(items)


def _people(tenant_ids: Sequence[int], lines: Iterable[tuple[Source, Line]]) -> dict[UUID, _Person]:
    members = Member.objects.filter(tenant_id__in=tenant_ids, is_active=True)
    known = [(fact.label, fact.known(tenant_ids)) for fact in all_facts()]
    people = {member.id: _Person(member, [], list(_told(member.id, known))) for member in members}
    for source, line in lines:
        if source.is_role:
            people[line.member_id].roles.append(line.label)
    return people


def _told(member_id: UUID, known: Iterable[tuple[str, Mapping[UUID, str]]]) -> Iterator[dict[str, str]]:
    for label, texts in known:
        if member_id in texts:
            yield {"label": label, "value": texts[member_id]}


def _item(campaign: ReviewCampaign, source: Source, line: Line, person: _Person) -> ReviewItem:
    member = person.member
    return ReviewItem(
        tenant_id=campaign.tenant_id, campaign=campaign, member=member, name=member.name, email=member.email,
        last_seen_on=member.last_seen_on, source=source.code, place=source.place, subject=line.subject,
        label=line.label[:200], level=line.level,
        snapshot={"person": {"roles": person.roles, "facts": person.facts}, "held": line.facts()},
    )  # fmt: skip


def _record(campaigns: Sequence[ReviewCampaign], items: Iterable[ReviewItem], acting_user: Actor) -> None:
    counts: dict[UUID, int] = {}
    for item in items:
        counts[item.campaign_id] = counts.get(item.campaign_id, 0) + 1
    for campaign in campaigns:
        event = ReviewStarted(
            target_id=str(campaign.id), target_label=campaign.name, items=counts.get(campaign.id, 0),
            due_on=day(campaign.due_on),
        )  # fmt: skip
        record(event, acting_user=acting_user, tenant_id=campaign.tenant_id)
