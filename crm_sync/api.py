"""Accounts and sync runs over the API: the rows and refusals of the pages."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_sync.failures import class_of, what_to_do
from crm_sync.models import Account, RunKind, RunState, RunTrigger, SyncObjectResult, SyncRun
from crm_sync.permissions import SYNC, VIEW
from crm_sync.selectors import require_connection
from crm_sync.services.runs import sync_request
from isolation.errors import NotFound
from rbac.api import CURSOR, REFUSALS, ProblemBody, WorkspaceAPIView, keyset_response, paged
from tenants.models import Crm, Tenant


class AccountSerializer(serializers.Serializer[Any]):
    """A company that deals are made with."""

    id = serializers.CharField(source="external_id")
    name = serializers.CharField()
    industry = serializers.CharField()
    country = serializers.CharField()
    website = serializers.CharField()
    employees = serializers.IntegerField(allow_null=True)
    modified_at = serializers.DateTimeField()


class AccountsView(WorkspaceAPIView):
    """The accounts that the member sees."""

    permission: ClassVar = "pipeline.view"

    @extend_schema(
        operation_id="accounts_list",
        parameters=[CURSOR],
        responses={200: paged(AccountSerializer), **REFUSALS},
    )
    def get(self, request: Request, tenant: str) -> Response:
        """A page of accounts, 50 at a time."""
        accounts = Account.objects.filter(tenant_id=self.workspace.tenant.id)
        # Not by the internal id: its gaps, readable in the cursor, would tell how busy other workspaces are.
        return keyset_response(request, AccountSerializer, accounts, ["source", "external_id"])


class AccountView(WorkspaceAPIView):
    """One account."""

    permission: ClassVar = "pipeline.view"

    @extend_schema(operation_id="accounts_read", responses={200: AccountSerializer, **REFUSALS})
    def get(self, request: Request, tenant: str, external_id: str) -> Response:
        """The account of that CRM id."""
        accounts = Account.objects.filter(tenant_id=self.workspace.tenant.id, external_id=external_id)
        account = accounts.order_by("source").first()
        if account is None:
            raise NotFound(what="account of yours")
        return Response(AccountSerializer(account).data)


class ObjectResultSerializer(serializers.Serializer[Any]):
    """What a run did with one object of the CRM."""

    object_name = serializers.CharField()
    is_done = serializers.BooleanField()
    rows_read = serializers.IntegerField()
    rows_inserted = serializers.IntegerField()
    rows_changed = serializers.IntegerField()
    rows_unchanged = serializers.IntegerField()
    rows_deleted = serializers.IntegerField()
    rows_rejected = serializers.IntegerField()
    seconds = serializers.FloatField()


class SyncRunSerializer(serializers.Serializer[Any]):
    """One run of a sync."""

    id = serializers.UUIDField()
    crm = serializers.ChoiceField(source="connection.source", choices=Crm.choices)
    kind = serializers.ChoiceField(choices=RunKind.choices)
    state = serializers.ChoiceField(choices=RunState.choices)
    trigger = serializers.ChoiceField(choices=RunTrigger.choices)
    is_full = serializers.BooleanField()
    requested_by = serializers.CharField()
    requested_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    rows_read = serializers.IntegerField()
    rows_inserted = serializers.IntegerField()
    rows_changed = serializers.IntegerField()
    rows_unchanged = serializers.IntegerField()
    rows_deleted = serializers.IntegerField()
    rows_rejected = serializers.IntegerField()
    error_code = serializers.CharField()
    error_message = serializers.CharField()
    error_class = serializers.SerializerMethodField()
    what_to_do = serializers.SerializerMethodField()

    def get_error_class(self, run: SyncRun) -> str:
        """Whose trouble it is: schema, timeout, auth, limits, crm or program; "" for no error."""
        return str(class_of(run.error_code) or "")

    def get_what_to_do(self, run: SyncRun) -> str:
        """One sentence that says what ends the trouble; "" for no error."""
        return what_to_do(run.error_code)


class SyncRunDetailSerializer(SyncRunSerializer):
    """One run with what it did to each object."""

    objects = serializers.SerializerMethodField()

    def get_objects(self, run: SyncRun) -> list[dict[str, Any]]:
        """The objects in the order they were read."""
        results = SyncObjectResult.objects.filter(tenant_id=run.tenant_id, run=run).order_by("position")
        return list(ObjectResultSerializer(results, many=True).data)


class SyncRequestSerializer(serializers.Serializer[Any]):
    """What a run should do."""

    crm = serializers.ChoiceField(choices=Crm.choices)
    full = serializers.BooleanField(default=False, help_text="Read everything again, not only what changed.")


def _runs(tenant: Tenant) -> QuerySet[SyncRun]:
    runs: QuerySet[SyncRun] = SyncRun.objects.filter(tenant_id=tenant.id).select_related("connection")
    return runs


class SyncRunsView(WorkspaceAPIView):
    """The workspace's sync runs."""

    permission: ClassVar = VIEW
    write_permission: ClassVar = SYNC

    @extend_schema(
        operation_id="sync_runs_list",
        parameters=[CURSOR],
        responses={200: paged(SyncRunSerializer), **REFUSALS},
    )
    def get(self, request: Request, tenant: str) -> Response:
        """A page of runs, newest first, 50 at a time."""
        runs = _runs(self.workspace.tenant)
        return keyset_response(request, SyncRunSerializer, runs, ["-requested_at", "-id"])

    @extend_schema(
        operation_id="sync_runs_request",
        request=SyncRequestSerializer,
        responses={202: SyncRunSerializer, 409: ProblemBody, **REFUSALS},
    )
    def post(self, request: Request, tenant: str) -> Response:
        """Ask for a run; one that waits or runs already is answered instead of a second."""
        wanted = SyncRequestSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        connection = require_connection(self.workspace.tenant, wanted.validated_data["crm"])
        run = sync_request(
            connection=connection, is_full=wanted.validated_data["full"], acting_user=self.workspace.actor
        )
        return Response(SyncRunSerializer(run).data, status=202)


class SyncRunView(WorkspaceAPIView):
    """One run."""

    permission: ClassVar = VIEW

    @extend_schema(operation_id="sync_runs_read", responses={200: SyncRunDetailSerializer, **REFUSALS})
    def get(self, request: Request, tenant: str, run_id: UUID) -> Response:
        """The run of that id with what it did to each object."""
        run = _runs(self.workspace.tenant).filter(id=run_id).first()
        if run is None:
            raise NotFound(what="sync run of that id")
        return Response(SyncRunDetailSerializer(run).data)


urlpatterns: list[URLPattern] = [
    path("accounts/", AccountsView.as_view(), name="api_accounts"),
    path("accounts/<str:external_id>/", AccountView.as_view(), name="api_account"),
    path("sync-runs/", SyncRunsView.as_view(), name="api_sync_runs"),
    path("sync-runs/<uuid:run_id>/", SyncRunView.as_view(), name="api_sync_run"),
]
