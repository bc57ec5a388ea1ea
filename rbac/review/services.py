"""Starting a review, deciding what is in it, and closing it when nothing is left. Nobody closes one otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import Count, Q

from audit.services import record
from isolation.actors import Actor, require
from isolation.errors import InvalidInput
from pages.templatetags.formats import day
from rbac.errors import OwnAccess, ReviewEmpty, ReviewItemDecided, ReviewItemEnded, ReviewRunning
from rbac.events import ReviewClosed
from rbac.events import ReviewItemDecided as Decided
from rbac.guards import target_of
from rbac.held import database_now
from rbac.models_review import ReviewCampaign, ReviewDecision, ReviewItem
from rbac.permissions import ACCESS_REVIEW
from rbac.review import sources
from rbac.review.stock import stock_take
from tenants.models import Tenant
from tenants.selectors import settings_of

LONGEST_REASON = 300
MOST_AT_ONCE = 200


@dataclass
class Kept:
    """What became of many items at once: how many were kept, and why each of the others was not."""

    kept: int = 0
    skipped: list[str] = field(default_factory=list)


def quarter_of(on: date) -> tuple[str, str]:
    """The calendar quarter of a day as a key that sorts and as people say it: ("2026-Q4", "Q4 2026")."""
    number = (on.month + 2) // 3
    return f"{on.year}-Q{number}", f"Q{number} {on.year}"


@transaction.atomic
def review_start(*, tenant: Tenant, acting_user: Actor) -> ReviewCampaign:
    """Begin the quarter's review, or one beside it where the quarter has had its own. Needs the tenant-wide context.

    Raises: Forbidden, ReviewRunning, ReviewEmpty.
    """
    require(acting_user, ACCESS_REVIEW, tenant.id)
    Tenant.objects.select_for_update(no_key=True).get(pk=tenant.id)
    campaigns = ReviewCampaign.objects.filter(tenant_id=tenant.id)
    running = campaigns.filter(closed_at=None).first()
    if running is not None:
        raise ReviewRunning(name=running.name)
    today = database_now().astimezone(ZoneInfo(tenant.timezone)).date()
    quarter, name = quarter_of(today)
    if campaigns.filter(quarter=quarter).exists():
        quarter, name = "", f"Extra review of {day(today)}"
    due_on = today + timedelta(days=settings_of(tenant.id).access_review.days_to_decide)
    campaign = ReviewCampaign(
        tenant=tenant, name=name, quarter=quarter, started_by=acting_user.label, due_on=due_on
    )
    _save_first(campaign)
    if not stock_take([campaign], acting_user):
        raise ReviewEmpty(tenant=tenant.name)
    return campaign


def _save_first(campaign: ReviewCampaign) -> None:
    try:
        with transaction.atomic():
            campaign.save(force_insert=True)
    except IntegrityError as error:  # the quarter began by itself at this moment
        raise ReviewRunning(name=campaign.name) from error


@transaction.atomic
def review_decide(
    *, item: ReviewItem, decision: ReviewDecision, reason: str, acting_user: Actor
) -> ReviewItem:
    """Keep what somebody holds, or take it away by the service that always does that. Needs the tenant-wide context.

    Raises: Forbidden, OwnAccess, ReviewItemDecided, ReviewItemEnded, InvalidInput, and what the revoking service refuses
    with; a refusal leaves the item as it was.
    """
    require(acting_user, ACCESS_REVIEW, item.tenant_id)
    reason = _plain_reason(reason)
    campaign = _locked(item)
    item = ReviewItem.objects.select_related("member").get(tenant_id=item.tenant_id, pk=item.pk)
    _require_open(item, acting_user)
    if (item.tenant_id, item.source, item.subject) not in sources.still_held(
        [item.tenant_id], [item.member_id]
    ):
        raise ReviewItemEnded(thing=item.label, member=item.email)
    if decision is ReviewDecision.REVOKE:
        item.outcome = _revoked(
            item, f"Access review {campaign.name}: {reason}"[:LONGEST_REASON], acting_user
        )
    _decided(campaign, item, decision, reason, acting_user)
    reviews_settle([campaign], members=[item.member_id], acting_user=acting_user)
    return item


@transaction.atomic
def review_keep_all(
    *, campaign: ReviewCampaign, item_ids: Sequence[UUID], reason: str, acting_user: Actor
) -> Kept:
    """Keep many items with one reason; what somebody else decided meanwhile, ended, or is the actor's own is left out.

    Needs the tenant-wide context. Raises: Forbidden, InvalidInput.
    """
    require(acting_user, ACCESS_REVIEW, campaign.tenant_id)
    reason = _plain_reason(reason)
    if not 1 <= len(item_ids) <= MOST_AT_ONCE:
        raise InvalidInput(field="items", problem=f"Select from 1 to {MOST_AT_ONCE} lines first.")
    campaigns = ReviewCampaign.objects.select_for_update(no_key=True)
    campaign = campaigns.get(tenant_id=campaign.tenant_id, pk=campaign.pk)
    items = ReviewItem.objects.select_related("member").filter(campaign=campaign, pk__in=item_ids)
    reviews_settle(
        [campaign], members=set(items.values_list("member_id", flat=True)), acting_user=acting_user
    )
    done = Kept()
    for item in items.order_by("email", "place"):
        try:
            _require_open(item, acting_user)
        except (OwnAccess, ReviewItemDecided, ReviewItemEnded) as refusal:
            done.skipped.append(refusal.message)
        else:
            _decided(campaign, item, ReviewDecision.KEEP, reason, acting_user)
            done.kept += 1
    _close_done([campaign], acting_user)
    return done


def _plain_reason(reason: str) -> str:
    if not reason.strip() or len(reason) > LONGEST_REASON or "\x00" in reason:
        problem = f"Say why, in at most {LONGEST_REASON} plain characters: the reason is the evidence of the review."
        raise InvalidInput(field="reason", problem=problem)
    return reason.strip()


def _locked(item: ReviewItem) -> ReviewCampaign:
    """The campaign, locked: decisions of one campaign are taken one after the other."""
    campaigns = ReviewCampaign.objects.select_for_update(no_key=True)
    found: ReviewCampaign = campaigns.get(tenant_id=item.tenant_id, pk=item.campaign_id)
    return found


def _require_open(item: ReviewItem, acting_user: Actor) -> None:
    if item.decision == ReviewDecision.ENDED:
        raise ReviewItemEnded(thing=item.label, member=item.email)
    if item.decision:
        words = ReviewDecision(item.decision).label.lower()
        raise ReviewItemDecided(thing=item.label, member=item.email, decision=words, by=item.decided_by)
    # By the account, so that an operator who is a member there does not decide about that membership either.
    if acting_user.user_id is not None and acting_user.user_id == item.member.user_id:
        raise OwnAccess(acting_user=acting_user, tenant_id=item.tenant_id, target=target_of(item.member))


def _revoked(item: ReviewItem, reason: str, acting_user: Actor) -> str:
    source = sources.find(item.source)
    assert source is not None  # what no source holds any more counts as ended
    return source.revoke(item, reason, acting_user)


def _decided(
    campaign: ReviewCampaign, item: ReviewItem, decision: ReviewDecision, reason: str, acting_user: Actor
) -> None:
    item.decision, item.reason, item.decided_at = decision, reason, database_now()
    item.decided_by, item.decided_by_member_id = acting_user.label, acting_user.member_id
    item.outcome = item.outcome or "Stays as it is"
    item.save(
        update_fields=["decision", "reason", "decided_at", "decided_by", "decided_by_member", "outcome"]
    )
    event = Decided(
        target_id=str(item.member_id), target_label=item.email, review=campaign.name, item_id=str(item.id),
        thing=item.label, decided=decision.label.lower(), reason=reason,
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=item.tenant_id)


@transaction.atomic
def reviews_settle(
    campaigns: Sequence[ReviewCampaign], *, members: sources.Members = None, acting_user: Actor
) -> int:
    """Mark what ended before anybody decided, and close campaigns in which nothing is left; how many items were marked.

    ``members``: those whose items are looked at (None: everybody's).

    The campaigns are locked already. It takes nothing from anybody, so it asks for no right.
    """
    undecided = ReviewItem.objects.filter(campaign_id__in=[one.id for one in campaigns], decision="")
    held = sources.still_held(sorted({one.tenant_id for one in campaigns}), members)
    named = undecided.filter(sources.of_members(members)).values_list("id", "tenant_id", "source", "subject")
    gone = [item_id for item_id, *thing in named if tuple(thing) not in held]
    ReviewItem.objects.filter(pk__in=gone).update(
        decision=ReviewDecision.ENDED, decided_at=database_now(), outcome="Ended before a decision was needed"
    )
    _close_done(campaigns, acting_user)
    return len(gone)


def _close_done(campaigns: Sequence[ReviewCampaign], acting_user: Actor) -> None:
    undecided = ReviewItem.objects.filter(campaign_id__in=[one.id for one in campaigns], decision="")
    unfinished = set(undecided.values_list("campaign_id", flat=True).distinct())
    for campaign in campaigns:
        if campaign.id not in unfinished and campaign.closed_at is None:
            _close(campaign, acting_user)


def _close(campaign: ReviewCampaign, acting_user: Actor) -> None:
    campaign.closed_at, campaign.closed_by = database_now(), acting_user.label
    campaign.save(update_fields=["closed_at", "closed_by"])
    counts = ReviewItem.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign).aggregate(
        kept=_decided_as(ReviewDecision.KEEP),
        revoked=_decided_as(ReviewDecision.REVOKE),
        ended=_decided_as(ReviewDecision.ENDED),
    )
    event = ReviewClosed(target_id=str(campaign.id), target_label=campaign.name, **counts)
    record(event, acting_user=acting_user, tenant_id=campaign.tenant_id)


def _decided_as(decision: ReviewDecision) -> Count:
    return Count("pk", filter=Q(decision=decision))
