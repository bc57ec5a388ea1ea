"""The first steps of ``make up`` beside the running processes: the demo, then where to look."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from revops_admin.runtime import home as homes
from revops_admin.runtime import ports
from revops_admin.runtime.environment import WEB_PORT
from revops_admin.runtime.errors import RuntimeProblem
from revops_admin.runtime.up import Place

_PATIENCE_SECONDS = 90.0


def welcome(here: Place) -> int:
    """Set the demo up (quick when it is there) and print addresses and sign-ins; return the exit code."""
    wait_until_up(here.sandbox_url, "the sandbox CRM")
    manage = homes.project_root() / "manage.py"
    command = ["demo_setup", "--home", str(here.home), "--sandbox-url", here.sandbox_url]
    code = subprocess.run([sys.executable, manage, *command], check=False).returncode
    if code:
        return code
    wait_until_up(f"{here.web_url}/health/live", "the program")
    print(greeting(here, here.home / "demo.json"), flush=True)
    return 0


def wait_until_up(url: str, name: str) -> None:
    """Wait for an answer, any answer below 500, from ``url``. Raises: RuntimeProblem after 90 seconds."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _answers(url):
        if time.monotonic() > deadline:
            raise RuntimeProblem(f"{name} does not answer at {url}; its lines above say why.")
        time.sleep(0.2)


def is_healthy() -> bool:
    """Ask this machine's web process whether it lives, under the host name of WEB_URL: it serves no other."""
    port, host = (
        os.environ.get("PORT") or WEB_PORT,
        urllib.parse.urlsplit(os.environ.get("WEB_URL", "")).netloc,
    )
    address = f"http://{ports.HOST}:{port}/health/live"
    return _answers(urllib.request.Request(address, headers={"Host": host} if host else {}))  # noqa: S310  # as below


def greeting(here: Place, demo: Path) -> str:
    """Return the text that ends the start: addresses, and every sign-in of the demo."""
    facts = json.loads(demo.read_text())
    accounts = [
        (one["email"], one["password"], one["role"], one["tenant"] or "") for one in facts["accounts"]
    ]
    partners = [(one["access_key"], "", "access key", one["tenant"]) for one in facts["partners"]]
    rows = [*accounts, *partners]
    widths = [max(len(row[at]) for row in rows) if rows else 0 for at in range(3)]
    lines = [
        "  ".join((*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[3])).rstrip()
        for row in rows
    ]
    head = ["", f"RevOps Hub   {here.web_url}", f"Sandbox CRM  {here.sandbox_url}", "", "Sign in as"]
    return "\n".join([*head, *(f"  {line}" for line in lines), "", f"All of it: {demo}. End: Ctrl-C.", ""])


def _answers(url: str | urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # an http address made by us
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
