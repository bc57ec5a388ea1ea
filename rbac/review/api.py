"""Access reviews over the API: the services and refusals of the pages."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from isolation import context
from isolation.errors import NotFound
from rbac.api import CURSOR, REFUSALS, ProblemBody, WorkspaceAPIView, keyset_response, paged
from rbac.models_review import ReviewCampaign, ReviewDecision, ReviewItem
from rbac.permissions import ACCESS_REVIEW
from rbac.review.selectors import campaigns_of, items_of
from rbac.review.services import review_decide, review_start


class ReviewSerializer(serializers.Serializer[Any]):
    """One review of who holds what."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    quarter = serializers.CharField(help_text="Such as 2026-Q4; empty for one beside the quarterly ones.")
    started_at = serializers.DateTimeField()
    started_by = serializers.CharField()
    due_on = serializers.DateField(help_text="The last day to decide, in the workspace's time zone.")
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField()
    items = serializers.IntegerField()
    undecided = serializers.IntegerField()


class ReviewItemSerializer(serializers.Serializer[Any]):
    """One thing that a member held when the review began."""

    id = serializers.UUIDField()
    member = serializers.UUIDField(source="member_id")
    name = serializers.CharField()
    email = serializers.CharField()
    last_seen_on = serializers.DateField(allow_null=True)
    kind = serializers.CharField(source="source", help_text="base_role (the membership itself), grant, …")
    thing = serializers.CharField(source="label")
    level = serializers.IntegerField(allow_null=True)
    held = serializers.SerializerMethodField(help_text="Since, until, by, reason and how many rights.")
    decision = serializers.CharField(help_text="Empty, keep, revoke or ended.")
    reason = serializers.CharField()
    decided_at = serializers.DateTimeField(allow_null=True)
    decided_by = serializers.CharField()
    outcome = serializers.CharField()

    def get_held(self, item: ReviewItem) -> dict[str, Any]:
        """The thing as it was."""
        held: dict[str, Any] = item.snapshot["held"]
        return held


class DecisionRequestSerializer(serializers.Serializer[Any]):
    """Keep or revoke, and why."""

    decision = serializers.ChoiceField(choices=[ReviewDecision.KEEP.value, ReviewDecision.REVOKE.value])
    reason = serializers.CharField(max_length=300)


class _OfReviews(WorkspaceAPIView):
    permission: ClassVar = ACCESS_REVIEW
    write_permission: ClassVar = ACCESS_REVIEW

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """The right opens the whole workspace, whatever deals the member sees."""
        super().initial(request, *args, **kwargs)
        self._inside.enter_context(context.tenant_wide(self.workspace.tenant.id))

    def campaign(self, campaign_id: UUID) -> ReviewCampaign:
        """The review of that id. Raises: NotFound."""
        found: ReviewCampaign | None = campaigns_of(self.workspace.tenant.id).filter(pk=campaign_id).first()
        if found is None:
            raise NotFound(what="access review of that id")
        return found


class ReviewsView(_OfReviews):
    """The workspace's reviews."""

    @extend_schema(
        operation_id="access_reviews_list",
        parameters=[CURSOR],
        responses={200: paged(ReviewSerializer), **REFUSALS},
    )
    def get(self, request: Request, tenant: str) -> Response:
        """A page of reviews, newest first, 50 at a time."""
        found = campaigns_of(self.workspace.tenant.id)
        return keyset_response(request, ReviewSerializer, found, ["-started_at", "-id"])

    @extend_schema(
        operation_id="access_reviews_create",
        request=None,
        responses={201: ReviewSerializer, 409: ProblemBody, **REFUSALS},
    )
    def post(self, request: Request, tenant: str) -> Response:
        """Start a review now."""
        started = review_start(tenant=self.workspace.tenant, acting_user=self.workspace.actor)
        return Response(ReviewSerializer(self.campaign(started.id)).data, status=201)


class ReviewItemsView(_OfReviews):
    """What is in a review."""

    write_permission: ClassVar = ""

    @extend_schema(
        operation_id="access_review_items_list",
        parameters=[CURSOR],
        responses={200: paged(ReviewItemSerializer), **REFUSALS},
    )
    def get(self, request: Request, tenant: str, campaign_id: UUID) -> Response:
        """A page of items by person, 50 at a time."""
        found = items_of(self.campaign(campaign_id))
        return keyset_response(
            request, ReviewItemSerializer, found, ["label_key", "member_id", "place", "id"]
        )


class ReviewDecideView(_OfReviews):
    """A decision about one item."""

    @extend_schema(
        operation_id="access_review_items_decide",
        request=DecisionRequestSerializer,
        responses={200: ReviewItemSerializer, 409: ProblemBody, **REFUSALS},
    )
    def post(self, request: Request, tenant: str, campaign_id: UUID, item_id: UUID) -> Response:
        """Keep what is held, or take it away at once."""
        item = items_of(self.campaign(campaign_id)).filter(pk=item_id).first()
        if item is None:
            raise NotFound(what="item of that id")
        asked = DecisionRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        decided = review_decide(
            item=item, decision=ReviewDecision(given["decision"]), reason=given["reason"],
            acting_user=self.workspace.actor,
        )  # fmt: skip
        return Response(ReviewItemSerializer(decided).data)


urlpatterns: list[URLPattern] = [
    path("access-reviews/", ReviewsView.as_view(), name="api_reviews"),
    path("access-reviews/<uuid:campaign_id>/items/", ReviewItemsView.as_view(), name="api_review_items"),
    path(
        "access-reviews/<uuid:campaign_id>/items/<uuid:item_id>/decide/",
        ReviewDecideView.as_view(),
        name="api_review_decide",
    ),
]
