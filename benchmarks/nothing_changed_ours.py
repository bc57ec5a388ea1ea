"""The runs of one scale, in this process. Arguments: address of the sandbox, deals, rounds, and how many deals to change each time."""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import django
import psycopg

from benchmarks.ground import sandbox_ask

if TYPE_CHECKING:
    from crm_sync.models import Connection

_WRITTEN = """
    SELECT coalesce(sum(writes) FILTER (WHERE relname = ANY (%(mirror)s)), 0)::bigint,
           coalesce(sum(writes) FILTER (WHERE relname <> ALL (%(mirror)s)), 0)::bigint
    FROM (SELECT relname, n_tup_ins + n_tup_upd + n_tup_del AS writes FROM pg_stat_user_tables) AS tables
"""
_BUSY = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@dataclass(frozen=True)
class Line:
    """What one run came to: rows that the sandbox changed before it, seconds, calls, rows read and rows written."""

    changed: int
    seconds: float
    calls: int
    read: int
    mirror: int
    others: int


class Changes:
    """Deals of an organisation to change, each once."""

    def __init__(self, url: str, scale: int) -> None:
        self._control = f"{url}/_sandbox/orgs/n{scale}"
        self._ids = self._spread()

    def _spread(self) -> Iterator[str]:
        """The ids of all deals, neighbours far apart, so that a change touches many pages of the table."""
        with urllib.request.urlopen(f"{self._control}/snapshot?object=Opportunity&fields=Id") as answer:  # noqa: S310 - the sandbox
            ids = [line.decode().strip('"\n') for line in answer][1:]
        for start in range(97):
            yield from ids[start::97]

    def make(self, number: int) -> None:
        """Change the next step of so many deals."""
        for _ in range(number):
            fields = {"NextStep": f"Call on {time.time_ns()}"}
            sandbox_ask(
                f"{self._control}/update", {"object": "Opportunity", "id": next(self._ids), "fields": fields}
            )

    def calls(self) -> int:
        """Calls since this was last asked."""
        found = sandbox_ask(f"{self._control}/stats")
        sandbox_ask(f"{self._control}/stats", method="DELETE")
        return sum(each["calls"] for each in found)


def written() -> tuple[int, int]:
    """(rows that were ever written to the mirror, to other tables), once every other session has ended and told what it did."""
    from django.db import connections

    from crm_sync.connectors.salesforce.objects import OBJECTS

    connections.close_all()
    mirror = [spec.model._meta.db_table for spec in OBJECTS]
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"], autocommit=True) as administrator:
        while (administrator.execute(_BUSY).fetchone() or (0,))[0]:
            time.sleep(0.05)
        row = administrator.execute(_WRITTEN, {"mirror": mirror}).fetchone()
    assert row is not None
    return row[0], row[1]


def one(connection: Connection, changes: Changes, number: int) -> Line:
    """Change so many deals and sync."""
    from benchmarks import workspace

    changes.make(number)
    changes.calls()
    before = written()
    done = workspace.synced(connection)
    after = written()
    return Line(
        number, done.seconds, changes.calls(), done.run.rows_read, after[0] - before[0], after[1] - before[1]
    )


def median(lines: Sequence[Line]) -> Line:
    """The line in the middle by seconds, with the largest number of rows written of all: a single one that wrote is news."""
    middle = statistics.median_low([each.seconds for each in lines])
    chosen = next(each for each in lines if each.seconds == middle)
    return Line(**{**asdict(chosen), "mirror": max(each.mirror for each in lines)})


def main(url: str, scale: str, rounds: str, *numbers: str) -> None:
    """Load, then measure each number of changes so many times."""
    django.setup()
    from benchmarks import workspace

    workspace.without_upper_rooms()
    connection, changes = workspace.connected(url, f"n{scale}"), Changes(url, int(scale))
    workspace.synced(connection)
    lines = []
    for number in map(int, numbers):
        workspace.synced(connection)
        lines.append(median([one(connection, changes, number) for _ in range(int(rounds))]))
    print(json.dumps({"lines": [asdict(line) for line in lines]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
