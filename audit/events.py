from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.registry import AuditEvent


@dataclass(frozen=True, kw_only=True)
class AuditExported(AuditEvent):
    code: ClassVar = "audit.exported"
    target_kind: ClassVar = "audit"
    sentence: ClassVar = "The audit log was exported"
    personal: ClassVar = frozenset[str]()

    filters: str


@dataclass(frozen=True, kw_only=True)
class ContextKeysRotated(AuditEvent):
    """Key ids tell nothing about the keys."""

    code: ClassVar = "audit.context_keys_rotated"
    target_kind: ClassVar = "context_key"
    sentence: ClassVar = (
        "The database accepts other keys of contexts: {count_added} more, {count_dropped} no longer"
    )
    personal: ClassVar = frozenset[str]()

    count_added: int
    count_dropped: int
    added: list[str]
    kept: list[str]
    dropped: list[str]
