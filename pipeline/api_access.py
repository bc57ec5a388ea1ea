"""Shares, and who sees a deal, over the API: the services, rows and refusals of the pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.urls import URLPattern, path
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from isolation import context
from isolation.actors import require
from isolation.clock import StatementNow
from isolation.errors import InvalidInput, NotFound
from pipeline.access.answers import everybody, member_asked, verdict
from pipeline.selectors import deal_named
from pipeline.shown_shares import is_over
from rbac.api import CURSOR, REFUSALS, ProblemBody, WorkspaceAPIView, keyset_response, paged
from rbac.held import database_now
from rbac.models import Access, Share, ShareKind
from rbac.permissions import ACCESS_EXPLAIN, SHARES_EDIT
from rbac.shared import subject_of
from rbac.shares import share_end, share_give
from rbac.sharing import Whose, share_partner, shares_listed
from tenants.models import Member

_STATES = {"in_force": True, "ended": False, "any": None}


class PersonSerializer(serializers.Serializer[Any]):
    """A member, by id and name."""

    id = serializers.UUIDField()
    name = serializers.SerializerMethodField()

    def get_name(self, member: Member) -> str:
        """The name, or the address of who has none."""
        return str(member)


class ShareSerializer(serializers.Serializer[Any]):
    """A deal or account that somebody lets somebody else see; `until` null: until it is ended."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=ShareKind.choices)
    external_id = serializers.CharField(help_text="The CRM id of the deal or account.")
    name = serializers.CharField(source="label")
    member = PersonSerializer()
    with_team = serializers.BooleanField()
    access = serializers.ChoiceField(choices=Access.choices)
    since = serializers.DateTimeField(source="valid_from")
    until = serializers.DateTimeField(source="valid_until", allow_null=True)
    reason = serializers.CharField()
    shared_by = serializers.CharField()
    is_in_force = serializers.SerializerMethodField()
    ended_at = serializers.DateTimeField(
        source="revoked_at", allow_null=True, help_text="Where it was ended by hand."
    )
    ended_by = serializers.CharField(source="revoked_by")
    ended_reason = serializers.CharField(source="revoked_reason")

    def get_is_in_force(self, share: Share) -> bool:
        """Whether it counts at this moment."""
        return not is_over(share, getattr(share, "asked_at", None) or database_now())


class ShareRequestSerializer(serializers.Serializer[Any]):
    """What to share with whom. Times carry their offset; without one they are UTC."""

    kind = serializers.ChoiceField(choices=ShareKind.choices)
    external_id = serializers.CharField(max_length=40, help_text="The CRM id of the deal or account.")
    member = serializers.CharField(max_length=254, help_text="Id or e-mail address of the member.")
    with_team = serializers.BooleanField(default=False, help_text="And with everyone below the member.")
    access = serializers.ChoiceField(choices=Access.choices, default=Access.VIEW)
    until = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Default: until it is ended."
    )
    reason = serializers.CharField(max_length=300)


class ShareEndSerializer(serializers.Serializer[Any]):
    """Why a share ends."""

    reason = serializers.CharField(max_length=300)


class SharesView(WorkspaceAPIView):
    """Shares that concern the member."""

    permission: ClassVar = "pipeline.view"
    write_permission: ClassVar = SHARES_EDIT

    @extend_schema(
        operation_id="shares_list",
        parameters=[
            CURSOR,
            OpenApiParameter("whose", str, enum=[one.value for one in Whose], description="Default: with_me. `all` is for who sees every deal."),
            OpenApiParameter("state", str, enum=list(_STATES), description="Default: in_force."),
            OpenApiParameter("q", str, description="Part of a deal's, an account's or a person's name."),
        ],
        responses={200: paged(ShareSerializer), **REFUSALS},
    )  # fmt: skip
    def get(self, request: Request, tenant: str) -> Response:
        """A page of shares, newest first, 50 at a time."""
        actor = self.workspace.actor
        allowed = [one for one in Whose if one is not Whose.ALL or actor.owner_ids is None]
        whose = _one_of(request, "whose", [one.value for one in allowed], Whose.WITH_ME.value)
        state = _one_of(request, "state", list(_STATES), "in_force")
        search = str(request.query_params.get("q", ""))
        if "\x00" in search or len(search) > 200:
            raise InvalidInput(field="q", problem="Search for at most 200 plain characters.")
        if actor.member_id is None:  # the vendor's staff: nothing is shared with or by a visitor
            whose = Whose.ALL.value
        shares = shares_listed(
            self.workspace.tenant.id, whose=Whose(whose), member_id=actor.member_id, search=search,
            is_in_force=_STATES[state],
        )  # fmt: skip
        shares = shares.annotate(asked_at=StatementNow())
        return keyset_response(request, ShareSerializer, shares, ["-valid_from", "-id"])

    @extend_schema(
        operation_id="shares_create",
        request=ShareRequestSerializer,
        responses={201: ShareSerializer, 409: ProblemBody, **REFUSALS},
    )
    def post(self, request: Request, tenant: str) -> Response:
        """Share a deal or an account that one may change."""
        asked = ShareRequestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given, own, actor = asked.validated_data, self.workspace.tenant, self.workspace.actor
        kind = ShareKind(given["kind"])
        subject = subject_of(own.id, kind, given["external_id"])
        if subject is None:
            raise NotFound(what=f"{kind.label.lower()} of yours", field="external_id")
        share = share_give(
            tenant=own, subject=subject, member=share_partner(own, given["member"], subject, actor),
            access=Access(given["access"]), with_team=given["with_team"], until=given.get("until"),
            reason=given["reason"], acting_user=actor,
        )  # fmt: skip
        return Response(ShareSerializer(share).data, status=201)


