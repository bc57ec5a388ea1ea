"""What operators look at, over all workspaces. Every read here needs the platform context."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, DateTimeField, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Lower

from accounts.models import AccessKey
from alerts.models import Alert
from crm_sync.models import Connection, ConnectionState, Opportunity, RunState, SyncRun
from tenants.models import Member, Tenant

NEVER = "never"
_LONG_AGO = Value(datetime(1970, 1, 1, tzinfo=UTC), output_field=DateTimeField())

SYNC_STATES = {**dict(RunState.choices), NEVER: "Never synced"}


@dataclass(frozen=True)
class WorkspaceFilters:
    """Which workspaces to list; empty fields ask for all."""

    search: str = ""
    tier: str = ""
    kind: str = ""
    sync: str = ""
    is_active: bool | None = None


def _count(queryset: QuerySet[Any]) -> Coalesce:
    counted = queryset.order_by().values("tenant_id").annotate(n=Count("*")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def workspaces(filters: WorkspaceFilters) -> QuerySet[Tenant]:
    """Every workspace that fits with ``label``, ``members``, ``deals``, ``open_alerts``, ``sync_state`` and ``synced_at``.

    One statement. PostgreSQL counts after it has cut the page out, so the cost is a page's, not the platform's.
    """
    runs = SyncRun.objects.filter(tenant_id=OuterRef("pk")).order_by("-requested_at")
    found: QuerySet[Tenant] = Tenant.objects.annotate(
        label=Lower("name"),
        sync_state=Coalesce(Subquery(runs.values("state")[:1]), Value(NEVER)),
        synced_at=Subquery(runs.filter(state=RunState.SUCCEEDED).values("finished_at")[:1]),
        last_success=Coalesce(F("synced_at"), _LONG_AGO),
        members=_count(Member.objects.filter(tenant_id=OuterRef("pk"), is_active=True)),
        open_alerts=_count(Alert.objects.filter(tenant_id=OuterRef("pk"), closed_at=None)),
        deals=_count(Opportunity.objects.filter(tenant_id=OuterRef("pk"))),
    )
    return found.filter(_condition(filters))


def _condition(filters: WorkspaceFilters) -> Q:
    wanted = Q()
    if filters.search:
        wanted &= Q(name__icontains=filters.search) | Q(slug__icontains=filters.search)
    for name, value in (("tier", filters.tier), ("kind", filters.kind), ("sync_state", filters.sync)):
        if value:
            wanted &= Q(**{name: value})
    return wanted if filters.is_active is None else wanted & Q(is_active=filters.is_active)


def workspace(slug: str) -> Tenant | None:
    """One workspace with the same numbers."""
    return workspaces(WorkspaceFilters()).filter(slug=slug).first()


def failing_connections(limit: int) -> list[Connection]:
    """Connections of active workspaces that need attention or whose last run failed, with ``last_code``, ``last_error`` and ``last_at``."""
    over = SyncRun.objects.filter(
        tenant_id=OuterRef("tenant_id"), connection_id=OuterRef("pk"), finished_at__isnull=False
    ).order_by("-requested_at")
    found = Connection.objects.filter(tenant__is_active=True).annotate(
        last_state=Subquery(over.values("state")[:1]),
        last_code=Subquery(over.values("error_code")[:1]),
        last_error=Subquery(over.values("error_message")[:1]),
        last_at=Subquery(over.values("finished_at")[:1]),
    )
    failing = found.filter(Q(state=ConnectionState.NEEDS_ATTENTION) | Q(last_state=RunState.FAILED))
    return list(failing.select_related("tenant").order_by("tenant__name", "source")[:limit])


def last_runs(tenant_id: int, limit: int) -> list[SyncRun]:
    """The newest sync runs with their connections."""
    runs = SyncRun.objects.filter(tenant_id=tenant_id).select_related("connection")
    return list(runs.order_by("-requested_at")[:limit])


def members_of(tenant_id: int, limit: int) -> list[Member]:
    """Active members first, then by name."""
    return list(Member.objects.filter(tenant_id=tenant_id).order_by("-is_active", "name", "email")[:limit])


def access_keys_of(members: list[Member]) -> list[AccessKey]:
    """The keys of these people, the valid ones first, newest first."""
    keys = AccessKey.objects.filter(user_id__in=[member.user_id for member in members])
    return list(keys.order_by(F("revoked_at").desc(nulls_first=True), "-created_at"))
