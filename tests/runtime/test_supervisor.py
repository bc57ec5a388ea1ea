"""The supervisor, with real processes and real signals."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from revops_admin.runtime import home as homes
from revops_admin.runtime.supervisor import end_orphans

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    homes.prepare(tmp_path)
    return tmp_path


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Start the supervised program; whatever is left of it is ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str = "") -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "tests.runtime.supervised", str(home), code]
        output = (home / "output").open("w")
        process = subprocess.Popen(
            argv, cwd=homes.project_root(), stdout=output, stderr=subprocess.STDOUT, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
    end_orphans(home)


def said(home: Path) -> str:
    return (home / "output").read_text()


def wait_for(home: Path, pattern: str, times: int = 1) -> list[str]:
    """Wait until the output holds ``pattern`` so many times; return the matches."""
    deadline = time.monotonic() + 20
    while len(found := re.findall(pattern, said(home))) < times:
        assert time.monotonic() < deadline, said(home)
        time.sleep(0.05)
    return found


def pids(home: Path, times: int = 3) -> list[int]:
    return [int(pid) for pid in wait_for(home, r"up (\d+)", times)]


def all_gone(running: list[int]) -> bool:
    """Tell whether all end within a few seconds: a killed process is there for a moment more."""
    found = [psutil.Process(pid) for pid in running if psutil.pid_exists(pid)]
    deadline = time.monotonic() + 5
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in found):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


class TestTheSupervisor:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_ends_every_process_and_their_children_and_exits_0(
        self, home: Path, start: Start, number: signal.Signals
    ) -> None:
        supervisor = start()
        running = pids(home)
        supervisor.send_signal(number)
        assert supervisor.wait(20) == 0, said(home)
        assert all_gone(running)
        assert "Traceback" not in said(home)

    def test_obeys_a_signal_in_its_first_moment(self, home: Path, start: Start) -> None:
        supervisor = start()
        wait_for(home, r"up \d+")
        supervisor.send_signal(signal.SIGTERM)
        assert supervisor.wait(20) == 0, said(home)

    def test_starts_again_what_was_killed_and_ends_what_that_left(self, home: Path, start: Start) -> None:
        start()
        pids(home)
        parent = int(wait_for(home, r"parent │ up (\d+)", 2)[0])
        family = [parent, *(child.pid for child in psutil.Process(parent).children())]
        if len(family) == 1:  # the child spoke first
            parent = int(wait_for(home, r"parent │ up (\d+)", 2)[1])
            family = [parent, *(child.pid for child in psutil.Process(parent).children())]
        os.kill(parent, signal.SIGKILL)
        wait_for(home, r"parent │ ended \(signal SIGKILL\); starts again in 1 s")
        assert len(set(pids(home, 5))) == 5
        assert all_gone(family)

    def test_ends_with_the_code_of_a_failed_run_once_process(self, home: Path, start: Start) -> None:
        supervisor = start("3")
        assert supervisor.wait(20) == 3, said(home)
        assert "once   │ failed with exit code 3" in said(home)
        assert all_gone([int(pid) for pid in re.findall(r"up (\d+)", said(home))])

    def test_runs_on_after_a_run_once_process_that_succeeds(self, home: Path, start: Start) -> None:
        supervisor = start("0")
        pids(home)
        wait_for(home, "hello")
        assert supervisor.poll() is None, said(home)

    def test_what_a_killed_one_leaves_can_be_ended(self, home: Path, start: Start) -> None:
        supervisor = start()
        running = pids(home)
        supervisor.kill()
        supervisor.wait()
        assert end_orphans(home) == 2
        assert all_gone(running)
        assert end_orphans(home) == 0
