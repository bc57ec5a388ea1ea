from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.registry import AuditEvent


@dataclass(frozen=True, kw_only=True)
class ConnectionAdded(AuditEvent):
    code: ClassVar = "crm_sync.connection_added"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "A {target_label} connection was added, to be synced every {every_minutes} minutes"
    personal: ClassVar = frozenset[str]()

    every_minutes: int


@dataclass(frozen=True, kw_only=True)
class ConnectionRemoved(AuditEvent):
    code: ClassVar = "crm_sync.connection_removed"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = (
        "The {target_label} connection was removed with its credentials, its schedule and what was read of it"
    )
    personal: ClassVar = frozenset[str]()

    account_label: str
    runs: int


@dataclass(frozen=True, kw_only=True)
class ReserveSet(AuditEvent):
    code: ClassVar = "crm_sync.reserve_set"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "{reserve_percent} % of {target_label}'s daily calls are now left to other programs"
    personal: ClassVar = frozenset[str]()

    before: int
    reserve_percent: int


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
class ConnectionAuthorized(AuditEvent):
    """A person let the program into the CRM. ``account``: the CRM's user and organisation."""

    code: ClassVar = "crm_sync.connection_authorized"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "The {target_label} connection was authorised as {account} at {login_url}"
    personal: ClassVar = frozenset({"account"})

    login_url: str
    client_id: str
    account: str


@dataclass(frozen=True, kw_only=True)
class ConnectionNotAuthorized(AuditEvent):
    code: ClassVar = "crm_sync.connection_not_authorized"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "The {target_label} connection was not authorised: {problem}"
    personal: ClassVar = frozenset[str]()

    problem: str


@dataclass(frozen=True, kw_only=True)
class ConnectionDisconnected(AuditEvent):
    """Secrets and tokens are forgotten. ``sign_in`` is how the connection signed in until then."""

    code: ClassVar = "crm_sync.connection_disconnected"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "The {target_label} connection was disconnected"
    personal: ClassVar = frozenset[str]()

    sign_in: str


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
    kind: str = "sync"


@dataclass(frozen=True, kw_only=True)
class CheckedMonthsExported(AuditEvent):
    code: ClassVar = "crm_sync.checked_months_exported"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "The last comparison with {target_label} was exported"
    personal: ClassVar = frozenset[str]()


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


@dataclass(frozen=True, kw_only=True)
class MappingSaved(AuditEvent):
    """``changes`` are "object.field: before → after", at most a hundred of them."""

    code: ClassVar = "crm_sync.mapping_saved"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "Version {version} of the field mapping of {target_label} was saved"
    personal: ClassVar = frozenset[str]()

    version: int
    changes: list[str]
    restored_from: int | None = None


@dataclass(frozen=True, kw_only=True)
class ContractChecked(AuditEvent):
    code: ClassVar = "crm_sync.contract_checked"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = (
        "The fields of {target_label} were compared with the contract: {open} open violations"
    )
    personal: ClassVar = frozenset[str]()

    open: int


@dataclass(frozen=True, kw_only=True)
class ViolationsExported(AuditEvent):
    code: ClassVar = "crm_sync.violations_exported"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "The contract violations of {target_label} were exported"
    personal: ClassVar = frozenset[str]()


@dataclass(frozen=True, kw_only=True)
class RejectedRowsReplayed(AuditEvent):
    code: ClassVar = "crm_sync.rejected_rows_replayed"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "{rows} rows of {target_label} that were kept aside are tried again"
    personal: ClassVar = frozenset[str]()

    rows: int
    object_name: str = ""


@dataclass(frozen=True, kw_only=True)
class SyncRunsExported(AuditEvent):
    code: ClassVar = "crm_sync.sync_runs_exported"
    target_kind: ClassVar = "connection"
    sentence: ClassVar = "The sync runs of {target_label} were exported"
    personal: ClassVar = frozenset[str]()


@dataclass(frozen=True, kw_only=True)
class OwnerAssigned(AuditEvent):
    code: ClassVar = "crm_sync.owner_assigned"
    target_kind: ClassVar = "owner"
    sentence: ClassVar = "The deals of the CRM owner {target_label} are now {member}'s"
    personal: ClassVar = frozenset({"target_label", "member"})

    member: str


@dataclass(frozen=True, kw_only=True)
class OwnersExported(AuditEvent):
    code: ClassVar = "crm_sync.owners_exported"
    target_kind: ClassVar = "tenant"
    sentence: ClassVar = "The list of CRM owners was exported ({filters})"
    personal: ClassVar = frozenset({"filters"})

    filters: str


@dataclass(frozen=True, kw_only=True)
class OwnersPassedOn(AuditEvent):
    code: ClassVar = "crm_sync.owners_passed_on"
    target_kind: ClassVar = "member"
    sentence: ClassVar = "The deals of {target_label} were passed on to {heir}"
    personal: ClassVar = frozenset({"target_label", "heir", "owners"})

    heir: str
    owners: list[str]
