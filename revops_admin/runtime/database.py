"""The program's database and its roles, made by an administrator's login; safe to run again.

Roles belong to the whole server, so another database of the program may have made them before.
"""

import hashlib
import os
import random
import time
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from revops_admin.runtime.errors import RuntimeProblem

OWNER = "revops_owner"
APP = "revops_app"
CONTEXT_ROLES = ("tenant_member", "tenant_shared", "tenant_wide", "platform", "person", "accounts")
OLDEST_SERVER = 160000
_MAINTENANCE = {"postgres", "template0", "template1"}
_PLAIN = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"
# Two homes that prepare one server at the same moment collide on the shared role catalogue.
_COLLISIONS = (psycopg.errors.InternalError_, psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject)
_ATTEMPTS = 5


@dataclass(frozen=True)
class Logins:
    """The passwords of the two login roles."""

    owner: str
    app: str


def derived_logins(administrator_url: str) -> Logins | None:
    """Return the logins' passwords, derived from the administrator's; ``None`` where it has none.

    Roles are the server's, not the database's: two homes that use one server must arrive at the same
    passwords, or each would lock the other out.
    """
    password = conninfo_to_dict(administrator_url).get("password")
    if not password:
        return None
    owner, app = (_derive(str(password), role) for role in (OWNER, APP))
    return Logins(owner=owner, app=app)


def _derive(password: str, role: str) -> str:
    salt = f"revops-hub {role}".encode()
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=24).hex()


def bootstrap(administrator_url: str, logins: Logins) -> None:
    """Make the roles, and the database that ``administrator_url`` names, with exactly the promised rights.

    Raises: RuntimeProblem where the server is too old or cannot be reached, or the database is its own.
    """
    database = database_name(administrator_url)
    if database in _MAINTENANCE:
        raise RuntimeProblem(
            f"DATABASE_URL: {database} is the server's own database. Name one for this program, such as "
            "…/revops; it is made where it is missing."
        )
    for _ in range(_ATTEMPTS - 1):
        try:
            _bootstrap(administrator_url, database, logins)
        except _COLLISIONS:
            time.sleep(random.uniform(0.1, 0.5))  # noqa: S311  # to fall out of step, not to be unguessable
        else:
            return
    _bootstrap(administrator_url, database, logins)


def bootstrap_from_environment() -> None:
    """As DATABASE_ADMIN_URL, make the logins and the database that DATABASE_URL and DATABASE_OWNER_URL name.

    Raises: RuntimeProblem, where one is missing or they do not name the two roles with passwords.
    """
    names = ("DATABASE_ADMIN_URL", "DATABASE_OWNER_URL", "DATABASE_URL")
    administrator, owner, app = (_required(name) for name in names)
    for name, url, role in (("DATABASE_OWNER_URL", owner, OWNER), ("DATABASE_URL", app, APP)):
        parts = conninfo_to_dict(url)
        if parts.get("user") != role or not parts.get("password"):
            raise RuntimeProblem(f"{name}: give an address whose login is {role}, with a password.")
    passwords = [str(conninfo_to_dict(url)["password"]) for url in (owner, app)]
    bootstrap(to_database(administrator, database_name(app)), Logins(*passwords))


def _required(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise RuntimeProblem(
            f"{name} is not set. Give an address such as postgresql://user:password@host:5432/revops."
        )
    return value


def _bootstrap(administrator_url: str, database: str, logins: Logins) -> None:
    with connect_or_create(administrator_url, database) as connection:
        require_supported(connection)
        _make_roles(connection, logins)
        _make_database_ours(connection, database)
    prepare_schema(administrator_url, login_url(administrator_url, OWNER, logins.owner))


def prepare_schema(administrator_url: str, owner_url: str) -> None:
    """Give schema public of one database its owner, its rights and its extension."""
    with connect(administrator_url) as connection:
        _make_schema_ours(connection)
    with connect(owner_url) as connection:
        _grant_nothing_by_default(connection)


def connect(url: str) -> psycopg.Connection:
    """Open an autocommit connection. Raises: RuntimeProblem, where the server does not let us in."""
    try:
        return psycopg.connect(make_conninfo(url, connect_timeout=10), autocommit=True)
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1]
        raise RuntimeProblem(f"DATABASE_URL: cannot connect to {without_password(url)}: {reason}") from error


def connect_or_create(administrator_url: str, database: str) -> psycopg.Connection:
    """Connect to ``database``, making it first where the server has none of that name."""
    with connect(to_database(administrator_url, "postgres")) as server:
        known = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        if known is None:
            server.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
                    sql.Identifier(database)
                )
            )
    return connect(administrator_url)


