"""The directory that holds everything a running copy writes: data, secrets, logs."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from revops_admin.runtime.errors import RuntimeProblem

DEFAULT = ".local"


def resolve(given: str | None = None) -> Path:
    """Return the absolute home: ``given``, else REVOPS_HOME, else ``.local`` beside ``manage.py``."""
    chosen = given or os.environ.get("REVOPS_HOME")
    return Path(chosen).expanduser().absolute() if chosen else project_root() / DEFAULT


def project_root() -> Path:
    """Return the directory that holds ``manage.py``."""
    return Path(__file__).resolve().parents[2]


def prepare(home: Path) -> None:
    """Make ``home`` and prove that files can be written there.

    Raises: RuntimeProblem, naming REVOPS_HOME, where that is impossible.
    """
    try:
        _make(home)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise RuntimeProblem(
            f"REVOPS_HOME: {home} cannot be used ({error.strerror}). Name a directory that you can write to."
        ) from error


def _make(home: Path) -> None:
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        # PostgreSQL refuses root, so for root another account must be able to pass through.
        home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
    for name in ("logs", "run", "secrets"):
        (home / name).mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` by ``text`` in one step, readable by its owner only."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


@contextmanager
def locked(home: Path, name: str) -> Iterator[None]:
    """Hold the lock ``name`` of ``home``: one process at a time starts servers or makes secrets."""
    with (home / "run" / f"{name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
