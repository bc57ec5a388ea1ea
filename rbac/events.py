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


@dataclass(frozen=True, kw_only=True)
class CatalogueSeeded(AuditEvent):
    code: ClassVar = "rbac.catalogue_seeded"
    target_kind: ClassVar = "role"
    sentence: ClassVar = "The catalogue of roles was brought up to the program: {added} rows added, {changed} changed, {removed} removed"
    personal: ClassVar = frozenset[str]()

    added: int
    changed: int
    removed: int


@dataclass(frozen=True, kw_only=True)
class RoleGranted(AuditEvent):
    code: ClassVar = "rbac.role_granted"
    target_kind: ClassVar = "member"
    sentence: ClassVar = "{target_label} was given the role {role} ({period}): {reason}"
    personal: ClassVar = frozenset({"target_label", "reason"})

    role: str
    role_code: str
    period: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RoleGrantEnded(AuditEvent):
    code: ClassVar = "rbac.role_grant_ended"
    target_kind: ClassVar = "member"
    sentence: ClassVar = "The role {role} was taken from {target_label}: {reason}"
    personal: ClassVar = frozenset({"target_label", "reason"})

    role: str
    role_code: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class CustomRoleCreated(AuditEvent):
    code: ClassVar = "rbac.custom_role_created"
    target_kind: ClassVar = "role"
    sentence: ClassVar = "The role {target_label} was made on level {level} with {count} rights"
    personal: ClassVar = frozenset[str]()

    level: int
    sight: str
    count: int
    permissions: list[str]


@dataclass(frozen=True, kw_only=True)
class CustomRoleChanged(AuditEvent):
    code: ClassVar = "rbac.custom_role_changed"
    target_kind: ClassVar = "role"
    sentence: ClassVar = "The role {target_label} was changed: version {version}"
    personal: ClassVar = frozenset[str]()

    version: int
    changed: dict[str, str]
    added: list[str]
    removed: list[str]


@dataclass(frozen=True, kw_only=True)
class CustomRoleArchived(AuditEvent):
    code: ClassVar = "rbac.custom_role_archived"
    target_kind: ClassVar = "role"
    sentence: ClassVar = "The role {target_label} was archived"
    personal: ClassVar = frozenset[str]()


@dataclass(frozen=True, kw_only=True)
class ShareGiven(AuditEvent):
    code: ClassVar = "rbac.share_given"
    target_kind: ClassVar = "share"
    sentence: ClassVar = "{target_label} was shared with {member} ({access}) until {until}: {reason}"
    personal: ClassVar = frozenset({"member", "reason"})

    share_id: str
    member: str
    access: str
    until: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ShareEndedEarly(AuditEvent):
    code: ClassVar = "rbac.share_ended"
    target_kind: ClassVar = "share"
    sentence: ClassVar = "The share of {target_label} with {member} was ended: {reason}"
    personal: ClassVar = frozenset({"member", "reason"})

    share_id: str
    member: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class RoleChangeDenied(AuditEvent):
    code: ClassVar = "rbac.role_change_denied"
    target_kind: ClassVar = "role"
    sentence: ClassVar = "Refused: {refusal}"
    personal: ClassVar = frozenset({"target_label", "refusal"})

    refused_as: str
    refusal: str


@dataclass(frozen=True, kw_only=True)
class PersonalDataRead(AuditEvent):
    """Personal data left unmasked for a person's eyes or file: one event an answer. Names rows, never what stands in them."""

    code: ClassVar = "rbac.personal_data_read"
    target_kind: ClassVar = "personal_data"
    sentence: ClassVar = "Personal data was read unmasked through {door}: {data}, {extent}"
    personal: ClassVar = frozenset[str]()

    data: str
    door: str
    extent: str
    rows: int | None
    filters: str
    items: list[str]


@dataclass(frozen=True, kw_only=True)
class ReviewStarted(AuditEvent):
    code: ClassVar = "rbac.review_started"
    target_kind: ClassVar = "access_review"
    sentence: ClassVar = "The access review {target_label} was started: {items} to decide until {due_on}"
    personal: ClassVar = frozenset[str]()

    items: int
    due_on: str


@dataclass(frozen=True, kw_only=True)
class ReviewItemDecided(AuditEvent):
    code: ClassVar = "rbac.review_item_decided"
    target_kind: ClassVar = "member"
    sentence: ClassVar = "Access review {review}: {thing} of {target_label} was {decided}: {reason}"
    personal: ClassVar = frozenset({"target_label", "reason"})

    review: str
    item_id: str
    thing: str
    decided: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ReviewClosed(AuditEvent):
    code: ClassVar = "rbac.review_closed"
    target_kind: ClassVar = "access_review"
    sentence: ClassVar = "The access review {target_label} is complete: {kept} kept, {revoked} revoked, {ended} ended before a decision"
    personal: ClassVar = frozenset[str]()

    kept: int
    revoked: int
    ended: int


@dataclass(frozen=True, kw_only=True)
class ReviewExported(AuditEvent):
    """``sha256`` is the checksum of the rows that left, so that a file can be held against the log."""

    code: ClassVar = "rbac.review_exported"
    target_kind: ClassVar = "access_review"
    sentence: ClassVar = "The evidence of the access review {target_label} was exported as {form}: {items} rows, SHA-256 {sha256}"
    personal: ClassVar = frozenset[str]()

    form: str
    items: int
    sha256: str
