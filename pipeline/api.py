"""Deals over the API: the rows, filters and refusals of the pages."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, ClassVar

from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_sync.personal import CRM_CONTACTS
from isolation.errors import InvalidInput
from pipeline.filters import DealState, Hygiene, SortKey
from pipeline.models import Band
from pipeline.selectors import deal_detail, deal_filters_of, deals_visible
from rbac.api import CURSOR, PAGE_SIZE, REFUSALS, WorkspaceAPIView, page_response, paged
from rbac.redaction.reading import Door, Redactor, reading

_SORTS = [sign + key.value for key in SortKey for sign in ("", "-")]
_FILTERS = [
    CURSOR,
    OpenApiParameter("owner", str, many=True, description="CRM id or e-mail of a visible owner."),
    OpenApiParameter("stage", str, many=True),
    OpenApiParameter("band", str, many=True, enum=Band.values),
    OpenApiParameter("hygiene", str, many=True, enum=[flag.value for flag in Hygiene]),
    OpenApiParameter("state", str, enum=[state.value for state in DealState], description="Default: open."),
    OpenApiParameter("amount_min", str, description="In the workspace's currency, for example 25000."),
    OpenApiParameter("amount_max", str),
    OpenApiParameter("close_from", str, description="A date like 2026-03-31."),
    OpenApiParameter("close_to", str),
    OpenApiParameter(
        "shared", str, enum=["with_me"], description="Only deals that are shared with the member."
    ),
    OpenApiParameter(
        "q",
        str,
        description="Beginnings of words of the deal's or the account's name, all of which must be there; or the deal's id. "
        "Accents and capitals do not count.",
    ),
    OpenApiParameter("sort", str, enum=_SORTS, description="Default: close_on."),
]


class DealSerializer(serializers.Serializer[Any]):
    """A deal as lists show it; health is null for closed deals."""

    id = serializers.CharField(source="external_id")
    name = serializers.CharField()
    account = serializers.CharField(source="account_name")
    owner = serializers.CharField(source="owner_name", allow_null=True)
    owner_email = serializers.CharField(allow_null=True)
    stage = serializers.CharField()
    amount_minor = serializers.IntegerField(allow_null=True, help_text="Minor units of `currency`.")
    currency = serializers.CharField()
    close_on = serializers.DateField(allow_null=True)
    is_closed = serializers.BooleanField()
    is_won = serializers.BooleanField()
    next_step = serializers.CharField()
    score = serializers.IntegerField(allow_null=True, min_value=0, max_value=100)
    band = serializers.ChoiceField(choices=Band.choices, allow_null=True)
    days_in_stage = serializers.IntegerField(allow_null=True)
    days_since_activity = serializers.IntegerField(allow_null=True)


class StageChangeSerializer(serializers.Serializer[Any]):
    """One entry of a deal's history."""

    stage = serializers.CharField()
    amount_minor = serializers.IntegerField(allow_null=True)
    close_on = serializers.DateField(allow_null=True)
    changed_at = serializers.DateTimeField()


class ActivitySerializer(serializers.Serializer[Any]):
    """One task or event about a deal."""

    kind = serializers.CharField()
    subject = serializers.CharField()
    happens_on = serializers.DateField(allow_null=True)
    is_closed = serializers.BooleanField()


class HealthSerializer(serializers.Serializer[Any]):
    """A deal's score and its five parts, in points."""

    score = serializers.IntegerField()
    band = serializers.ChoiceField(choices=Band.choices)
    pace_points = serializers.IntegerField()
    activity_points = serializers.IntegerField()
    close_points = serializers.IntegerField()
    contact_points = serializers.IntegerField()
    completeness_points = serializers.IntegerField()


class DealDetailSerializer(serializers.Serializer[Any]):
    """One deal with its health, history and activities."""

    id = serializers.CharField(source="deal.external_id")
    name = serializers.CharField(source="deal.name")
    account = serializers.CharField(source="deal.account_name")
    owner = serializers.CharField(source="owner.name", allow_null=True, default=None)
    stage = serializers.CharField(source="deal.stage")
    amount_minor = serializers.IntegerField(source="deal.amount_minor", allow_null=True)
    currency = serializers.CharField(source="deal.currency")
    close_on = serializers.DateField(source="deal.close_on", allow_null=True)
    is_closed = serializers.BooleanField(source="deal.is_closed")
    is_won = serializers.BooleanField(source="deal.is_won")
    health = HealthSerializer(allow_null=True)
    history = StageChangeSerializer(many=True)
    activities = ActivitySerializer(many=True)


def _reading(view: WorkspaceAPIView, request: Request) -> AbstractContextManager[Redactor]:
    workspace, door = view.workspace, Door.of(request._request)
    return reading(CRM_CONTACTS, acting_user=workspace.actor, tenant_id=workspace.tenant.id, door=door)


class DealsView(WorkspaceAPIView):
    """The deals that the member sees."""

    permission: ClassVar = "pipeline.view"

    @extend_schema(
        operation_id="deals_list", parameters=_FILTERS, responses={200: paged(DealSerializer), **REFUSALS}
    )
    def get(self, request: Request, tenant: str) -> Response:
        """A page of deals under the filters, 50 at a time."""
        own = self.workspace.tenant
        parsed = deal_filters_of(request.query_params, tenant_id=own.id, currency=own.currency)
        for field, problem in parsed.errors.items():
            raise InvalidInput(field=field, problem=problem)
        cursor = request.query_params.get("cursor", "")
        page = deals_visible(
            parsed.filters, tenant_id=own.id, cursor=cursor, size=PAGE_SIZE, is_counted=False
        )
        with _reading(self, request) as redactor:
            rows = [
                replace(row, next_step=redactor.row(row.external_id).text(row.next_step)) for row in page.rows
            ]
        return page_response(
            request,
            DealSerializer,
            rows,
            next_=page.next_cursor or "",
            previous=page.previous_cursor or "",
        )


class DealView(WorkspaceAPIView):
    """One deal."""

    permission: ClassVar = "pipeline.view"

    @extend_schema(operation_id="deals_read", responses={200: DealDetailSerializer, **REFUSALS})
    def get(self, request: Request, tenant: str, external_id: str) -> Response:
        """The deal of that CRM id, with its score's parts, history and activities."""
        with _reading(self, request) as redactor:
            found = deal_detail(self.workspace.tenant.id, external_id, redactor)
        return Response(DealDetailSerializer(found).data)


urlpatterns: list[URLPattern] = [
    path("deals/", DealsView.as_view(), name="api_deals"),
    path("deals/<str:external_id>/", DealView.as_view(), name="api_deal"),
]
