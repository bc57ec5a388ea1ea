"""The deals list as SQL: filters, order, keyset paging and the count, shaped so that indexes carry them behind the wall.

Pages go by (sort value, id), never by offset. Deals without a sort value come last in both directions, as a second query that
runs only where the first does not fill the page: one query with ``OR … IS NULL`` would not use the index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
# One look-up a deal: with the wall's own owners beside it, the planner took a list of ids for worse than reading all of an owner's deals.
_NAMED = """(
    SELECT named.* FROM unnest(%(named)s::bigint[]) AS one (id) CROSS JOIN LATERAL (
        SELECT * FROM crm_sync_opportunity WHERE tenant_id = %(tenant)s AND crm_sync_opportunity.id = one.id OFFSET 0) AS named
    OFFSET 0) AS o"""
_HEALTH = "JOIN pipeline_dealhealth h ON h.tenant_id = o.tenant_id AND h.id = o.id"
# In the order of the scores' index, one look-up a row: left to itself, the planner joined all scores to all deals and sorted.
_BY_HEALTH = """(SELECT * FROM pipeline_dealhealth WHERE tenant_id = %(tenant)s) AS h CROSS JOIN LATERAL (
    SELECT * FROM crm_sync_opportunity o WHERE o.tenant_id = h.tenant_id AND o.id = h.id OFFSET 0) AS o"""
_OWNER = """LEFT JOIN LATERAL (
    SELECT * FROM crm_sync_owner w WHERE w.tenant_id = o.tenant_id AND w.id = o.owner_id OFFSET 0) AS w ON true"""
_FROM_HEALTH = (SortKey.SCORE, SortKey.STAGE_AGE)
_WITH_SCORES = (DealState.OPEN, DealState.ALL)
"""Closed deals have no score."""
_NARROWING = {"named", "amount_min", "amount_max", "close_from", "close_to"}
"""Values of conditions that may leave so few deals that walking all scores in their order would look most of them up in vain."""


class DealQuery:
    """The list of one workspace under these filters; the wall decides which of its rows the reader sees."""

    def __init__(self, tenant_id: int, filters: DealFilters) -> None:
        self.filters = filters
        self.values: dict[str, Any] = {"tenant": tenant_id}
        self.owned = list(self._owned())
        """Conditions on the owner, which deals and their scores have both."""
        self.conditions = ["o.tenant_id = %(tenant)s", *self._conditions()]

    def _conditions(self) -> Iterator[str]:
        filters = self.filters
        if filters.state in _STATES:
            yield _STATES[filters.state]
        for name, column, values in (
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

    def _owned(self) -> Iterator[str]:
        """A rep's own deals, or one owner's: said as an equation, because only that keeps the order of the owner's index.

        The wall's own condition is on an array that the planner cannot see; with it alone a rep of 200 waits 4 times longer.
        """
        seen, owners = context.current(), self.filters.owners
        if seen.role is context.Role.TENANT_MEMBER and len(seen.owner_ids) == 1:
            self.values["only_owner"] = seen.owner_ids[0]
            yield "owner_id = %(only_owner)s"
        if owners:
            self.values["owners"] = list(owners) if len(owners) > 1 else owners[0]
            yield f"owner_id = {'ANY (%(owners)s)' if len(owners) > 1 else '%(owners)s'}"

    def _search(self) -> Iterator[str]:
        if self.filters.words:
            with time_limited(True):
                found = search.find(self.values["tenant"], self.filters.search)
            self.values |= found.values
            yield found.condition
            if found.deal_ids is not None:
                self.values["named"] = found.deal_ids
        if self.filters.is_shared:
            self.values["named"] = list(context.current().shares.deal)

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

    def _from(self, *, has_value: bool) -> str:
        if not self._is_by_health(has_value=has_value):
            return f"{self._deals} {_HEALTH if self.needs_health else _LOOKED_UP}"
        is_narrow = _NARROWING & self.values.keys() or self.filters.state not in _WITH_SCORES
        return f"{self._deals} {_HEALTH}" if is_narrow else _BY_HEALTH

    def _is_by_health(self, *, has_value: bool) -> bool:
        return has_value and self.filters.sort in _FROM_HEALTH

    def _where(self, *, with_health: bool, more: Sequence[str] = ()) -> str:
        owned = [f"{table}.{one}" for one in self.owned for table in ("oh" if with_health else "o")]
        return " AND ".join([*self.conditions, *owned, *more])

    @property
    def _deals(self) -> str:
        """The table of deals; fenced off where a search named some, because conditions on text are estimated at random."""
        return _NAMED if "named" in self.values else "crm_sync_opportunity o"

    def select(
        self, *, has_value: bool, is_backward: bool = False, cursor: Cursor | None = None, limit: int = 0
    ) -> tuple[str, dict[str, Any]]:
        """The rows with a sort value, or those without, as (SQL, values), in the list's order or against it."""
        column = _SORT_COLUMNS[self.filters.sort]
        key = "h.id" if self.filters.sort in _FROM_HEALTH and has_value else "o.id"
        is_descending = self.filters.is_descending != is_backward
        direction, beyond = ("DESC", "<") if is_descending else ("ASC", ">")
        more, values = [f"{column} IS {'NOT ' if has_value else ''}NULL"], dict(self.values)
        if cursor is not None:
            values |= {"at": cursor.value, "id": cursor.deal_id}
            more.append(
                f"({column}, {key}) {beyond} (%(at)s, %(id)s)" if has_value else f"{key} {beyond} %(id)s"
            )
        order = f"{column} {direction}, {key} {direction}" if has_value else f"{key} {direction}"
        if limit and not (self.needs_health or self.filters.sort in _FROM_HEALTH):
            # Cut first: behind the wall the planner takes an owner's rows for few, and looked scores up for all that it then sorted.
            where = self._where(with_health=False, more=more)
            cut = f"(SELECT o.* FROM {self._deals} WHERE {where} ORDER BY {order} LIMIT {limit:d}) AS o"
            return f"SELECT {_COLUMNS} FROM {cut} {_LOOKED_UP} {_OWNER} ORDER BY {order}", values
        is_joined = self.needs_health or self._is_by_health(has_value=has_value)
        where = self._where(with_health=is_joined, more=more)
        sql = f"SELECT {_COLUMNS} FROM {self._from(has_value=has_value)} {_OWNER} WHERE {where} ORDER BY {order}"
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
        source = self._from(has_value=False) if self.needs_health else self._deals
        where = self._where(with_health=self.needs_health)
        sql = f"SELECT count(*) FROM (SELECT FROM {source} WHERE {where} LIMIT {at_most:d}) AS counted"
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
