"""What operators may look at in the administration, and the few things that they may do there, each by its service."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.paginator import InfinitePaginator

from accounts.models import AccessKey, User
from accounts.services import access_key_revoke, sessions_end
from alerts.models import Alert, Delivery, Rule
from audit.models import PlatformEntry, PlatformEvent
from crm_sync.failures import class_of
from crm_sync.models import Connection, SyncRun
from isolation.models import PeriodicJob
from revops_admin.admin_site import site
from revops_admin.platform.access import operator_of
from tenants.models import Member, Tenant, TenantKind
from tenants.services import partner_key_revoke


def _back_to(request: HttpRequest, name: str, object_id: str) -> HttpResponse:
    """Leave a dialog for the page of an object; the theme sends its dialogs in the background, which follow no redirect."""
    response = redirect(name, object_id)
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": response["Location"]})
    return response


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]  # the theme is untyped
    """Rows to look at. Whatever changes goes through a service, because only services check and record."""

    paginator = InfinitePaginator  # counting a table of all workspaces would read all of it
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Never."""
        return False


class OfTenantAdmin(ReadOnlyAdmin):
    """Rows that belong to workspaces."""

    list_select_related: tuple[str, ...] = ("tenant",)
    search_fields: tuple[str, ...] = ("tenant__slug",)


@admin.register(Tenant, site=site)
class TenantAdmin(ReadOnlyAdmin):
    """Workspaces."""

    list_display = ("name", "slug", "kind", "tier", "crm", "timezone", "is_active", "created_at")
    list_filter = ("kind", "tier", "crm", "is_active")
    search_fields = ("name", "slug")
    ordering = ("name",)


@admin.register(Member, site=site)
class MemberAdmin(OfTenantAdmin):
    """Members of workspaces."""

    list_display = ("email", "name", "tenant", "role", "is_active", "joined_at")
    list_filter = ("role", "is_active")
    search_fields = ("email", "name", "tenant__slug")
    fields = (
        "tenant", "user", "email", "name", "role", "is_active", "joined_at", "deactivated_at", "deactivation_reason",
    )  # fmt: skip
    ordering = ("email",)


