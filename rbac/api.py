"""The ground of the API: the same door, rights and refusals as the pages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from isolation import context
from isolation.actors import require
from isolation.errors import InvalidInput
from pages.keyset import PARAMETER, rows_of
from rbac.authentication import BrowserSession
from rbac.errors import ApiSwitchedOff
from rbac.requests import Workspace, memberships_here, workspace_of
from tenants.selectors import settings_of

PAGE_SIZE = 50


class ProblemSerializer(serializers.Serializer[Any]):
    """How every refusal looks."""

    code = serializers.CharField(help_text="Stable, for programs.")
    message = serializers.CharField(help_text="What is wrong and what would be right.")
    field = serializers.CharField(allow_null=True, help_text="The input at fault, if one is.")


class ProblemBody(serializers.Serializer[Any]):
    """The envelope of a refusal."""

    error = ProblemSerializer()


class WorkspaceAPIView(APIView):
    """Base of every endpoint below ``/api/v1/w/<tenant>/``; the whole request runs inside the wall.

    ``permission`` is needed for every method; ``write_permission``, where set, for those that change something.
    """

    authentication_classes = (BrowserSession,)
    permission_classes = (IsAuthenticated,)
    permission: ClassVar[str]
    write_permission: ClassVar[str] = ""
    workspace: Workspace

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Keep the context open until the answer is finished."""
        with ExitStack() as self._inside:
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Sign-in first, then the workspace, then the right."""
        super().initial(request, *args, **kwargs)
        self.workspace = workspace_of(request._request, kwargs["tenant"])
        tenant = self.workspace.tenant
        self._inside.enter_context(context.of_actor(self.workspace.actor, tenant.id))
        if not settings_of(tenant.id).features.api_access:
            raise ApiSwitchedOff(tenant=tenant.name)
        require(self.workspace.actor, self._needed(request), tenant.id)

    def _needed(self, request: Request) -> str:
        if request.method in SAFE_METHODS:
            return self.permission
        if not self.write_permission:
            raise MethodNotAllowed(str(request.method))
        return self.write_permission

    def handle_exception(self, exc: Exception) -> Response:
        """Call the page marker by the name it has here."""
        if isinstance(exc, InvalidInput) and exc.field == PARAMETER:
            exc.field = CURSOR.name
        return super().handle_exception(exc)


CURSOR = OpenApiParameter(
    "cursor", str, description="Where a page begins: take it from `next` or `previous`."
)
REFUSALS = dict.fromkeys((400, 401, 403, 404), ProblemBody)


def paged(serializer: type[serializers.Serializer[Any]]) -> Any:
    """The schema of one page of a list."""
    fields = {
        "results": serializer(many=True),
        "next": serializers.URLField(allow_null=True),
        "previous": serializers.URLField(allow_null=True),
    }
    return inline_serializer(name=f"{serializer.__name__.removesuffix('Serializer')}Page", fields=fields)


def page_response(
    request: Request,
    serializer: type[serializers.Serializer[Any]],
    rows: Sequence[Any],
    *,
    next_: str,
    previous: str,
) -> Response:
    """One page of a list with the addresses of its neighbours; cursors are empty at the ends."""

    def address(cursor: str) -> str | None:
        if not cursor:
            return None
        parameters = request.query_params.copy()
        parameters["cursor"] = cursor
        return request.build_absolute_uri(f"{request.path}?{parameters.urlencode()}")

    body = {
        "results": serializer(rows, many=True).data,
        "next": address(next_),
        "previous": address(previous),
    }
    return Response(body)


def keyset_response(
    request: Request,
    serializer: type[serializers.Serializer[Any]],
    queryset: QuerySet[Any],
    order: Sequence[str],
) -> Response:
    """The page of ``queryset`` that the request's cursor names. Raises: InvalidInput."""
    page = rows_of(queryset, order=order, cursor=request.query_params.get("cursor", ""), size=PAGE_SIZE)
    return page_response(request, serializer, page.rows, next_=page.next, previous=page.previous)


class MembershipSerializer(serializers.Serializer[Any]):
    """One workspace of the signed-in person."""

    tenant = serializers.CharField(source="tenant.slug")
    name = serializers.CharField(source="tenant.name")
    role = serializers.CharField(source="member.role")
    timezone = serializers.CharField(source="tenant.timezone")
    currency = serializers.CharField(source="tenant.currency")


class MeSerializer(serializers.Serializer[Any]):
    """The signed-in person."""

    email = serializers.EmailField()
    name = serializers.CharField()
    is_operator = serializers.BooleanField()
    workspaces = MembershipSerializer(many=True)


class MeView(APIView):
    """Who is signed in, and where they may go."""

    authentication_classes = (BrowserSession,)
    permission_classes = (IsAuthenticated,)

    @extend_schema(responses={200: MeSerializer, 401: ProblemBody})
    def get(self, request: Request) -> Response:
        """The signed-in person and their workspaces."""
        user = request.user
        assert isinstance(user, User)
        body = {
            "email": user.email,
            "name": user.name,
            "is_operator": user.is_operator,
            "workspaces": memberships_here(request._request),
        }
        return Response(MeSerializer(body).data)
