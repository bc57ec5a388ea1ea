"""PostgreSQL and Redis for a home: the user's where named, else the embedded ones."""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from revops_admin.runtime import database, postgres, valkey
from revops_admin.runtime import home as homes
from revops_admin.runtime.database import Logins
from revops_admin.runtime.errors import RuntimeProblem
from revops_admin.runtime.secrets import secret

DATABASE = "revops"
FILE = "services.json"


@dataclass(frozen=True)
class Services:
    """The addresses of the program's login, the tables' owner, the administrator (or ``None``), and Redis."""

    database_url: str
    database_owner_url: str
    database_admin_url: str | None
    redis_url: str


def ensure_services(home: Path, *, durable: bool = True) -> Services:
    """Have PostgreSQL and Redis running and the database prepared; write down where in ``services.json``.

    ``durable=False`` is for tests: faster, and a power cut may lose everything.
    Raises: RuntimeProblem, where a server does not start or a given address is of no use.
    """
    homes.prepare(home)
    with homes.locked(home, "services"):
        urls = _database(home, durable=durable)
        redis_url = os.environ.get("REDIS_URL") or valkey.url(home, valkey.ensure(home, durable=durable))
        services = Services(*urls, redis_url)
        _remember(home, services)
    return services


def stop_services(home: Path) -> list[str]:
    """End the embedded servers of ``home``; return the names of those that ran."""
    if not (home / "run").is_dir():
        return []
    _kept(home).unlink(missing_ok=True)
    with homes.locked(home, "services"):
        ended = {"PostgreSQL": postgres.stop(home), "Valkey": valkey.stop(home)}
    return [name for name, ran in ended.items() if ran]


def keep_services(home: Path) -> None:
    """Let the servers of ``home`` run on when a ``make up`` ends, until ``stop_services``."""
    _kept(home).touch()


def are_kept(home: Path) -> bool:
    """Tell whether the servers were started on their own."""
    return _kept(home).exists()


def _kept(home: Path) -> Path:
    return home / "run" / "keep-services"


def running_services(home: Path) -> dict[str, str]:
    """Return a line on each server of ``home``, by name."""
    found = {"PostgreSQL": postgres.find(home), "Valkey": valkey.find(home)}
    given = {"PostgreSQL": "DATABASE_URL", "Valkey": "REDIS_URL"}
    return {
        name: f"yours, from {given[name]}"
        if os.environ.get(given[name])
        else f"127.0.0.1:{server.port}, process {server.pid}"
        if server
        else "not running"
        for name, server in found.items()
    }


def recorded(home: Path) -> Services | None:
    """Return what ``services.json`` says, if it was written for the addresses that are set now."""
    try:
        record = json.loads((home / FILE).read_text())
    except (OSError, ValueError):
        return None
    if record.pop("given") != _given():
        return None
    return Services(**record)


def create_database(services: Services, name: str, template: str | None = None) -> Services:
    """Make database ``name``, a copy of ``template`` or empty; return ``services`` pointing at it.

    Raises: RuntimeProblem, where no administrator's address is known.
    """
    administrator = _administrator(services)
    with database.connect(administrator) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(template or "template0"), sql.Identifier(database.OWNER)
            )
        )
        database.grant_on_database(
            connection, name
        )  # a copy takes the tables' rights along, not the database's
    moved = at_database(services, name)
    if template is None:
        database.prepare_schema(_administrator(moved), moved.database_owner_url)
    return moved


def drop_database(services: Services, name: str) -> None:
    """Drop database ``name`` where it exists, ending its connections."""
    with database.connect(_administrator(services)) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def at_database(services: Services, name: str) -> Services:
    """Return ``services`` with all three database addresses pointing at database ``name``."""
    administrator = services.database_admin_url
    return dataclasses.replace(
        services,
        database_url=database.to_database(services.database_url, name),
        database_owner_url=database.to_database(services.database_owner_url, name),
        database_admin_url=database.to_database(administrator, name) if administrator else None,
    )


def _administrator(services: Services) -> str:
    if services.database_admin_url is None:
        raise RuntimeProblem(
            "DATABASE_URL: making databases needs an administrator's login (a superuser's, or one with "
            "CREATEROLE and CREATEDB). Give one, or unset DATABASE_URL to use the embedded server."
        )
    return services.database_admin_url


def _database(home: Path, *, durable: bool) -> tuple[str, str, str | None]:
    given = os.environ.get("DATABASE_URL")
    if given:
        return resolve_given(home, given, os.environ.get("DATABASE_OWNER_URL"))
    server = postgres.ensure(home, durable=durable)
    return _bootstrapped(home, postgres.administrator_url(home, server, DATABASE))


def resolve_given(home: Path, given: str, owner: str | None) -> tuple[str, str, str | None]:
    """Turn the user's DATABASE_URL into three addresses; an administrator's login makes the other two.

    Raises: RuntimeProblem, where it is no administrator's and DATABASE_OWNER_URL is missing.
    """
    if owner:
        return given, owner, None
    derived = resolve_administrator(home, given)
    if derived is None:
        raise RuntimeProblem(
            "DATABASE_URL is no administrator's login, so DATABASE_OWNER_URL must name the login that owns "
            f"the tables ({database.OWNER}). Set it, or give an administrator's DATABASE_URL: both are made."
        )
    return derived


def resolve_administrator(home: Path, url: str) -> tuple[str, str, str] | None:
    """Return the program's, owner's and administrator's address; ``None`` for no administrator's ``url``."""
    _require_url(url)
    return _bootstrapped(home, url) if _is_administrator(url) else None


def _require_url(given: str) -> None:
    if not given.startswith(("postgresql://", "postgres://")):
        raise RuntimeProblem(
            "DATABASE_URL: give an address such as postgresql://user:password@host:5432/revops."
        )


def _is_administrator(url: str) -> bool:
    # The database may not exist yet, and only an administrator could make it: ask the server's own.
    try:
        connection = database.connect(url)
    except RuntimeProblem:
        connection = database.connect(database.to_database(url, "postgres"))
    with connection:
        database.require_supported(connection)
        return database.is_administrator(connection)


def _bootstrapped(home: Path, administrator: str) -> tuple[str, str, str]:
    logins = database.derived_logins(administrator) or Logins(
        owner=secret(home, "database-owner"), app=secret(home, "database-app")
    )
    database.bootstrap(administrator, logins)
    return (
        database.login_url(administrator, database.APP, logins.app),
        database.login_url(administrator, database.OWNER, logins.owner),
        administrator,
    )


def _remember(home: Path, services: Services) -> None:
    record = dataclasses.asdict(services) | {"given": _given()}
    homes.write_private(home / FILE, json.dumps(record, indent=2))


def _given() -> dict[str, str]:
    """Return the fingerprints of the addresses that the user set: the record holds only while they stay."""
    names = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL")
    return {
        name: hashlib.sha256(value.encode()).hexdigest() for name in names if (value := os.environ.get(name))
    }
