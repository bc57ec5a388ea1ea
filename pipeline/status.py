"""What the last hours' syncs and dataset builds came to, workspace by workspace. Needs the platform context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Max, Q, QuerySet

from crm_sync.failures import class_of, what_to_do
from crm_sync.models import RunState, SyncRun
from pipeline.models import BuildState, DatasetBuild
from tenants.models import Tenant

_LONGEST = 300


@dataclass(frozen=True)
class Failure:
    """One way in which syncs or builds failed, how often, and when last. ``what`` is the CRM or the dataset."""

    kind: str
    what: str
    error_class: str
    error: str
    what_to_do: str
    times: int
    last_at: datetime


@dataclass
class Status:
    """A workspace's syncs and builds by state, and the failures among them, newest first."""

    customer: str
    syncs: dict[str, int] = field(default_factory=dict)
    builds: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def statuses(tenants: Iterable[Tenant], since: datetime) -> list[Status]:
    """The status of each of these workspaces, of what was asked for or ended since then or is still under way."""
    found = {tenant.pk: Status(tenant.slug) for tenant in tenants}
    recent = Q(requested_at__gte=since) | Q(finished_at__gte=since)
    runs = SyncRun.objects.filter(
        recent | Q(state__in=(RunState.QUEUED, RunState.RUNNING)), tenant_id__in=found
    )
    builds = DatasetBuild.objects.filter(
        recent | Q(state__in=(BuildState.QUEUED, BuildState.RUNNING)), tenant_id__in=found
    )
    for tenant_id, counted in _by_state(runs).items():
        found[tenant_id].syncs = dict(counted)
    for tenant_id, counted in _by_state(builds).items():
        found[tenant_id].builds = dict(counted)
    for tenant_id, failure in [*_failed_runs(runs), *_failed_builds(builds)]:
        found[tenant_id].failures.append(failure)
    return list(found.values())


def _by_state(rows: QuerySet[SyncRun] | QuerySet[DatasetBuild]) -> dict[int, Counter[str]]:
    counted: dict[int, Counter[str]] = {}
    for tenant_id, state, times in (
        rows.order_by().values_list("tenant_id", "state").annotate(times=Count("*"))
    ):
        counted.setdefault(tenant_id, Counter())[state] = times
    return counted


def _failed_runs(runs: QuerySet[SyncRun]) -> list[tuple[int, Failure]]:
    failed = runs.filter(state=RunState.FAILED).order_by("tenant_id", "connection__source", "error_code")
    grouped = failed.values_list("tenant_id", "connection__source", "error_code").annotate(
        times=Count("*"), said=Max("error_message"), last_at=Max("finished_at")
    )
    return [
        (
            tenant_id,
            Failure(
                "sync", crm, str(class_of(code) or ""), said[:_LONGEST], what_to_do(code), times, last_at
            ),
        )
        for tenant_id, crm, code, times, said, last_at in grouped
    ]


def _failed_builds(builds: QuerySet[DatasetBuild]) -> list[tuple[int, Failure]]:
    failed = builds.filter(state=BuildState.FAILED).order_by("tenant_id", "dataset")
    grouped = failed.values_list("tenant_id", "tenant__slug", "dataset").annotate(
        times=Count("*"), said=Max("error"), last_at=Max("finished_at")
    )
    advice = "Build it again: manage.py rebuild_dataset --customer {} --dataset {}"
    return [
        (
            tenant_id,
            Failure(
                "build", dataset, "program", said[:_LONGEST], advice.format(slug, dataset), times, last_at
            ),
        )
        for tenant_id, slug, dataset, times, said, last_at in grouped
    ]
