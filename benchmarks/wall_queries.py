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

from isolation import context
from isolation.actors import NO_SHARES, Shares
from pipeline.filters import DealFilters, SortKey
from pipeline.listing_shared import deal_query
from pipeline.selectors import deal_detail, deal_named
from rbac.redaction.reading import Redactor

MOST, MOST_MORE_MS, MOST_WITH_SHARES = 1.2, 0.25, 2.0
SHORT_MS = 1.0
SHARES = 50
TOP = 50
WARM_UP = 10
_CONTEXT = "revops.context"
"""What only the statement that sets a context holds."""
_SUMS = """
    SELECT o.stage, count(*), sum(o.amount_minor) FROM crm_sync_opportunity o
    WHERE o.tenant_id = %s AND NOT o.is_closed GROUP BY o.stage ORDER BY o.stage
"""


@dataclass(frozen=True)
class Reader:
    """Who reads: a name, the context, the condition that a program without a wall would write, and how many times as long it may take.

    ``{o}`` in the condition is the alias of the table. ``of_shares`` is the condition where shares count: not on the table of words,
    because a shared deal is not found by its words, and not where the program reads own deals apart.
    """

    name: str
    enter: Callable[[], AbstractContextManager[context.Context]]
    condition: str = ""
    of_shares: str = ""
    most: float = MOST

    def written(self, alias: str, role: context.Role) -> str:
        """The condition on the table of that alias, in a statement that is sent as that role."""
        counts_shares = role is context.Role.TENANT_SHARED and alias != "w"
        return (self.of_shares if counts_shares else self.condition).format(o=alias)


@dataclass(frozen=True)
class Sent:
    """A statement with its values, and the role that it was sent as."""

    sql: str
    role: context.Role


@dataclass(frozen=True)
class Measured:
    """Median milliseconds of one page of one reader, and the most that it may take behind the wall."""

    reader: Reader
    page: str
    walled: float
    by_hand: float
    allowed: float

    @property
    def is_within(self) -> bool:
        """Whether the wall costs no more than it may."""
        return self.walled <= self.allowed


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
        condition,
        either,
        MOST_WITH_SHARES,
    )


def _array(ids: tuple[int, ...]) -> str:
    # Braces twice: the condition is a format string.
    return "'{{" + ",".join(map(str, ids)) + "}}'::bigint[]"


def pages(tenant_id: int, deal: str) -> dict[str, Callable[[], object]]:
    """What is read, by the program's own functions."""

    def listed(search: str = "", sort: SortKey = SortKey.CLOSE_ON) -> list[Any]:
        return deal_query(tenant_id, DealFilters(search=search, sort=sort)).fetch(limit=TOP)

    def sums() -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(_SUMS, [tenant_id])
            return cursor.fetchall()

    return {
        "first 50 by close date": listed,
        "first 50 by score": lambda: listed(sort=SortKey.SCORE),
        "sum by stage": sums,
        "search, some": lambda: listed("account 77"),
        "search, most": lambda: listed("deal"),
        "search, nothing": lambda: listed("deal nothing"),
        "one deal": lambda: deal_named(tenant_id, deal),
        "the deal's page": lambda: deal_detail(tenant_id, deal, Redactor(is_masking=True)),
    }


def caught(reader: Reader, page: Callable[[], object]) -> list[Sent]:
    """What a page sends once its context is entered; contexts that it enters by itself are among it."""
    sent: list[Sent] = []

    def catch(execute: Any, sql: str, values: Any, many: bool, of: dict[str, Any]) -> Any:
        with psycopg.ClientCursor(of["connection"].connection) as cursor:
            sent.append(Sent(cursor.mogrify(sql, values), context.current().role))
        return execute(sql, values, many, of)

    with reader.enter(), connection.execute_wrapper(catch):
        page()
    return sent


def by_hand(reader: Reader, sent: Sent) -> str:
    """The statement with the reader's condition behind each tenant's; "" for what only a wall needs."""
    if _CONTEXT in sent.sql:
        return ""

    def added(found: re.Match[str]) -> str:
        return f"{found[0]} {reader.written(found['alias'], sent.role)}"

    written = re.sub(r'(?P<alias>\b[ow]|"crm_sync_opportunity")\."?tenant_id"? = \d+', added, sent.sql)
    for table in ("crm_sync_opportunity", "pipeline_dealhealth"):
        condition = reader.written(table, sent.role)
        written = re.sub(rf"({table} WHERE tenant_id = \d+)", rf"\1 {condition}", written)
    return written


def milliseconds(login: psycopg.Connection[Any], statements: list[str]) -> tuple[list[float], list[Any]]:
    """How long each of the statements takes, and all their rows."""
    times, rows = list[float](), list[Any]()
    with psycopg.ClientCursor(login) as cursor:
        for statement in statements:
            started = time.perf_counter()
            if statement:
                cursor.execute(statement)
            if statement and cursor.description and _CONTEXT not in statement:
                rows += cursor.fetchall()
            times.append((time.perf_counter() - started) * 1000)
    return times, rows


def allowed(statement: str, by_hand: float, most: float) -> float:
    """The most that a statement may take behind the wall: so many times as long, or a little more where it is short."""
    is_read = re.match(r"\s*\(?SELECT (?!set_config)", statement)
    return max(by_hand * most, by_hand + MOST_MORE_MS if is_read and by_hand < SHORT_MS else 0)


def measure(
    reader: Reader, name: str, page: Callable[[], object], admin: psycopg.Connection[Any], rounds: int
) -> Measured:
    """Both in turns. Exits where they do not read the same rows."""
    sent = caught(reader, page)
    ours, theirs = [one.sql for one in sent], [by_hand(reader, one) for one in sent]
    times: tuple[list[list[float]], list[list[float]]] = ([], [])

    def walled() -> tuple[list[float], list[Any]]:
        with reader.enter():
            return milliseconds(connection.connection, ours)

    def plain() -> tuple[list[float], list[Any]]:
        with admin.transaction():
            return milliseconds(admin, theirs)

    for turn in range(rounds + WARM_UP):
        # Each goes first as often as the other.
        (walled_times, rows), (plain_times, same) = (
            (walled(), plain()) if turn % 2 else (plain(), walled())[::-1]
        )
        if rows != same:
            raise SystemExit(f"{reader.name}, {name}: {len(rows)} rows behind the wall, {len(same)} by hand.")
        if turn >= WARM_UP:
            times[0].append(walled_times)
            times[1].append(plain_times)
    walled_each, plain_each = (
        [statistics.median(turns) for turns in zip(*side, strict=True)] for side in times
    )
    most = sum(allowed(one, plain, reader.most) for one, plain in zip(theirs, plain_each, strict=True))
    return Measured(reader, name, sum(walled_each), sum(plain_each), most)


def compare(tenant_id: int, admin_address: str, *, team: int, rounds: int) -> list[Measured]:
    """Every page of every reader, printed as it is measured."""
    connection.ensure_connection()
    with psycopg.connect(
        admin_address, autocommit=True, context=connection.connection
    ) as admin:  # values are read as Django reads them
        return _compared(tenant_id, admin, team, rounds)


def _compared(tenant_id: int, admin: psycopg.Connection[Any], team: int, rounds: int) -> list[Measured]:
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
