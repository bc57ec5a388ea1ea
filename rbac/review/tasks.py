"""The wake-up of the access reviews."""

from __future__ import annotations

from datetime import timedelta

from isolation import jobs
from isolation.actors import Actor
from isolation.jobs import Periodic
from isolation.tasks import platform_task
from rbac.review.quarters import JOB, reviews_tend


@platform_task(reason="begin and settle access reviews", time_limit=300)
def tend() -> None:
    """Begin each quarter's review and mark what has ended meanwhile."""
    reviews_tend(Actor.system(JOB))


jobs.register(Periodic(JOB, tend, every=timedelta(hours=1)))
