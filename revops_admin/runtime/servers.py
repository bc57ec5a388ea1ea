"""Starting, finding and ending one server process of a home."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from revops_admin.runtime.accounts import Account
from revops_admin.runtime.errors import RuntimeProblem

START_SECONDS = 60.0
STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Server:
    """A server found running: its process id and port on 127.0.0.1."""

    pid: int
    port: int


def is_ours(pid: int, mark: Path) -> bool:
    """Tell whether process ``pid`` lives and names ``mark`` in its command line."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(mark) in process.cmdline()
    except psutil.Error:
        return False


def answers_yet(pid: int, mark: Path, is_ready: Callable[[], bool]) -> bool:
    """Wait until the server answers; ``False`` where it ends instead, as one does that was just killed.

    Raises: RuntimeProblem, where it neither answers nor ends within a minute.
    """
    deadline = time.monotonic() + START_SECONDS
    while is_ours(pid, mark):
        if is_ready():
            return True
        if time.monotonic() > deadline:
            raise RuntimeProblem(f"Process {pid} serves {mark} and does not answer. End it, and try again.")
        time.sleep(0.02)
    return False


def launch(
    name: str, account: Account, argv: list[str | Path], log: Path, is_ready: Callable[[], bool]
) -> subprocess.Popen[bytes]:
    """Start a server in a session of its own, its output going to ``log``, and wait until it answers.

    Raises: RuntimeProblem with the end of the log, where it ends or does not answer within a minute.
    """
    with log.open("ab") as output:  # a file: the server would keep a pipe open after us
        process = subprocess.Popen(
            account.command(*argv),
            cwd="/",
            env={"LC_ALL": "C", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **account.identity,
        )
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeProblem(f"{name} did not start. The end of {log}:\n{tail(log)}")
        time.sleep(0.02)
    return process


def run(account: Account, *argv: str | Path) -> None:
    """Run a server's tool to its end.

    Raises: RuntimeProblem with the tool's output, where it fails.
    """
    done = subprocess.run(
        account.command(*argv),
        cwd="/",
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **account.identity,
    )
    if done.returncode != 0:
        raise RuntimeProblem(f"{Path(argv[0]).name} failed:\n{done.stdout.strip()}")


def end(pid: int, signal_number: int) -> None:
    """End process ``pid`` with ``signal_number`` and wait; SIGKILL where it does not end in time."""
    try:
        process = psutil.Process(pid)
        process.send_signal(signal_number)
        if not _is_gone_within(STOP_SECONDS, process):
            process.kill()
            _is_gone_within(STOP_SECONDS, process)
    except psutil.NoSuchProcess:
        return


def _is_gone_within(seconds: float, process: psutil.Process) -> bool:
    """Wait; a zombie counts as gone, because some containers' init collects it late or never."""
    deadline = time.monotonic() + seconds
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def tail(log: Path, lines: int = 12) -> str:
    """Return the last ``lines`` of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
