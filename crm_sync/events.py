from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.registry import AuditEvent


@dataclass(frozen=True, kw_only=True)
class ConnectionSaved(AuditEvent):
    code: ClassVar = "crm_sync.connection_saved"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "The {target_label} connection was set to {login_url}"
    personal: ClassVar = frozenset[str]()

    login_url: str
    client_id: str
    has_new_secret: bool


@dataclass(frozen=True, kw_only=True)
class ConnectionTested(AuditEvent):
    """A test that succeeded, which makes a connection that needed attention ("before") one to be read again."""

    code: ClassVar = "crm_sync.connection_tested"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "The {target_label} connection was tested: {found}"
    personal: ClassVar = frozenset[str]()

    before: str
    found: str


@dataclass(frozen=True, kw_only=True)
class ScheduleSet(AuditEvent):
    code: ClassVar = "crm_sync.schedule_set"
    target_kind: ClassVar = "schedule"
    sentence: ClassVar = "{target_label} is now synced every {every_minutes} minutes"
    personal: ClassVar = frozenset[str]()

    every_minutes: int
    is_paused: bool


@dataclass(frozen=True, kw_only=True)
class SyncRequested(AuditEvent):
    code: ClassVar = "crm_sync.sync_requested"
    target_kind: ClassVar = "sync_run"
    sentence: ClassVar = "A sync of {target_label} was started by hand"
    personal: ClassVar = frozenset[str]()

    is_full: bool


@dataclass(frozen=True, kw_only=True)
class RejectedRowsExported(AuditEvent):
    code: ClassVar = "crm_sync.rejected_rows_exported"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "The rows of {target_label} that were kept aside were exported"
    personal: ClassVar = frozenset[str]()


@dataclass(frozen=True, kw_only=True)
class ConnectionNeedsAttention(AuditEvent):
    code: ClassVar = "crm_sync.connection_needs_attention"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "{target_label} can no longer be read: {problem}"
    personal: ClassVar = frozenset[str]()

    problem: str
