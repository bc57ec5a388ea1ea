"""Real servers in homes of their own; no Django."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from revops_admin.runtime.services import Services, ensure_services, stop_services


@pytest.fixture(autouse=True)
def _no_servers_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "DATABASE_URL",
        "DATABASE_OWNER_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "REVOPS_HOME",
        "PORT",
        "SANDBOX_PORT",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def served_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose servers run."""
    home = tmp_path_factory.mktemp("served") / "home"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL"):
            patch.delenv(name, raising=False)
        ensure_services(home, durable=False)
    yield home
    stop_services(home)


@pytest.fixture
def services(served_home: Path) -> Services:
    """The addresses of the running servers."""
    return ensure_services(served_home, durable=False)
