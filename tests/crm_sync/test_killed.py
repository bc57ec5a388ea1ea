"""A worker that dies by SIGKILL in the middle of a sync loses nothing and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_sync.models import RunState
from tests import cast
from tests.conftest import WorkerDatabase
from tests.crm_sync.conftest import Crm
from tests.crm_sync.killing import Killer
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


class TestAWorkerThatIsKilled:
    def test_ten_times_in_the_middle_of_a_sync_leaves_the_mirror_equal_to_the_crm(
        self, large_crm: Crm, processes: Processes
    ) -> None:
        large_crm.client.control("bulk_page_delay", seconds=0.15)
        killer = Killer(large_crm.request())
        kills = sum(killer.kill() for _ in range(KILLS))
        large_crm.client.control("bulk_page_delay", seconds=0)
        run = until("the end of the run", killer.over, seconds=40)
        assert (run.state, run.error_message) == (RunState.SUCCEEDED, "")
        assert kills == KILLS
        assert run.rows_read == run.rows_inserted
        assert_equal(large_crm)
