"""The tick: the one regular message. What is due, the database says."""

from __future__ import annotations

from isolation import jobs
from isolation.tasks import shared_tables_task


@shared_tables_task(time_limit=30)
def tick() -> None:
    """Note that beat and worker live, and hand out every job that is due."""
    jobs.beat("beat")
    for job in jobs.claim_due():
        run_job.delay(code=job.code)


@shared_tables_task(time_limit=15 * 60)
def run_job(*, code: str) -> None:
    """Run one claimed job and give its lease back; the lease of a job whose worker was killed runs out by itself."""
    jobs.beat("worker")
    try:
        jobs.all_jobs()[code].task()
    finally:
        jobs.finished(code)
