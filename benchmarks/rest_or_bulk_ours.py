"""Reads of the deals by either way, in this process. Arguments: address of the sandbox, deals of the organisation, rounds, numbers of rows."""

from __future__ import annotations

import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import django

from benchmarks.ground import sandbox_ask

if TYPE_CHECKING:
    from crm_sync.models import Connection

# A made-up organisation has hardly fewer than this with its newest stamp: smaller numbers are changed before they are read.
_FEW = 5_000
_ALL = 1_000_000_000


class Deals:
    """The deals of an organisation, and how many of them changed since when."""

    def __init__(self, url: str, scale: str) -> None:
        self._control = f"{url}/_sandbox/orgs/n{scale}"

    def change(self, numbers: Sequence[int]) -> None:
        """Change deals so that each of these numbers, and no other below the largest, changed since some second."""
        ids = iter(self._column("Id"))
        for number, fewer in zip(
            sorted(numbers, reverse=True), [*sorted(numbers, reverse=True)[1:], 0], strict=True
        ):
            for _ in range(number - fewer):
                fields = {"NextStep": f"Call on {time.time_ns()}"}
                sandbox_ask(
                    f"{self._control}/update", {"object": "Opportunity", "id": next(ids), "fields": fields}
                )
            time.sleep(2)  # queries name whole seconds

    def stamps(self) -> list[datetime]:
        """The moments of the deals' last changes, the newest first."""
        return sorted(map(datetime.fromisoformat, self._column("SystemModstamp")), reverse=True)

    def _column(self, name: str) -> list[str]:
        with urllib.request.urlopen(f"{self._control}/snapshot?object=Opportunity&fields={name}") as answer:  # noqa: S310 - the sandbox
            return [line.decode().strip('"\n') for line in answer][1:]


def seconds(connection: Connection, since: datetime) -> float:
    """How long it takes to read what changed since then. What the read measured of the CRM stays with the connection, as in a sync."""
    from benchmarks.workspace import deals_of
    from crm_sync.engine.execute import open_source

    with closing(open_source(connection)) as source:
        deals, _ = source.usable(deals_of(source))
        assert deals is not None
        started = time.perf_counter()
        for page in source.pages(deals, since, source.open(deals, since)):
            for _ in page.chunks:
                pass
        took = time.perf_counter() - started
        connection.pace = source.measured()
    return took


def line(
    connection: Connection, stamps: Sequence[datetime], number: int, rounds: int
) -> dict[str, float | None]:
    """Read the newest so many rows by either way, in turns; and where the product would change over after that."""
    from benchmarks.workspace import threshold, up_to_rows_by_rest

    since = stamps[min(number, len(stamps)) - 1].astimezone(UTC).replace(microsecond=0)
    took: dict[str, list[float]] = {"rest": [], "bulk": []}
    for _ in range(rounds):
        for way, most in (("rest", _ALL), ("bulk", -1)):
            with up_to_rows_by_rest(most):
                took[way].append(seconds(connection, since))
    medians = {way: statistics.median(each) for way, each in took.items()}
    return {"rows": sum(stamp >= since for stamp in stamps), **medians, "threshold": threshold(connection)}


def main(url: str, scale: str, rounds: str, *numbers: str) -> None:
    """Read each number of rows so many times by each way."""
    django.setup()
    from benchmarks import workspace

    connection, deals, wanted = (
        workspace.connected(url, f"n{scale}"),
        Deals(url, scale),
        sorted(map(int, numbers)),
    )
    deals.change([number for number in wanted if number < _FEW])
    stamps = deals.stamps()
    print(json.dumps({"lines": [line(connection, stamps, number, int(rounds)) for number in wanted]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
