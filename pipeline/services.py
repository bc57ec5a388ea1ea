"""Writes of the pipeline room: builds of datasets, and the record of an export."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.utils import timezone

from alerts import evaluation
from audit.services import record
from crm_sync.models import Opportunity, SyncRun
from crm_sync.selectors import touched_deal_ids
from isolation import context, jobs
from isolation.actors import Actor, require
from isolation.locks import lock_until_commit
from pipeline import permissions
from pipeline.datasets import BuildCounts, BuildScope, Dataset, all_datasets
from pipeline.errors import BuildFailed, DatasetUnknown
from pipeline.events import AccessListExported, DatasetRebuildRequested, DealsExported, SharesExported
from pipeline.models import BuildKind, BuildState, DatasetBuild
from rbac.permissions import ACCESS_EXPLAIN
from tenants.models import Tenant
from tenants.selectors import settings_of, tenant_locked

logger = logging.getLogger(__name__)
LEASE = timedelta(minutes=20)
MAX_ATTEMPTS = 3
MOST_DEALS_AT_ONCE = 50_000
"""From this many changed deals on, looking at all of them is the quicker way."""
BUILDS_JOB = "pipeline.builds"


def dataset_of(path: str) -> Dataset:
    """The dataset of that path. Raises: DatasetUnknown, naming those that exist."""
    datasets = all_datasets()
    if path not in datasets:
        raise DatasetUnknown(path=path, known=", ".join(datasets))
    return datasets[path]


@transaction.atomic
def dataset_rebuild(*, tenant: Tenant, path: str, acting_user: Actor) -> DatasetBuild:
    """Ask for a whole rebuild of one dataset; a worker starts it within seconds. One that waits already is returned.

    Needs the tenant-wide context. Raises: Forbidden, DatasetUnknown.
    """
    require(acting_user, permissions.REBUILD, tenant.id)
    dataset = dataset_of(path)
    tenant_locked(tenant.id)  # two clicks at once queue one build
    queued = DatasetBuild.objects.filter(tenant=tenant, dataset=path, state=BuildState.QUEUED)
    waiting: DatasetBuild | None = queued.first()
    if waiting is not None:
        return waiting
    build = DatasetBuild(
        tenant=tenant, dataset=dataset.path, kind=BuildKind.FULL, requested_by=acting_user.label
    )
    build.save(force_insert=True)
    record(
        DatasetRebuildRequested(target_id=str(build.id), target_label=path),
        acting_user=acting_user,
        tenant_id=tenant.id,
    )
    with context.shared_tables():
        jobs.wake(BUILDS_JOB)
    return build


def datasets_refresh(
    *, tenant_id: int, deal_ids: Sequence[int] | None, acting_user: Actor
) -> list[DatasetBuild]:
    """Bring every dataset up to date after these deals changed (None: look at all), at once, in this process.

    Raises: Forbidden; BuildFailed, after queueing a whole rebuild that repairs what this one left out.
    """
    require(acting_user, permissions.REBUILD, tenant_id)
    if deal_ids is not None and len(deal_ids) > MOST_DEALS_AT_ONCE:
        deal_ids = None
    kind = BuildKind.FULL if deal_ids is None else BuildKind.INCREMENTAL
    builds = []
    for path in all_datasets():
        with context.tenant_wide(tenant_id):
            build = DatasetBuild(
                tenant_id=tenant_id, dataset=path, kind=kind, requested_by=acting_user.label, state=BuildState.RUNNING,
                started_at=timezone.now(), lease_until=timezone.now() + LEASE, attempts=1,
            )  # fmt: skip
            build.save(force_insert=True)
        builds.append(build_run(tenant_id=tenant_id, build_id=build.id, deal_ids=deal_ids))
    return builds


def refresh_after_sync(tenant_id: int, run: SyncRun) -> None:
    """Bring the datasets up to date with what a sync run merged, then let the alert rules look at once."""
    with context.tenant_wide(tenant_id):
        deal_ids = None if run.touches_everything else list(touched_deal_ids(tenant_id, run))
    _refresh(tenant_id, deal_ids, "pipeline.after_sync")


def refresh_after_removal(tenant_id: int) -> None:
    """Bring the datasets up to date after all deals of a CRM were removed."""
    _refresh(tenant_id, None, "pipeline.after_removal")


def _refresh(tenant_id: int, deal_ids: Sequence[int] | None, job: str) -> None:
    try:
        datasets_refresh(tenant_id=tenant_id, deal_ids=deal_ids, acting_user=Actor.system(job))
    except BuildFailed as failure:  # the dispatcher repairs the datasets with a whole build
        logger.warning("%s", failure.message)
    with context.shared_tables():
        jobs.wake(evaluation.JOB)


def build_run(*, tenant_id: int, build_id: UUID, deal_ids: Sequence[int] | None = None) -> DatasetBuild:
    """Carry out a build that is marked as running; all of it or nothing. Opens its own contexts.

    Raises: BuildFailed. A build that fails, or whose worker is killed, is tried again by the dispatcher as a whole one.
    """
    try:
        with context.tenant_wide(tenant_id):
            return _carry_out(tenant_id, build_id, deal_ids)
    except DatabaseError as error:
        with context.tenant_wide(tenant_id):
            path = _note_failure(tenant_id, build_id, error)
        raise BuildFailed(path=path, problem=_first_line(error)) from error


def _carry_out(tenant_id: int, build_id: UUID, deal_ids: Sequence[int] | None) -> DatasetBuild:
    build: DatasetBuild = DatasetBuild.objects.select_for_update(no_key=True).get(
        tenant_id=tenant_id, id=build_id
    )
    if build.state != BuildState.RUNNING:  # another worker has finished it
        return build
    lock_until_commit("pipeline.build", tenant_id, build.dataset)
    tenant = Tenant.objects.get(pk=tenant_id)
    started = timezone.now()
    today = started.astimezone(ZoneInfo(tenant.timezone)).date()
    scope = BuildScope(tenant_id, tenant.timezone, today, settings_of(tenant_id), deal_ids)
    counts = dataset_of(build.dataset).build(scope)
    return _note_success(build, scope, counts, started)


def _note_success(
    build: DatasetBuild, scope: BuildScope, counts: BuildCounts, started: datetime
) -> DatasetBuild:
    build.state, build.lease_until, build.error = BuildState.SUCCEEDED, None, ""
    build.as_of, build.finished_at = scope.today, timezone.now()
    build.seconds = (build.finished_at - started).total_seconds()
    build.rows_read, build.rows_written, build.rows_removed = counts.read, counts.written, counts.removed
    build.save(update_fields=[
        "state", "lease_until", "error", "as_of", "finished_at", "seconds", "rows_read", "rows_written", "rows_removed",
    ])  # fmt: skip
    return build


def _note_failure(tenant_id: int, build_id: UUID, error: DatabaseError) -> str:
    build: DatasetBuild = DatasetBuild.objects.select_for_update(no_key=True).get(
        tenant_id=tenant_id, id=build_id
    )
    again = build.attempts < MAX_ATTEMPTS
    build.state = BuildState.QUEUED if again else BuildState.FAILED
    # The ids of an incremental build are not kept, so the next try looks at everything.
    build.kind, build.error, build.lease_until, build.finished_at = (
        BuildKind.FULL,
        _first_line(error),
        None,
        timezone.now(),
    )
    build.save(update_fields=["state", "kind", "error", "lease_until", "finished_at"])
    return build.dataset


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


@dataclass(frozen=True)
class ClaimedBuild:
    """A build that the dispatcher has taken for a worker."""

    tenant_id: int
    build_id: UUID


_QUEUE_DAILY = """
    INSERT INTO pipeline_datasetbuild
        (tenant_id, id, dataset, kind, state, as_of, requested_by, attempts, rows_read, rows_written, rows_removed, seconds, error)
    SELECT t.id, gen_random_uuid(), d.path, 'full', 'queued', (now() AT TIME ZONE t.timezone)::date, 'daily build', 0, 0, 0, 0, 0, ''
    FROM tenants_tenant t CROSS JOIN unnest(%(paths)s::text[]) AS d (path)
    WHERE t.is_active AND EXISTS (SELECT FROM crm_sync_opportunity o WHERE o.tenant_id = t.id) AND NOT EXISTS (
        SELECT FROM pipeline_datasetbuild b
        WHERE b.tenant_id = t.id AND b.dataset = d.path AND b.kind = 'full'
          AND (b.as_of >= (now() AT TIME ZONE t.timezone)::date OR b.state IN ('queued', 'running')))
