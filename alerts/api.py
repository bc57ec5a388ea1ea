"""Alerts over the API: the rows and refusals of the pages."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.models import Alert, Severity
from alerts.permissions import EDIT, VIEW
from alerts.selectors import alerts_of
from alerts.services import alert_acknowledge
from isolation.errors import InvalidInput, NotFound
from rbac.api import CURSOR, REFUSALS, ProblemBody, WorkspaceAPIView, keyset_response, paged

STATES = ("open", "closed", "all")


class AlertSerializer(serializers.Serializer[Any]):
    """One stretch of time in which a rule fired."""

    id = serializers.UUIDField()
    rule = serializers.CharField(source="rule_name")
    severity = serializers.ChoiceField(choices=Severity.choices)
    sentence = serializers.CharField()
    value = serializers.FloatField()
    threshold = serializers.FloatField()
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    acknowledged_by = serializers.CharField()


class AlertsView(WorkspaceAPIView):
    """The workspace's alerts."""

    permission: ClassVar = VIEW

    @extend_schema(
        operation_id="alerts_list",
        parameters=[CURSOR, OpenApiParameter("state", str, enum=STATES, description="Default: all.")],
        responses={200: paged(AlertSerializer), **REFUSALS},
    )
    def get(self, request: Request, tenant: str) -> Response:
        """A page of alerts, newest first, 50 at a time."""
        state = request.query_params.get("state", "all")
        if state not in STATES:
            problem = f"“{state[:60]}” is not a state. Use one of: {', '.join(STATES)}."
            raise InvalidInput(field="state", problem=problem)
        alerts = alerts_of(self.workspace.tenant.id)
        if state != "all":
            alerts = alerts.filter(closed_at__isnull=state == "open")
        return keyset_response(request, AlertSerializer, alerts, ["-opened_at", "-id"])


class _OneAlert(WorkspaceAPIView):
    permission: ClassVar = VIEW

    def alert(self, alert_id: UUID) -> Alert:
        """The alert of that id. Raises: NotFound."""
        found = alerts_of(self.workspace.tenant.id).filter(id=alert_id).first()
        if found is None:
            raise NotFound(what="alert of that id")
        return found


class AlertView(_OneAlert):
    """One alert."""

    @extend_schema(operation_id="alerts_read", responses={200: AlertSerializer, **REFUSALS})
    def get(self, request: Request, tenant: str, alert_id: UUID) -> Response:
        """The alert of that id."""
        return Response(AlertSerializer(self.alert(alert_id)).data)


class AlertAcknowledgeView(_OneAlert):
    """Taking an alert on."""

    write_permission: ClassVar = EDIT

    @extend_schema(
        operation_id="alerts_acknowledge",
        request=None,
        responses={200: AlertSerializer, 409: ProblemBody, **REFUSALS},
    )
    def post(self, request: Request, tenant: str, alert_id: UUID) -> Response:
        """Say that somebody is looking at the alert."""
        alert = alert_acknowledge(alert=self.alert(alert_id), acting_user=self.workspace.actor)
        return Response(AlertSerializer(alert).data)


urlpatterns: list[URLPattern] = [
    path("alerts/", AlertsView.as_view(), name="api_alerts"),
    path("alerts/<uuid:alert_id>/", AlertView.as_view(), name="api_alert"),
    path("alerts/<uuid:alert_id>/acknowledge/", AlertAcknowledgeView.as_view(), name="api_alert_acknowledge"),
]
