"""The personal data of this room."""

from __future__ import annotations

from operations.permissions import FULL_ACCESS
from rbac.redaction.reading import register

QUEUE_CONTACTS = register("contact data of the priority queue", FULL_ACCESS)
