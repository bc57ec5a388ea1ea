"""An event as its reader may see it. The room that masks personal data registers how; this room only asks.

Who did what to whom is what the right to read the log is for: the people who act, and members who are named by their address alone, stay.
Other texts (reasons, filters, labels) may hold customers' numbers and addresses and go through the reader's redactor.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self
from uuid import UUID

from audit.models import EventColumns
from audit.registry import all_events, sentence_of
from isolation.requests import InWorkspace

_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")


class Redactor(Protocol):
    """What lets texts through to a reader, masked or not, and notes which rows it let through unmasked."""

    def row(self, key: object) -> Self:
        """Say to which event the next texts belong."""

    def text(self, value: str) -> str:
        """The text as the reader may see it."""


@dataclass(frozen=True)
class Redactors:
    """``reading`` for what an answer shows; ``streaming`` for a file that is written after the view has returned."""

    reading: Callable[[InWorkspace], AbstractContextManager[Redactor]]
    streaming: Callable[[InWorkspace], Redactor]


_registered: list[Redactors] = []


def register(redactors: Redactors) -> None:
    """Name those who mask; the last one counts."""
    _registered[:] = [redactors]


def reading(request: InWorkspace) -> AbstractContextManager[Redactor]:
    """A redactor for the page that this request asks for."""
    return _registered[0].reading(request)


def streaming(request: InWorkspace) -> Redactor:
    """A redactor for the file that this request asks for."""
    return _registered[0].streaming(request)


@dataclass(frozen=True)
class SeenEvent:
    """An event with its texts as one reader sees them."""

    id: UUID
    at: datetime
    code: str
    sentence: str
    actor_kind: str
    actor_label: str
    target_kind: str
    target_id: str
    target_label: str
    facts: dict[str, Any]


class _AsRecorded:
    """Lets everything through: for the platform's own log, in which no customer's customers are."""

    def row(self, key: object) -> _AsRecorded:
        return self

    def text(self, value: str) -> str:
        return value


AS_RECORDED = _AsRecorded()


def seen(event: EventColumns, redactor: Redactor) -> SeenEvent:
    """The event as the redactor's reader may see it."""
    see, declared = redactor.row(event.id), all_events().get(event.code)
    named = declared.personal if declared else frozenset[str]()
    facts = {name: _seen(value, see, is_member=name in named) for name, value in event.facts.items()}
    label = _seen(event.target_label, see, is_member="target_label" in named)
    return SeenEvent(
        id=event.id, at=event.at, code=event.code, sentence=sentence_of(event.code, facts, label),
        actor_kind=event.actor_kind, actor_label=event.actor_label, target_kind=event.target_kind, target_id=event.target_id,
        target_label=label, facts=facts,
    )  # fmt: skip


def _seen(value: Any, see: Redactor, *, is_member: bool) -> Any:
    if isinstance(value, str):
        return value if is_member and _ADDRESS.fullmatch(value) else see.text(value)
    if isinstance(value, list):
        return [_seen(each, see, is_member=is_member) for each in value]
    if isinstance(value, dict):
        return {name: _seen(each, see, is_member=is_member) for name, each in value.items()}
    return value
