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
