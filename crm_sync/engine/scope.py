"""What every statement of a batch needs to know, and the few ways in which statements are run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db import connection

from crm_sync.connectors.base import ObjectSpec
from crm_sync.engine.sql import table_of


@dataclass(frozen=True)
class Scope:
    """One object of one run. ``family`` is all objects of the CRM: who points at this one's table is found there.

    ``options`` are the values of picklists that take no others, by CRM field.
    """

    tenant_id: int
    source: str
    currency: str
    connection_id: UUID
    run_id: UUID
    spec: ObjectSpec
    family: tuple[ObjectSpec, ...]
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def table(self) -> str:
        """The mirror table."""
        return table_of(self.spec.model)

    @cached_property
    def own_rows(self) -> str:
        """The condition for the object's rows in its table, whose alias is ``t``."""
        constants = "".join(f" AND t.{name} = '{value}'" for name, value in self.spec.constants.items())
        return f"t.tenant_id = %(tenant)s AND t.source = %(source)s{constants}"

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The named parameters that the statements share."""
        return {
            "tenant": self.tenant_id,
            "source": self.source,
            "currency": self.currency,
            "connection": self.connection_id,
            "run": self.run_id,
            "object": self.spec.name,
        }

    def run(self, sql: str, **more: Any) -> int:
        """Run a statement; gives the number of rows it touched."""
        with connection.cursor() as cursor:
            cursor.execute(sql, {**self.parameters, **more})
            return int(cursor.rowcount)

    def scalar(self, sql: str, **more: Any) -> Any:
        """The first column of the first row."""
        with connection.cursor() as cursor:
            cursor.execute(sql, {**self.parameters, **more})
            row = cursor.fetchone()
        return row[0] if row else None
