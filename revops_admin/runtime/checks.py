"""``make check`` and ``make test``."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from revops_admin.runtime import home as homes
from revops_admin.runtime.proof import OWN_SERVER
from revops_admin.runtime.services import ensure_services, stop_services

_PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "revops_admin.settings.production",
    "DATABASE_URL": "postgresql://revops_app:unused@127.0.0.1:1/revops",
    "DATABASE_OWNER_URL": "postgresql://revops_owner:unused@127.0.0.1:1/revops",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "SECRET_KEY": "unused-and-long-enough-for-the-deployment-checks-0123456789-abcdefghij",
    "FIELD_ENCRYPTION_KEYS": "dW51c2VkLXVudXNlZC11bnVzZWQtdW51c2VkLXVudSE=",
    "WEB_URL": "https://revops.example.com",
    "ALLOWED_HOSTS": "revops.example.com",
}


@dataclass(frozen=True)
class Step:
    """One check: its command and the variables it needs."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


def check() -> int:
    """Run every static check, each with its name and time; return 1 where any failed."""
    failed = [step.name for step in _steps() if not _passes(step)]
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nAll checks passed.")
    return 1 if failed else 0


def test(home: Path, arguments: list[str]) -> int:
    """Run the tests against servers of their own in ``home``/test; return pytest's exit code."""
    test_home = home / "test"
    note = _chromium()
    try:
        ensure_services(test_home, durable=False)
        # In the order that tests/conftest.py gives.
        spread = ["-n", "3", "--dist", "loadfile", "--no-loadscope-reorder"]
        command = [sys.executable, "-m", "pytest", *spread, *arguments]
        variables = os.environ | {"REVOPS_HOME": str(test_home)}
        code = subprocess.run(command, cwd=homes.project_root(), env=variables, check=False).returncode
    except KeyboardInterrupt:
        code = 130
    finally:
        stop_services(test_home)
    if note:
        print(f"\n*** {note} ***", file=sys.stderr)
    return code


def _steps() -> list[Step]:
    tools = Path(sys.executable).parent
    python = sys.executable
    return [
        Step("ruff check", (str(tools / "ruff"), "check", ".")),
        Step("ruff format", (str(tools / "ruff"), "format", "--check", ".")),
        Step("mypy", (str(tools / "mypy"),)),
        Step("lint-imports", (str(tools / "lint-imports"), "--no-cache")),
        Step(
            "check --deploy",
            (python, "manage.py", "check", "--deploy", "--fail-level", "WARNING"),
            _PRODUCTION,
        ),
        Step("makemigrations", (python, "manage.py", "makemigrations", "--check", "--dry-run"), _PRODUCTION),
        Step("check_isolation", (python, "-m", "revops_admin.runtime", "prove"), OWN_SERVER),
    ]


def _passes(step: Step) -> bool:
    print(f"── {step.name}", flush=True)
    started = time.monotonic()
    environment = os.environ | step.environment
    done = subprocess.run(step.argv, cwd=homes.project_root(), env=environment, check=False)
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"   {verdict}, {time.monotonic() - started:.1f} s", flush=True)
    return done.returncode == 0


def _chromium() -> str:
    """Have a Chromium for the browser tests; return what to tell the user where there is none."""
    if _browser():
        return ""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing chromium for the browser tests …", flush=True)
        quiet = {"DEBIAN_FRONTEND": "noninteractive"} | os.environ
        for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", *command], env=quiet, stdout=subprocess.DEVNULL, check=False)
    if _browser():
        return ""
    return (
        "The browser tests were skipped: there is no chromium. "
        "Install it (Debian: apt-get install chromium) and run make test again."
    )


def _browser() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
