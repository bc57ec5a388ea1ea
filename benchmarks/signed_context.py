"""What a signed context costs: entering one and reading one row, against the unsigned functions that went before.

Both live in one database, on tables that are alike; each transaction sets its context, reads a row by its key, and commits.
``python -m benchmarks.signed_context [--rounds 3000]``
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg

from benchmarks.ground import copied, environment, migrated, servers

DATABASE = "bench_signed_context"
TENANT, OWNERS, DEALS = 7, 200, 10_000
WARM_UP = 200
Login = psycopg.Connection[Any]

# As isolation/migrations/0001 made them until contexts were signed.
_UNSIGNED = "".join(
    f"""
    CREATE FUNCTION bench_unsigned.{name}() RETURNS {returns} LANGUAGE plpgsql STABLE PARALLEL SAFE AS $body$
    DECLARE
        found text := nullif(current_setting('{setting}', true), '');
    BEGIN
        IF found IS NULL THEN
            RAISE EXCEPTION 'no context' USING ERRCODE = 'insufficient_privilege';
        END IF;
        RETURN found::{returns};
    END
    $body$;
    """
    for name, setting, returns in (
        ("tenant_id", "bench.tenant_id", "bigint"),
        ("owner_ids", "bench.owner_ids", "bigint[]"),
    )
)
_TABLE = """
    CREATE TABLE {schema}.deal (tenant_id bigint, id bigint, owner_id bigint, amount_minor bigint, PRIMARY KEY (tenant_id, id));
    INSERT INTO {schema}.deal SELECT {tenant}, n, 1 + n % {owners}, n FROM generate_series(1, {deals}) AS n;
    ALTER TABLE {schema}.deal ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    GRANT USAGE ON SCHEMA {schema} TO tenant_wide, tenant_member;
    GRANT SELECT ON {schema}.deal TO tenant_wide, tenant_member;
    CREATE POLICY wide ON {schema}.deal TO tenant_wide USING (tenant_id = (SELECT {wide}));
    CREATE POLICY member ON {schema}.deal TO tenant_member
        USING (tenant_id = (SELECT {member}) AND owner_id = ANY ((SELECT {visible})::bigint[]));
"""
_READ = "SELECT amount_minor FROM {schema}.deal WHERE tenant_id = %s AND id = %s"


def prepare(owner_url: str) -> None:
    """A schema for each contender with the same table; the keys are there since ``migrate``."""
    places = {
        "bench_unsigned": {
            "wide": "bench_unsigned.tenant_id()",
            "member": "bench_unsigned.tenant_id()",
            "visible": "bench_unsigned.owner_ids()",
        },
        "bench_signed": {
            "wide": "revops_tenant_id('tenant_wide')",
            "member": "revops_tenant_id('tenant_member')",
            "visible": "revops_owner_ids('tenant_member')",
        },
    }
    with psycopg.connect(owner_url, autocommit=True) as owner:
        for schema, calls in places.items():
            owner.execute(f"CREATE SCHEMA {schema}")
            if schema == "bench_unsigned":
                owner.execute(_UNSIGNED)
            owner.execute(_TABLE.format(schema=schema, tenant=TENANT, owners=OWNERS, deals=DEALS, **calls))
        owner.execute("ANALYZE")


def unsigned(login: Login, role: str, owners: tuple[int, ...]) -> None:
    """The context as it was: five settings."""
    login.execute(
        "SELECT set_config('bench.tenant_id', %s, true), set_config('bench.owner_ids', %s, true), "
        "set_config('bench.user_id', '', true), set_config('bench.reason', '', true), set_config('role', %s, true)",
        [str(TENANT), "{" + ",".join(map(str, owners)) + "}", role],
    )


def signed(login: Login, role: str, owners: tuple[int, ...]) -> None:
    """The context as it is."""
    _put(login, role, owners, login.info.backend_pid, time.time_ns() // 1000 + 60_000_000)


def pooled(login: Login, role: str, owners: tuple[int, ...]) -> None:
    """The context as it is with DATABASE_IS_POOLED: the server is asked first."""
    row = login.execute("SELECT pg_backend_pid(), (extract(epoch FROM now()) * 1000000)::bigint").fetchone()
    assert row is not None
    _put(login, role, owners, *row)


def _put(login: Login, role: str, owners: tuple[int, ...], pid: int, until: int) -> None:
    from isolation import context, signing

    entered = context.Context(role=context.Role(role), tenant_id=TENANT, owner_ids=owners)
    login.execute(context.SET_CONTEXT, [*signing.signed(entered.fields(pid, until)), role])


CONTENDERS: dict[str, tuple[Callable[[Login, str, tuple[int, ...]], None], str]] = {
    "unsigned": (unsigned, "bench_unsigned"),
    "signed": (signed, "bench_signed"),
    "signed, pooled": (pooled, "bench_signed"),
}


def microseconds(login: Login, contender: str, role: str, owners: tuple[int, ...], deal: int) -> float:
    """One transaction of a contender."""
    enter, schema = CONTENDERS[contender]
    started = time.perf_counter_ns()
    with login.transaction():
        enter(login, role, owners)
        row = login.execute(_READ.format(schema=schema), [TENANT, deal]).fetchone()
    elapsed = (time.perf_counter_ns() - started) / 1000
    if row != (deal,):
        raise SystemExit(f"{contender} as {role} read {row}, not deal {deal}.")
    return elapsed


def measure(login: Login, role: str, owners: tuple[int, ...], rounds: int) -> dict[str, float]:
    """Median microseconds of each contender, in turns so that all meet the same noise."""
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for turn in range(rounds + WARM_UP):
        deal = OWNERS * (1 + turn % (DEALS // OWNERS))  # owner 1's
        for name in CONTENDERS:
            elapsed = microseconds(login, name, role, owners, deal)
            if turn >= WARM_UP:
                times[name].append(elapsed)
    return {name: statistics.median(values) for name, values in times.items()}


def measure_first(url: str, rounds: int) -> dict[str, float]:
    """The same as ``tenant_wide`` in the first transaction of a connection: the program opens one for each request and job."""
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name in CONTENDERS:
            with psycopg.connect(url, autocommit=True) as login:
                times[name].append(microseconds(login, name, "tenant_wide", (), OWNERS))
    return {name: statistics.median(values) for name, values in times.items()}


def show(title: str, medians: dict[str, float]) -> None:
    """Medians, ratios, and what is added."""
    print(f"\n{title}")
    base = medians["unsigned"]
    for name, median in medians.items():
        print(f"  {name:<18}{median:9.0f} µs{median / base:7.2f} x{median - base:+9.0f} µs")


def main() -> int:
    """Print; there is no goal here, the wall's own benchmark has one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3000)
    arguments = parser.parse_args()
    with (
        servers() as services,
        migrated(services, DATABASE) as template,
        copied(services, template, DATABASE) as ready,
    ):
        os.environ |= environment(ready)
        prepare(ready.database_owner_url)
        with psycopg.connect(ready.database_url, autocommit=True) as login:
            show("tenant_wide", measure(login, "tenant_wide", (), arguments.rounds))
            for count in (1, 43, OWNERS):
                owners = tuple(range(1, count + 1))
                medians = measure(login, "tenant_member", owners, arguments.rounds)
                show(f"tenant_member, owners visible: {count}", medians)
        first = measure_first(ready.database_url, max(20, arguments.rounds // 10))
        show("tenant_wide, first of its connection", first)
    return 0


if __name__ == "__main__":
    sys.exit(main())
