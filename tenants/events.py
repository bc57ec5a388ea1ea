from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.registry import AuditEvent


@dataclass(frozen=True, kw_only=True)
class TenantProvisioned(AuditEvent):
    code: ClassVar = "tenants.provisioned"
    target_kind: ClassVar = "tenant"
    sentence: ClassVar = "Workspace {target_label} was provisioned on the {tier} tier with {crm}"
    personal: ClassVar = frozenset[str]()

    tier: str
    crm: str
    resources: int


@dataclass(frozen=True, kw_only=True)
class MemberAdded(AuditEvent):
    code: ClassVar = "tenants.member_added"
    target_kind: ClassVar = "member"
    sentence: ClassVar = "{target_label} joined as {role}"
    personal: ClassVar = frozenset({"target_label"})

    role: str


@dataclass(frozen=True, kw_only=True)
class MemberDeactivated(AuditEvent):
    code: ClassVar = "tenants.member_deactivated"
    target_kind: ClassVar = "member"
    sentence: ClassVar = "{target_label} was deactivated: {reason}"
    personal: ClassVar = frozenset({"target_label"})

    reason: str


@dataclass(frozen=True, kw_only=True)
class MemberReactivated(AuditEvent):
    code: ClassVar = "tenants.member_reactivated"
    target_kind: ClassVar = "member"
    sentence: ClassVar = "{target_label} was let in again"
    personal: ClassVar = frozenset({"target_label"})


@dataclass(frozen=True, kw_only=True)
class MemberRoleChanged(AuditEvent):
    code: ClassVar = "tenants.member_role_changed"
    target_kind: ClassVar = "member"
    sentence: ClassVar = "{target_label} is {after} now, before {before}"
    personal: ClassVar = frozenset({"target_label"})

    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class MemberInvited(AuditEvent):
    code: ClassVar = "tenants.member_invited"
    target_kind: ClassVar = "member"
    sentence: ClassVar = "{target_label} gets a mail with the link to set a password"
    personal: ClassVar = frozenset({"target_label"})


@dataclass(frozen=True, kw_only=True)
class TimezoneSet(AuditEvent):
    code: ClassVar = "tenants.timezone_set"
    target_kind: ClassVar = "tenant"
    sentence: ClassVar = "The time zone was changed from {before} to {after}"
    personal: ClassVar = frozenset[str]()

    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class SettingsSaved(AuditEvent):
    code: ClassVar = "tenants.settings_saved"
    target_kind: ClassVar = "settings"
    sentence: ClassVar = "Settings were saved as version {version}"
    personal: ClassVar = frozenset[str]()

    version: int
    changed: list[str]


@dataclass(frozen=True, kw_only=True)
class PartnerKeyIssued(AuditEvent):
    code: ClassVar = "tenants.partner_key_issued"
    target_kind: ClassVar = "access_key"
    sentence: ClassVar = "An access key {target_label} was issued to {email}"
    personal: ClassVar = frozenset({"email"})

    email: str


@dataclass(frozen=True, kw_only=True)
class PartnerKeyRevoked(AuditEvent):
    code: ClassVar = "tenants.partner_key_revoked"
    target_kind: ClassVar = "access_key"
    sentence: ClassVar = "The access key {target_label} of {email} was revoked"
    personal: ClassVar = frozenset({"email"})

    email: str
