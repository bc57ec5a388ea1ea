"""The first load of a CRM, against the same bytes fetched and merged by a bare script, and against programs that others wrote.

Every contender starts with empty tables on the same durable server and reads the same sandbox. The floor is one COPY and one INSERT
an object, as administrator: no row security, no checks of values, no progress, no resumption. Ours is the product's own run.
Peers load the deals alone; beside them stand a floor and a run of ours that load the deals and their owners, all by rows a second.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.ground import (
    HOME,
    ROOT,
    Outcome,
    copied,
    environment,
    in_turns,
    migrated,
    sandbox,
    servers,
    told,
)
from revops_admin.runtime.services import Services

FLOOR_GOAL, PEER_GOAL, MEMORY_GOAL = 0.7, 5.0, 1.3
REQUIREMENTS = "benchmarks/peers/requirements"
DEALS_ALONE = ("User", "Opportunity")


@dataclass(frozen=True)
class Peer:
    """A program to compare with: its environments, one for each lock file, and the module that runs it.

    ``is_within``: that module runs in the first environment, else in ours, and starts programs of the others.
    """

    name: str
    locks: tuple[str, ...]
    module: str
    is_within: bool = False


PEERS = (
    Peer("dlt", ("dlt",), "dlt_load", is_within=True),
    Peer("tap-salesforce", ("tap-salesforce", "target-postgres"), "singer_load"),
    Peer("Airbyte", ("airbyte-source",), "airbyte_load"),
    Peer("pandas loop", ("pandas-loop",), "pandas_load"),
)


@dataclass(frozen=True)
class Ground:
    """Where contenders meet: the servers, a database to copy, and the CRM's address."""

    services: Services
    template: str
    url: str

    def measured(self, contender: Sequence[str | Path], scale: int, *arguments: str) -> Outcome:
        """Run a contender on an empty database in a process of its own."""
        with copied(self.services, self.template, "bench_first_load") as copy:
            variables = {**environment(copy), "PEER_HOME": str(HOME / "peers")}
            return Outcome(**told([*contender, self.url, f"n{scale}", *arguments], variables))


def install(peer: Peer) -> None:
    """Make the peer's environments, unless they are there."""
    for lock in peer.locks:
        venv, file = HOME / "peers" / lock, f"{REQUIREMENTS}/{lock}.txt"
        subprocess.run([sys.executable, "revops_admin/runtime/install.py", venv, file], cwd=ROOT, check=True)


def _contender(name: str) -> list[str | Path]:
    return [sys.executable, "-m", f"benchmarks.first_load_{name}"]


def _peer_command(peer: Peer) -> list[str | Path]:
    python = HOME / "peers" / peer.locks[0] / "bin/python" if peer.is_within else sys.executable
    return [python, "-m", f"benchmarks.peers.{peer.module}"]


def whole(ground: Ground, scale: int, rounds: int) -> dict[str, Outcome]:
    """Floor and ours with all objects, as medians."""
    runs: dict[str, Callable[[], Outcome]] = {
        name: partial(ground.measured, _contender(name), scale) for name in ("floor", "ours")
    }
    found = in_turns(runs, rounds)
    _tell(f"all objects of {scale:,} deals, {_times(rounds)}", found)
    ratio = found["floor"].seconds / found["ours"].seconds
    print(f"  of the floor: {ratio:.2f} (goal {FLOOR_GOAL})", flush=True)
    return found


def deals_alone(ground: Ground, scale: int, rounds: int, peers: Sequence[Peer]) -> None:
    """Floor and ours with the deals and their owners, and each peer, as medians."""
    runs: dict[str, Callable[[], Outcome]] = {
        name: partial(ground.measured, _contender(name), scale, *DEALS_ALONE) for name in ("floor", "ours")
    }
    runs |= {peer.name: partial(ground.measured, _peer_command(peer), scale) for peer in peers}
    found = in_turns(runs, rounds)
    _tell(f"{scale:,} deals alone, {_times(rounds)}", found)
    for peer in peers:
        ratio = found["ours"].rate / found[peer.name].rate
        print(f"  times {peer.name}: {ratio:.1f} (goal {PEER_GOAL})", flush=True)


def _times(rounds: int) -> str:
    return f"median of {rounds}" if rounds > 1 else "once"


def _tell(what: str, found: dict[str, Outcome]) -> None:
    print(f"\n{what}")
    for name, outcome in found.items():
        print(
            f"  {name:<15}{outcome.rows:>11,} rows {outcome.seconds:8.1f} s {outcome.rate:10,.0f} rows/s"
            f" {outcome.megabytes:6.0f} MB",
            flush=True,
        )


def main() -> None:
    """Measure and print; the ratios stand below their table."""
    options = _options()
    scales = sorted(options.deals)
    rounds = dict(zip(scales, [*options.rounds, *options.rounds[-1:] * len(scales)], strict=False))
    peers = [peer for peer in PEERS if peer.name in options.peers]
    for peer in peers:
        install(peer)
    wanted = sorted({*scales, options.peer_deals} if peers else scales)
    with servers() as services, migrated(services, "bench_first_load") as template, sandbox(wanted) as url:
        ground = Ground(services, template, url)
        memory = {scale: whole(ground, scale, rounds[scale])["ours"].megabytes for scale in scales}
        if peers:
            deals_alone(ground, options.peer_deals, options.peer_rounds, peers)
    if len(scales) > 1:
        growth = memory[scales[-1]] / memory[scales[0]]
        print(f"\nMemory at {scales[-1]:,} deals over {scales[0]:,}: {growth:.2f} (goal {MEMORY_GOAL})")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.first_load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [peer.name for peer in PEERS]
    add = parser.add_argument
    add("--deals", type=int, nargs="*", default=[10_000, 100_000, 1_000_000], help="scales of the whole load")
    add(
        "--rounds", type=int, nargs="+", default=[5, 5, 3], metavar="N",
        help="of each scale, the smallest first; the last number holds for the rest (default: 5 5 3)",
    )  # fmt: skip
    add(
        "--peers",
        nargs="*",
        default=names,
        choices=names,
        metavar="NAME",
        help=f"of {', '.join(names)}; none without names",
    )
    add("--peer-deals", type=int, default=100_000, help="scale of the deals alone (default: %(default)s)")
    add("--peer-rounds", type=int, default=5, help="of each peer (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
