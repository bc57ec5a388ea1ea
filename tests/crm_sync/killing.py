"""SIGKILL for the processes that do a worker's work, in the middle of a run."""

from __future__ import annotations

import psutil

from crm_sync.models import SyncRun
from isolation import context
from tests.whole_path.processes import until


class Killer:
    """Waits until a run gets on, and kills the worker's processes that do the work."""

    def __init__(self, run: SyncRun) -> None:
        self._run = run
        self._rows = 0

    def kill(self) -> bool:
        """Kill once the run has got further than at the last kill; False, if it is over."""
        run = until("progress of the run", self._progressed, seconds=60)
        if not run.is_active:
            return False
        self._rows = run.rows_read
        for process in pool_processes():
            process.kill()
        return True

    def over(self) -> SyncRun | None:
        """The run, once it is over."""
        run = self._look()
        return None if run.is_active else run

    def _progressed(self) -> SyncRun | None:
        run = self._look()
        return run if not run.is_active or run.rows_read > self._rows else None

    def _look(self) -> SyncRun:
        with context.tenant_wide(self._run.tenant_id):
            return SyncRun.objects.get(pk=self._run.pk)  # type: ignore[no-any-return]  # untyped: the key's class hides it


def pool_processes() -> list[psutil.Process]:
    """The children of this test's Celery worker."""
    mine = psutil.Process().children()
    workers = [each for each in mine if "celery" in each.cmdline() and "worker" in each.cmdline()]
    return [child for worker in workers for child in worker.children()]
