"""``make witnesses``: clients that others wrote prove the sandbox, each against a fresh one."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from revops_admin.runtime import home as homes
from revops_admin.runtime.errors import RuntimeProblem

_VENV = ".venv-witness"
_LOCK = "requirements-witness.txt"
_START_SECONDS = 60
_SUITE_SECONDS = 300
_SALESFORCE = ("--scale", "12000", "--seed", "11", "--org", "scratch=60:9")
_HUBSPOT = ("--portal", "main=600:11", "--portal", "scratch=40:9")


@dataclass(frozen=True)
class Suite:
    """A client and the files that drive it; ``sandbox`` are the arguments of the sandbox that it meets."""

    client: str
    sandbox: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What a suite came to. A suite that ran no test proves nothing, and has failed."""

    tests: int
    failed: int
    seconds: float

    @property
    def is_good(self) -> bool:
        """Whether all tests ran and passed."""
        return self.tests > 0 and self.failed == 0

    def __str__(self) -> str:
        """As the line of the suite says it."""
        if self.is_good:
            return f"ok, {self.tests} tests, {self.seconds:.1f} s"
        what = f"{self.failed} of {self.tests} tests failed" if self.tests else "no test ran"
        return f"FAILED, {what}, {self.seconds:.1f} s"


_SUITES = (
    Suite(
        "simple-salesforce",
        _SALESFORCE,
        ("python/salesforce_read_witness.py", "python/salesforce_write_witness.py"),
    ),
    Suite("jsforce", _SALESFORCE, ("node/salesforce.witness.mjs",)),
    Suite(
        "hubspot-api-client", _HUBSPOT, ("python/hubspot_read_witness.py", "python/hubspot_write_witness.py")
    ),
    Suite("@hubspot/api-client", _HUBSPOT, ("node/hubspot.witness.mjs",)),
)


def witnesses() -> int:
    """Install the clients, run their suites, each with a line; return 1 where any failed.

    Raises: RuntimeProblem, where the clients cannot be installed.
    """
    _install_python()
    _install_node()
    failed = [suite.client for suite in _SUITES if not _passes(suite)]
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nAll witnesses agree with the sandbox.")
    return 1 if failed else 0


def _environment() -> dict[str, str]:
    """The variables of a program of the witnesses: its Node is the one that came with the Python clients."""
    programs = homes.project_root() / _VENV / "bin"
    return os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}


def counted(results: Path, seconds: float) -> Outcome:
    """The outcome in a JUnit file; nothing ran where there is no such file."""
    if not results.exists():
        return Outcome(0, 0, seconds)
    cases = list(ElementTree.parse(results).getroot().iter("testcase"))  # noqa: S314 - a runner of ours wrote it
    failed = [case for case in cases if {"failure", "error", "skipped"} & {child.tag for child in case}]
    return Outcome(len(cases), len(failed), seconds)


def _place() -> Path:
    return homes.project_root() / "tests" / "witnesses"


def _install_python() -> None:
    root = homes.project_root()
    install = [
        sys.executable,
        str(root / "revops_admin" / "runtime" / "install.py"),
        str(root / _VENV),
        _LOCK,
    ]
    if subprocess.run(install, cwd=root, check=False).returncode:
        raise RuntimeProblem("The Python clients could not be installed; the lines above say why.")


def _install_node() -> None:
    """``npm ci``, unless it was done for these lock files."""
    stamp = _place() / "node_modules" / ".installed"
    locks = (_place() / "package-lock.json", homes.project_root() / _LOCK)
    wanted = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("Installing the Node clients …", flush=True)
    npm = ["npm", "ci", "--loglevel=error"]
    if subprocess.run(npm, cwd=_place(), env=_environment(), check=False).returncode:
        raise RuntimeProblem("The Node clients could not be installed; the lines above say why.")
    stamp.write_text(wanted)


def _passes(suite: Suite) -> bool:
    print(f"── {suite.client}", flush=True)
    with tempfile.TemporaryDirectory(prefix="witness-") as temporary:
        directory = Path(temporary)
        with _fresh_sandbox(suite.sandbox, directory / "sandbox.log") as address:
            outcome = _run(suite, address, directory)
        if not outcome.is_good:
            print((directory / "suite.log").read_text())
            print("The sandbox said:\n" + (directory / "sandbox.log").read_text())
    print(f"   {outcome}", flush=True)
    return outcome.is_good


def _run(suite: Suite, address: str, directory: Path) -> Outcome:
    """The outcome; what the runner printed is in ``directory``/suite.log."""
    started, results = time.monotonic(), directory / "results.xml"
    variables = _environment() | {"SANDBOX_URL": address}
    with (directory / "suite.log").open("w") as log:
        process = subprocess.Popen(
            _command(suite, results), cwd=homes.project_root(), env=variables, stdout=log, stderr=log
        )
        try:
            code = process.wait(_SUITE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
            log.write(f"\nThe suite was ended: it was not through after {_SUITE_SECONDS} s.\n")
    outcome = counted(results, time.monotonic() - started)
    return Outcome(outcome.tests, 1, outcome.seconds) if code and outcome.is_good else outcome


def _command(suite: Suite, results: Path) -> list[str]:
    files = [str(_place() / each) for each in suite.files]
    if files[0].endswith(".mjs"):
        return [
            "node", "--test-reporter=junit", f"--test-reporter-destination={results}",
            "--test-reporter=spec", "--test-reporter-destination=stdout", *files,
        ]  # fmt: skip
    python, place = str(homes.project_root() / _VENV / "bin" / "python"), str(_place())
    # The tests above are Django's; their conftest must stay out.
    keep_out = ["-c", f"{place}/pytest.ini", "--rootdir", place, "--confcutdir", place]
    return [python, "-m", "pytest", *keep_out, f"--junitxml={results}", *files]


@contextmanager
def _fresh_sandbox(arguments: tuple[str, ...], log: Path) -> Iterator[str]:
    """The address of a sandbox of one's own on a free port. Raises: RuntimeProblem, where it does not start."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", *arguments]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=homes.project_root(), stderr=file, stdout=file)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        process.wait()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"ready at (http://\S+)/ ", log.read_text())
        if found and _answers(found[1]):
            return found[1]
        time.sleep(0.05)
    raise RuntimeProblem(f"The sandbox did not start:\n{log.read_text()}")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_sandbox/health", timeout=5):  # noqa: S310 - the sandbox
            return True
    except urllib.error.URLError:
        return False
