"""Having the dispatcher look now: its own turns are far apart, because each is an audited look at all workspaces."""

from __future__ import annotations

from isolation import context, jobs

DISPATCH_JOB = "crm_sync.dispatch"


def wake_dispatcher() -> None:
    """Make the dispatcher due when the caller's transaction commits: the next tick hands out what is ready by then."""
    with context.shared_tables():
        jobs.wake(DISPATCH_JOB)
