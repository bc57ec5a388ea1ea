"""``make up`` and its ends: everything of one home, under one supervisor."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from revops_admin.runtime import environment, ports
from revops_admin.runtime import home as homes
from revops_admin.runtime.console import Console
from revops_admin.runtime.errors import RuntimeProblem
from revops_admin.runtime.place import Place, greeting, place
from revops_admin.runtime.services import are_kept, ensure_services, stop_services
from revops_admin.runtime.supervisor import STOP_SECONDS, Process, Supervisor, end_orphans

# What a home holds. Reset deletes by name, so that a REVOPS_HOME set to the wrong directory loses nothing.
_OURS = (
    "logs", "run", "secrets", "sandbox", "media", "static", "test", "valkey", "postgres-*", "services.json",
    "demo.json", "sandbox.txt", "people-*.csv",
)  # fmt: skip
_GUARD_SECONDS = 5.0


def up(home: Path) -> int:
    """Run everything of ``home`` until Ctrl-C or SIGTERM; return 0, or the code of the step that failed.

    Raises: RuntimeProblem before anything is started, where the home or a port cannot be used or is in use.
    """
    os.umask(0o077)
    here = place(home)
    homes.prepare(home)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _only_one(home):
            end_orphans(home)
            ports.require_free(here.port, "PORT")
            ports.require_free(here.sandbox_port, "SANDBOX_PORT")
            with _services(home):
                return _run(here)
    except KeyboardInterrupt:
        return 0


def down(home: Path) -> list[str]:
    """End a running ``up`` of ``home``, what a killed one left, and its servers; return what ended."""
    ended = ["the program"] if _end_up(home) else []
    if end_orphans(home) and not ended:
        ended = ["what a killed run had left"]
    return ended + stop_services(home)


def reset(home: Path, *, confirmed: bool) -> int:
    """Ask, end everything, and delete what ``home`` holds; return 1 where the answer was no."""
    if not home.is_dir():
        print(f"{home} does not exist: nothing to delete.")
        return 0
    if not (confirmed or _agrees(home)):
        print("Nothing was deleted. Say yes, or run: make reset CONFIRM=yes", file=sys.stderr)
        return 1
    down(home)
    down(home / "test")
    for pattern in _OURS:
        for path in home.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not any(home.iterdir()):
        home.rmdir()
    print(f"Deleted the data in {home}.")
    return 0


def _run(here: Place) -> int:
    variables = os.environ | _variables(here)
    _manage(here, variables, "migrate", "--database", "owner", "--no-input", "--verbosity", "0")
    _manage(here, variables, "demo_people", "--home", str(here.home))
    (here.home / "static").mkdir(exist_ok=True)  # whitenoise warns of a missing one, though finders serve all
    processes = list(_processes(here))
    console = Console([process.name for process in processes if not process.once])
    print(f"Starting {', '.join(process.name for process in processes if not process.once)} …", flush=True)
    supervisor = Supervisor(here.home, console, _Guard(here.home), lambda: greeting(here))
    return supervisor.run(processes, variables)


def _variables(here: Place) -> dict[str, str]:
    loaded = environment.load(here.home)
    return loaded | {
        "WEB_URL": here.web_url,
        "SANDBOX_URL": here.sandbox_url,
        "PORT": str(here.port),
        "SANDBOX_PORT": str(here.sandbox_port),
        "PYTHONUNBUFFERED": "1",
    }


def _processes(here: Place) -> Iterator[Process]:
    python = sys.executable
    # On a developer's machine root is common, and six lines of warning at each start say nothing new.
    celery = (
        python,
        "-W",
        "ignore:You're running the worker with",
        "-m",
        "celery",
        "-q",
        "-A",
        "revops_admin",
    )
    yield Process("sandbox", (python, "-m", "sandbox", *_sandbox_arguments(here)))
    configuration = str(homes.project_root() / "configs/process/gunicorn.py")
    yield Process("web", (python, "-m", "gunicorn", "-c", configuration, "revops_admin.wsgi"))
    yield Process("worker", (*celery, "worker", "--loglevel", "INFO", "--concurrency", "4"))
    schedule = str(here.home / "run" / "beat")
    yield Process("beat", (*celery, "beat", "--loglevel", "INFO", "--schedule", schedule, "--pidfile", ""))
    yield Process(
        "setup", (python, "-m", "revops_admin.runtime", "welcome", "--home", str(here.home)), once=True
    )


def _sandbox_arguments(here: Place) -> list[str]:
    crms = (here.home / "sandbox.txt").read_text().split("\n")
    return ["--port", str(here.sandbox_port), "--home", str(here.home / "sandbox"), *filter(None, crms)]


def _manage(here: Place, variables: dict[str, str], *arguments: str) -> None:
    manage = homes.project_root() / "manage.py"
    done = subprocess.run([sys.executable, manage, *arguments], env=variables, check=False)
    if done.returncode:
        raise RuntimeProblem(f"manage.py {arguments[0]} failed with exit code {done.returncode}; see above.")


class _Guard:
    """Starts an embedded server again that died; called a few times a second, looks every five seconds."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._next = time.monotonic() + _GUARD_SECONDS

    def __call__(self) -> None:
        if time.monotonic() >= self._next:
            ensure_services(self._home)
            self._next = time.monotonic() + _GUARD_SECONDS


@contextmanager
def _services(home: Path) -> Iterator[None]:
    """Have the servers running; at the end, stop them unless somebody asked for them on their own."""
    try:
        ensure_services(home)
        yield
    finally:
        if not are_kept(home):
            stop_services(home)


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    with _record(home).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RuntimeProblem(
                f"REVOPS_HOME: the program already runs in {home} (process {_record(home).read_text()}). "
                "End it with make down, or set REVOPS_HOME, PORT and SANDBOX_PORT for a second one."
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _record(home: Path) -> Path:
    return home / "run" / "up.pid"


def _end_up(home: Path) -> bool:
    """Send SIGTERM to the ``up`` that holds the lock of ``home`` and wait until it lets go."""
    if not _record(home).exists():
        return False
    with _record(home).open() as file:
        if not _is_locked(file.fileno()):
            return False
        os.kill(int(file.read()), signal.SIGTERM)
        deadline = time.monotonic() + 2 * STOP_SECONDS
        while _is_locked(file.fileno()):
            if time.monotonic() > deadline:
                raise RuntimeProblem(f"The program in {home} does not end; see its terminal.")
            time.sleep(0.1)
    return True


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def _agrees(home: Path) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"Delete the database and everything else in {home}? Type yes: ").strip() == "yes"


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
