"""What can be recorded. Every app declares its events in ``events.py``; nothing else can enter the log."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

_registry: dict[str, type[AuditEvent]] = {}
_TARGET_FIELDS = {"target_id", "target_label"}


@dataclass(frozen=True, kw_only=True)
class AuditEvent:
    """One thing that happened, in the past tense.

    A subclass names ``code`` (``app.thing_happened``), ``target_kind``, ``sentence`` (a format string over its fields) and
    ``personal``: which of its fields hold personal data. ``personal`` has no default, so that nobody forgets to think of it.
    """

    code: ClassVar[str]
    target_kind: ClassVar[str]
    sentence: ClassVar[str]
    personal: ClassVar[frozenset[str]]

    target_id: str = ""
    target_label: str = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        missing = [
            name for name in ("code", "target_kind", "sentence", "personal") if name not in cls.__dict__
        ]
        if missing:
            raise TypeError(f"Audit event {cls.__name__} must declare {', '.join(missing)}.")
        if _registry.setdefault(cls.code, cls).__qualname__ != cls.__qualname__:
            raise TypeError(f"Audit event code {cls.code} is declared twice.")

    def facts(self) -> dict[str, Any]:
        """The event's own fields, ready for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _TARGET_FIELDS}


def all_events() -> dict[str, type[AuditEvent]]:
    """Every registered event class by code."""
    return dict(_registry)


def sentence_of(code: str, facts: dict[str, Any], target_label: str) -> str:
    """The event told as a sentence; an event whose class has gone is told by its code."""
    declared = _registry.get(code)
    if declared is None:
        return code
    try:
        return declared.sentence.format(**facts, target_label=target_label)
    except KeyError:  # an older version of the event lacks a field that the sentence names now
        return f"{code}: {target_label}"
