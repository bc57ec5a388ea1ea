"""A worker that dies by SIGKILL in the middle of reading a portal loses nothing and doubles nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crm_sync.models import RunState
from tests import cast
from tests.conftest import WorkerDatabase
from tests.crm_sync.hubspot.conftest import Hub
from tests.crm_sync.hubspot.mirrored import assert_equal
from tests.crm_sync.killing import Killer
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


@pytest.mark.usefixtures("processes")
def test_every_row_is_there_once_however_often_the_worker_dies(large: Hub) -> None:
    killer = Killer(large.request())
    kills = sum(killer.kill() for _ in range(KILLS))
    run = until("the end of the run", killer.over, seconds=90)
    assert run is not None
    assert (run.state, run.error_message) == (RunState.SUCCEEDED, "")
    assert kills >= KILLS // 2
    assert run.rows_read == run.rows_inserted
    assert_equal(large)
