"""The access reviews of a workspace: the list, one review with its lines, deciding, and the evidence as a file."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from isolation import refusals
from isolation.errors import DomainError, NotFound
from isolation.requests import workspace_view
from pages.asking import Asked
from pages.keyset import Rows, rows_of
from pages.objects import Action, Column, Crumb, EmptyState, ListPage, Stat, Table
from pages.sheets import csv_response
from pages.templatetags.formats import count, day, local_date
from rbac.models_review import ReviewCampaign, ReviewDecision, ReviewItem
from rbac.permissions import ACCESS_REVIEW
from rbac.requests import Workspace, WorkspaceRequest
from rbac.review import evidence, sources
from rbac.review.forms import REASONS, DecideForm, KeepForm
from rbac.review.selectors import campaigns_of, decision_counts, is_overdue, items_matching, reviewers_of
from rbac.review.services import review_decide, review_keep_all, review_start
from rbac.review.shown import CampaignRow, ItemRow, Viewer, campaign_row, item_rows, started_by

PAGE_SIZE = 50
_BY_PERSON = ("label_key", "member_id", "place", "id")
_ORDERS = {
    "open": ("rank", *_BY_PERSON),
    "name": _BY_PERSON,
    "seen": ("seen", *_BY_PERSON),
    "level": ("height", *_BY_PERSON),
}
_STATES = {"open": "To decide", "keep": "Kept", "revoke": "Revoked", "ended": "Ended already"}
_SEEN = {"quiet": "Not in the 90 days before", "never": "No visit on record"}


@dataclass(frozen=True)
class Refusal:
    """A decision that was refused: what it was about, the sentences, and what had been typed."""

    about: str
    sentences: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPage(ListPage[ItemRow]):
    """One review. ``alone`` says who decides about what the reader holds, ``has_open`` that the reader can decide something."""

    stats: list[Stat]
    refused: Refusal | None
    alone: str
    keep_url: str
    suggestions: tuple[str, ...]
    has_open: bool


@workspace_view(ACCESS_REVIEW, is_wide=True)
@require_safe
def reviews(request: WorkspaceRequest) -> HttpResponse:
    """Every review of the workspace, newest first."""
    workspace = request.workspace
    asked = Asked.of(request)
    found = campaigns_of(workspace.tenant.id)
    rows = rows_of(found, order=("-started_at", "-id"), cursor=asked.cursor, size=PAGE_SIZE)
    page = _list_page(workspace, asked, rows)
    return render(request, "rbac/review/reviews.html", {"page": page})


def _list_page(workspace: Workspace, asked: Asked, rows: Rows[ReviewCampaign]) -> ListPage[CampaignRow]:
    table = Table(
        caption="Access reviews",
        columns=[Column(label) for label in ("Review", "State", "Decided", "Due", "Started", "Complete")],
        rows=[_campaign_row(workspace, campaign) for campaign in rows.rows],
        row_template="rbac/review/_campaign_row.html",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        empty=EmptyState(
            "No review yet",
            "One begins by itself with each quarter. You can start the first one now.",
            icon="list-check",
        ),
    )
    is_running = any(campaign.closed_at is None for campaign in rows.rows)
    start = Action("Start a review", _url(workspace, "start"), icon="plus", method="post", kind="primary")
    return ListPage(
        title="Access review",
        lead=_list_lead(workspace, rows.rows),
        actions=[] if is_running else [start],
        table=table,
    )


def _list_lead(workspace: Workspace, campaigns: list[ReviewCampaign]) -> str:
    late = [one for one in campaigns if is_overdue(one, workspace.tenant, timezone.now())]
    left = sum(one.undecided for one in late)  # type: ignore[attr-defined]  # annotated by campaigns_of
    if late:
        return f"{count(left, 'line')} should have been decided by now."
    return "Each quarter, what everybody holds here is kept or revoked by somebody else, with a reason."


def _campaign_row(workspace: Workspace, campaign: ReviewCampaign) -> CampaignRow:
    is_late = is_overdue(campaign, workspace.tenant, timezone.now())
    return campaign_row(
        campaign, workspace.tenant, url=_url(workspace, "review", campaign.id), is_late=is_late
    )


@workspace_view(ACCESS_REVIEW, is_wide=True)
@require_POST
def start(request: WorkspaceRequest) -> HttpResponse:
    """Begin a review now."""
    workspace = request.workspace
    campaign = review_start(tenant=workspace.tenant, acting_user=workspace.actor)
    messages.success(request, f"The review {campaign.name} has begun: decide until {day(campaign.due_on)}.")
    return redirect(_url(workspace, "review", campaign.id))


@workspace_view(ACCESS_REVIEW, is_wide=True)
@require_safe
def review(request: WorkspaceRequest, campaign_id: UUID) -> HttpResponse:
    """One review: who holds what, what is open first."""
    return _shown(request, _campaign(request, campaign_id))


@workspace_view(ACCESS_REVIEW, is_wide=True)
@require_POST
def decide(request: WorkspaceRequest, campaign_id: UUID, item_id: UUID) -> HttpResponse:
    """Keep or revoke one line."""
    campaign = _campaign(request, campaign_id)
    items = ReviewItem.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign)
    item: ReviewItem | None = items.filter(pk=item_id).first()
    if item is None:
        raise NotFound(what="line of that review at this address")
    form = DecideForm(request.POST)
    if not form.is_valid():
        return _refused(request, campaign, str(item), _sentences(form), HTTPStatus.BAD_REQUEST)
    decision = ReviewDecision(form.cleaned_data["decision"])
    try:
        with transaction.atomic():
            review_decide(
                item=item, decision=decision, reason=form.cleaned_data["reason"],
                acting_user=request.workspace.actor,
            )  # fmt: skip
    except (
        DomainError
    ) as refusal:  # also what the reader may not do: another decision may be open to the reader
        refusals.tell(refusal)
        return _refused(request, campaign, str(item), [refusal.message], refusal.status)
    messages.success(request, f"{item}: {decision.label.lower()}.")
    return redirect(_back(request, campaign))


@workspace_view(ACCESS_REVIEW, is_wide=True)
@require_POST
def keep(request: WorkspaceRequest, campaign_id: UUID) -> HttpResponse:
    """Keep every line that is ticked, with one reason."""
    campaign = _campaign(request, campaign_id)
    form = KeepForm(request.POST)
    if not form.is_valid():
        return _refused(request, campaign, "Nothing was kept", _sentences(form), HTTPStatus.BAD_REQUEST)
    try:
        with transaction.atomic():
            done = review_keep_all(
                campaign=campaign, item_ids=form.item_ids, reason=form.cleaned_data["reason"],
                acting_user=request.workspace.actor,
            )  # fmt: skip
    except DomainError as refusal:
        refusals.tell(refusal)
        return _refused(request, campaign, "Nothing was kept", [refusal.message], refusal.status)
    messages.success(request, f"{count(done.kept, 'line')} kept.")
    for sentence in done.skipped:
        messages.warning(request, sentence)
    return redirect(_back(request, campaign))


@workspace_view(ACCESS_REVIEW, is_wide=True)
@require_safe
def export_csv(request: WorkspaceRequest, campaign_id: UUID) -> HttpResponseBase:
    """The evidence as a sheet."""
    campaign = _campaign(request, campaign_id)
    found = _evidence(request, campaign, "CSV")
    return csv_response(_file(campaign), evidence.HEADS, found.rows())


@workspace_view(ACCESS_REVIEW, is_wide=True)
@require_safe
def export_json(request: WorkspaceRequest, campaign_id: UUID) -> HttpResponse:
    """The evidence as one document with its checksum."""
    campaign = _campaign(request, campaign_id)
    found = _evidence(request, campaign, "JSON")
    response = HttpResponse(found.document(), content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_file(campaign)}.json"'
    response["Cache-Control"] = "no-store"
    return response


def _evidence(request: WorkspaceRequest, campaign: ReviewCampaign, form: str) -> evidence.Evidence:
    workspace = request.workspace
    return evidence.review_export(
        tenant=workspace.tenant, campaign=campaign, form=form, acting_user=workspace.actor
    )


def _file(campaign: ReviewCampaign) -> str:
    began = campaign.started_at.astimezone(timezone.get_default_timezone())
    return f"{campaign.tenant.slug}-access-review-{campaign.quarter or began.date().isoformat()}".lower()


def _campaign(request: WorkspaceRequest, campaign_id: UUID) -> ReviewCampaign:
    campaigns = ReviewCampaign.objects.select_related("tenant").filter(tenant_id=request.workspace.tenant.id)
    found: ReviewCampaign | None = campaigns.filter(pk=campaign_id).first()
    if found is None:
        raise NotFound(what="access review")
    return found


def _url(
    workspace: Workspace, name: str, campaign_id: UUID | None = None, item_id: UUID | None = None
) -> str:
    where: dict[str, str | UUID] = {"tenant": workspace.tenant.slug}
    where |= {"campaign_id": campaign_id} if campaign_id else {}
    return reverse(f"reviews:{name}", kwargs=where | ({"item_id": item_id} if item_id else {}))


def _back(request: WorkspaceRequest, campaign: ReviewCampaign) -> str:
    """The review with the filters of before: the forms' addresses carry them."""
    return Asked(_url(request.workspace, "review", campaign.id), request.GET).url()


