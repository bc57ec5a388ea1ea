"""Reads that more than one caller needs."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import QuerySet

from crm_sync.models import (
    ACTIVE_STATES,
    Connection,
    Owner,
    RejectedRow,
    SyncObjectResult,
    SyncRun,
    SyncSchedule,
    TouchedDeal,
)


def owner_ids_of(tenant_id: int, member_ids: Sequence[UUID]) -> list[int]:
    """The CRM owners that these members are, by e-mail."""
    owners = Owner.objects.filter(tenant_id=tenant_id, member_id__in=member_ids)
    return list(owners.values_list("id", flat=True))


def touched_deal_ids(tenant_id: int, run: SyncRun) -> QuerySet[TouchedDeal, int]:
    """Ids of the deals that a run changed, or whose history, contacts or activities it changed; deleted ones are among them.

    Only for runs whose ``touches_everything`` is false.
    """
    touched = TouchedDeal.objects.filter(tenant_id=tenant_id, run_id=run.id)
    return touched.values_list("opportunity_id", flat=True)


def connection_of(tenant_id: int) -> Connection | None:
    """The workspace's CRM connection."""
    return Connection.objects.filter(tenant_id=tenant_id).order_by("created_at").first()


def schedule_of(connection: Connection) -> SyncSchedule | None:
    """When a connection is synced."""
    return SyncSchedule.objects.filter(tenant_id=connection.tenant_id, connection=connection).first()


def runs_of(connection: Connection) -> QuerySet[SyncRun]:
    """All runs of a connection."""
    return SyncRun.objects.filter(tenant_id=connection.tenant_id, connection=connection)


def active_run(connection: Connection) -> SyncRun | None:
    """The run that is queued or at work."""
    return runs_of(connection).filter(state__in=ACTIVE_STATES).first()


def results_of(run: SyncRun) -> list[SyncObjectResult]:
    """What a run did so far, object by object."""
    return list(SyncObjectResult.objects.filter(tenant_id=run.tenant_id, run=run).order_by("position"))


def rejected_of(connection: Connection) -> QuerySet[RejectedRow]:
    """The rows of a connection that are kept aside."""
    return RejectedRow.objects.filter(tenant_id=connection.tenant_id, connection=connection)


def rejected_count(connection: Connection) -> int:
    """How many rows are kept aside."""
    return rejected_of(connection).count()


def rejected_objects(connection: Connection) -> list[str]:
    """The objects that have rows kept aside, by name."""
    return list(
        rejected_of(connection).order_by("object_name").values_list("object_name", flat=True).distinct()
    )
