"""Reporting tree and CRM owners over the API: the reads, services and refusals of the pages, and their previews."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar
from uuid import UUID

from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from crm_sync.models import Owner
from crm_sync.owners import owner_assign, owner_follow_email
from isolation import context
from isolation.actors import require
from isolation.errors import InvalidInput, NotFound
from pages.keyset import rows_of
from pipeline import permissions
from pipeline.access.owners import Whose, owner_named, owners_of
from pipeline.access.preview import Difference, preview, touched_by_move
from pipeline.views.preview import may_see_preview
from rbac.api import (
    CURSOR,
    PAGE_SIZE,
    REFUSALS,
    ProblemBody,
    WorkspaceAPIView,
    keyset_response,
    page_response,
    paged,
)
from rbac.permissions import ACCESS_EXPLAIN
from rbac.services import MemberSeen, reporting_line_set
from rbac.sightings import chain_above
from rbac.tree import LEVEL_ORDER, Reports, level_of, reports_of
from tenants.models import Member, RoleCode
from tenants.permissions import PEOPLE_EDIT, PEOPLE_VIEW

_PREVIEW = OpenApiParameter(
    "preview",
    bool,
    description="`true`: change nothing, and answer who would gain and who would lose which deals.",
)
_TOP = "top"


class NodeSerializer(serializers.Serializer[Any]):
    """A person of the reporting tree."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=RoleCode.choices)
    is_active = serializers.BooleanField()
    direct_reports = serializers.IntegerField(source="reports.direct")
    all_reports = serializers.IntegerField(source="reports.total", help_text="With everyone below those.")


class DealNamedSerializer(serializers.Serializer[Any]):
    """A deal by id and name."""

    id = serializers.CharField()
    name = serializers.CharField()


class MoneySerializer(serializers.Serializer[Any]):
    """An amount in minor units of a currency."""

    currency = serializers.CharField()
    amount_minor = serializers.IntegerField()


class DifferenceSerializer(serializers.Serializer[Any]):
    """What one person would gain or lose."""

    member = serializers.UUIDField()
    name = serializers.CharField()
    change = serializers.ChoiceField(choices=["gain", "loss"])
    open_deals = serializers.IntegerField()
    closed_deals = serializers.IntegerField()
    money = MoneySerializer(many=True, help_text="Of the open deals.")
    largest = DealNamedSerializer(many=True)


class ChangeSerializer(serializers.Serializer[Any]):
    """What was done; with `preview=true` only what it would do to whom."""

    is_preview = serializers.BooleanField()
    differences = DifferenceSerializer(many=True)


class ManagerRequestSerializer(serializers.Serializer[Any]):
    """A new manager. With `seen` the change is refused where the manager is another one by now."""

    manager = serializers.UUIDField(allow_null=True, help_text="Null: reports to nobody.")
    seen = serializers.UUIDField(required=False, allow_null=True)


class OwnerSerializer(serializers.Serializer[Any]):
    """A CRM owner and whose the deals are."""

    crm = serializers.CharField(source="source")
    id = serializers.CharField(source="external_id")
    name = serializers.CharField()
    email = serializers.CharField()
    is_active = serializers.BooleanField(help_text="In the CRM.")
    member = serializers.UUIDField(source="member_id", allow_null=True)
    origin = serializers.SerializerMethodField()

    def get_origin(self, owner: Owner) -> str:
        """Why: `email`, `chosen` or `passed_on`."""
        return owner.holder_origin or "email"


class OwnerRequestSerializer(serializers.Serializer[Any]):
    """Whose the deals shall be; or `follow_email`, alone. With `seen` the change is refused where they are another member's by now."""

    member = serializers.UUIDField(required=False, allow_null=True, help_text="Null: nobody's.")
    seen = serializers.UUIDField(required=False, allow_null=True)
    follow_email = serializers.BooleanField(default=False)


