"""The program's own reads behind the wall, against the same statements with conditions written by hand and no row security.

Both read the same tables: the program's login in a signed context, and the administrator, whom no policy applies to. What a page
sends is caught once for each reader; a reader's conditions are then written into it where the wall would put them. Only the statements
are timed: what a context costs is the matter of ``signed_context``. After ``django.setup()``.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection
from psycopg.types.string import TextLoader

from isolation import context
from isolation.actors import NO_SHARES, Shares
from pipeline.filters import DealFilters
from pipeline.listing_shared import deal_query
from pipeline.selectors import deal_named

MOST, MOST_MORE_MS, MOST_WITH_SHARES = 1.2, 0.25, 2.0
SHARES = 50
TOP = 50
WARM_UP = 3
_SUMS = """
    SELECT o.stage, count(*), sum(o.amount_minor) FROM crm_sync_opportunity o
    WHERE o.tenant_id = %s AND NOT o.is_closed GROUP BY o.stage ORDER BY o.stage
"""


@dataclass(frozen=True)
class Reader:
    """Who reads: a name, the context, the condition that a program without a wall would write, and how many times as long it may take.

    ``{o}`` in the condition is the alias of the deals' or words' table. ``of_words`` is that of the words' table where it differs: a
    shared deal is not found by its words, but by its id.
    """

    name: str
    enter: Callable[[], AbstractContextManager[context.Context]]
    condition: str = ""
    most: float = MOST
    of_words: str = ""

    def written(self, alias: str) -> str:
        """The condition on the table of that alias."""
        return (self.of_words if alias == "w" and self.of_words else self.condition).format(o=alias)


@dataclass(frozen=True)
class Measured:
    """Median milliseconds of one page of one reader, which sends so many reads."""

    reader: Reader
    page: str
    reads: int
    walled: float
    by_hand: float

    @property
    def is_within(self) -> bool:
        """Whether the wall costs no more than it may: by the ratio, or in all where statements are shorter than a millisecond."""
        more = MOST_MORE_MS * self.reads if self.by_hand < self.reads else 0
        return self.walled <= max(self.by_hand * self.reader.most, self.by_hand + more)


def readers(tenant_id: int, owners: list[int], team: int, shared: tuple[int, ...]) -> list[Reader]:
    """One owner, a team, all owners by name, and the whole workspace; the first two once more with deals of others shared."""
    found = [
        _of_owners(tenant_id, name, tuple(owners[:count]))
        for name, count in (("rep", 1), ("manager", team), ("head", len(owners)))
    ]
    found += [
        _of_owners(tenant_id, name, tuple(owners[:count]), Shares(deal=shared, owner=tuple(owners[-1:])))
        for name, count in (("rep", 1), ("manager", team))
    ]
    return [*found, Reader("whole workspace", lambda: context.tenant_wide(tenant_id))]


def _of_owners(tenant_id: int, name: str, owners: tuple[int, ...], shares: Shares = NO_SHARES) -> Reader:
    mine = f"= ANY ({_array(owners)})" if len(owners) > 1 else f"= {owners[0]}"
    condition = f"AND {{o}}.owner_id {mine}"
    name = f"{name}, {len(owners)} owners"
    if not shares:
        return Reader(name, lambda: context.tenant_member(tenant_id, owners), condition)
    either = f"AND ({{o}}.owner_id {mine} OR {{o}}.id = ANY ({_array(shares.deal)}))"
    return Reader(
        f"{name}, {len(shares.deal)} shares",
        lambda: context.tenant_shared(tenant_id, owners, shares),
        either,
        MOST_WITH_SHARES,
        condition,
    )


def _array(ids: tuple[int, ...]) -> str:
    # Braces twice: the condition is a format string.
    return "'{{" + ",".join(map(str, ids)) + "}}'::bigint[]"


def pages(tenant_id: int, deal: str) -> dict[str, Callable[[], object]]:
    """What is read, by the program's own functions."""

    def listed(search: str = "") -> list[Any]:
        return deal_query(tenant_id, DealFilters(search=search)).fetch(limit=TOP)

    def sums() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(_SUMS, [tenant_id])
            return cursor.fetchall()

    return {
        "first 50 by close date": listed,
        "sum by stage": sums,
        "search, some": lambda: listed("account 77"),
        "search, most": lambda: listed("deal"),
        "search, nothing": lambda: listed("deal nothing"),
        "one deal": lambda: deal_named(tenant_id, deal),
    }


