"""Real PostgreSQL as the program's real login, one database a worker, and the fixed cast.

A template database is migrated (by the owner) and planted (by the program) once for each state of the source; every worker
works in a copy. ``django_db`` tests roll back; tests with ``committed`` may commit, and the copy is put back afterwards.
"""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from accounts.models import User
from isolation import signing
from revops_admin.runtime.services import (
    Services,
    at_database,
    create_database,
    drop_database,
    ensure_services,
)
from tenants.models import Member, Tenant
from tests import cast
from tests.renewal import Original, original_of


def pytest_collection_finish() -> None:
    """Leave the program and some five thousand collected tests out of every later garbage collection: they stay."""
    gc.collect()
    gc.freeze()


ROOT = Path(__file__).resolve().parents[1]
HOME = Path(os.environ["REVOPS_HOME"]).absolute()
_TEMPLATE_LOCK = 727_001
_LONGEST_FIRST = ("soak", "browser", "whole_path", "test_permission_table.py", "crm_sync")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes minutes, so that no worker is left with it alone at the end; the rest stays as it is."""
    items.sort(key=_place_of)


def _place_of(item: pytest.Item) -> int:
    top = item.path.relative_to(ROOT / "tests").parts[0]
    return _LONGEST_FIRST.index(top) if top in _LONGEST_FIRST else len(_LONGEST_FIRST)


def _fingerprint() -> str:
    """Changes with any source file of the program or of the cast, and with the key that the template's contexts are signed with."""
    digest = hashlib.sha256(signing.current_key().id.encode())
    for path in sorted([*ROOT.glob("[a-z]*/**/*.py"), ROOT / "requirements.lock"]):
        if path.parts[len(ROOT.parts)] not in ("benchmarks", "sandbox", "tests") or path.name in (
            "cast.py",
            "conftest.py",
        ):
            stat = path.stat()
            digest.update(f"{path}:{stat.st_size}:{stat.st_mtime_ns}".encode())
    return digest.hexdigest()[:12]


def _point_at(services: Services) -> None:
    """Make Django's two connections use another database."""
    for alias, url in (("default", services.database_url), ("owner", services.database_owner_url)):
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = psycopg.conninfo.conninfo_to_dict(url)["dbname"]


@contextmanager
def _one_at_a_time(services: Services) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(str(services.database_admin_url), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [_TEMPLATE_LOCK])
        yield connection


def _template(services: Services) -> str:
    name = f"test_template_{_fingerprint()}"
    with _one_at_a_time(services) as connection:
        known = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'test_template_%'"
        ).fetchall()
        if (name,) in known:
            return name
        for (old,) in known:
            drop_database(services, old)
        _build(create_database(services, f"{name}_building"))
        connection.execute(f'ALTER DATABASE "{name}_building" RENAME TO "{name}"')
    return name


def _build(services: Services) -> None:
    _point_at(services)
    call_command("migrate", database="owner", verbosity=0)
    cast.plant()
    for alias in ("default", "owner"):
        connections[alias].close()


class WorkerDatabase:
    """This worker's copy of the template."""

    def __init__(self, services: Services, template: str, name: str) -> None:
        self.template = template
        self.name = name
        self._services = services
        self.services = at_database(services, name)
        self._original: Original | None = None

    def renew(self) -> None:
        """Have the copy as the template is: put its rows back, or where more was changed than rows, make it anew."""
        self._disconnect()
        if self._original is None or not self._original.put_back():
            self._copy()
        _point_at(self.services)

    def close(self) -> None:
        """Drop the copy."""
        self._disconnect()
        if self._original is not None:
            self._original.close()
            self._original = None
        drop_database(self._services, self.name)

    def _copy(self) -> None:
        self.close()
        with _one_at_a_time(self._services):
            create_database(self._services, self.name, template=self.template)
        self._original = original_of(str(self.services.database_admin_url))

    def _disconnect(self) -> None:
        for alias in ("default", "owner"):
            connections[alias].close()


@pytest.fixture(scope="session")
def worker_database(django_db_blocker: DjangoDbBlocker, worker_id: str) -> Iterator[WorkerDatabase]:
    services = ensure_services(HOME, durable=False)
    with django_db_blocker.unblock():
        database = WorkerDatabase(services, _template(services), f"test_{os.getpid()}_{worker_id}")
        database.renew()
        yield database
        database.close()


@pytest.fixture(scope="session")
def django_db_setup(worker_database: WorkerDatabase) -> None:
    """Instead of pytest-django's own, which would need a login that may create databases."""


@pytest.fixture
def committed(
    request: pytest.FixtureRequest, worker_database: WorkerDatabase, django_db_blocker: DjangoDbBlocker
) -> Iterator[WorkerDatabase]:
    """For tests that commit, thread, or start other processes: the database is as before afterwards."""
    assert request.node.get_closest_marker("django_db") is None, "committed and django_db exclude each other"
    with django_db_blocker.unblock():
        yield worker_database
        worker_database.renew()


@pytest.fixture(scope="module")
def shared_by_file(
    worker_database: WorkerDatabase, django_db_blocker: DjangoDbBlocker
) -> Iterator[WorkerDatabase]:
    """For what all tests of a file begin with: committed before the first, put back after the last; each rolls back its own."""
    with django_db_blocker.unblock():
        yield worker_database
        worker_database.renew()


@pytest.fixture
def process_environment(worker_database: WorkerDatabase) -> dict[str, str]:
    """The environment of a process that shall work on this worker's database (worker, command, web server)."""
    services = worker_database.services
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "revops_admin.settings.testing",
        "DATABASE_URL": services.database_url,
        "DATABASE_OWNER_URL": services.database_owner_url,
        "REDIS_URL": services.redis_url,
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def acme(admin: Member) -> Tenant:
    return admin.tenant  # type: ignore[no-any-return]  # untyped because the key's class hides the model


@pytest.fixture
def beta(stranger: Member) -> Tenant:
    return stranger.tenant  # type: ignore[no-any-return]  # as above


def _member_fixture(key: str) -> Any:
    @pytest.fixture(name=key)
    def of_the_cast(request: pytest.FixtureRequest) -> Member:
        if "committed" not in request.fixturenames:
            request.getfixturevalue("db")
        return cast.member_of(key)

    return of_the_cast


for _key in cast.PEOPLE:
    globals()[f"_{_key}"] = _member_fixture(_key)


@pytest.fixture
def operator(request: pytest.FixtureRequest) -> User:
    if "committed" not in request.fixturenames:
        request.getfixturevalue("db")
    return cast.operator()


@pytest.fixture
def client_of() -> Callable[[Member | User], Client]:
    """A browser in which that person is signed in."""

    def signed_in(person: Member | User) -> Client:
        client = Client()
        cast.sign_in(client, person if isinstance(person, User) else cast.user_of(person))
        return client

    return signed_in
