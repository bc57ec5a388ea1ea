"""Free TCP ports on 127.0.0.1."""

import json
import socket
from pathlib import Path

from revops_admin.runtime.errors import RuntimeProblem

HOST = "127.0.0.1"


def is_free(port: int, host: str = HOST) -> bool:
    """Tell whether a server could listen on ``port`` now."""
    with socket.socket() as probe:
        # Without it the port of a server that ended a moment ago would count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free(port: int, variable: str, host: str = HOST) -> None:
    """Raise RuntimeProblem, naming ``variable``, where ``port`` is taken."""
    if not is_free(port, host):
        raise RuntimeProblem(f"{variable}: port {port} on {host} is taken. Set {variable} to a free port.")


def parse(text: str, variable: str) -> int:
    """Return ``text`` as a port number; RuntimeProblem, naming ``variable``, where it is none."""
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= 65535:
        raise RuntimeProblem(f"{variable}: {text!r} is not a port. Give a number from 1 to 65535.")
    return int(text)


def remembered(home: Path, name: str) -> int:
    """Return the port that server ``name`` of ``home`` had before, else (not free, or none) a new one."""
    store = home / "run" / "ports.json"
    known: dict[str, int] = json.loads(store.read_text()) if store.exists() else {}
    port = known.get(name)
    if port is None or not is_free(port):
        port = _any_free()
        store.write_text(json.dumps({**known, name: port}))
    return port


def _any_free() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