def caught(reader: Reader, page: Callable[[], object]) -> list[str]:
    """The statements that a page sends, with their values, without those that set the context."""
    sent: list[str] = []

    def catch(execute: Any, sql: str, values: Any, many: bool, of: dict[str, Any]) -> Any:
        with psycopg.ClientCursor(of["connection"].connection) as cursor:
            sent.append(cursor.mogrify(sql, values))
        return execute(sql, values, many, of)

    with reader.enter(), connection.execute_wrapper(catch):
        page()
    return sent


def by_hand(reader: Reader, statement: str) -> str:
    """The statement with the reader's condition behind each tenant's."""
    if not reader.condition:
        return statement

    def added(found: re.Match[str]) -> str:
        return f"{found[0]} {reader.written(found['alias'])}"

    written = re.sub(r'(?P<alias>\b[ow]|"crm_sync_opportunity")\."?tenant_id"? = \d+', added, statement)
    bare = reader.written("crm_sync_opportunity")
    return re.sub(r"(crm_sync_opportunity WHERE tenant_id = \d+)", rf"\1 {bare}", written)


def milliseconds(login: psycopg.Connection[Any], statements: list[str]) -> tuple[float, list[Any]]:
    """How long the statements take, and all their rows."""
    rows: list[Any] = []
    with psycopg.ClientCursor(login) as cursor:
        started = time.perf_counter()
        for statement in statements:
            cursor.execute(statement)
            if cursor.description:
                rows += cursor.fetchall()
        return (time.perf_counter() - started) * 1000, rows


def measure(
    reader: Reader, name: str, page: Callable[[], object], admin: psycopg.Connection[Any], rounds: int
) -> Measured:
    """Both in turns. Exits where they do not read the same rows."""
    ours = caught(reader, page)
    theirs = [by_hand(reader, statement) for statement in ours]
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + WARM_UP):
        with reader.enter():
            walled, rows = milliseconds(connection.connection, ours)
        with admin.transaction():
            plain, same = milliseconds(admin, theirs)
        if rows != same:
            raise SystemExit(f"{reader.name}, {name}: {len(rows)} rows behind the wall, {len(same)} by hand.")
        if turn >= WARM_UP:
            times[0].append(walled)
            times[1].append(plain)
    reads = sum(bool(re.match(r"\s*SELECT (?!set_config)", one)) for one in ours)
    return Measured(reader, name, reads, *(statistics.median(side) for side in times))


def compare(tenant_id: int, admin: psycopg.Connection[Any], *, team: int, rounds: int) -> list[Measured]:
    """Every page of every reader, printed as it is measured."""
    admin.adapters.register_loader("jsonb", TextLoader)  # as Django's own connections read it
    found = admin.execute("SELECT id FROM crm_sync_owner WHERE tenant_id = %s ORDER BY id", [tenant_id])
    owners = [owner for (owner,) in found.fetchall()]
    asked = pages(tenant_id, "deal1-owner1")
    measured = []
    of_others = (
        "SELECT id FROM crm_sync_opportunity WHERE tenant_id = %s AND owner_id = %s ORDER BY id LIMIT %s"
    )
    shared = tuple(one for (one,) in admin.execute(of_others, [tenant_id, owners[-1], SHARES]).fetchall())
    for reader in readers(tenant_id, owners, team, shared):
        print(f"\n{reader.name}{'wall':>34}{'by hand':>12}")
        for name, page in asked.items():
            one = measure(reader, name, page, admin, rounds)
            note = "" if one.is_within else "  MISSED"
            print(
                f"  {name:<26}{one.walled:9.2f} ms{one.by_hand:9.2f} ms{one.walled / one.by_hand:7.2f} x{note}",
                flush=True,
            )
            measured.append(one)
    return measured
