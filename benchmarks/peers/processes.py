"""Running a source and a destination with a pipe between them, as Singer and Airbyte do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HOME = Path(os.environ.get("PEER_HOME", "."))
ROOT = Path(__file__).resolve().parents[2]
SITE = Path(__file__).parent / "site"


def program(environment: str, name: str) -> str:
    """A program of one of the peers' environments."""
    return str(HOME / environment / "bin" / name)


def variables(url: str, organisation: str) -> dict[str, str]:
    """The environment of a source that knows Salesforce's own address only."""
    login = f"{url}/orgs/{organisation}/services/oauth2/token"
    return {**os.environ, "PYTHONPATH": str(SITE), "SANDBOX_LOGIN": login}


def written(name: str, content: object) -> str:
    """A configuration file."""
    path = HOME / name
    path.write_text(json.dumps(content))
    return str(path)


def answer(command: Sequence[str], environment: dict[str, str], log: str) -> str:
    """What a program prints."""
    with (HOME / log).open("wb") as file:
        done = subprocess.run(
            command, cwd=HOME, env=environment, stdout=subprocess.PIPE, stderr=file, text=True, check=True
        )
    return done.stdout


def piped(
    source: Sequence[str], destination: Sequence[str], environment: dict[str, str], log: str
) -> tuple[float, float]:
    """(seconds from the start of both to the end of both, peak memory of the two in MB). Exits where one of them fails.

    ``environment`` is the source's; the destination has this process's.
    """
    with (HOME / log).open("wb") as file:
        started = time.perf_counter()
        first = subprocess.Popen(source, cwd=HOME, env=environment, stdout=subprocess.PIPE, stderr=file)
        second = subprocess.Popen(destination, cwd=ROOT, stdin=first.stdout, stdout=file, stderr=file)
        assert first.stdout is not None
        first.stdout.close()
        megabytes = sum(_ended(process, log) for process in (first, second))
        return time.perf_counter() - started, megabytes


def _ended(process: subprocess.Popen[bytes], log: str) -> float:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{process.args!r} ended with {process.returncode}; {HOME / log} says why.")
    return usage.ru_maxrss / 1024


def tell(rows: int, seconds: float, megabytes: float) -> None:
    """What a contender prints last."""
    print(json.dumps({"rows": rows, "seconds": seconds, "megabytes": megabytes}))
    sys.stdout.flush()