@admin.register(User, site=site)
class UserAdmin(ReadOnlyAdmin):
    """Accounts, never their passwords."""

    list_display = ("email", "name", "is_active", "is_operator", "last_login", "created_at")
    list_filter = ("is_active", "is_operator")
    search_fields = ("email", "name")
    fields = ("id", "email", "name", "is_active", "is_operator", "last_login", "created_at")
    ordering = ("email",)
    actions_detail = ("end_sessions",)

    @action(  # type: ignore[untyped-decorator]  # the theme is untyped
        description="End all sessions",
        dialog={
            "title": "End all sessions?",
            "description": "The person is signed out on every device and has to sign in again.",
            "form_class": None,
            "form_submit_text": "End them",
        },
    )
    def end_sessions(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        """Sign a person out everywhere."""
        user = User.objects.get(pk=object_id)
        sessions_end(user=user, acting_user=operator_of(request))
        messages.success(request, f"Every session of {user.email} was ended.")
        return _back_to(request, "admin:accounts_user_change", object_id)


@admin.register(AccessKey, site=site)
class AccessKeyAdmin(ReadOnlyAdmin):
    """Access keys by their hints."""

    list_display = ("hint", "user", "created_at", "created_by", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("hint", "user__email")
    fields = ("id", "hint", "user", "created_at", "created_by", "last_used_at", "revoked_at")
    ordering = ("-created_at",)
    actions_detail = ("revoke",)

    @action(  # type: ignore[untyped-decorator]  # the theme is untyped
        description="Revoke this key",
        dialog={
            "title": "Revoke this key?",
            "description": "It stops working at once, and everybody signed in with it is signed out.",
            "form_class": None,
            "form_submit_text": "Revoke it",
        },
    )
    def revoke(self, request: HttpRequest, form: Form, object_id: str) -> HttpResponse:
        """Make the key useless, and put it on record in the partner's workspace, too."""
        key, actor = AccessKey.objects.get(pk=object_id), operator_of(request)
        partner = Member.objects.select_related("tenant").filter(
            user_id=key.user_id, tenant__kind=TenantKind.PARTNER
        )
        member = partner.first()
        if member is None:
            access_key_revoke(key=key, acting_user=actor)
        else:
            partner_key_revoke(member=member, key=key, acting_user=actor)
        messages.success(request, f"The key {key.hint} does not work any more.")
        return _back_to(request, "admin:accounts_accesskey_change", object_id)


@admin.register(Connection, site=site)
class ConnectionAdmin(OfTenantAdmin):
    """CRM connections without their secrets."""

    list_display = (
        "source", "tenant", "state", "account_label", "failure", "last_synced_at", "api_calls_used", "api_calls_limit",
    )  # fmt: skip
    list_filter = ("source", "state", "sign_in")
    fields = (
        "id", "tenant", "source", "state", "sign_in", "login_url", "account_label", "portal_id", "failure", "error_code",
        "error_message", "last_synced_at", "refreshed_at", "checked_at", "api_calls_used", "api_calls_limit", "api_calls_seen_at",
        "reserve_percent", "pace", "created_at",
    )  # fmt: skip
    readonly_fields = ("failure",)
    ordering = ("-created_at",)

    @admin.display(description="Failure")
    def failure(self, connection: Connection) -> str:
        """The class of what is wrong with it."""
        found = class_of(connection.error_code)
        return found.label if found else ""


@admin.register(SyncRun, site=site)
class SyncRunAdmin(OfTenantAdmin):
    """What each sync did."""

    list_display = (
        "requested_at",
        "tenant",
        "connection_source",
        "kind",
        "state",
        "trigger",
        "is_full",
        "rows_read",
        "rows_rejected",
        "failure",
    )
    list_filter = ("connection__source", "kind", "state", "trigger", "is_full")
    list_select_related = ("tenant", "connection")
    readonly_fields = ("connection_source", "failure")
    fields = (
        "id", "tenant", "connection_source", "kind", "state", "trigger", "is_full", "requested_by", "requested_at", "started_at", "finished_at",
        "attempts", "rows_read", "rows_inserted", "rows_changed", "rows_unchanged", "rows_deleted", "rows_rejected",
        "failure", "error_code", "error_message",
    )  # fmt: skip
    ordering = ("-requested_at",)

    @admin.display(description="CRM")
    def connection_source(self, run: SyncRun) -> str:
        """Which of the workspace's CRMs was read."""
        return str(run.connection.source)

    @admin.display(description="Failure")
    def failure(self, run: SyncRun) -> str:
        """The class of what went wrong."""
        found = class_of(run.error_code)
        return found.label if found else ""


@admin.register(Rule, site=site)
class RuleAdmin(OfTenantAdmin):
    """What workspaces watch."""

    list_display = ("name", "tenant", "metric", "comparison", "threshold", "severity", "state", "is_enabled")
    list_filter = ("metric", "severity", "state", "is_enabled")
    search_fields = ("name", "tenant__slug")
    ordering = ("name",)


@admin.register(Alert, site=site)
class AlertAdmin(OfTenantAdmin):
    """What the rules found."""

    list_display = ("rule_name", "tenant", "severity", "value", "opened_at", "closed_at", "acknowledged_by")
    list_filter = ("severity", ("closed_at", admin.EmptyFieldListFilter))
    search_fields = ("rule_name", "tenant__slug")
    ordering = ("-opened_at",)


@admin.register(Delivery, site=site)
class DeliveryAdmin(OfTenantAdmin):
    """Messages and how far they got."""

    list_display = ("created_at", "tenant", "channel", "recipient", "kind", "state", "attempts", "sent_at")
    list_filter = ("channel", "kind", "state")
    search_fields = ("recipient", "tenant__slug")
    ordering = ("-created_at",)


class EventColumnsAdmin(ReadOnlyAdmin):
    """Audit events, told as sentences. Those of a workspace are its own: staff reads them inside, for a reason."""

    list_display: tuple[str, ...] = ("at", "code", "told", "actor_label", "target_label")
    list_filter = ("actor_kind", "target_kind")
    search_fields: tuple[str, ...] = ("code", "actor_label", "target_label")
    fields = (
        "id",
        "at",
        "code",
        "told",
        "actor_kind",
        "actor_label",
        "target_kind",
        "target_id",
        "target_label",
        "facts",
    )
    readonly_fields = ("told",)
    ordering = ("-at", "-id")

    @admin.display(description="What happened")
    def told(self, event: PlatformEvent) -> str:
        """The event as a sentence."""
        return event.sentence


@admin.register(PlatformEvent, site=site)
class PlatformEventAdmin(EventColumnsAdmin):
    """What happened outside all workspaces."""

    date_hierarchy = "at"


@admin.register(PlatformEntry, site=site)
class PlatformEntryAdmin(ReadOnlyAdmin):
    """Who looked over all workspaces, and why."""

    list_display = ("at", "reason", "actor_kind", "actor_label")
    list_filter = ("actor_kind",)
    search_fields = ("reason", "actor_label")
    date_hierarchy = "at"
    ordering = ("-at", "-id")


@admin.register(PeriodicJob, site=site)
class PeriodicJobAdmin(ReadOnlyAdmin):
    """Regular jobs: when they ran and when they are due."""

    list_display = ("code", "due_at", "leased_until", "started_at", "finished_at", "runs")
    search_fields = ("code",)
    ordering = ("code",)
