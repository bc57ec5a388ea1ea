"""Moving people in the reporting tree: what it costs by the size of the team and of the workspace, and what it touches. After ``django.setup()``."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection

from benchmarks.wall_ground import ACTOR, people, tree
from isolation import context
from rbac.services import reporting_line_set
from tenants.models import Member

# What this connection did and has not told yet: the counts of all arrive late. So the difference of two readings counts.
_DONE = """
    SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FILTER (WHERE relname = 'rbac_reportingpath'), 0)::bigint,
        coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del)
            FILTER (WHERE relname LIKE 'crm\\_sync\\_%' OR relname LIKE 'pipeline\\_%'), 0)::bigint
    FROM pg_stat_xact_user_tables
"""
_LOCKED = """
    SELECT DISTINCT c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND (c.relname LIKE 'crm\\_sync\\_%' OR c.relname LIKE 'pipeline\\_%')
"""


MOST_READ = 2.0
"""How many times as many rows of the tree a move may read in a workspace ten times as large."""


@dataclass(frozen=True)
class Move:
    """Milliseconds of a change with its commit, the rows of the tree that it read, and what of the deals it wrote or locked."""

    milliseconds: float
    rows_read: int
    rows_written: int
    tables_locked: frozenset[str]


@dataclass(frozen=True)
class Moves:
    """Medians of milliseconds and of rows read by (people in the workspace, people in the team), and what happened to deals."""

    times: dict[tuple[int, int], float]
    reads: dict[tuple[int, int], float]
    rows_written: int
    tables_locked: list[str]

    @property
    def missed(self) -> list[str]:
        """What a move should not do."""
        found = ["a move in the tree touched deals"] if self.rows_written or self.tables_locked else []
        small, *_ = sorted({size for size, _ in self.reads})
        for (size, team), rows in self.reads.items():
            if size != small and rows > MOST_READ * self.reads.get((small, team), rows):
                found.append(f"moving a team of {team} reads more of the tree among {size:,} people")
        return found


def _moved(member: Member, manager: Member) -> Move:
    with context.tenant_wide(member.tenant_id):
        read, written = _asked(_DONE)[0]
        started = time.perf_counter()
        reporting_line_set(member=member, manager=manager, acting_user=ACTOR)
        elapsed = time.perf_counter() - started
        read_by_now, written_by_now = _asked(_DONE)[0]
        locked = frozenset(name for (name,) in _asked(_LOCKED))
        committing = time.perf_counter()
    elapsed += time.perf_counter() - committing
    return Move(elapsed * 1000, read_by_now - read, written_by_now - written, locked)


def _asked(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def measure(admin: psycopg.Connection[Any], sizes: Sequence[int], rounds: int) -> Moves:
    """Move a head of each size of team between two heads beside it, in a workspace of each size."""
    heads = {size: tree(admin, people(f"tree{size}", size)) for size in sizes}
    moves: dict[tuple[int, int], list[Move]] = {}
    for turn in range(rounds + 2):
        for size, of_team in heads.items():
            for team, (mover, *_) in of_team.items():
                # The two whom it goes between lead teams of one person: what is moved is all that differs.
                moves.setdefault((size, team), []).append(_moved(mover, of_team[1][-1 - turn % 2]))
    every = [move for some in moves.values() for move in some]
    return Moves(
        {key: statistics.median(move.milliseconds for move in some[2:]) for key, some in moves.items()},
        {key: statistics.median(move.rows_read for move in some[2:]) for key, some in moves.items()},
        sum(move.rows_written for move in every),
        sorted({name for move in every for name in move.tables_locked}),
    )


def show(moves: Moves) -> None:
    """One line for each size of team."""
    sizes = sorted({size for size, _ in moves.times})
    print(f"\n{'a team moves':<16}" + "".join(f"{f'of {size:,}, rows read':>28}" for size in sizes))
    for team in sorted({team for _, team in moves.times}):
        cells = ((moves.times.get((size, team)), moves.reads.get((size, team), 0)) for size in sizes)
        line = (f"{'–':>28}" if cell is None else f"{cell:13.2f} ms{rows:12,.0f}" for cell, rows in cells)
        print(f"  {team:<14,}" + "".join(line))
    locked = ", ".join(moves.tables_locked) or "none"
    print(f"  rows of deals written: {moves.rows_written}; tables of deals locked: {locked}", flush=True)
