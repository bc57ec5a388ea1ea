"""The wake-up of this room."""

from __future__ import annotations

from datetime import timedelta

from isolation import jobs
from isolation.jobs import Periodic
from isolation.tasks import platform_task
from operations import scoring


@platform_task(reason="score open priority items", time_limit=120)
def score() -> None:
    """Score the open items of every workspace."""
    scoring.score_open_items()


jobs.register(Periodic(scoring.JOB, score, every=timedelta(minutes=1)))
