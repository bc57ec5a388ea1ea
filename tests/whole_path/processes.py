"""The program's real processes on a test's own database and its own Redis database: started, waited for, ended."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import httpx
import redis

from tests.conftest import ROOT, WorkerDatabase
from tests.unencrypted import UNENCRYPTED

T = TypeVar("T")
SECONDS = 30.0
_CELERY = (
    sys.executable,
    "-W",
    "ignore:You're running the worker with",
    "-m",
    "celery",
    "-q",
    "-A",
    "revops_admin",
)


class DidNotHappen(AssertionError):
    """What a test waited for did not come about in time."""


def until(what: str, ask: Callable[[], T], *, seconds: float = SECONDS) -> T:
    """Ask a few times a second until the answer is true; give it. Raises: DidNotHappen."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise DidNotHappen(
                f"{what} did not happen in {seconds:g} seconds; the last answer was {answer!r}"
            )
        time.sleep(0.1)
    return answer


def own_redis(redis_url: str, worker_id: str) -> str:
    """Another database of that Redis for each xdist worker, emptied: nobody else's worker takes our tasks."""
    number = 1 + int(worker_id.removeprefix("gw")) % 15 if worker_id.startswith("gw") else 15
    url = urlunsplit(urlsplit(redis_url)._replace(path=f"/{number}"))
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return url


def environment_of(database: WorkerDatabase, worker_id: str) -> dict[str, str]:
    """The variables of a process that works on the worker's database."""
    services = database.services
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "revops_admin.settings.testing",
        "DATABASE_URL": services.database_url,
        "DATABASE_OWNER_URL": services.database_owner_url,
        "REDIS_URL": own_redis(services.redis_url, worker_id),
        "PYTHONPATH": str(ROOT),
    }


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Processes:
    """What one test file has running; each process leads its own group and writes to its own log."""

    def __init__(self, variables: Mapping[str, str], directory: Path) -> None:
        self._variables = variables
        self._directory = directory
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str, **variables: str) -> None:
        """Start a process under that name."""
        with self._log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                command, cwd=ROOT, env={**self._variables, **variables}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def start_web(self) -> str:
        """Start gunicorn; gives its address once it answers."""
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        configuration = str(ROOT / "configs/process/gunicorn.py")
        command = (sys.executable, "-m", "gunicorn", "-c", configuration, "revops_admin.wsgi")
        self.start("web", *command, PORT=str(port), WEB_WORKERS="1", WEB_URL=address)
        until("an answer of the web process", lambda: self._answers("web", f"{address}/health/live"))
        return address

    def start_sandbox(self, *organisations: str) -> str:
        """Start the sandbox CRM with these ``NAME=SCALE:SEED[:FILE]``; gives its address once it answers."""
        arguments = [part for organisation in organisations for part in ("--org", organisation)]
        self.start("sandbox", sys.executable, "-m", "sandbox", "--port", "0", *arguments)
        found = until("the sandbox's address", lambda: self._said("sandbox", r"ready at (http://[^/]+)/"))
        return str(found[1]) if found else ""

    def start_worker(self) -> None:
        """Start a Celery worker."""
        self.start("worker", *_CELERY, "worker", "--loglevel", "INFO", "--concurrency", "2")

    def start_beat(self) -> None:
        """Start beat."""
        schedule = str(self._directory / "beat")
        self.start("beat", *_CELERY, "beat", "--loglevel", "INFO", "--schedule", schedule, "--pidfile", "")

    def kill(self, *names: str) -> None:
        """SIGKILL to whole groups, as the kernel does when memory runs out."""
        for name in names:
            process = self._running.pop(name)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def end(self) -> None:
        """End all of them: politely, then by force."""
        for process in self._running.values():
            process.terminate()
        for name, process in self._running.items():
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise DidNotHappen(f"{name} did not end on SIGTERM:\n{self.log(name)}") from None

    def log(self, name: str) -> str:
        """What a process said so far."""
        return self._log(name).read_text(errors="replace")

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"

    def _require_alive(self, name: str) -> None:
        if self._running[name].poll() is not None:
            raise DidNotHappen(f"{name} ended:\n{self.log(name)}")

    def _said(self, name: str, pattern: str) -> re.Match[str] | None:
        self._require_alive(name)
        return re.search(pattern, self.log(name))

    def _answers(self, name: str, address: str) -> bool:
        self._require_alive(name)
        try:
            return httpx.get(address, verify=UNENCRYPTED).is_success
        except httpx.TransportError:
            return False


@contextmanager
def processes_on(
    database: WorkerDatabase, worker_id: str, directory: Path, **variables: str
) -> Iterator[Processes]:
    """Processes that work on the worker's database; ended when the block is left."""
    running = Processes({**environment_of(database, worker_id), **variables}, directory)
    try:
        yield running
    finally:
        running.end()
