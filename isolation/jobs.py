"""What runs regularly. Beat sends one tick; the database says what is due and who has taken it.

Each app registers its periodic jobs at start-up. A job that dies while leased is due again when its lease runs out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from isolation.models import Heartbeat, PeriodicJob


@dataclass(frozen=True)
class Periodic:
    """A registered job: Celery task ``task`` every ``every``; ``lease`` bounds how long one run may stay silent."""

    code: str
    task: Any
    every: timedelta
    lease: timedelta = timedelta(minutes=10)


_registry: dict[str, Periodic] = {}


def register(job: Periodic) -> None:
    """Add a periodic job. Raises ValueError if the code is taken."""
    if job.code in _registry:
        raise ValueError(f"Periodic job {job.code} is registered twice.")
    _registry[job.code] = job


def all_jobs() -> dict[str, Periodic]:
    """Every registered job by code."""
    return dict(_registry)


def _ensure_rows() -> None:
    rows = [PeriodicJob(code=code) for code in _registry]
    PeriodicJob.objects.bulk_create(rows, ignore_conflicts=True)


@transaction.atomic
def claim_due() -> list[Periodic]:
    """Take every job that is due and not leased: two dispatchers at once never take the same one."""
    if PeriodicJob.objects.filter(code__in=_registry).count() < len(_registry):
        _ensure_rows()
    free = Q(leased_until=None) | Q(leased_until__lt=Now())
    rows = PeriodicJob.objects.select_for_update(skip_locked=True).filter(
        free, code__in=_registry, due_at__lte=Now()
    )
    claimed = [_registry[row.code] for row in rows]
    for job in claimed:
        PeriodicJob.objects.filter(code=job.code).update(
            leased_until=Now() + job.lease, due_at=Now() + job.every, started_at=Now()
        )
    return claimed


def finished(code: str) -> None:
    """Give the lease of a job back."""
    PeriodicJob.objects.filter(code=code).update(leased_until=None, finished_at=Now(), runs=F("runs") + 1)


def wake(code: str) -> None:
    """Make a job due now; the next tick, a few seconds away, hands it out."""
    PeriodicJob.objects.filter(code=code).update(due_at=Now())


def beat(name: str) -> None:
    """Note that ``name`` (worker, beat) is alive."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Heartbeat._meta.db_table} (name, at) VALUES (%s, now()) "
            "ON CONFLICT (name) DO UPDATE SET at = excluded.at",
            [name],
        )
