"""What benchmarks stand on: servers of their own, databases that are thrown away, the sandbox CRM, processes that are measured."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

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
_TRIES = 300


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


def median(outcomes: Sequence[Outcome]) -> Outcome:
    """The one in the middle by seconds; of an even number the faster of the two."""
    middle = statistics.median_low([each.seconds for each in outcomes])
    return next(each for each in outcomes if each.seconds == middle)


@contextmanager
def servers() -> Iterator[Services]:
    """PostgreSQL and Redis of the benchmarks' own, as durable as in production; ended afterwards."""
    HOME.mkdir(parents=True, exist_ok=True)
    services = ensure_services(HOME, durable=True)
    try:
        yield services
    finally:
        stop_services(HOME)


@contextmanager
def migrated(services: Services, name: str) -> Iterator[str]:
    """The name of a database with empty tables, to be copied; dropped afterwards."""
    template = f"{name}_template"
    drop_database(services, template)
    made = create_database(services, template)
    command = [sys.executable, "manage.py", "migrate", "--database", "owner", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment(made), check=True)
    try:
        yield template
    finally:
        drop_database(services, template)


@contextmanager
def copied(services: Services, template: str, name: str) -> Iterator[Services]:
    """A copy of a database, dropped afterwards."""
    drop_database(services, name)
    create_database(services, name, template=template)
    try:
        yield at_database(services, name)
    finally:
        drop_database(services, name)


def environment(services: Services) -> dict[str, str]:
    """The variables of a process that works in the database of ``services``, as a local installation does."""
    return {
        **os.environ,
        "REVOPS_HOME": str(HOME),
        "DJANGO_SETTINGS_MODULE": "revops_admin.settings.local",
        "DATABASE_URL": services.database_url,
        "DATABASE_OWNER_URL": services.database_owner_url,
        "DATABASE_ADMIN_URL": str(services.database_admin_url),
        "REDIS_URL": services.redis_url,
        "TENANT_CONFIG_DIR": str(HOME / "configs"),
    }


def told(command: Sequence[str | Path], variables: Mapping[str, str]) -> dict[str, Any]:
    """Run a program to its end; gives the JSON document that its last line is."""
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, env=dict(variables), check=True, stdout=subprocess.PIPE, text=True
    )
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


@contextmanager
def sandbox(organisations: Sequence[int] = (), portals: Sequence[int] = ()) -> Iterator[str]:
    """The address of a CRM with an organisation ``n<deals>`` and a portal ``n<deals>`` for each number, made once and kept."""
    wanted = [part for scale in organisations for part in ("--org", f"n{scale}={scale}:1")]
    wanted += [part for scale in portals for part in ("--portal", f"n{scale}={scale}:1")]
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--home", str(HOME / "sandbox"), *wanted]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        url = _address(process.stderr)
        _until_it_answers(url)
        yield url
    finally:
        process.terminate()
        process.wait()


def _address(said: IO[str]) -> str:
    for line in said:
        print(line, end="", file=sys.stderr, flush=True)
        if found := re.search(r"ready at (http://[^/]+)/", line):
            return found[1]
    raise SystemExit("The sandbox did not start.")


def _until_it_answers(url: str) -> None:
    """It says that it is ready a moment before it listens."""
    for _ in range(_TRIES):
        try:
            sandbox_ask(f"{url}/_sandbox/health")
        except urllib.error.URLError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"The sandbox does not answer at {url}.")


def sandbox_ask(address: str, body: object = None, *, method: str | None = None) -> Any:
    """What a control address of the sandbox answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, method=method)  # noqa: S310 - the sandbox
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
        return json.load(answer)


def in_turns(contenders: Mapping[str, Callable[[], Outcome]], rounds: int) -> dict[str, Outcome]:
    """The median of each contender; all meet the same noise."""
    found: dict[str, list[Outcome]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            found[name].append(run())
    return {name: median(outcomes) for name, outcomes in found.items()}
