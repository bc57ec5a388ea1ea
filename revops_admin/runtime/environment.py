"""What the settings need to know, from the environment and the home."""

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet

from revops_admin.runtime import home as homes
from revops_admin.runtime import ports
from revops_admin.runtime.secrets import secret
from revops_admin.runtime.services import recorded, resolve_administrator

WEB_PORT = "8000"
SANDBOX_PORT = "8001"
_ADDRESSES = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")


def load(home: Path) -> dict[str, str]:
    """Return what the settings read, by name.

    These are DATABASE_URL, DATABASE_OWNER_URL, REDIS_URL, SECRET_KEY, FIELD_ENCRYPTION_KEYS, WEB_URL,
    SANDBOX_URL and REVOPS_HOME. The environment wins; else ``services.json`` and the secrets of ``home``,
    which are made at the first time. An administrator's DATABASE_URL comes back as the program's own login.
    Nothing is started: without servers the addresses are missing. Where the environment holds SECRET_KEY this
    is a server, which is configured by its environment alone: no file is touched and no connection made.
    Raises: RuntimeProblem, where the home cannot be used.
    """
    given = {name: value for name in (*_ADDRESSES, *_MADE, *_local(home)) if (value := os.environ.get(name))}
    if "SECRET_KEY" in given:
        return dict.fromkeys(_MADE, "") | _local(home) | given  # what is missing, production settings name
    homes.prepare(home)
    return _local(home) | _addresses(home, given) | _secrets(home, given) | {"REVOPS_HOME": str(home)}


def _local(home: Path) -> dict[str, str]:
    return {
        "WEB_URL": f"http://{ports.HOST}:{os.environ.get('PORT') or WEB_PORT}",
        "SANDBOX_URL": f"http://{ports.HOST}:{os.environ.get('SANDBOX_PORT') or SANDBOX_PORT}",
        "REVOPS_HOME": str(home),
    }


def _addresses(home: Path, given: dict[str, str]) -> dict[str, str]:
    services = None if all(name in given for name in _ADDRESSES) else recorded(home)
    if services is None:
        return given | _unrecorded(home, given)
    return given | {
        "DATABASE_URL": services.database_url,
        "DATABASE_OWNER_URL": services.database_owner_url,
        "REDIS_URL": services.redis_url,
    }


def _unrecorded(home: Path, given: dict[str, str]) -> dict[str, str]:
    """Look at a DATABASE_URL that no record knows: an administrator's must not become the program's login."""
    if "DATABASE_URL" not in given or "DATABASE_OWNER_URL" in given:
        return {}
    derived = resolve_administrator(home, given["DATABASE_URL"])
    return {"DATABASE_URL": derived[0], "DATABASE_OWNER_URL": derived[1]} if derived else {}


def _secrets(home: Path, given: dict[str, str]) -> dict[str, str]:
    return {name: given.get(name) or make(home) for name, make in _MADE.items()}


_MADE: dict[str, Callable[[Path], str]] = {
    "SECRET_KEY": lambda home: secret(home, "secret-key"),
    "FIELD_ENCRYPTION_KEYS": lambda home: secret(
        home, "field-encryption-keys", lambda: Fernet.generate_key().decode()
    ),
}
