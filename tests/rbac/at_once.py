"""Several hands at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections

from isolation.errors import DomainError


def at_once(*attempts: Callable[[], object]) -> list[str]:
    """What comes of attempts on connections of their own: "done", or the refusal's code, sorted."""
    start, outcomes = threading.Barrier(len(attempts)), list[str]()

    def run(attempt: Callable[[], object]) -> None:
        try:
            start.wait()
            attempt()
            outcomes.append("done")
        except DomainError as refusal:
            outcomes.append(refusal.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(attempt,)) for attempt in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(outcomes)
