"""The step of ``make check`` that needs a database: the migrations from nothing, and the proof that their wall holds."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from revops_admin.runtime import environment
from revops_admin.runtime import home as homes
from revops_admin.runtime.services import ensure_services, stop_services

# Addresses of the user's servers must not be taken: the step makes roles and tables.
OWN_SERVER = {"DATABASE_URL": "", "DATABASE_OWNER_URL": "", "REDIS_URL": "", "SECRET_KEY": ""}
_COMMANDS = (
    ("migrate", "--database", "owner", "--no-input", "--verbosity", "0"),
    # The pinned server is not of the newest minor, which is a warning; it is printed all the same.
    ("check_isolation", "--brief", "--fail-level", "error"),
)


def prove() -> int:
    """Migrate an embedded server of its own, examine it, throw it away; return the first exit code that is not 0."""
    with _passing_home() as home:
        ensure_services(home, durable=False)
        variables = os.environ | environment.load(home)
        manage = homes.project_root() / "manage.py"
        for command in _COMMANDS:
            done = subprocess.run([sys.executable, manage, *command], env=variables, check=False)
            if done.returncode:
                return done.returncode
    return 0


@contextmanager
def _passing_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="revops-check-"))
    home.chmod(0o711)  # PostgreSQL refuses root, so for root another account must be able to pass through
    try:
        yield home
    finally:
        stop_services(home)
        shutil.rmtree(home)
