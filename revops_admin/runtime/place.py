"""Where one running copy lives, and what to tell its user."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from revops_admin.runtime import environment, ports
from revops_admin.runtime.errors import RuntimeProblem


@dataclass(frozen=True)
class Place:
    """Where one running copy lives: its home and its two ports on 127.0.0.1."""

    home: Path
    port: int
    sandbox_port: int

    @property
    def web_url(self) -> str:
        """Address of the program."""
        return f"http://{ports.HOST}:{self.port}"

    @property
    def sandbox_url(self) -> str:
        """Address of the sandbox CRM."""
        return f"http://{ports.HOST}:{self.sandbox_port}"


def place(home: Path) -> Place:
    """Return ``home`` with PORT and SANDBOX_PORT. Raises: RuntimeProblem for what is no port number."""
    web, sandbox = (
        ports.parse(os.environ.get(name) or default, name)
        for name, default in (("PORT", environment.WEB_PORT), ("SANDBOX_PORT", environment.SANDBOX_PORT))
    )
    if web == sandbox:
        raise RuntimeProblem(f"SANDBOX_PORT: {sandbox} is PORT as well. Give each a port of its own.")
    return Place(home, web, sandbox)


def greeting(here: Place) -> str:
    """Return the text that ends the start: addresses, and every sign-in of the demo."""
    demo = here.home / "demo.json"
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
