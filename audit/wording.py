"""An event as a page shows it, the same for a workspace's log and the platform's."""

from __future__ import annotations

from dataclasses import dataclass

from audit.redaction import SeenEvent
from audit.selectors import in_words
from isolation.actors import ActorKind
from pages.objects import Definition
from pages.templatetags.formats import local_time

_KINDS = {
    ActorKind.PERSON.value: "",
    ActorKind.OPERATOR.value: "Vendor's staff",
    ActorKind.SYSTEM.value: "The program",
}


@dataclass(frozen=True)
class EventRow:
    """One line of the log with its details."""

    when: str
    instant: str
    sentence: str
    actor: str
    actor_kind: str
    target_kind: str
    details: list[Definition]


def event_row(event: SeenEvent, zone: str) -> EventRow:
    """The event in words, its time in ``zone``."""
    return EventRow(
        when=local_time(event.at, zone),
        instant=event.at.isoformat(),
        sentence=event.sentence,
        actor=event.actor_label,
        actor_kind=actor_kind_words(event.actor_kind),
        target_kind=in_words(event.target_kind),
        details=_details(event),
    )


def actor_kind_words(kind: str) -> str:
    """What sort of hand moved, "" for a member: the usual case."""
    return _KINDS.get(kind, kind)


def _details(event: SeenEvent) -> list[Definition]:
    facts = {in_words(name): _shown(value) for name, value in event.facts.items()}
    known = {
        "Event": event.code,
        "Target": event.target_label,
        "Target id": event.target_id,
        **facts,
        "Record": str(event.id),
    }
    return [Definition(term, value) for term, value in known.items() if value]


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value))
    if isinstance(value, dict):
        return "; ".join(f"{in_words(str(key))}: {_shown(inner)}" for key, inner in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None or value == "" else str(value)
