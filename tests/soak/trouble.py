"""What can go wrong between a worker and a CRM, at random: every switch of the sandbox, and SIGKILL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from random import Random
from types import TracebackType
from typing import Any

from tests.crm_sync.killing import pool_processes

Control = Callable[..., Any]

_SALESFORCE = (
    "/query",
    "/jobs/query",
    "/results",
    "/updated",
    "/deleted",
    "/describe",
    "oauth2/token",
    "composite/batch",
    "/services",
)
_HUBSPOT = (
    "/crm/v3/objects",
    "/search",
    "/batch/read",
    "/associations",
    "/owners",
    "/pipelines",
    "/properties",
)


def _anything(random: Random, places: tuple[str, ...]) -> dict[str, object]:
    faults: list[dict[str, object]] = [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
        {"kind": "status", "status": 429},
        {"kind": "timeout", "seconds": 3.0},
        {"kind": "cut"},
        {"kind": "slow", "seconds": 0.6},
    ]
    return {
        **random.choice(faults),
        "path_contains": random.choice(places),
        "after": random.randrange(4),
        "times": random.choice([1, 1, 2]),
    }


def salesforce_trouble(control: Control, random: Random) -> None:
    """Something goes wrong in the organisation."""
    kind = random.randrange(8)
    if kind == 0:
        control("expire_tokens")
    elif kind == 1:
        control(
            "fault",
            kind="status",
            status=403,
            path_contains=random.choice(_SALESFORCE),
            after=random.randrange(6),
        )
    elif kind == 2:
        control("fault", kind="job_failed", path_contains="FROM Opportunity")
    elif kind == 3:
        control("fault", kind="status", status=401, path_contains="/services/data", after=random.randrange(6))
    else:
        control("fault", **_anything(random, _SALESFORCE))


def hubspot_trouble(control: Control, random: Random) -> None:
    """Something goes wrong in the portal."""
    control("fault", **_anything(random, _HUBSPOT))


class Killer:
    """Kills the processes that do a worker's work, every now and then, as the kernel does when memory runs out."""

    def __init__(self, random: Random, every_seconds: tuple[float, float]) -> None:
        self._random = random
        self._between = every_seconds
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="killer", daemon=True)
        self.kills = 0

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._is_over.wait(self._random.uniform(*self._between)):
            for process in pool_processes():
                if self._random.random() < 0.7:
                    process.kill()
                    self.kills += 1