class _AccessView(WorkspaceAPIView):
    def member(self, member_id: UUID | None, field: str = "") -> Member | None:
        """The member of that id; None for None. Raises: InvalidInput about ``field``, NotFound where none is named."""
        if member_id is None:
            return None
        members = Member.objects.select_related("tenant").filter(tenant_id=self.workspace.tenant.id)
        found: Member | None = members.filter(pk=member_id).first()
        if found is None and field:
            raise InvalidInput(
                field=field, problem="There is no member of that id here. Name one of this workspace."
            )
        if found is None:
            raise NotFound(what="member of that id")
        return found

    def done(
        self, request: Request, change: Callable[[], object], members: Callable[[], set[UUID]]
    ) -> Response:
        """Carry ``change`` out, or only answer what it would do. Raises: Forbidden, InvalidInput, what the change refuses with."""
        if not _is_preview(request):
            change()
            return Response({"is_preview": False, "differences": []})
        actor, tenant_id = self.workspace.actor, self.workspace.tenant.id
        for code in (ACCESS_EXPLAIN, permissions.VIEW):
            require(actor, code, tenant_id)
        if not may_see_preview(actor, tenant_id):
            problem = "A preview names deals of everybody: it is for those who see every deal of the workspace. Leave it out."
            raise InvalidInput(field="preview", problem=problem)
        with context.tenant_wide(tenant_id):
            found = preview(tenant_id, change, members=members())
        return Response({"is_preview": True, "differences": [_difference(one) for one in found.differences]})


def _seen(given: Mapping[str, Any]) -> MemberSeen | None:
    return MemberSeen(given["seen"]) if "seen" in given else None


def _is_preview(request: Request) -> bool:
    given = request.query_params.get("preview", "false")
    if given not in ("true", "false"):
        raise InvalidInput(
            field="preview", problem=f"“{given[:40]}” is neither true nor false. Use one of the two."
        )
    return given == "true"


def _difference(one: Difference) -> dict[str, Any]:
    return {
        "member": one.member.id, "name": str(one.member), "change": "gain" if one.is_gain else "loss",
        "open_deals": one.open_deals, "closed_deals": one.closed_deals,
        "money": [{"currency": currency, "amount_minor": minor} for currency, minor in one.money],
        "largest": [{"id": external_id, "name": name} for external_id, name in one.sample],
    }  # fmt: skip


class TreeView(_AccessView):
    """The reporting tree, a level at a time."""

    permission: ClassVar = PEOPLE_VIEW

    @extend_schema(
        operation_id="tree_level",
        parameters=[
            CURSOR, OpenApiParameter("manager", str, description="A member's id, or `top` (default): who reports to nobody.")
        ],
        responses={200: paged(NodeSerializer), **REFUSALS},
    )  # fmt: skip
    def get(self, request: Request, tenant: str) -> Response:
        """Those who report directly to one person, 50 at a time."""
        tenant_id = self.workspace.tenant.id
        leader = self.member(_leader_id(request.query_params.get("manager", _TOP)), "manager")
        page = rows_of(
            level_of(tenant_id, leader.id if leader else None), order=LEVEL_ORDER,
            cursor=request.query_params.get("cursor", ""), size=PAGE_SIZE,
        )  # fmt: skip
        rows = _with_reports(tenant_id, page.rows)
        return page_response(request, NodeSerializer, rows, next_=page.next, previous=page.previous)


def _leader_id(text: str) -> UUID | None:
    if text == _TOP:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        problem = f"“{text[:40]}” is no member's id. Use one, or “{_TOP}”."
        raise InvalidInput(field="manager", problem=problem) from error


def _with_reports(tenant_id: int, people: Sequence[Member]) -> list[dict[str, Any]]:
    reports = reports_of(tenant_id, [one.id for one in people])
    return [
        {
            "id": one.id, "name": one.name, "email": one.email, "role": one.role, "is_active": one.is_active,
            "reports": reports.get(one.id, Reports()),
        }
        for one in people
    ]  # fmt: skip