def _sentences(form: DecideForm | KeepForm) -> list[str]:
    return [str(error) for errors in form.errors.values() for error in errors]


def _refused(
    request: WorkspaceRequest, campaign: ReviewCampaign, about: str, sentences: list[str], status: int
) -> HttpResponse:
    return _shown(request, _campaign(request, campaign.id), Refusal(about, sentences), status=int(status))


def _shown(
    request: WorkspaceRequest, campaign: ReviewCampaign, refused: Refusal | None = None, *, status: int = 200
) -> HttpResponse:
    workspace = request.workspace
    asked = Asked(_url(workspace, "review", campaign.id), request.GET)
    search = asked.text("q", "Search", placeholder="Name, e-mail or what is held")
    state = asked.choice("state", "Decision", _STATES)
    source = asked.choice("kind", "Kind", {one.code: one.label for one in sources.all_sources()})
    seen = asked.choice("seen", "Last seen", _SEEN)
    sort = asked.sort(_ORDERS, "open")
    found = items_matching(campaign, search=search, state=state, source=source, seen=seen)
    rows = rows_of(found, order=_ordered(sort), cursor=asked.cursor, size=PAGE_SIZE)
    page = _page(workspace, campaign, asked, rows, refused)
    is_wrong = asked.has_errors and not request.headers.get("HX-Request") and status == HTTPStatus.OK
    return render(request, "rbac/review/review.html", {"page": page}, status=400 if is_wrong else status)


