"""A worker that dies by SIGKILL in the middle of reading a portal loses nothing and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from crm_sync.models import RunState, SyncRun
from isolation import context
from tests import cast
from tests.conftest import WorkerDatabase
from tests.crm_sync.hubspot.conftest import Hub
from tests.crm_sync.hubspot.mirrored import assert_equal
from tests.sandbox.conftest import start_server
from tests.sandbox.hubspot.conftest import LIMITS, Portal
from tests.whole_path.processes import Processes, processes_on, until

KILLS = 6


@pytest.fixture
def large(committed: WorkerDatabase) -> Iterator[Hub]:
    server = start_server("--scale", "5", "--portal", "large=700:5")
    hub = Hub(Portal(server.url, "large"), cast.tenant_of(cast.ACME))
    hub.portal.control("switches", **LIMITS)
    hub.connect()
    yield hub
    server.stop()


@pytest.fixture
def processes(committed: WorkerDatabase, worker_id: str, tmp_path: Path) -> Iterator[Processes]:
    variables = {"DJANGO_SETTINGS_MODULE": "tests.crm_sync.hubspot.kill_settings"}
    with processes_on(committed, worker_id, tmp_path, **variables) as processes:
        processes.start_beat()
        processes.start_worker()
        yield processes


class Killer:
    """Waits until a run gets on, and kills the worker's processes that do the work."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._run = hub.request()
        self._rows = 0

    def look(self) -> SyncRun:
        with context.tenant_wide(self._hub.tenant.id):
            return SyncRun.objects.get(pk=self._run.pk)  # type: ignore[no-any-return]  # untyped: the key's class hides it

    def kill(self) -> bool:
        """Kill once the run has got further than at the last kill; False, if it is over."""
        run = until("progress of the run", self._progressed, seconds=60)
        assert run is not None
        if not run.is_active:
            return False
        self._rows = run.rows_read
        for worker in _pool_processes():
            worker.kill()
        return True

    def over(self) -> SyncRun | None:
        run = self.look()
        return None if run.is_active else run

    def _progressed(self) -> SyncRun | None:
        run = self.look()
        return run if not run.is_active or run.rows_read > self._rows else None


def _pool_processes() -> list[psutil.Process]:
    """The children of this test's Celery worker."""
    mine = psutil.Process().children()
    workers = [each for each in mine if "celery" in each.cmdline() and "worker" in each.cmdline()]
    return [child for worker in workers for child in worker.children()]


@pytest.mark.usefixtures("processes")
def test_every_row_is_there_once_however_often_the_worker_dies(large: Hub) -> None:
    killer = Killer(large)
    kills = sum(killer.kill() for _ in range(KILLS))
    run = until("the end of the run", killer.over, seconds=90)
    assert run is not None
    assert (run.state, run.error_message) == (RunState.SUCCEEDED, "")
    assert kills >= KILLS // 2
    assert run.rows_read == run.rows_inserted
    assert_equal(large)
