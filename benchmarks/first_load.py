"""The first load of a CRM, against the same bytes fetched and merged by a bare script, and against dlt.

Every contender starts with empty tables on the same server and reads the same sandbox. The floor is one COPY and one INSERT an
object, as administrator: no row security, no checks of values, no progress, no resumption. Ours is the product's own run.
The peer loads the deals alone, by dlt's usual way (REST pages, merge on Id), and is compared by rows a second.
``python -m benchmarks.first_load [--deals 100000 1000000] [--rounds 3] [--no-peer]``
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from revops_admin.runtime.services import (
    Services,
    at_database,
    create_database,
    drop_database,
    ensure_services,
    stop_services,
)

ROOT = Path(__file__).resolve().parents[1]
HOME = Path(os.environ.get("REVOPS_HOME") or ROOT / ".local").absolute() / "bench"
TEMPLATE, DATABASE = "bench_first_load_template", "bench_first_load"
FLOOR_GOAL, PEER_GOAL, MEMORY_GOAL = 0.6, 5.0, 1.3
PEER_DEALS = 100_000


@dataclass(frozen=True)
class Outcome:
    """Rows loaded, seconds that it took, and the loader's peak memory in MB."""

    rows: int
    seconds: float
    megabytes: float

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


@contextmanager
def sandbox(scales: Sequence[int]) -> Iterator[str]:
    """The CRM, made once and kept for the next time."""
    organisations = [part for scale in scales for part in ("--org", f"n{scale}={scale}:1")]
    command = [
        sys.executable,
        "-m",
        "sandbox",
        "--port",
        "0",
        "--home",
        str(HOME / "sandbox"),
        *organisations,
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        yield _address(process.stderr)
    finally:
        process.terminate()
        process.wait()


def _address(said: IO[str]) -> str:
    for line in said:
        print(line, end="", flush=True)
        if found := re.search(r"ready at (http://[^/]+)/", line):
            return found[1]
    raise SystemExit("The sandbox did not start.")


def _environment(services: Services) -> dict[str, str]:
    return {
        **os.environ,
        "REVOPS_HOME": str(HOME),
        "DJANGO_SETTINGS_MODULE": "revops_admin.settings.local",
        "DATABASE_URL": services.database_url,
        "DATABASE_OWNER_URL": services.database_owner_url,
        "DATABASE_ADMIN_URL": str(services.database_admin_url),
        "CRM_ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
    }


def make_template(services: Services) -> None:
    """A migrated, empty database to copy."""
    drop_database(services, TEMPLATE)
    made = create_database(services, TEMPLATE)
    command = [sys.executable, "manage.py", "migrate", "--database", "owner", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=_environment(made), check=True)


def measure(services: Services, contender: Sequence[str], url: str, scale: int) -> Outcome:
    """Run a contender on an empty database in a process of its own."""
    drop_database(services, DATABASE)
    create_database(services, DATABASE, template=TEMPLATE)
    environment = _environment(at_database(services, DATABASE))
    done = subprocess.run(
        [*contender, url, f"n{scale}"],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def _median(outcomes: Sequence[Outcome]) -> Outcome:
    middle = statistics.median_low([each.seconds for each in outcomes])
    return next(each for each in outcomes if each.seconds == middle)


def _tell(name: str, scale: int, outcome: Outcome) -> None:
    print(
        f"{name:<6} {scale:>9,} deals  {outcome.rows:>10,} rows  {outcome.seconds:8.1f} s"
        f"  {outcome.rate:9,.0f} rows/s  {outcome.megabytes:6.0f} MB",
        flush=True,
    )


def contend(services: Services, url: str, scale: int, rounds: int) -> tuple[Outcome, Outcome]:
    """(ours, floor) at a scale, in turns, as medians."""
    contenders = {name: (sys.executable, "-m", f"benchmarks.first_load_{name}") for name in ("floor", "ours")}
    found: dict[str, list[Outcome]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, command in contenders.items():
            found[name].append(measure(services, command, url, scale))
    medians = {name: _median(outcomes) for name, outcomes in found.items()}
    for name, outcome in medians.items():
        _tell(name, scale, outcome)
    return medians["ours"], medians["floor"]


def peer(services: Services, url: str, scale: int) -> Outcome:
    """dlt, in an environment of its own."""
    home = HOME / "peer"
    if not (home / "bin/python").exists():
        venv.create(home, with_pip=True)
    install = [home / "bin/python", "-m", "pip", "install", "--quiet", "-r", ROOT / "requirements-bench.txt"]
    subprocess.run(list(map(str, install)), check=True)
    script = str(ROOT / "benchmarks/first_load_peer.py")
    outcome = measure(services, (str(home / "bin/python"), script), url, scale)
    _tell("dlt", scale, outcome)
    return outcome


def main() -> None:
    """Measure and print; the ratios stand last."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--deals", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=3, help="at the smallest scale; larger ones run once")
    parser.add_argument("--no-peer", action="store_true")
    options = parser.parse_args()
    HOME.mkdir(parents=True, exist_ok=True)
    services = ensure_services(HOME, durable=True)
    try:
        with sandbox(options.deals) as url:
            _compare(services, url, options)
    finally:
        for name in (DATABASE, TEMPLATE):
            drop_database(services, name)
        stop_services(HOME)


def _compare(services: Services, url: str, options: argparse.Namespace) -> None:
    make_template(services)
    scales = sorted(options.deals)
    ours = {}
    for scale in scales:
        ours[scale], floor = contend(services, url, scale, options.rounds if scale == scales[0] else 1)
        print(f"  of the floor: {floor.seconds / ours[scale].seconds:.2f} (goal {FLOOR_GOAL})", flush=True)
    if not options.no_peer:
        theirs = peer(services, url, scales[0])
        print(f"  times the peer: {ours[scales[0]].rate / theirs.rate:.1f} (goal {PEER_GOAL})", flush=True)
    if len(scales) > 1:
        growth = ours[scales[-1]].megabytes / ours[scales[0]].megabytes
        print(f"  memory at {scales[-1]:,} over {scales[0]:,}: {growth:.2f} (goal {MEMORY_GOAL})", flush=True)


if __name__ == "__main__":
    main()
