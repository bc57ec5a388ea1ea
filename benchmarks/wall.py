"""What the wall costs: reads against the same SQL by hand, an explanation, a move in the tree, a right against guardian and pycasbin.

``python -m benchmarks.wall [--rounds 60] [--small] [--without-peers] [--one-workspace]``; reads and moves have goals, see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

import psycopg

from benchmarks.ground import copied, environment, migrated, servers
from revops_admin.runtime.services import Services

DATABASE = "bench_wall"


def main() -> int:
    """Print; 1 where a goal is missed."""
    options = _options()
    with (
        servers() as services,
        migrated(services, DATABASE) as template,
        copied(services, template, DATABASE) as ready,
    ):
        os.environ |= environment(ready)
        import django
        from django.db import connections

        django.setup()
        try:
            missed = _measure(ready, options)
        finally:
            connections.close_all()
    print("\n" + ("Missed: " + "; ".join(missed) if missed else "Every goal is met."))
    return int(bool(missed) and not options.small)


def _measure(ready: Services, options: argparse.Namespace) -> list[str]:
    from benchmarks import wall_explain, wall_ground, wall_queries, wall_rights, wall_tree

    small, rounds = options.small, options.rounds
    tenants, owners, each, team = _sizes(options)
    with psycopg.connect(str(ready.database_admin_url), autocommit=True) as admin:
        started = time.perf_counter()
        tenant = wall_ground.workspaces(admin, tenants=tenants, owners=owners, each=each)
        deals = tenants * owners * each
        print(
            f"{deals:,} deals of {tenants} workspaces made in {time.perf_counter() - started:.0f} s",
            flush=True,
        )
        measured = wall_queries.compare(tenant.id, str(ready.database_admin_url), team=team, rounds=rounds)
        missed = [f"{one.reader.name}, {one.page}" for one in measured if not one.is_within]
        if options.one_workspace:
            return missed
        missed += wall_explain.compare(admin, tenant, "deal1-owner1", rounds)
        moves = wall_tree.measure(admin, (10, 100) if small else (1_000, 10_000), rounds)
        wall_tree.show(moves)
        missed += moves.missed
    with_peers = not (small or options.without_peers)
    return [
        *missed,
        *wall_rights.compare(
            ready, members=100 if small else 10_000, rounds=rounds * 5, with_peers=with_peers
        ),
    ]


def _sizes(options: argparse.Namespace) -> tuple[int, int, int, int]:
    """Workspaces, owners in each, deals of each owner, owners below the manager."""
    if options.one_workspace:
        return (1, 6, 20, 3) if options.small else (1, 200, 5_000, 43)
    return (3, 6, 20, 3) if options.small else (200, 200, 50, 43)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument(
        "--small",
        action="store_true",
        help="a few rows and no peers, to see that it runs; goals do not count",
    )
    parser.add_argument("--without-peers", action="store_true", help="leave guardian and pycasbin out")
    parser.add_argument(
        "--one-workspace", action="store_true", help="all deals in one workspace, a million; reads alone"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
