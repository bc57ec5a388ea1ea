"""Many workspaces whose first sync is due at the same moment, and what a large one among them does to the small ones.

The real thing: beat's tick, the dispatcher, and one worker of four processes with everything that a sync sets off. All small workspaces
read one organisation of the sandbox. Printed is how late they are done, counted from the moment when all fell due: first without the
large workspace, then with it.
"""

from __future__ import annotations

import argparse
import math
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg
import redis

from benchmarks.ground import HOME, ROOT, copied, environment, migrated, sandbox, sandbox_ask, servers, told
from revops_admin.runtime.services import Services, at_database

PROCESSES = 4
GROWTH_GOAL = 1.3
_LOOK_SECONDS = 1.0
_DUE = """
    UPDATE crm_sync_syncschedule s SET is_paused = false, due_at = clock_timestamp()
    FROM tenants_tenant t
    WHERE t.id = s.tenant_id AND (%(with_large)s OR t.slug <> 'large')
"""
_ENDED = """
    SELECT t.slug = 'large', r.state, r.finished_at, r.error_message
    FROM crm_sync_syncrun r JOIN tenants_tenant t ON t.id = r.tenant_id
    WHERE r.state IN ('succeeded', 'failed')
"""


@dataclass(frozen=True)
class Lateness:
    """Seconds from the moment when all were due until the small ones were done, ordered; and until the large one was (None: is not)."""

    small: list[float]
    large: float | None

    def share(self, of: float) -> float:
        """The lateness by which such a share of the small ones were done."""
        return self.small[max(0, math.ceil(len(self.small) * of) - 1)]


@contextmanager
def program(services: Services) -> Iterator[None]:
    """A worker and beat; ended with everything below them."""
    HOME.joinpath("run").mkdir(exist_ok=True)
    schedule = HOME / "run" / "thousand-tenants-beat"
    for old in HOME.joinpath("run").glob(f"{schedule.name}*"):
        old.unlink()
    celery = (
        sys.executable,
        "-W",
        "ignore:You're running the worker with",
        "-m",
        "celery",
        "-q",
        "-A",
        "revops_admin",
    )
    commands = (
        (*celery, "worker", "--loglevel", "WARNING", "--concurrency", str(PROCESSES)),
        (*celery, "beat", "--loglevel", "WARNING", "--schedule", str(schedule), "--pidfile", ""),
    )
    variables = environment(services) | {"WORKER_CONCURRENCY": str(PROCESSES)}
    with (HOME / "logs" / "thousand-tenants.log").open("wb") as log:
        started = [
            subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=log, start_new_session=True)
            for command in commands
        ]
        try:
            yield
        finally:
            for process in started:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def lateness(services: Services, tenants: int, large: bool, limit_seconds: float) -> Lateness:
    """Let everything fall due, and watch until it is done. Exits where a sync fails, or nothing comes to an end in time."""
    redis.Redis.from_url(services.redis_url).flushdb()
    with (
        psycopg.connect(str(services.database_admin_url), autocommit=True) as administrator,
        program(services),
    ):
        _until_ready(administrator)
        administrator.execute(_DUE, {"with_large": large})
        due = _now(administrator)
        deadline = time.monotonic() + limit_seconds
        while time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            ended = administrator.execute(_ENDED).fetchall()
            _require_success(ended)
            if len(ended) >= tenants + large:
                return _of(ended, due)
        raise SystemExit(
            f"Only {len(ended):,} of {tenants + large:,} syncs were done after {limit_seconds:,.0f} s."
        )


def _until_ready(administrator: psycopg.Connection[tuple[object, ...]]) -> None:
    """Until a job was run: the worker has started, and its start is in nobody's lateness."""
    query = "SELECT EXISTS (SELECT FROM isolation_periodicjob WHERE runs > 0)"
    while not (administrator.execute(query).fetchone() or (False,))[0]:
        time.sleep(0.2)


def _now(administrator: psycopg.Connection[tuple[object, ...]]) -> datetime:
    row = administrator.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    assert isinstance(row[0], datetime)
    return row[0]


def _require_success(ended: list[tuple[object, ...]]) -> None:
    for _, state, _, message in ended:
        if state != "succeeded":
            raise SystemExit(f"A sync failed: {message}")


def _of(ended: list[tuple[object, ...]], due: datetime) -> Lateness:
    seconds = [
        (is_large, (at - due).total_seconds()) for is_large, _, at, _ in ended if isinstance(at, datetime)
    ]
    large = [late for is_large, late in seconds if is_large]
    return Lateness(sorted(late for is_large, late in seconds if not is_large), large[0] if large else None)


def _tell(what: str, found: Lateness) -> None:
    print(
        f"{what}: half of the small ones after {found.share(0.5):,.1f} s, nineteen in twenty after"
        f" {found.share(0.95):,.1f} s, the last after {found.small[-1]:,.1f} s"
        + (f"; the large one after {found.large:,.1f} s" if found.large is not None else ""),
        flush=True,
    )


def prepared(template: Services, url: str, options: argparse.Namespace) -> None:
    """Workspaces with connections and schedules at rest, and a sandbox that does not count their calls together."""
    for organisation in {options.deals, options.large} - {0}:
        limits = {"daily": 100_000_000, "bulk_jobs": 100_000_000}
        sandbox_ask(f"{url}/_sandbox/orgs/n{organisation}/limits", limits)
    numbers = map(str, (options.tenants, options.deals, options.large))
    made = told(
        [sys.executable, "-m", "benchmarks.thousand_tenants_setup", url, *numbers], environment(template)
    )
    print(
        f"\n{made['tenants']:,} workspaces of {options.deals:,} deals, made in {made['seconds']:.0f} s",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    options = _options()
    scales = sorted({options.deals, options.large} - {0})
    name = "bench_thousand_tenants"
    with servers() as services, migrated(services, name) as template, sandbox(scales) as url:
        prepared(at_database(services, template), url, options)
        found: dict[bool, list[Lateness]] = {large: [] for large in sorted({False, options.large > 0})}
        for large in [*found] * options.rounds:
            with copied(services, template, name) as copy:
                found[large].append(lateness(copy, options.tenants, large, options.limit_seconds))
            _tell(f"with one of {options.large:,} deals among them" if large else "alone", found[large][-1])
        if len(found) > 1:
            alone, among = (statistics.median(each.share(0.95) for each in found[large]) for large in found)
            print(
                f"nineteen in twenty, with the large one over without: {among / alone:.2f} (goal at most {GROWTH_GOAL})"
            )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.thousand_tenants", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--tenants", type=int, default=1_000, help="small workspaces (default: %(default)s)")
    add("--deals", type=int, default=1_000, help="deals of each small one (default: %(default)s)")
    add(
        "--large", type=int, default=200_000, help="deals of the large one; 0 for none (default: %(default)s)"
    )
    add("--rounds", type=int, default=1, help="of both, in turns (default: %(default)s)")
    add("--limit-seconds", type=float, default=3 * 3600, help="when to give up (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
