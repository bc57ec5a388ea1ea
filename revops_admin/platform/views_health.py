"""How the program itself is doing."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from crm_sync.failures import class_of, what_to_do
from crm_sync.models import Connection
from isolation import context, jobs
from isolation.models import PeriodicJob
from pages.objects import Badge, Page, Stat
from pages.times import ago, duration
from revops_admin.health import Part, all_parts, queue_depth
from revops_admin.platform import selectors
from revops_admin.platform.access import OperatorRequest, operator_view
from tenants.models import Crm

LATE_SECONDS = 60
FAILING_SHOWN = 100
_UP, _DOWN = Badge("Up", "good", "check"), Badge("Down", "danger", "alert-circle")
_NAMES = {
    "database": "Database",
    "contexts": "Contexts",
    "redis": "Redis",
    "beat": "Beat",
    "worker": "Worker",
}
_COMMON_QUEUE = 100


@dataclass(frozen=True)
class PartRow:
    """One part of the program."""

    name: str
    state: Badge
    sentence: str


@dataclass(frozen=True)
class JobRow:
    """One regular job."""

    code: str
    state: Badge
    every: str
    last: str
    took: str
    due: str
    runs: int


@dataclass(frozen=True)
class FailingRow:
    """A CRM connection that cannot be read."""

    workspace: str
    url: str
    crm: str
    failure: str
    since: str
    problem: str
    what_to_do: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPage(Page):
    """Parts, queue, regular jobs, and connections that fail."""

    failing: list[FailingRow]

    parts: list[PartRow]
    stats: list[Stat]
    jobs: list[JobRow]


@never_cache
@operator_view
@require_safe
def health(request: OperatorRequest) -> HttpResponse:
    """The parts that ``/health/ready`` judges, and the regular jobs. It answers while Redis is down, too."""
    parts = all_parts()
    down = [_NAMES[part.name] for part in parts if not part.is_up]
    with context.platform("operator looks for failing CRM connections", request.operator):
        failing = [_failing(connection) for connection in selectors.failing_connections(FAILING_SHOWN)]
    page = HealthPage(
        title="Health",
        lead=f"Down: {', '.join(down)}." if down else "Everything that the program needs is up.",
        parts=[_part(part) for part in parts],
        stats=_stats(),
        jobs=_jobs(),
        failing=failing,
    )
    return render(request, "platform/health.html", {"page": page})


def _part(part: Part) -> PartRow:
    is_measured = part.name in ("database", "redis") and part.seconds is not None
    sentence = f"Answers in {part.seconds * 1000:.1f} ms" if is_measured and part.seconds else part.sentence
    return PartRow(_NAMES[part.name], _UP if part.is_up else _DOWN, sentence[:1].upper() + sentence[1:])


def _failing(connection: Connection) -> FailingRow:
    last = vars(connection)  # what selectors.failing_connections annotated
    code = connection.error_code or last["last_code"] or ""
    found = class_of(code)
    return FailingRow(
        workspace=connection.tenant.name,
        url=reverse("platform:workspace", kwargs={"slug": connection.tenant.slug}),
        crm=Crm(connection.source).label,
        failure=found.label if found else "Unknown",
        since=ago(connection.last_synced_at),
        problem=connection.error_message or last["last_error"] or "",
        what_to_do=what_to_do(code),
    )


def _stats() -> list[Stat]:
    depth, late = queue_depth(), _late_count()
    shown = "Unknown" if depth is None else f"{depth:,}"
    return [
        Stat(
            "Messages waiting", shown, tone="warning" if depth is None or depth > _COMMON_QUEUE else "neutral"
        ),
        Stat(
            "Jobs late",
            str(late),
            hint=f"due for over {duration(LATE_SECONDS)}",
            tone="warning" if late else "neutral",
        ),
    ]


def _late_count() -> int:
    return sum(_is_late(row) for row in PeriodicJob.objects.filter(code__in=jobs.all_jobs()))


def _is_late(row: PeriodicJob) -> bool:
    return (timezone.now() - row.due_at).total_seconds() > LATE_SECONDS


def _jobs() -> list[JobRow]:
    rows = PeriodicJob.objects.in_bulk()
    return [_job(job, rows.get(code)) for code, job in sorted(jobs.all_jobs().items())]


def _job(job: jobs.Periodic, row: PeriodicJob | None) -> JobRow:
    every = duration(job.every.total_seconds())
    if row is None:
        return JobRow(job.code, Badge("Not started", "neutral", "clock"), every, "never", "", "", 0)
    took = ""
    if row.started_at and row.finished_at and row.finished_at >= row.started_at:
        took = f"{(row.finished_at - row.started_at).total_seconds():.1f} s"
    return JobRow(job.code, _state(row), every, ago(row.finished_at), took, ago(row.due_at), row.runs)


def _state(row: PeriodicJob) -> Badge:
    if row.leased_until and row.leased_until > timezone.now():
        return Badge("Running", "brand", "refresh")
    if _is_late(row):
        return Badge("Late", "warning", "alert-triangle")
    return Badge("Waiting", "neutral", "clock")