def _ordered(sort: str) -> tuple[str, ...]:
    names = _ORDERS[sort.lstrip("-")]
    return tuple(f"-{name}" for name in names) if sort.startswith("-") else names


def _page(
    workspace: Workspace, campaign: ReviewCampaign, asked: Asked, rows: Rows[ReviewItem], refused: Refusal | None
) -> CampaignPage:  # fmt: skip
    counts, own = decision_counts(campaign), _own_left(workspace, campaign)
    items = item_rows(rows.rows, _viewer(workspace, campaign, asked, {row.member_id for row in rows.rows}))
    return CampaignPage(
        title=f"Access review {campaign.name}",
        lead=_lead(workspace, campaign, counts.get("", 0)),
        crumbs=[Crumb("Access review", _url(workspace, "reviews"))],
        actions=[
            Action("Evidence (CSV)", _url(workspace, "export_csv", campaign.id), icon="download"),
            Action("Evidence (JSON)", _url(workspace, "export_json", campaign.id), icon="download"),
        ],
        stats=[
            Stat(label, f"{counts.get('' if state == 'open' else state, 0):,}", href=asked.url(state=state))
            for state, label in _STATES.items()
        ],
        table=_table(asked, rows, items),
        filters=asked.filters(),
        refused=refused,
        alone=_alone(workspace, campaign) if own else "",
        keep_url=Asked(_url(workspace, "keep", campaign.id), asked.query).url(),
        suggestions=REASONS,
        has_open=counts.get("", 0) > own,
    )


def _viewer(workspace: Workspace, campaign: ReviewCampaign, asked: Asked, members: set[UUID]) -> Viewer:
    def person_url(member_id: UUID) -> str:
        where = {"tenant": workspace.tenant.slug, "member_id": member_id}
        return reverse("people:standing", kwargs=where) if workspace.may("people.view") else ""

    def decide_url(item_id: UUID) -> str:
        return Asked(_url(workspace, "decide", campaign.id, item_id), asked.query).url()

    held = set() if campaign.closed_at else sources.still_held([campaign.tenant_id], members)
    return Viewer(workspace.tenant, workspace.actor.user_id, held, person_url, decide_url)


def _table(asked: Asked, rows: Rows[ReviewItem], items: list[ItemRow]) -> Table[ItemRow]:
    sort = asked.query.get("sort", "open")
    return Table(
        caption="What people hold",
        columns=[
            asked.column("Person and what is held", "name", sort), Column("Kind"), asked.column("Level and time", "level", sort),
            Column("Given by"), asked.column("Decision", "open", sort), Column("Decide", is_label_hidden=True),
        ],
        rows=items,
        row_template="rbac/review/_item_row.html",
        count_label=f"{count(len(items), 'line')} on this page",
        next_url=asked.pager(rows.next),
        previous_url=asked.pager(rows.previous),
        empty=EmptyState("Nothing matches", "Take a filter away, or look for another name.", icon="list-check"),
    )  # fmt: skip


def _lead(workspace: Workspace, campaign: ReviewCampaign, left: int) -> str:
    zone = workspace.tenant.timezone
    began = f"As everything was on {local_date(campaign.started_at, zone)}, when the review was started {started_by(campaign)}."
    if campaign.closed_at is not None:
        return f"Complete since {local_date(campaign.closed_at, zone)}. {began}"
    if is_overdue(campaign, workspace.tenant, timezone.now()):
        return f"Overdue since {day(campaign.due_on)}: {count(left, 'line')} to decide. {began}"
    return f"{count(left, 'line')} to decide until {day(campaign.due_on)}. {began}"


def _own_left(workspace: Workspace, campaign: ReviewCampaign) -> int:
    items = ReviewItem.objects.filter(tenant_id=campaign.tenant_id, campaign=campaign, decision="")
    return items.filter(member_id=workspace.actor.member_id).count()


def _alone(workspace: Workspace, campaign: ReviewCampaign) -> str:
    others = [str(one) for one in reviewers_of(campaign.tenant_id) if one.id != workspace.actor.member_id]
    if others:
        return f"What you hold yourself is decided by somebody else: {', '.join(others[:5])}."
    return (
        "What you hold yourself is decided by somebody else, and nobody else may review access here yet. Make a role with the "
        "right “Access review” and give it to somebody, or ask the vendor's staff to decide."
    )