class ManagerView(_AccessView):
    """To whom a member reports."""

    permission: ClassVar = PEOPLE_EDIT
    write_permission: ClassVar = PEOPLE_EDIT

    @extend_schema(
        operation_id="manager_set",
        parameters=[_PREVIEW],
        request=ManagerRequestSerializer,
        responses={200: ChangeSerializer, 409: ProblemBody, **REFUSALS},
    )
    def put(self, request: Request, tenant: str, member_id: UUID) -> Response:
        """Put the member, with everyone below, under another manager."""
        member = self.member(member_id)
        assert member is not None
        asked = ManagerRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        manager = self.member(asked.validated_data["manager"], "manager")
        seen = _seen(asked.validated_data)
        return self.done(
            request,
            lambda: reporting_line_set(
                member=member, manager=manager, seen=seen, acting_user=self.workspace.actor
            ),
            lambda: touched_by_move(member, [manager]),
        )


class OwnersView(_AccessView):
    """The CRM owners whose rows the member sees."""

    permission: ClassVar = PEOPLE_VIEW

    @extend_schema(
        operation_id="owners_list",
        parameters=[CURSOR, OpenApiParameter("q", str), OpenApiParameter("whose", str, enum=Whose.values)],
        responses={200: paged(OwnerSerializer), **REFUSALS},
    )
    def get(self, request: Request, tenant: str) -> Response:
        """A page of CRM owners by name, 50 at a time."""
        search, whose = request.query_params.get("q", ""), request.query_params.get("whose", "")
        if "\x00" in search or len(search) > 200:
            raise InvalidInput(field="q", problem="Search for at most 200 plain characters.")
        if whose and whose not in Whose.values:
            problem = f"“{whose[:40]}” is none of {', '.join(Whose.values)}. Use one of these."
            raise InvalidInput(field="whose", problem=problem)
        found = owners_of(self.workspace.tenant.id, search=search, whose=whose)
        return keyset_response(request, OwnerSerializer, found, ["label", "id"])


class OwnerView(_AccessView):
    """One CRM owner."""

    permission: ClassVar = PEOPLE_VIEW
    write_permission: ClassVar = PEOPLE_EDIT

    @extend_schema(operation_id="owners_get", responses={200: OwnerSerializer, **REFUSALS})
    def get(self, request: Request, tenant: str, source: str, external_id: str) -> Response:
        """Whose the owner's deals are."""
        return Response(OwnerSerializer(self._owner(source, external_id)).data)

    @extend_schema(
        operation_id="owners_assign",
        parameters=[_PREVIEW],
        request=OwnerRequestSerializer,
        responses={200: ChangeSerializer, 409: ProblemBody, **REFUSALS},
    )
    def put(self, request: Request, tenant: str, source: str, external_id: str) -> Response:
        """Say whose the owner's deals are, or let the e-mail say it again."""
        owner = self._owner(source, external_id)
        asked = OwnerRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given, actor = asked.validated_data, self.workspace.actor
        if ("member" in given) is given["follow_email"]:
            problem = (
                "Say whose the deals shall be (a member's id, or null), or set follow_email: one of the two."
            )
            raise InvalidInput(field="member", problem=problem)
        member = self.member(given.get("member"), "member")
        if given["follow_email"]:
            return self.done(
                request, lambda: owner_follow_email(owner=owner, acting_user=actor), self._everybody
            )
        return self.done(
            request,
            lambda: owner_assign(owner=owner, member=member, acting_user=actor, seen=_seen(given)),
            lambda: self._above(owner, member),
        )

    def _owner(self, source: str, external_id: str) -> Owner:
        found = owner_named(self.workspace.tenant.id, source, external_id)
        if found is None:
            raise NotFound(what="CRM owner of that id")
        return found

    def _everybody(self) -> set[UUID]:
        members = Member.objects.filter(tenant_id=self.workspace.tenant.id)
        return set(members.values_list("id", flat=True))

    def _above(self, owner: Owner, member: Member | None) -> set[UUID]:
        places = {one for one in (owner.member_id, member.id if member else None) if one}
        return {one for place in places for one in chain_above(self.workspace.tenant.id, place)}


urlpatterns: list[URLPattern] = [
    path("tree/", TreeView.as_view(), name="api_tree"),
    path("members/<uuid:member_id>/manager/", ManagerView.as_view(), name="api_manager"),
    path("owners/", OwnersView.as_view(), name="api_owners"),
    path("owners/<slug:source>/<str:external_id>/", OwnerView.as_view(), name="api_owner"),
]
