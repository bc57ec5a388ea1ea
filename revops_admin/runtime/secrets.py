"""Secrets of a home: generated once, kept in files that only their owner reads."""

import secrets as randomness
from collections.abc import Callable
from pathlib import Path

from revops_admin.runtime.home import locked, write_private


def _token() -> str:
    return randomness.token_urlsafe(36)


def secret(home: Path, name: str, generate: Callable[[], str] = _token) -> str:
    """Return the secret ``name`` of ``home``, made by ``generate`` at the first time."""
    path = home / "secrets" / name
    if not path.exists():
        with locked(home, "secrets"):
            if not path.exists():
                write_private(path, generate())
    return path.read_text()
