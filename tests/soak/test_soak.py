"""Rounds of work in both CRMs while everything goes wrong; afterwards each mirror equals its CRM, row for row and field for field.

``SOAK_ROUNDS`` says how many rounds, ``SOAK_SEED`` which day: a failure names both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from crm_sync.errors import ConnectionRefused, OtherRunActive
from crm_sync.models import CheckedMonth, Connection, ConnectionState, RunState, SyncRun
from crm_sync.services.connections import connection_test
from crm_sync.services.runs import sync_request
from isolation import context
from tests.conftest import WorkerDatabase
from tests.crm_sync import mirrored
from tests.crm_sync.hubspot import mirrored as hubspot_mirrored
from tests.soak.place import SYSTEM, Place, place_of
from tests.soak.streams import HubSpot, Salesforce
from tests.soak.trouble import Killer, hubspot_trouble, salesforce_trouble
from tests.whole_path.processes import Processes, processes_on, until

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "4"))
SEED = int(os.environ.get("SOAK_SEED", "20261121"))
EDITS_A_ROUND = 8
SEARCH_LAG_SECONDS = 3
SECONDS_A_ROUND = (0.5, 4.0)


@pytest.fixture
def place(committed: WorkerDatabase) -> Iterator[Place]:
    with place_of() as place:
        yield place


@pytest.fixture
def processes(committed: WorkerDatabase, worker_id: str, tmp_path: Path) -> Iterator[Processes]:
    with processes_on(
        committed, worker_id, tmp_path, DJANGO_SETTINGS_MODULE="tests.soak.settings"
    ) as running:
        running.start_beat()
        running.start_worker()
        yield running


class Soak:
    """The rounds of one test."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._random = Random(SEED)
        self._salesforce = Salesforce(place.client, Random(SEED + 1))
        self._hubspot = HubSpot(place.portal, Random(SEED + 2))

    def round(self) -> None:
        """Users work, things go wrong, syncs are asked for."""
        for _ in range(self._random.randrange(3)):
            salesforce_trouble(self._place.client.control, self._random)
            hubspot_trouble(self._place.portal.control, self._random)
        self._salesforce.act(EDITS_A_ROUND)
        self._hubspot.act(EDITS_A_ROUND)
        self.request_syncs()
        time.sleep(self._random.uniform(*SECONDS_A_ROUND))

    def request_syncs(self) -> list[SyncRun]:
        """Ask for a sync of each connection, mended first where a refusal stopped it; no second one beside a run at work."""
        asked = [self._request(connection) for connection in self._place.connections()]
        return [run for run in asked if run is not None]

    def _request(self, connection: Connection) -> SyncRun | None:
        if connection.state == ConnectionState.NEEDS_ATTENTION:
            self._mend(connection)
        try:
            with context.tenant_wide(connection.tenant_id):
                return sync_request(
                    connection=Connection.objects.get(pk=connection.pk), is_full=False, acting_user=SYSTEM
                )
        except OtherRunActive:
            return None

    def _mend(self, connection: Connection) -> None:
        """As an admin would: test the connection until the CRM takes it."""
        try:
            connection_test(tenant_id=connection.tenant_id, source=connection.source, acting_user=SYSTEM)
        except ConnectionRefused:
            self._place.quiet()

    def settle(self) -> None:
        """Nothing goes wrong any more; wait for two whole syncs of each connection."""
        self._place.quiet()
        time.sleep(SEARCH_LAG_SECONDS)  # what the index does not show yet is the next sync's
        for _ in range(2):
            runs = until("a sync of each CRM", self._both_asked_for, seconds=120)
            ended = until("the end of the last syncs", lambda runs=runs: self._ended(runs), seconds=120)
        assert {run.state for run in ended} == {RunState.SUCCEEDED}, [run.error_message for run in ended]

    def _both_asked_for(self) -> list[SyncRun]:
        runs = self.request_syncs()
        return runs if len(runs) == len(self._place.connections()) else []

    def _ended(self, runs: list[SyncRun]) -> list[SyncRun]:
        """The runs as they stand, once all are over."""
        with context.tenant_wide(self._place.tenant.id):
            found = list(SyncRun.objects.filter(pk__in=[run.pk for run in runs]))
        return [] if any(run.is_active for run in found) else found


class TestASoak:
    def test_leaves_each_mirror_equal_to_its_crm(self, place: Place, processes: Processes) -> None:
        soak = Soak(place)
        place.first_syncs(soak.request_syncs)
        with Killer(Random(SEED + 3), every_seconds=(1.0, 4.0)) as killer:
            for _ in range(ROUNDS):
                soak.round()
        soak.settle()
        assert killer.kills
        assert_no_limit_was_overrun(place)
        place.lift_limits()
        mirrored.assert_equal(place)
        hubspot_mirrored.assert_equal(place)
        assert_nothing_was_healed(place)


def assert_no_limit_was_overrun(place: Place) -> None:
    stats, switches = place.portal.look("stats"), place.portal.look("switches")
    assert stats["refused"] == {}, stats
    assert stats["peak_calls_in_ten_seconds"] <= switches["calls_per_ten_seconds"]
    assert stats["peak_searches_in_a_second"] <= switches["searches_per_second"]


def assert_nothing_was_healed(place: Place) -> None:
    """The syncs lost nothing by themselves: no comparison had to mend what they left."""
    with context.tenant_wide(place.tenant.id):
        assert not CheckedMonth.objects.filter(healed_rows__gt=0).exists()
