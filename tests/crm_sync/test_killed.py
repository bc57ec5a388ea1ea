"""A worker that dies by SIGKILL in the middle of a sync loses nothing and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from crm_sync.models import RunState, SyncRun
from isolation import context
from tests import cast
from tests.conftest import WorkerDatabase
from tests.crm_sync.conftest import Crm
from tests.crm_sync.mirrored import assert_equal
from tests.sandbox.conftest import Client, start_server
from tests.whole_path.processes import Processes, processes_on, until

KILLS = 10


@pytest.fixture
def large_crm(committed: WorkerDatabase) -> Iterator[Crm]:
    server = start_server("--org", "large=900:5")
    crm = Crm(Client(server.url, "large"), cast.tenant_of(cast.ACME))
    crm.connect()
    yield crm
    server.stop()


@pytest.fixture
def processes(committed: WorkerDatabase, worker_id: str, tmp_path: Path) -> Iterator[Processes]:
    variables = {"DJANGO_SETTINGS_MODULE": "tests.crm_sync.kill_settings"}
    with processes_on(committed, worker_id, tmp_path, **variables) as processes:
        processes.start_beat()
        processes.start_worker()
        yield processes


class Killer:
    """Waits until a run gets on, and kills the worker's processes that do the work."""

    def __init__(self, crm: Crm, run: SyncRun) -> None:
        self._crm = crm
        self._run = run
        self._rows = 0

    def look(self) -> SyncRun:
        with context.tenant_wide(self._crm.tenant.id):
            return SyncRun.objects.get(pk=self._run.pk)  # type: ignore[no-any-return]  # untyped: the key's class hides it

    def kill(self) -> bool:
        """Kill once the run has got further than at the last kill; False, if it is over."""
        run = until("progress of the run", self._progressed, seconds=40)
        if not run.is_active:
            return False
        self._rows = run.rows_read
        for worker in _pool_processes():
            worker.kill()
        return True

    def _progressed(self) -> SyncRun | None:
        run = self.look()
        return run if not run.is_active or run.rows_read > self._rows else None


def _pool_processes() -> list[psutil.Process]:
    """The children of this test's Celery worker."""
    mine = psutil.Process().children()
    workers = [each for each in mine if "celery" in each.cmdline() and "worker" in each.cmdline()]
    return [child for worker in workers for child in worker.children()]


class TestAWorkerThatIsKilled:
    def test_ten_times_in_the_middle_of_a_sync_leaves_the_mirror_equal_to_the_crm(
        self, large_crm: Crm, processes: Processes
    ) -> None:
        large_crm.client.control("bulk_page_delay", seconds=0.15)
        killer = Killer(large_crm, large_crm.request())
        kills = sum(killer.kill() for _ in range(KILLS))
        large_crm.client.control("bulk_page_delay", seconds=0)
        run = until("the end of the run", lambda: _over(killer), seconds=40)
        assert (run.state, run.error_message) == (RunState.SUCCEEDED, "")
        assert kills == KILLS
        assert run.rows_read == run.rows_inserted
        assert_equal(large_crm)


def _over(killer: Killer) -> SyncRun | None:
    run = killer.look()
    return None if run.is_active else run
