from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.registry import AuditEvent

TARGET = "break_glass"
"""What these events concern: the stay, by its id. Its label is the operator's address."""


@dataclass(frozen=True, kw_only=True)
class BreakGlassStarted(AuditEvent):
    code: ClassVar = "rbac.break_glass_started"
    target_kind: ClassVar = TARGET
    sentence: ClassVar = "The vendor's staff ({target_label}) may read {workspace} until {until}: {reason}"
    personal: ClassVar = frozenset({"target_label"})

    workspace: str
    reason: str
    ticket: str
    until: str
    told: int
    """How many of the workspace's people are sent a mail."""


@dataclass(frozen=True, kw_only=True)
class BreakGlassEnded(AuditEvent):
    code: ClassVar = "rbac.break_glass_ended"
    target_kind: ClassVar = TARGET
    sentence: ClassVar = "The vendor's staff ({target_label}) may not read {workspace} any more"
    personal: ClassVar = frozenset({"target_label"})

    workspace: str


@dataclass(frozen=True, kw_only=True)
class BreakGlassRead(AuditEvent):
    """One request of an operator inside a workspace. ``view`` is the route; in ``filters`` numbers and addresses are masked."""

    code: ClassVar = "rbac.break_glass_read"
    target_kind: ClassVar = TARGET
    sentence: ClassVar = "The vendor's staff ({target_label}) opened {path}"
    personal: ClassVar = frozenset({"target_label"})

    path: str
    view: str
    filters: str


@dataclass(frozen=True, kw_only=True)
class BreakGlassWriteRefused(AuditEvent):
    code: ClassVar = "rbac.break_glass_write_refused"
    target_kind: ClassVar = TARGET
    sentence: ClassVar = "The vendor's staff ({target_label}) was refused a change: {method} {path}"
    personal: ClassVar = frozenset({"target_label"})

    method: str
    path: str
    view: str
