"""The first steps of ``make up`` beside the running processes: the demo."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from revops_admin.runtime import home as homes
from revops_admin.runtime import ports
from revops_admin.runtime.environment import WEB_PORT
from revops_admin.runtime.errors import RuntimeProblem
from revops_admin.runtime.place import Place

_PATIENCE_SECONDS = 90.0


def welcome(here: Place) -> int:
    """Set the demo up (quick when it is there) and wait until pages are served; return the exit code."""
    wait_until_up(here.sandbox_url, "the sandbox CRM")
    manage = homes.project_root() / "manage.py"
    command = ["demo_setup", "--home", str(here.home), "--sandbox-url", here.sandbox_url]
    code = subprocess.run([sys.executable, manage, *command], check=False).returncode
    if code:
        return code
    wait_until_up(f"{here.web_url}/health/live", "the program")
    return 0


def wait_until_up(url: str, name: str) -> None:
    """Wait for an answer, any answer below 500, from ``url``. Raises: RuntimeProblem after 90 seconds."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _answers(url):
        if time.monotonic() > deadline:
            raise RuntimeProblem(f"{name} does not answer at {url}; its lines above say why.")
        time.sleep(0.2)


def is_healthy() -> bool:
    """Ask this machine's web process whether it lives, by the host name of WEB_URL: it answers to no other."""
    host = urllib.parse.urlsplit(os.environ.get("WEB_URL", "")).netloc
    address = f"http://{ports.HOST}:{os.environ.get('PORT') or WEB_PORT}/health/live"
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=4):  # noqa: S310  # an http address made here
            return True
    except OSError:
        return False


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # as above
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
