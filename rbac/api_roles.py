"""Roles and grants over the API: the services and refusals of the pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.urls import URLPattern, path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from isolation.errors import NotFound
from rbac.api import CURSOR, REFUSALS, ProblemBody, WorkspaceAPIView, keyset_response, paged
from rbac.grants import Term, role_grant, role_grant_end
from rbac.held import grants_of, holder_counts, roles_offered
from rbac.models import RoleGrant, Sight
from tenants.models import Member
from tenants.permissions import PEOPLE_EDIT, PEOPLE_VIEW


class RoleSerializer(serializers.Serializer[Any]):
    """A role that a member can hold; level 1 is the top."""

    code = serializers.CharField()
    name = serializers.CharField()
    sentence = serializers.CharField()
    is_custom = serializers.BooleanField()
    level = serializers.IntegerField()
    sight = serializers.ChoiceField(choices=Sight.choices)
    permissions = serializers.ListField(child=serializers.CharField())
    holders = serializers.IntegerField(help_text="Members who hold it, now or from a later time.")


class RolesView(WorkspaceAPIView):
    """The workspace's roles."""

    permission: ClassVar = PEOPLE_VIEW

    @extend_schema(operation_id="roles_list", responses={200: RoleSerializer(many=True), **REFUSALS})
    def get(self, request: Request, tenant: str) -> Response:
        """Every role: built-in ones, then the workspace's own."""
        holders = holder_counts(self.workspace.tenant.id)
        rows = [
            {
                "code": role.code, "name": role.name, "sentence": role.sentence, "level": role.level,
                "is_custom": role.custom_id is not None, "sight": role.sight.value,
                "permissions": sorted(role.permissions), "holders": holders.get(role.code, 0),
            }
            for role in roles_offered(self.workspace.tenant)
        ]  # fmt: skip
        return Response(RoleSerializer(rows, many=True).data)


class GrantSerializer(serializers.Serializer[Any]):
    """A role that a member holds beside the base role, held, or will hold."""

    id = serializers.UUIDField()
    role = serializers.SerializerMethodField()
    valid_from = serializers.DateTimeField()
    valid_until = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()
    granted_by = serializers.CharField()
    revoked_at = serializers.DateTimeField(allow_null=True)
    revoked_by = serializers.CharField()
    revoked_reason = serializers.CharField()

    def get_role(self, grant: RoleGrant) -> str:
        """The role's code."""
        return str(grant.role or grant.custom_role.code)


class GrantRequestSerializer(serializers.Serializer[Any]):
    """A role to give. Times carry their offset; without one they are UTC."""

    role = serializers.CharField(max_length=40, help_text="The role's code.")
    valid_from = serializers.DateTimeField(required=False, allow_null=True, help_text="Default: at once.")
    valid_until = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Default: without an end."
    )
    reason = serializers.CharField(max_length=300)


class EndRequestSerializer(serializers.Serializer[Any]):
    """Why a grant ends."""

    reason = serializers.CharField(max_length=300)


class _OfMember(WorkspaceAPIView):
    permission: ClassVar = PEOPLE_VIEW
    write_permission: ClassVar = PEOPLE_EDIT

    def member(self, member_id: UUID) -> Member:
        """The member of that id. Raises: NotFound."""
        members = Member.objects.select_related("tenant").filter(tenant_id=self.workspace.tenant.id)
        found: Member | None = members.filter(pk=member_id).first()
        if found is None:
            raise NotFound(what="member of that id")
        return found


class GrantsView(_OfMember):
    """A member's grants."""

    @extend_schema(
        operation_id="grants_list",
        parameters=[CURSOR],
        responses={200: paged(GrantSerializer), **REFUSALS},
    )
    def get(self, request: Request, tenant: str, member_id: UUID) -> Response:
        """A page of grants, newest first, 50 at a time; ended ones included."""
        grants = grants_of(self.member(member_id)).order_by()
        return keyset_response(request, GrantSerializer, grants, ["-valid_from", "-id"])

    @extend_schema(
        operation_id="grants_create",
        request=GrantRequestSerializer,
        responses={201: GrantSerializer, 409: ProblemBody, **REFUSALS},
    )
    def post(self, request: Request, tenant: str, member_id: UUID) -> Response:
        """Give the member a role beside the base role."""
        member = self.member(member_id)
        asked = GrantRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        grant = role_grant(
            member=member, role=given["role"], term=Term(_instant(given, "valid_from"), _instant(given, "valid_until")),
            reason=given["reason"], acting_user=self.workspace.actor,
        )  # fmt: skip
        return Response(GrantSerializer(grant).data, status=201)


def _instant(given: dict[str, Any], name: str) -> datetime | None:
    instant: datetime | None = given.get(name)
    return instant


class GrantEndView(_OfMember):
    """The end of a grant."""

    permission: ClassVar = PEOPLE_EDIT

    @extend_schema(
        operation_id="grants_end",
        request=EndRequestSerializer,
        responses={200: GrantSerializer, 409: ProblemBody, **REFUSALS},
    )
    def post(self, request: Request, tenant: str, member_id: UUID, grant_id: UUID) -> Response:
        """Take the role away at once."""
        found = grants_of(self.member(member_id)).filter(pk=grant_id).first()
        if found is None:
            raise NotFound(what="grant of that id")
        asked = EndRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        grant = role_grant_end(
            grant=found, reason=asked.validated_data["reason"], acting_user=self.workspace.actor
        )
        return Response(GrantSerializer(grant).data)


urlpatterns: list[URLPattern] = [
    path("roles/", RolesView.as_view(), name="api_roles"),
    path("members/<uuid:member_id>/grants/", GrantsView.as_view(), name="api_grants"),
    path(
        "members/<uuid:member_id>/grants/<uuid:grant_id>/end/", GrantEndView.as_view(), name="api_grant_end"
    ),
]
