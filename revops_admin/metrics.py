"""``/metrics`` for Prometheus: requests as this process saw them, and the state of the whole program from the database.

gunicorn runs several processes. Where PROMETHEUS_MULTIPROC_DIR names a directory, they share their request counts through
files there and any of them answers for all; without it each answers for itself. The numbers from the database are the same
from every process.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

from isolation import context, jobs
from isolation.actors import Actor
from isolation.models import PeriodicJob
from revops_admin.health import heartbeat_ages, queue_depth

CACHED_SECONDS = 15
WINDOW = timedelta(hours=24)
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter("revops_requests", "Answered requests.", ["route", "method", "status"])
SECONDS = Histogram(
    "revops_request_seconds", "Time to the first byte of the answer.", ["route"], buckets=_BUCKETS
)

# Runs and finished messages of the last day, so that the sum stays small and says what is going on now.
_NUMBERS = """
    SELECT 'sync_runs', state, count(*) FROM crm_sync_syncrun WHERE requested_at > %(since)s GROUP BY state
    UNION ALL
    SELECT 'deliveries', state, count(*) FROM alerts_delivery
    WHERE state IN ('pending', 'sending') OR created_at > %(since)s GROUP BY state
    UNION ALL
    SELECT 'open_alerts', severity, count(*) FROM alerts_alert WHERE closed_at IS NULL GROUP BY severity
    UNION ALL
    SELECT 'workspaces', tier, count(*) FROM tenants_tenant WHERE is_active GROUP BY tier
"""
_LABELS = {
    "sync_runs": ("state", "Sync runs asked for in the last 24 hours."),
    "deliveries": ("state", "Messages that wait, and those of the last 24 hours."),
    "open_alerts": ("severity", "Alerts that are open."),
    "workspaces": ("tier", "Active workspaces."),
}

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class RequestMetrics:
    """Middleware: counts and times every request by its route, never by its address, which holds names."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        route = match.route if match else "unknown"
        method = request.method if request.method in ("GET", "POST", "HEAD") else "other"
        REQUESTS.labels(route, method, response.status_code).inc()
        SECONDS.labels(route).observe(time.perf_counter() - began)
        return response


@dataclass
class _Numbers:
    """What the last look at the database found, for ``CACHED_SECONDS``."""

    rows: list[tuple[str, str, int]] = field(default_factory=list)
    read_at: float = float("-inf")
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> list[tuple[str, str, int]]:
        with self.lock:
            if time.monotonic() - self.read_at > CACHED_SECONDS:
                self.rows, self.read_at = _read_numbers(), time.monotonic()
            return self.rows


def _read_numbers() -> list[tuple[str, str, int]]:
    with (
        context.platform("numbers for monitoring", Actor.system("metrics")),
        connection.cursor() as cursor,
    ):
        cursor.execute(_NUMBERS, {"since": timezone.now() - WINDOW})
        return list(cursor.fetchall())


class ProgramCollector(Collector):
    """The state of the whole program. ``revops_up`` is 0 and the rest is missing while the database does not answer."""

    def __init__(self) -> None:
        self._numbers = _Numbers()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every number, read when asked."""
        try:
            families = [*self._counted(), *_heartbeats(), *_periodic_jobs()]
        except DatabaseError:
            yield GaugeMetricFamily("revops_up", "Whether the database answers.", value=0)
            return
        yield GaugeMetricFamily("revops_up", "Whether the database answers.", value=1)
        yield from families
        if (depth := queue_depth()) is not None:
            yield GaugeMetricFamily("revops_queue_depth", "Messages that wait for a worker.", value=depth)

    def _counted(self) -> Iterator[GaugeMetricFamily]:
        rows = self._numbers.now()
        for name, (label, words) in _LABELS.items():
            values = ((value, number) for kind, value, number in rows if kind == name)
            yield _family(f"revops_{name}", words, label, values)


def _heartbeats() -> Iterator[GaugeMetricFamily]:
    ages = ((name, age) for name, age in heartbeat_ages().items() if age is not None)
    yield _family("revops_heartbeat_age_seconds", "Since the process was last alive.", "process", ages)


def _periodic_jobs() -> Iterator[GaugeMetricFamily]:
    known, now = jobs.all_jobs(), timezone.now()
    rows = list(PeriodicJob.objects.filter(code__in=known).values_list("code", "due_at"))
    late = ((code, max(0.0, (now - due_at).total_seconds())) for code, due_at in rows)
    yield _family("revops_periodic_job_lag_seconds", "How long a job has been due.", "job", late)


def _family(name: str, words: str, label: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=[label])
    for value, number in values:
        family.add_metric([value], number)
    return family


_program = ProgramCollector()


def _collected() -> bytes:
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library leaves it untyped
    else:
        registry.register(REGISTRY)
    registry.register(_program)
    return generate_latest(registry)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """The numbers, for who may read them."""
    if not _may_read(request):
        sentence = "Metrics are for the machine itself, its private network, or holders of METRICS_TOKEN.\n"
        return HttpResponse(sentence, status=HTTPStatus.FORBIDDEN, content_type="text/plain; charset=utf-8")
    return HttpResponse(_collected(), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    token: str = getattr(settings, "METRICS_TOKEN", "")
    if token:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), token.encode())
    # What came through a proxy may come from anywhere, whatever the proxy's own address is.
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    return _is_private(request.META.get("REMOTE_ADDR", ""))


def _is_private(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:  # a Unix socket has no address: the proxy in front is not private
        return False
