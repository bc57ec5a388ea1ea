"""What accounts do regularly."""

from __future__ import annotations

from datetime import timedelta

from accounts.sessions import SessionStore
from isolation import jobs
from isolation.tasks import shared_tables_task


@shared_tables_task()
def sessions_forget() -> None:
    """Delete the sessions that are over; nobody could use them any more."""
    SessionStore.clear_expired()


jobs.register(jobs.Periodic("accounts.sessions_forget", sessions_forget, every=timedelta(days=1)))
