"""A first load asks for no more than it needs: the calls are counted by the portal."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import pytest

from crm_sync.models import RunState
from tests import cast
from tests.conftest import WorkerDatabase
from tests.crm_sync.hubspot.conftest import Hub
from tests.sandbox.conftest import start_server
from tests.sandbox.hubspot.conftest import LIMITS, Portal

ACTIVITIES = ("calls", "meetings", "emails", "notes", "tasks")


@pytest.fixture
def wide(committed: WorkerDatabase) -> Iterator[Hub]:
    server = start_server("--scale", "5", "--portal", "wide=2500:5")
    hub = Hub(Portal(server.url, "wide"), cast.tenant_of(cast.ACME))
    hub.portal.control("switches", **LIMITS)
    hub.connect()
    yield hub
    server.stop()


def _fewest(rows: dict[str, int]) -> int:
    """Lists of 50 with history and of 100 without; associations of deals with companies and contacts, of activities with deals."""
    lists = ceil(rows["deals"] / 50) + sum(ceil(rows[kind] / 100) for kind in rows if kind != "deals")
    return lists + 2 * ceil(rows["deals"] / 1000) + sum(ceil(rows[kind] / 1000) for kind in ACTIVITIES)


def test_a_first_load_takes_hardly_more_calls_than_the_fewest(wide: Hub) -> None:
    rows = {kind: len(wide.portal.snapshot(kind)) for kind in ("deals", "contacts", "companies", *ACTIVITIES)}
    archived = {kind: len(wide.portal.snapshot(kind, archived=True)) - live for kind, live in rows.items()}
    wide.portal.forget_traffic()
    assert wide.sync().state == RunState.SUCCEEDED
    calls = sum(wide.calls().values())
    # Whatever the size: the portal, its owners twice, its pipelines, an e-mail; for eight objects the properties and how long the list is.
    constant = 5 + 8 * 2 + sum(max(1, ceil(number / 100)) for number in archived.values())
    assert calls <= 1.05 * _fewest(rows) + constant
    assert wide.portal.look("stats")["refused"] == {}
