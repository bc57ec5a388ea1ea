"""The hand of a suite in the sandbox: changes, faults and time by its control addresses, and what is truly there."""

import csv
import io
import json
import os
from dataclasses import dataclass
from typing import Any

import requests

ADDRESS = os.environ["SANDBOX_URL"]
AWKWARD = 'O\'Neil & "Söhne" \\ GmbH, 5 % off; second line:\r\nthird\tcell\n<b>&amp;</b> 🦄 𝕏 عربى'
"""A value that a careless quoting on any side would change: CSV, SOQL, JSON and addresses all have it in their grammar."""


@dataclass(frozen=True)
class Hand:
    """Steers one organisation or portal; ``place`` is ``orgs/NAME`` or ``portals/NAME``."""

    place: str

    @property
    def address(self) -> str:
        """Where its commands are."""
        return f"{ADDRESS}/_sandbox/{self.place}"

    def command(self, name: str, **body: object) -> Any:
        """Give a command; a refusal fails the test."""
        answer = requests.post(f"{self.address}/{name}", json=body, timeout=20)
        assert answer.ok, answer.text
        return answer.json()

    def undo(self, name: str) -> None:
        """Make a set of rules the usual ones again."""
        assert requests.delete(f"{self.address}/{name}", timeout=20).ok

    def text(self, name: str) -> str:
        """What a control address shows."""
        return requests.get(f"{self.address}/{name}", timeout=20).text

    def fault(self, **fault: object) -> None:
        """Let the next fitting calls go wrong."""
        self.command("fault", **fault)

    def snapshot(self, sobject: str, **params: str | int) -> list[dict[str, str]]:
        """All rows of an object, past the protocol: every value as text, null as the empty one."""
        text = requests.get(
            f"{self.address}/snapshot", params={"object": sobject, **params}, timeout=20
        ).content.decode()
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def facts(self) -> Any:
        """A portal's token, OAuth client and counts."""
        return requests.get(self.address, timeout=20).json()

    def records(self, kind: str, **params: str | int) -> list[dict[str, Any]]:
        """All live records of a portal's kind with every property and association, past the protocol."""
        answer = requests.get(f"{self.address}/snapshot", params={"object": kind, **params}, timeout=20)
        return [json.loads(line) for line in answer.content.splitlines()]

    def calls(self, path_contains: str = "") -> int:
        """How many calls of the protocol there were so far, of those whose address contains a text."""
        stats = requests.get(f"{self.address}/stats", timeout=20).json()
        calls = stats["calls"] if isinstance(stats, dict) else stats
        return sum(each["calls"] for each in calls if path_contains in each["path"])
