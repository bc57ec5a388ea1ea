"""A run's turn: how long it may work while others wait for a place.

The dispatcher sees all workspaces and notes that some run waits; a worker sees one workspace, and reads the note.
"""

from __future__ import annotations

import time
from datetime import timedelta

from django.db.models.functions import Now

from crm_sync import conf
from isolation import context, jobs
from isolation.models import Heartbeat

_NOTE = "crm_sync.waiting"
# The dispatcher looks again every so often; a note that it did not renew twice is no longer true.
_LOOKS = 2


class TurnOver(Exception):
    """The run has had its slice of time and others wait: it goes on later from where it stands."""


def note_waiting() -> None:
    """Note that a run waits for which there is no place."""
    with context.shared_tables():
        jobs.beat(_NOTE)


def others_wait() -> bool:
    """Whether the dispatcher lately saw a run that waits for a place."""
    recent = Now() - timedelta(seconds=_LOOKS * conf.dispatch_seconds())
    with context.shared_tables():
        return bool(Heartbeat.objects.filter(name=_NOTE, at__gte=recent).exists())


class Turn:
    """The slice of one run, from when a worker took it."""

    def __init__(self) -> None:
        self._ends = time.monotonic() + conf.slice_seconds()

    def require(self) -> None:
        """To be called between two steps, outside every transaction. Raises: TurnOver."""
        if time.monotonic() >= self._ends and others_wait():
            raise TurnOver
