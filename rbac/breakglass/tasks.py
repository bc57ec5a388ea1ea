from __future__ import annotations

from datetime import timedelta

from isolation import jobs
from isolation.jobs import Periodic
from isolation.tasks import shared_tables_task
from rbac.breakglass.mails import send_due
from rbac.breakglass.services import MAILS_JOB


@shared_tables_task(time_limit=180)
def break_glass_mails_send() -> None:
    """Send the mails that are due; each step opens its own context."""
    send_due()


# A start wakes the job; its own rhythm is for what has to be tried again.
jobs.register(
    Periodic(MAILS_JOB, break_glass_mails_send, every=timedelta(minutes=1), lease=timedelta(minutes=4))
)
