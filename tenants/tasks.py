from __future__ import annotations

from datetime import timedelta

from isolation import jobs
from isolation.jobs import Periodic
from isolation.tasks import shared_tables_task
from tenants.invitations import send_due
from tenants.services import INVITATIONS_JOB


@shared_tables_task(time_limit=180)
def invitations_send() -> None:
    """Send the invitations that are due; each step opens its own context."""
    send_due()


# Writing an invitation wakes the job; its own rhythm is for what has to be tried again.
jobs.register(
    Periodic(INVITATIONS_JOB, invitations_send, every=timedelta(minutes=5), lease=timedelta(minutes=4))
)
