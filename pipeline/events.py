from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.registry import AuditEvent


@dataclass(frozen=True, kw_only=True)
class DatasetRebuildRequested(AuditEvent):
    code: ClassVar = "pipeline.dataset_rebuild_requested"
    target_kind: ClassVar = "dataset"
    sentence: ClassVar = "A whole rebuild of {target_label} was asked for"
    personal: ClassVar = frozenset()


@dataclass(frozen=True, kw_only=True)
class DealsExported(AuditEvent):
    code: ClassVar = "pipeline.deals_exported"
    target_kind: ClassVar = "deals"
    sentence: ClassVar = "Deals were exported: {filters}"
    personal: ClassVar = frozenset({"filters"})

    filters: str


@dataclass(frozen=True, kw_only=True)
class AccessListExported(AuditEvent):
    code: ClassVar = "pipeline.access_list_exported"
    target_kind: ClassVar = "deal"
    sentence: ClassVar = "The list of who sees {target_label} was exported, as of {as_of}"
    personal: ClassVar = frozenset()

    as_of: str


@dataclass(frozen=True, kw_only=True)
class SharesExported(AuditEvent):
    code: ClassVar = "pipeline.shares_exported"
    target_kind: ClassVar = "shares"
    sentence: ClassVar = "Shares were exported: {filters}"
    personal: ClassVar = frozenset({"filters"})

    filters: str
