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
