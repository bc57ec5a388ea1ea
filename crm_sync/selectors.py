"""Reads that more than one caller needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Case, Count, F, Max, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Abs, Coalesce, Greatest

from crm_sync.connectors import opener_of
from crm_sync.errors import ConnectionMissing
from crm_sync.models import (
    ACTIVE_STATES,
    CheckedMonth,
    Connection,
    ContractViolation,
    FieldMap,
    Owner,
    RejectedRow,
    SyncObjectResult,
    SyncRun,
    SyncSchedule,
    TouchedDeal,
)
from tenants.models import Crm, Tenant

_NEVER = date(1, 1, 1)


@dataclass(frozen=True)
class Checked:
    """A comparison with the CRM: months looked at, those that differed, and rows that were mended."""

    months: int
    differing: int
    healed: int


def owner_ids_of(tenant_id: int, member_ids: Sequence[UUID]) -> list[int]:
    """The CRM owners that these members are, by e-mail."""
    owners = Owner.objects.filter(tenant_id=tenant_id, member_id__in=member_ids)
    return list(owners.values_list("id", flat=True))


def owner_names_of(tenant_ids: Sequence[int]) -> dict[UUID, str]:
    """As whom members own deals, by member: "Rita Rep (salesforce)". For access reviews; needs to see the whole workspaces."""
    owners = Owner.objects.filter(tenant_id__in=tenant_ids, member_id__isnull=False)
    names: dict[UUID, str] = {}
    for member_id, name, source in owners.order_by("source").values_list("member_id", "name", "source"):
        shown = f"{name} ({source})"
        names[member_id] = f"{names[member_id]}, {shown}" if member_id in names else shown
    return names


def touched_deal_ids(tenant_id: int, run: SyncRun) -> QuerySet[TouchedDeal, int]:
    """Ids of the deals that a run changed, or whose history, contacts or activities it changed; deleted ones are among them.

    So are those of runs before it that failed: nobody was told of them yet. Only for runs whose ``touches_everything`` is false.
    """
    at_work = SyncRun.objects.filter(tenant_id=tenant_id, state__in=ACTIVE_STATES).exclude(pk=run.pk)
    touched = TouchedDeal.objects.filter(tenant_id=tenant_id).exclude(run_id__in=at_work.values("pk"))
    return touched.values_list("opportunity_id", flat=True).distinct()


def connections_of(tenant_id: int) -> list[Connection]:
    """The workspace's CRM connections, the oldest first."""
    return list(Connection.objects.filter(tenant_id=tenant_id).order_by("created_at", "source"))


def connection_of(tenant_id: int, source: str) -> Connection | None:
    """The workspace's connection with that CRM."""
    return Connection.objects.filter(tenant_id=tenant_id, source=source).first()


def require_connection(tenant: Tenant, source: str) -> Connection:
    """The workspace's connection with that CRM. Raises: SourceUnknown; ConnectionMissing, naming those that it has."""
    opener_of(source)
    connection = connection_of(tenant.id, source)
    if connection is None:
        others = ", ".join(Crm(other.source).label for other in connections_of(tenant.id))
        instead = f"It is connected with {others}." if others else "Add it under Settings, CRM."
        raise ConnectionMissing(tenant=tenant.name, crm=Crm(source).label, instead=instead)
    return connection


def schedule_of(connection: Connection) -> SyncSchedule | None:
    """When a connection is synced."""
    return SyncSchedule.objects.filter(tenant_id=connection.tenant_id, connection=connection).first()


def runs_of(connection: Connection) -> QuerySet[SyncRun]:
    """All runs of a connection."""
    return SyncRun.objects.filter(tenant_id=connection.tenant_id, connection=connection)


def active_run(connection: Connection) -> SyncRun | None:
    """The run that is queued or at work."""
    return runs_of(connection).filter(state__in=ACTIVE_STATES).first()


def last_runs(connection: Connection, limit: int) -> list[SyncRun]:
    """The newest runs of a connection."""
    return list(runs_of(connection).order_by("-requested_at", "-id")[:limit])


def busy_seconds(runs: Sequence[SyncRun]) -> dict[UUID, float]:
    """How long each run was at work on its objects: pauses, and waits for a place or for the CRM's limit, do not count."""
    of_runs = SyncObjectResult.objects.filter(
        tenant_id__in={run.tenant_id for run in runs}, run_id__in=[run.id for run in runs]
    )
    return dict(of_runs.order_by().values_list("run_id").annotate(total=Sum("seconds")))


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


def open_violations(connection: Connection) -> int:
    """In how many ways the CRM breaks the contract now."""
    own = ContractViolation.objects.filter(tenant_id=connection.tenant_id, connection=connection)
    return own.filter(resolved_at=None).count()


def mapping_version(connection: Connection) -> int:
    """The version of the field mapping in force; 0 for the one that comes with the connector."""
    versions = FieldMap.objects.filter(tenant_id=connection.tenant_id, connection=connection)
    return versions.aggregate(newest=Coalesce(Max("version"), Value(0)))["newest"]  # type: ignore[no-any-return]  # untyped aggregate


def checked_of(connection: Connection) -> QuerySet[Any]:
    """The months of the last comparison with ``differs``, by how many rows (at least 1 where only the sums do), and ``month_or_never``."""
    own = CheckedMonth.objects.filter(tenant_id=connection.tenant_id, connection=connection)
    found: QuerySet[Any] = own.annotate(
        month_or_never=Coalesce("month", Value(_NEVER)),
        differs=Case(
            When(crm_checksum=F("mirror_checksum"), crm_rows=F("mirror_rows"), then=Value(0)),
            default=Greatest(Abs(F("crm_rows") - F("mirror_rows")), Value(1)),
        ),
    )
    return found


def checked_totals(connection: Connection) -> Checked | None:
    """The last comparison in numbers; None where there was none."""
    if connection.checked_at is None:
        return None
    found = checked_of(connection).aggregate(
        months=Count("*"), differing=Count("pk", filter=Q(differs__gt=0)), healed=Coalesce(Sum("healed_rows"), Value(0))
    )  # fmt: skip
    return Checked(**found)
