from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.registry import AuditEvent


@dataclass(frozen=True, kw_only=True)
class UserCreated(AuditEvent):
    code: ClassVar = "accounts.user_created"
    target_kind: ClassVar = "user"
    sentence: ClassVar = "The account {target_label} was created"
    personal: ClassVar = frozenset({"target_label"})

    is_operator: bool


@dataclass(frozen=True, kw_only=True)
class SignedIn(AuditEvent):
    code: ClassVar = "accounts.signed_in"
    target_kind: ClassVar = "user"
    sentence: ClassVar = "{target_label} signed in by {method}"
    personal: ClassVar = frozenset({"target_label", "ip_address"})

    method: str
    ip_address: str


@dataclass(frozen=True, kw_only=True)
class SignInFailed(AuditEvent):
    code: ClassVar = "accounts.sign_in_failed"
    target_kind: ClassVar = "user"
    sentence: ClassVar = "A sign-in by {method} failed: {reason}"
    personal: ClassVar = frozenset({"target_label", "ip_address"})

    method: str
    reason: str
    ip_address: str


@dataclass(frozen=True, kw_only=True)
class PasswordSet(AuditEvent):
    code: ClassVar = "accounts.password_set"
    target_kind: ClassVar = "user"
    sentence: ClassVar = "The password of {target_label} was set"
    personal: ClassVar = frozenset({"target_label"})


@dataclass(frozen=True, kw_only=True)
class SessionsEnded(AuditEvent):
    code: ClassVar = "accounts.sessions_ended"
    target_kind: ClassVar = "user"
    sentence: ClassVar = "Every session of {target_label} was ended"
    personal: ClassVar = frozenset({"target_label"})


@dataclass(frozen=True, kw_only=True)
class AccessKeyIssued(AuditEvent):
    code: ClassVar = "accounts.access_key_issued"
    target_kind: ClassVar = "access_key"
    sentence: ClassVar = "Access key {target_label} was issued to {email}"
    personal: ClassVar = frozenset({"email"})

    email: str


@dataclass(frozen=True, kw_only=True)
class AccessKeyRevoked(AuditEvent):
    code: ClassVar = "accounts.access_key_revoked"
    target_kind: ClassVar = "access_key"
    sentence: ClassVar = "Access key {target_label} of {email} was revoked"
    personal: ClassVar = frozenset({"email"})

    email: str
