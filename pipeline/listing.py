"""The deals list as SQL: filters, order, keyset paging and the count, shaped so that indexes carry them behind the wall.

Pages go by (sort value, id), never by offset. Deals without a sort value come last in both directions, as a second query that
runs only where the first does not fill the page: one query with ``OR … IS NULL`` would not use the index.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg.errors import QueryCanceled

from isolation import context
from pipeline import search
from pipeline.cursors import Cursor, SortValue
from pipeline.errors import SearchTooSlow
from pipeline.filters import DealFilters, DealState, Hygiene, SortKey

SECONDS_AT_MOST = 4
CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class DealRow:
    """One deal as lists show it; the health fields are None for closed deals and for those that no build has seen."""

    id: int
    external_id: str
    name: str
    account_name: str
    stage: str
    amount_minor: int | None
    currency: str
    close_on: date | None
    is_closed: bool
    is_won: bool
    next_step: str
    owner_id: int | None
    owner_external_id: str
    owner_name: str | None
    owner_email: str | None
    score: int | None
    band: str | None
    days_in_stage: int | None
    days_since_activity: int | None
    is_stale_warning: bool | None
    is_past_close: bool | None

    def sort_value(self, sort: SortKey) -> SortValue:
        """What the list is sorted by, of this row."""
        attribute = {SortKey.AMOUNT: "amount_minor", SortKey.STAGE_AGE: "days_in_stage"}.get(sort, sort.value)
        value: SortValue = getattr(self, attribute)
        return value


_OWNER_FIELDS = {"owner_name": "w.name AS owner_name", "owner_email": "w.email AS owner_email"}
_HEALTH_FIELDS = {
    "score",
    "band",
    "days_in_stage",
    "days_since_activity",
    "is_stale_warning",
    "is_past_close",
}


def _column(name: str) -> str:
    return _OWNER_FIELDS.get(name) or f"{'h' if name in _HEALTH_FIELDS else 'o'}.{name}"


_COLUMNS = ", ".join(_column(field.name) for field in fields(DealRow))
_SORT_COLUMNS = {
    SortKey.CLOSE_ON: "o.close_on",
    SortKey.AMOUNT: "o.amount_minor",
    SortKey.SCORE: "h.score",
    SortKey.NAME: "o.name",
    SortKey.STAGE_AGE: "h.days_in_stage",
}
_STATES = {
    DealState.OPEN: "NOT o.is_closed",
    DealState.CLOSED: "o.is_closed",
    DealState.WON: "o.is_closed AND o.is_won",
    DealState.LOST: "o.is_closed AND NOT o.is_won",
}
_FLAGS = {
    Hygiene.STALE: "h.is_stale_warning",
    Hygiene.STALE_CRITICAL: "h.is_stale_critical",
    Hygiene.PAST_CLOSE: "h.is_past_close",
}
# One look-up a row that is shown: left to itself, the planner read all scores of an owner to show fifty of them.
_LOOKED_UP = """LEFT JOIN LATERAL (
    SELECT * FROM pipeline_dealhealth h WHERE h.tenant_id = o.tenant_id AND h.id = o.id OFFSET 0) AS h ON true"""
_NAMED = """(
    SELECT * FROM crm_sync_opportunity WHERE tenant_id = %(tenant)s AND id = ANY (%(named)s) OFFSET 0) AS o"""
_OWNER = "LEFT JOIN crm_sync_owner w ON w.tenant_id = o.tenant_id AND w.id = o.owner_id"
_FROM_HEALTH = (SortKey.SCORE, SortKey.STAGE_AGE)


class DealQuery:
    """The list of one workspace under these filters; the wall decides which of its rows the reader sees."""

    def __init__(self, tenant_id: int, filters: DealFilters) -> None:
        self.filters = filters
        self.values: dict[str, Any] = {"tenant": tenant_id}
        self.conditions = ["o.tenant_id = %(tenant)s", *self._conditions()]

    def _conditions(self) -> Iterator[str]:
        filters = self.filters
        if filters.state in _STATES:
            yield _STATES[filters.state]
        yield from self._one_owner()
        yield from self._shared()
        for name, column, values in (
            ("owners", "o.owner_id", filters.owners if len(filters.owners) > 1 else ()),
            ("stages", "o.stage", filters.stages),
            ("bands", "h.band", [band.value for band in filters.bands]),
        ):
            if values:
                self.values[name] = list(values)
                yield f"{column} = ANY (%({name})s)"
        for name, comparison, value in (
            ("amount_min", "o.amount_minor >=", filters.amount_min_minor),
            ("amount_max", "o.amount_minor <=", filters.amount_max_minor),
            ("close_from", "o.close_on >=", filters.close_from),
            ("close_to", "o.close_on <=", filters.close_to),
        ):
            if value is not None:
                self.values[name] = value
                yield f"{comparison} %({name})s"
        yield from (_FLAGS[flag] for flag in filters.hygiene)
        yield from self._search()

    def _one_owner(self) -> Iterator[str]:
        """A rep's own deals, or one owner's: said as an equation, because only that keeps the order of the owner's index.

        The wall's own condition is on an array that the planner cannot see; with it alone a rep of 200 waits 4 times longer.
        """
        seen = context.current()
        if seen.role is context.Role.TENANT_MEMBER and len(seen.owner_ids) == 1:
            self.values["only_owner"] = seen.owner_ids[0]
            yield "o.owner_id = %(only_owner)s"
        if len(self.filters.owners) == 1:
            self.values["owner"] = self.filters.owners[0]
            yield "o.owner_id = %(owner)s"

    def _shared(self) -> Iterator[str]:
        if self.filters.is_shared:
            self.values["shared"] = list(context.current().shares.deal)
            yield "o.id = ANY (%(shared)s)"

    def _search(self) -> Iterator[str]:
        if self.filters.words:
            with time_limited(True):
                found = search.find(self.values["tenant"], self.filters.search)
            self.values |= found.values
            yield found.condition
            if found.deal_ids is not None:
                self.values["named"] = found.deal_ids

    @property
    def is_searching_everything(self) -> bool:
        """Whether a search has not said which deals are worth a look, so that the list is read in its order until a page is full."""
        return bool(self.filters.words) and "named" not in self.values

    @property
    def needs_health(self) -> bool:
        """Whether a condition reads the scores."""
        return bool(self.filters.bands or self.filters.hygiene)

    @property
    def is_slow(self) -> bool:
        """Whether no index carries the order or the condition, so that a huge workspace needs a time limit."""
        return (
            self.is_searching_everything
            or self.filters.sort is SortKey.NAME
            or self.filters.state is DealState.ALL
        )

    @property
    def is_countable_by_index(self) -> bool:
        """Whether the rows can be counted without reading them: the indexes hold state, owner, amount and close date."""
        filters = self.filters
        return not (self.needs_health or filters.stages or filters.words or filters.state is DealState.ALL)

    def _from(self, *, has_value: bool, with_owner: bool = True) -> str:
        scored = self.needs_health or (self.filters.sort in _FROM_HEALTH and has_value)
        return f"FROM {self._deals} {self._inner_join() if scored else _LOOKED_UP} {_OWNER if with_owner else ''}"

    @property
    def _deals(self) -> str:
        """The table of deals; fenced off where a search named some, because conditions on text are estimated at random."""
        return _NAMED if "named" in self.values else "crm_sync_opportunity o"

    def _inner_join(self) -> str:
        mine = "AND h.owner_id = %(only_owner)s" if "only_owner" in self.values else ""
        return f"JOIN pipeline_dealhealth h ON h.tenant_id = o.tenant_id AND h.id = o.id {mine}"

    def select(
        self, *, has_value: bool, is_backward: bool = False, cursor: Cursor | None = None, limit: int = 0
    ) -> tuple[str, dict[str, Any]]:
        """The rows with a sort value, or those without, as (SQL, values), in the list's order or against it."""
        column = _SORT_COLUMNS[self.filters.sort]
        key = "h.id" if self.filters.sort in _FROM_HEALTH and has_value else "o.id"
        is_descending = self.filters.is_descending != is_backward
        direction, beyond = ("DESC", "<") if is_descending else ("ASC", ">")
        conditions, values = [*self.conditions], dict(self.values)
        conditions.append(f"{column} IS {'NOT ' if has_value else ''}NULL")
        if cursor is not None:
            values |= {"at": cursor.value, "id": cursor.deal_id}
            conditions.append(
                f"({column}, {key}) {beyond} (%(at)s, %(id)s)" if has_value else f"{key} {beyond} %(id)s"
            )
        order = f"{column} {direction}, {key} {direction}" if has_value else f"{key} {direction}"
        which, ordered = f"WHERE {' AND '.join(conditions)}", f"ORDER BY {order}"
        if limit and not (self.needs_health or self.filters.sort in _FROM_HEALTH):
            # Cut first: behind the wall the planner takes an owner's rows for few, and looked scores up for all that it then sorted.
            cut = f"(SELECT o.* FROM {self._deals} {which} {ordered} LIMIT {limit:d}) AS o"
            return f"SELECT {_COLUMNS} FROM {cut} {_LOOKED_UP} {_OWNER} {ordered}", values
        sql = f"SELECT {_COLUMNS} {self._from(has_value=has_value)} {which} {ordered}"
        return (f"{sql} LIMIT {limit:d}" if limit else sql), values

    def fetch(self, *, limit: int, cursor: Cursor | None = None) -> list[DealRow]:
        """At most ``limit`` rows beyond ``cursor``, in the list's order. Raises: SearchTooSlow."""
        is_backward = cursor is not None and cursor.is_backward
        parts = [False, True] if is_backward else [True, False]
        if cursor is not None and (cursor.value is not None) != parts[0]:
            parts = parts[1:]
        rows: list[DealRow] = []
        with time_limited(self.is_slow), connection.cursor() as statement:
            for has_value in parts:
                if len(rows) < limit:
                    left = limit - len(rows)
                    statement.execute(
                        *self.select(has_value=has_value, is_backward=is_backward, cursor=cursor, limit=left)
                    )
                    rows += [DealRow(*row) for row in statement.fetchall()]
                cursor = None
        return rows[::-1] if is_backward else rows

    def count(self, *, at_most: int) -> int:
        """How many deals the list has, counted no further than ``at_most``. Raises: SearchTooSlow."""
        source = self._from(has_value=False, with_owner=False) if self.needs_health else f"FROM {self._deals}"
        sql = f"SELECT count(*) FROM (SELECT {source} WHERE {' AND '.join(self.conditions)} LIMIT {at_most:d}) AS counted"
        with time_limited(self.is_slow), connection.cursor() as cursor:
            cursor.execute(sql, self.values)
            (found,) = cursor.fetchone() or (0,)
            return int(found)

    def stream(self) -> Iterator[DealRow]:
        """Every row, through server-side cursors; inside a context that stays open until the last one."""
        for has_value in (True, False):
            sql, values = self.select(has_value=has_value)
            with connection.chunked_cursor() as cursor:
                cursor.execute(sql, values)
                while rows := cursor.fetchmany(CHUNK):
                    yield from (DealRow(*row) for row in rows)


@contextmanager
def time_limited(is_limited: bool) -> Iterator[None]:
    """Let statements inside run for ``SECONDS_AT_MOST``. Raises: SearchTooSlow."""
    if not is_limited:
        yield
        return
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{SECONDS_AT_MOST}s"])
            yield
            cursor.execute("SELECT set_config('statement_timeout', '0', true)")
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise SearchTooSlow from error
        raise
