from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from audit.registry import AuditEvent


@dataclass(frozen=True, kw_only=True)
class ItemCreated(AuditEvent):
    code: ClassVar = "operations.item_created"
    target_kind: ClassVar = "priority_item"
    sentence: ClassVar = "A {kind} was added to the priority queue"
    personal: ClassVar = frozenset[str]()

    kind: str


@dataclass(frozen=True, kw_only=True)
class ItemsImported(AuditEvent):
    code: ClassVar = "operations.items_imported"
    target_kind: ClassVar = "priority_item"
    sentence: ClassVar = (
        "{imported} items were imported into the priority queue, {rejected} rows were refused"
    )
    personal: ClassVar = frozenset[str]()

    imported: int
    rejected: int


@dataclass(frozen=True, kw_only=True)
class ItemReviewed(AuditEvent):
    code: ClassVar = "operations.item_reviewed"
    target_kind: ClassVar = "priority_item"
    sentence: ClassVar = "A {kind} of the priority queue was reviewed"
    personal: ClassVar = frozenset[str]()

    kind: str


@dataclass(frozen=True, kw_only=True)
class ItemClosedByHand(AuditEvent):
    code: ClassVar = "operations.item_closed"
    target_kind: ClassVar = "priority_item"
    sentence: ClassVar = "A {kind} of the priority queue was closed"
    personal: ClassVar = frozenset[str]()

    kind: str