def require_supported(connection: psycopg.Connection) -> None:
    """Raise RuntimeProblem for a server older than PostgreSQL 16."""
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise RuntimeProblem(f"DATABASE_URL: PostgreSQL {version // 10000} is too old; use 16 or newer.")


def is_administrator(connection: psycopg.Connection) -> bool:
    """Tell whether this login could make the roles itself."""
    row = connection.execute(
        "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    return bool(row and row[0])


def _make_roles(connection: psycopg.Connection, logins: Logins) -> None:
    for role in CONTEXT_ROLES:
        _role(connection, role, "NOLOGIN NOINHERIT")
    for role, inherit, password in ((OWNER, "INHERIT", logins.owner), (APP, "NOINHERIT", logins.app)):
        _role(connection, role, f"LOGIN {inherit}")
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        )
    connection.execute(
        sql.SQL("GRANT {} TO {} WITH ADMIN FALSE, INHERIT FALSE, SET TRUE").format(
            _names(CONTEXT_ROLES), sql.Identifier(APP)
        )
    )


def _role(connection: psycopg.Connection, name: str, attributes: str) -> None:
    known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    verb = "ALTER" if known else "CREATE"
    plain = _PLAIN if _is_superuser(connection) else ""  # only a superuser may name the attributes it denies
    connection.execute(
        sql.SQL("{} ROLE {} " + f"{attributes} {plain}").format(sql.SQL(verb), sql.Identifier(name))
    )


def _is_superuser(connection: psycopg.Connection) -> bool:
    return connection.info.parameter_status("is_superuser") == "on"


def _make_database_ours(connection: psycopg.Connection, database: str) -> None:
    if not _is_superuser(connection):
        # Handing a database over takes membership in the new owner; who made the role may take it.
        connection.execute(
            sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE").format(sql.Identifier(OWNER))
        )
    connection.execute(
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(database), sql.Identifier(OWNER))
    )
    grant_on_database(connection, database)


def grant_on_database(connection: psycopg.Connection, database: str) -> None:
    """Let the program connect to ``database`` and make temporary tables (staging), and nobody else."""
    name = sql.Identifier(database)
    roles = _names((APP, *CONTEXT_ROLES))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(APP)))
    connection.execute(sql.SQL("GRANT TEMPORARY ON DATABASE {} TO {}").format(name, roles))


def _make_schema_ours(connection: psycopg.Connection) -> None:
    roles = _names((APP, *CONTEXT_ROLES))
    connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(OWNER)))
    connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(roles))
    connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public")


def _grant_nothing_by_default(connection: psycopg.Connection) -> None:
    """New tables and sequences are nobody's: a table's migration says who may use it, and identity columns need no right.

    Taken back again where an earlier release gave it.
    """
    names = {"owner": sql.Identifier(OWNER), "app": sql.Identifier(APP)}
    for statement in (
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE ALL ON TABLES FROM {app}",
        "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public REVOKE ALL ON SEQUENCES FROM {app}",
        "REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {app}",
    ):
        connection.execute(sql.SQL(statement).format(**names))


def _names(roles: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, roles))


def database_name(url: str) -> str:
    """Return the database that ``url`` names (PostgreSQL's default: the user's own name)."""
    parts = conninfo_to_dict(url)
    return str(parts.get("dbname") or parts.get("user") or "")


def to_database(url: str, database: str) -> str:
    """Return ``url`` with another database."""
    return _compose(conninfo_to_dict(url) | {"dbname": database})


def login_url(url: str, user: str, password: str) -> str:
    """Return ``url`` with another login."""
    return _compose(
        conninfo_to_dict(url) | {"user": user, "password": password, "dbname": database_name(url)}
    )


def without_password(url: str) -> str:
    """Return ``url`` as it may be shown."""
    return _compose({name: value for name, value in conninfo_to_dict(url).items() if name != "password"})


def _compose(parts: dict[str, str | int | None]) -> str:
    """Return the postgresql:// form, which is what Django's settings read."""
    given = {name: quote(str(value), safe="") for name, value in parts.items() if value is not None}
    user = given.pop("user", "")
    password = given.pop("password", "")
    host, port, database = (given.pop(name, "") for name in ("host", "port", "dbname"))
    login = f"{user}:{password}@" if password else f"{user}@" if user else ""
    options = "&".join(f"{name}={value}" for name, value in sorted(given.items()))
    return (
        f"postgresql://{login}{host}{f':{port}' if port else ''}/{database}{f'?{options}' if options else ''}"
    )
