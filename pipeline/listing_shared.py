"""The deals list for who holds shares: own deals and shared ones are read apart, each by its index, and put together in order.

The wall's condition for them is an OR, which no index answers: with it alone the planner walks the whole workspace in the list's order.
"""

from __future__ import annotations

import copy
from typing import Any, Self

from isolation import context
from pipeline.cursors import Cursor
from pipeline.filters import DealFilters, SortKey
from pipeline.listing import DealQuery

_MINE = "o.owner_id = ANY (%(mine)s)"
_ONE_OWNERS = "o.owner_id = %(mine)s"
_SHARED_ONLY = "o.id = ANY (%(shared_deals)s) AND (o.owner_id IS NULL OR o.owner_id <> ALL (%(owners)s))"
_SORT_NAMES = {SortKey.AMOUNT: "amount_minor", SortKey.STAGE_AGE: "days_in_stage"}


def deal_query(tenant_id: int, filters: DealFilters) -> DealQuery:
    """The list of that workspace under these filters, in the shape that fits the context in force."""
    is_mixed = context.current().role is context.Role.TENANT_SHARED and not filters.is_shared
    return SharedDealQuery(tenant_id, filters) if is_mixed else DealQuery(tenant_id, filters)


class SharedDealQuery(DealQuery):
    """A ``DealQuery`` in two parts that have no row in common: what the reader's owners own, and what is shared besides."""

    def __init__(self, tenant_id: int, filters: DealFilters) -> None:
        super().__init__(tenant_id, filters)
        seen = context.current()
        is_one = len(seen.owner_ids) == 1
        self.values |= {
            "mine": seen.owner_ids[0] if is_one else list(seen.owner_ids),
            "owners": list(seen.owner_ids),
            "shared_deals": list(seen.shares.deal),
        }
        self._halves = (_ONE_OWNERS if is_one else _MINE, _SHARED_ONLY)

    def _half(self, condition: str) -> Self:
        half = copy.copy(self)
        half.conditions = [*self.conditions, condition]
        return half

    def select(
        self, *, has_value: bool, is_backward: bool = False, cursor: Cursor | None = None, limit: int = 0
    ) -> tuple[str, dict[str, Any]]:
        """Both parts, each cut to ``limit``, as one list."""
        parts, values = [], dict(self.values)
        for condition in self._halves:
            sql, given = super(SharedDealQuery, self._half(condition)).select(
                has_value=has_value, is_backward=is_backward, cursor=cursor, limit=limit
            )
            parts.append(f"({sql})")
            values |= given
        direction = "DESC" if self.filters.is_descending != is_backward else "ASC"
        name = _SORT_NAMES.get(self.filters.sort, self.filters.sort.value)
        order = f"{name} {direction}, id {direction}" if has_value else f"id {direction}"
        sql = f"SELECT * FROM ({' UNION ALL '.join(parts)}) AS deal ORDER BY {order}"
        return (f"{sql} LIMIT {limit:d}" if limit else sql), values

    def count(self, *, at_most: int) -> int:
        """How many deals both parts have together, counted no further than ``at_most``. Raises: SearchTooSlow."""
        found = 0
        for condition in self._halves:
            if found < at_most:
                found += super(SharedDealQuery, self._half(condition)).count(at_most=at_most - found)
        return found