"""


def builds_queue_daily() -> int:
    """Queue a whole build of every dataset in every workspace whose day has begun since the last; platform context.

    Days pass also where nothing is synced: deals grow stale and close dates go by. Gives how many were queued.
    """
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE_DAILY, {"paths": list(all_datasets())})
        queued: int = cursor.rowcount
        return queued


def build_claim(*, build: DatasetBuild) -> DatasetBuild:
    """Take one waiting build for this process, so that the dispatcher leaves it alone; tenant-wide context."""
    now = timezone.now()
    build.state, build.started_at, build.lease_until, build.attempts = (
        BuildState.RUNNING,
        now,
        now + LEASE,
        build.attempts + 1,
    )
    build.save(update_fields=["state", "started_at", "lease_until", "attempts"])
    return build


def builds_claim(*, at_most: int) -> list[ClaimedBuild]:
    """Take waiting builds, and those whose worker has fallen silent, for ``LEASE``; needs the platform context."""
    now = timezone.now()
    free = DatasetBuild.objects.select_for_update(skip_locked=True).order_by("requested_at")
    waiting = list(free.filter(state=BuildState.QUEUED)[:at_most])
    silent = list(free.filter(state=BuildState.RUNNING, lease_until__lt=now)[:at_most])
    spent = [build.id for build in silent if build.attempts >= MAX_ATTEMPTS]
    DatasetBuild.objects.filter(id__in=spent).update(
        state=BuildState.FAILED,
        lease_until=None,
        finished_at=now,
        error="The worker ended in the middle, three times.",
    )
    claimed = [build for build in (*waiting, *silent) if build.id not in spent]
    DatasetBuild.objects.filter(id__in=[build.id for build in claimed]).update(
        state=BuildState.RUNNING,
        kind=BuildKind.FULL,
        started_at=now,
        lease_until=now + LEASE,
        attempts=F("attempts") + 1,
    )
    return [ClaimedBuild(build.tenant_id, build.id) for build in claimed]


def deals_export_record(*, tenant_id: int, filters: str, acting_user: Actor) -> None:
    """Record that a list of deals leaves the program, before the first row does. Raises: Forbidden."""
    require(acting_user, permissions.EXPORT, tenant_id)
    record(DealsExported(target_label="deals", filters=filters), acting_user=acting_user, tenant_id=tenant_id)


def access_export_record(*, deal: Opportunity, at: datetime | None, acting_user: Actor) -> None:
    """Record that the list of who sees a deal leaves the program. Raises: Forbidden."""
    require(acting_user, ACCESS_EXPLAIN, deal.tenant_id)
    require(acting_user, permissions.EXPORT, deal.tenant_id)
    event = AccessListExported(
        target_id=deal.external_id, target_label=deal.name, as_of=at.isoformat() if at else "now"
    )
    record(event, acting_user=acting_user, tenant_id=deal.tenant_id)


def shares_export_record(*, tenant_id: int, filters: str, acting_user: Actor) -> None:
    """Record that a list of shares leaves the program. Raises: Forbidden."""
    require(acting_user, permissions.EXPORT, tenant_id)
    record(
        SharesExported(target_label="shares", filters=filters), acting_user=acting_user, tenant_id=tenant_id
    )