def _one_of(request: Request, name: str, allowed: list[str], default: str) -> str:
    value = str(request.query_params.get(name) or default)
    if value not in allowed:
        raise InvalidInput(
            field=name,
            problem=f"“{value[:40]}” cannot be asked for here. Use one of: {', '.join(allowed)}.",
        )
    return value


class ShareEndView(WorkspaceAPIView):
    """The end of a share."""

    permission: ClassVar = SHARES_EDIT
    write_permission: ClassVar = SHARES_EDIT

    @extend_schema(
        operation_id="shares_end",
        request=ShareEndSerializer,
        responses={200: ShareSerializer, 409: ProblemBody, **REFUSALS},
    )
    def post(self, request: Request, tenant: str, share_id: UUID) -> Response:
        """End the share at once."""
        own = self.workspace.tenant
        if not Share.objects.filter(tenant_id=own.id, pk=share_id).exists():
            raise NotFound(what="share of that id")
        asked = ShareEndSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        share = share_end(
            tenant_id=own.id, share_id=share_id, reason=asked.validated_data["reason"],
            acting_user=self.workspace.actor,
        )  # fmt: skip
        return Response(ShareSerializer(share).data)


class SeenSerializer(serializers.Serializer[Any]):
    """Somebody who sees or saw the deal, and why."""

    member = PersonSerializer()
    reasons = serializers.ListField(child=serializers.CharField())


class VerdictSerializer(SeenSerializer):
    """The answer about one member; `may_edit` is null for the past, of which `missing` is not told either."""

    sees = serializers.BooleanField()
    may_edit = serializers.BooleanField(allow_null=True)
    sentence = serializers.CharField()
    missing = serializers.ListField(child=serializers.CharField())


class AccessSerializer(serializers.Serializer[Any]):
    """Who sees a deal: `verdict` where one member was asked about, else `seen_by`."""

    at = serializers.DateTimeField(allow_null=True, help_text="Null: now.")
    verdict = VerdictSerializer(allow_null=True)
    seen_by = SeenSerializer(many=True, allow_null=True)
    remark = serializers.CharField(help_text="Why there may be nobody; empty otherwise.")


class DealAccessView(WorkspaceAPIView):
    """Who sees one deal, and why."""

    permission: ClassVar = "pipeline.view"

    @extend_schema(
        operation_id="deals_access",
        parameters=[
            OpenApiParameter("member", str, description="Id or e-mail address; everybody may ask about themselves. Default: everybody."),
            OpenApiParameter("at", str, description="An instant with its offset, such as 2026-03-03T12:00:00Z. Default: now."),
        ],
        responses={200: AccessSerializer, **REFUSALS},
    )  # fmt: skip
    def get(self, request: Request, tenant: str, external_id: str) -> Response:
        """One member's answer with its reasons, or everybody who sees the deal; now or in the past."""
        own, actor = self.workspace.tenant, self.workspace.actor
        name = str(request.query_params.get("member", "")).strip()
        member = self.workspace.member
        is_about_self = member is not None and name.lower() in (str(member.id), member.email.lower())
        if not is_about_self:
            require(actor, ACCESS_EXPLAIN, own.id)
        deal = deal_named(own.id, external_id)
        at = _instant(str(request.query_params.get("at", "")))
        body: dict[str, Any] = {"at": at, "verdict": None, "seen_by": None, "remark": ""}
        with context.tenant_wide(own.id):
            if name:
                body["verdict"] = verdict(deal, member_asked(own, name), at)
            else:
                found = everybody(deal, at)
                body |= {"seen_by": found.seen, "remark": found.remark}
            return Response(AccessSerializer(body).data)


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        found = parse_datetime(text.replace(" ", "+"))  # a plus that was not escaped arrives as a space
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        problem = f"“{text[:40]}” is no instant. Write it with its offset, such as 2026-03-03T12:00:00Z."
        raise InvalidInput(field="at", problem=problem)
    return found


urlpatterns: list[URLPattern] = [
    path("deals/<str:external_id>/access/", DealAccessView.as_view(), name="api_deal_access"),
    path("shares/", SharesView.as_view(), name="api_shares"),
    path("shares/<uuid:share_id>/end/", ShareEndView.as_view(), name="api_share_end"),
]
