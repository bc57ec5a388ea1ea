"""One supervisor (circus) for the program's processes: restarts what dies, ends all of them together."""

import os
import shlex
import signal
import time
from asyncio import Future
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import psutil
from circus.arbiter import Arbiter
from circus.exc import ConflictError
from circus.process import DEAD_OR_ZOMBIE, UNEXISTING
from circus.watcher import Watcher
from tornado.ioloop import IOLoop, PeriodicCallback

from revops_admin.runtime.console import Console

STOP_SECONDS = 20.0
_FIRST_DELAY_SECONDS = 1.0
_LONGEST_DELAY_SECONDS = 30.0
# A process that lived this long was well: its next death starts counting afresh.
_WELL_AFTER_SECONDS = 60.0
_CHECK_SECONDS = 0.5
_POLL_MILLISECONDS = 200
_ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True)
class Process:
    """One process: its command, and whether it runs for ever or once, writing to the terminal itself."""

    name: str
    argv: tuple[str, ...]
    once: bool = False
    environment: dict[str, str] = field(default_factory=dict)


class PatientWatcher(Watcher):  # type: ignore[misc]  # circus carries no types
    """Starts a process again after a pause that doubles with each early death: 1, 2, 4 … 30 seconds."""

    def __init__(self, process: Process, supervisor: "Supervisor", environment: dict[str, str]) -> None:
        self._supervisor = supervisor
        self._once = process.once
        self._deaths = 0
        self._not_before = 0.0
        console = supervisor.console
        outputs = (
            {}
            if process.once
            else {f"{name}_stream": {"stream": console.stream(process.name)} for name in ("stdout", "stderr")}
        )
        super().__init__(
            process.name,
            shlex.quote(process.argv[0]),
            args=list(process.argv[1:]),
            env=environment | process.environment,
            respawn=not process.once,
            graceful_timeout=STOP_SECONDS,
            singleton=True,
            **outputs,
        )

    def spawn_process(self, recovery_wid: int | None = None) -> float | bool:
        """Start the process, unless its pause is not over."""
        if time.monotonic() < self._not_before:
            return True
        started: float | bool = super().spawn_process(recovery_wid)
        self._supervisor.remember(self.name, self.get_active_pids())
        return started

    def manage_processes(self) -> "Future[None]":
        """Reap before circus looks: it drops a process that it finds dead without telling how it ended."""
        for process in list(self.processes.values()):
            if process.status in (DEAD_OR_ZOMBIE, UNEXISTING):
                self.reap_process(process.pid)
        managed: Future[None] = super().manage_processes()
        return managed

    def reap_process(self, pid: int, status: int | None = None) -> None:
        """Note a death: end what the process left behind, and say when it starts again."""
        process = self.processes.get(pid)
        age = process.age() if process else 0.0
        super().reap_process(pid, status)
        _end_group(pid)
        if process is None or self.is_stopping() or self.is_stopped():
            return
        if self._once:
            self._supervisor.once_ended(self.name, _exit_code(status))
            return
        self._deaths = 1 if age > _WELL_AFTER_SECONDS else self._deaths + 1
        pause = min(_FIRST_DELAY_SECONDS * 2 ** (self._deaths - 1), _LONGEST_DELAY_SECONDS)
        self._not_before = time.monotonic() + pause
        self._supervisor.console.line(self.name, f"ended ({_how(status)}); starts again in {pause:.0f} s")


class Supervisor:
    """Runs processes until a signal, or until a run-once process fails.

    ``on_check`` is called a few times a second; ``greeting`` gives what to say when a run-once process succeeded.
    """

    def __init__(
        self, home: Path, console: Console, on_check: Callable[[], None], greeting: Callable[[], str]
    ) -> None:
        self.console = console
        self._greeting = greeting
        self._records = home / "run" / "processes"
        self._on_check = on_check
        self._ending = False
        self._exit_code = 0

    def run(self, processes: Iterable[Process], environment: dict[str, str]) -> int:
        """Run ``processes`` until the end; return 0, or the code of a run-once process that failed."""
        self._records.mkdir(exist_ok=True)
        watchers = [PatientWatcher(process, self, environment) for process in processes]
        # inproc: circus's control channel, which can start programs, exists within this process only.
        arbiter = Arbiter(watchers, "inproc://control", "inproc://events", check_delay=_CHECK_SECONDS)
        for number in _ENDING_SIGNALS:
            signal.signal(number, self._on_signal)
        self._poll = PeriodicCallback(lambda: self._check(arbiter), _POLL_MILLISECONDS)
        self._poll.start()
        if self.console.is_terminal and any(process.once for process in processes):
            self.console.hold()
        arbiter.start()
        self.console.release()
        return self._exit_code

    def once_ended(self, name: str, code: int) -> None:
        """Greet the user, last of all lines so far; or, where the run-once process failed, end everything."""
        self.console.release()
        if code:
            self.console.line(name, f"failed with exit code {code}; ending the others")
            self._exit_code, self._ending = code, True
        else:
            self.console.say(self._greeting())

    def remember(self, name: str, pids: list[int]) -> None:
        """Write down which processes run, for ``end_orphans``."""
        lines = [f"{pid} {created}" for pid in pids if (created := _created_at(pid)) is not None]
        (self._records / name).write_text("\n".join(lines))

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._ending = True

    def _check(self, arbiter: Arbiter) -> None:
        if not self._ending:
            self._on_check()
            return
        try:
            stopped = arbiter.stop()
        except ConflictError:
            return  # circus is busy and drops the request; the next round asks again
        self._poll.stop()
        arbiter.ctrl.caller.stop()
        IOLoop.current().add_future(stopped, lambda future: future.result())


def end_orphans(home: Path) -> int:
    """End the processes of a supervisor that was killed; return how many there were."""
    records = home / "run" / "processes"
    files = sorted(records.glob("*")) if records.is_dir() else []
    orphans = [
        found for file in files for line in file.read_text().splitlines() if (found := _orphan(*line.split()))
    ]
    for orphan in orphans:
        orphan.terminate()
    _, stubborn = psutil.wait_procs(orphans, STOP_SECONDS)
    for orphan in stubborn:
        orphan.kill()
    for orphan in orphans:
        _end_group(orphan.pid)
    for file in files:
        file.unlink()
    return len(orphans)


def _created_at(pid: int) -> float | None:
    try:
        created: float = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None
    return created


def _orphan(pid: str, created: str) -> psutil.Process | None:
    """Return the process if it is still the one that was written down, and not a stranger with its number."""
    try:
        process = psutil.Process(int(pid))
        return process if abs(process.create_time() - float(created)) < 1 else None
    except psutil.NoSuchProcess:
        return None


def _end_group(leader: int) -> None:
    """Every process leads a group of its own; what is left in it has no parent to end it any more."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def _exit_code(status: int | None) -> int:
    return os.waitstatus_to_exitcode(status) if status is not None else 0


def _how(status: int | None) -> str:
    code = _exit_code(status)
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
