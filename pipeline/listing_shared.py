"""The deals list for who holds shares: own deals and shared ones are read apart, each by its index, and put together in order.

The wall's condition for them is an OR, which no index answers, and which has the planner take what fits for little: with it alone
a page is made of the whole workspace, or of all that the reader's owners own. So own deals are read as by somebody without shares.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any

from isolation import context
from pipeline.cursors import Cursor
from pipeline.filters import DealFilters, SortKey
from pipeline.listing import DealQuery, DealRow

_SHARED_ONLY = "o.id = ANY (%(shared)s) AND (o.owner_id IS NULL OR o.owner_id <> ALL (%(own)s))"
_SORT_NAMES = {SortKey.AMOUNT: "amount_minor", SortKey.STAGE_AGE: "days_in_stage"}


def deal_query(tenant_id: int, filters: DealFilters) -> DealQuery:
    """The list of that workspace under these filters, in the shape that fits the context in force."""
    is_mixed = context.current().role is context.Role.TENANT_SHARED and not filters.is_shared
    return SharedDealQuery(tenant_id, filters) if is_mixed else DealQuery(tenant_id, filters)


class SharedDealQuery(DealQuery):
    """A ``DealQuery`` in two parts that have no row in common: what the reader's owners own, and what is shared besides."""

    def __init__(self, tenant_id: int, filters: DealFilters) -> None:
        super().__init__(tenant_id, filters)
        self._tenant_id = tenant_id
        self._seen = context.current()
        self.values |= {"own": list(self._seen.owner_ids), "shared": list(self._seen.shares.deal)}

    def _as_owner(self) -> AbstractContextManager[context.Context]:
        return context.tenant_member(self._tenant_id, self._seen.owner_ids)

    @cached_property
    def _own(self) -> DealQuery:
        """To be made and asked ``_as_owner``."""
        return DealQuery(self._tenant_id, self.filters)

    @cached_property
    def _others(self) -> DealQuery:
        part = self._part(_SHARED_ONLY)
        part.values["named"] = part.values["shared"]
        return part

    def _part(self, condition: str) -> DealQuery:
        # Made of what is known here, because a new one would search again, and a copy of this one would be in two parts itself.
        part = DealQuery.__new__(DealQuery)
        vars(part).update(filters=self.filters, owned=self.owned, values=dict(self.values))
        part.conditions = [*self.conditions, condition]
        return part

    def fetch(self, *, limit: int, cursor: Cursor | None = None) -> list[DealRow]:
        """At most ``limit`` rows beyond ``cursor``, in the list's order. Raises: SearchTooSlow."""
        if self.filters.sort is SortKey.NAME:  # in the order of the database's alphabet
            return super().fetch(limit=limit, cursor=cursor)
        with self._as_owner():
            own = self._own.fetch(limit=limit, cursor=cursor)
        rows = self._in_order([*own, *self._others.fetch(limit=limit, cursor=cursor)])
        return rows[-limit:] if cursor is not None and cursor.is_backward else rows[:limit]

    def _in_order(self, rows: Sequence[DealRow]) -> list[DealRow]:
        sort, is_descending = self.filters.sort, self.filters.is_descending
        known = [row for row in rows if row.sort_value(sort) is not None]
        known.sort(key=lambda row: (row.sort_value(sort), row.id), reverse=is_descending)
        others = [row for row in rows if row.sort_value(sort) is None]
        return [*known, *sorted(others, key=lambda row: row.id, reverse=is_descending)]

    def select(
        self, *, has_value: bool, is_backward: bool = False, cursor: Cursor | None = None, limit: int = 0
    ) -> tuple[str, dict[str, Any]]:
        """Both parts, each cut to ``limit``, as one list: for the order of names, and for streams."""
        parts, values = [], dict(self.values)
        for part in (self._part("o.owner_id = ANY (%(own)s)"), self._others):
            sql, given = part.select(has_value=has_value, is_backward=is_backward, cursor=cursor, limit=limit)
            parts.append(f"({sql})")
            values |= given
        values |= (
            {"named": self.values["named"]} if "named" in self.values else {}
        )  # what one part names, the other must find
        direction = "DESC" if self.filters.is_descending != is_backward else "ASC"
        name = _SORT_NAMES.get(self.filters.sort, self.filters.sort.value)
        order = f"{name} {direction}, id {direction}" if has_value else f"id {direction}"
        sql = f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS deal ORDER BY {order}"
        return (f"{sql} LIMIT {limit:d}" if limit else sql), values

    def count(self, *, at_most: int) -> int:
        """How many deals both parts have together, counted no further than ``at_most``. Raises: SearchTooSlow."""
        with self._as_owner():
            own = self._own.count(at_most=at_most)
        return own + (self._others.count(at_most=at_most - own) if own < at_most else 0)
