from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.registry import AuditEvent


@dataclass(frozen=True, kw_only=True)
class ReportingLineSet(AuditEvent):
    code: ClassVar = "rbac.reporting_line_set"
    target_kind: ClassVar = "member"
    sentence: ClassVar = "{target_label} now reports to {manager}"
    personal: ClassVar = frozenset({"target_label", "manager"})

    manager: str
