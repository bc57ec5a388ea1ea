"""Putting a database back to what it was, at the price of what was changed in it.

A copy of the template costs half a second and cold caches, and most tests that commit change a handful of rows. So rows are put back
table by table; where anything but rows was changed, or the administrator may not look past row security, it says so and the caller
makes a new copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]
Sum = tuple[int, int]

_TABLES = """
    SELECT c.oid::regclass::text AS name,
           EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.confrelid = c.oid) AS is_pointed_at,
           (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '') AS columns
      FROM pg_class c
     WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND c.relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'
     ORDER BY 1
"""
# Of pg_class only what statements on rows, TRUNCATE and ANALYZE leave alone.
_STRUCTURE = """
    SELECT 'pg_class', count(*), sum(hashtextextended(row(oid, relname, relnamespace, relowner, relkind, relacl::text, reloptions, relhasrules,
                                              relrowsecurity, relforcerowsecurity, relchecks, relnatts)::text, 0))
      FROM pg_class WHERE relpersistence <> 't' AND relnamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT 'pg_database', count(*), sum(hashtextextended(row(datacl::text, datdba, datconnlimit)::text, 0))
      FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT 'pg_db_role_setting', count(*), sum(xmin::text::bigint) FROM pg_db_role_setting
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT 'pg_namespace', count(*), sum(xmin::text::bigint) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
"""
_CATALOGUES = (
    "pg_proc", "pg_policy", "pg_trigger", "pg_constraint", "pg_attribute", "pg_attrdef", "pg_type", "pg_rewrite", "pg_cast",
    "pg_operator", "pg_default_acl", "pg_extension", "pg_event_trigger", "pg_inherits", "pg_language", "pg_sequence",
    "pg_largeobject_metadata", "pg_publication", "pg_foreign_server", "pg_foreign_data_wrapper", "pg_enum", "pg_depend",
)  # fmt: skip
_END_OTHERS = """
    SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND application_name <> %s
"""
_NAME = "tests.renewal"


@dataclass(frozen=True)
class Table:
    """A table as it was: ``rows`` as COPY wrote them, ``sum`` to tell whether they are still the same."""

    name: str
    is_pointed_at: bool
    columns: str
    rows: bytes
    sum: Sum


class Original:
    """What a database holds now, to be put back later. Needs a superuser's connection to it, which it keeps."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        described = connection.execute(_TABLES).fetchall()
        self._sums = " UNION ALL ".join(_sum_of(name) for name, *_ in described)
        sums = self._summed()
        self._tables = [
            Table(name, pointed_at, columns, self._copied(name, columns), sums[name])
            for name, pointed_at, columns in described
        ]
        self._structure = self._described()

    def put_back(self) -> bool:
        """End all other sessions and put every row back; False, if more than rows was changed: then nothing was put back."""
        try:
            self._connection.execute(_END_OTHERS, [_NAME])
            is_same = self._described() == self._structure
        except psycopg.OperationalError:  # a test has ended this session too
            return False
        if is_same:
            self._refill()
        return is_same

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def _refill(self) -> None:
        found = self._summed()
        with self._connection.transaction():
            self._connection.execute("SET LOCAL session_replication_role = replica")  # no triggers, no keys
            for table in self._tables:
                if found[table.name] != table.sum:
                    self._refill_table(table)

    def _refill_table(self, table: Table) -> None:
        # TRUNCATE leaves no dead rows behind, but refuses what others point at.
        self._run(f"DELETE FROM {table.name}" if table.is_pointed_at else f"TRUNCATE {table.name}")
        statement = f"COPY {table.name} ({table.columns}) FROM STDIN (FORMAT binary)"
        with self._connection.cursor() as cursor, cursor.copy(sql.SQL(statement)) as copy:
            copy.write(table.rows)

    def _copied(self, name: str, columns: str) -> bytes:
        statement = f"COPY {name} ({columns}) TO STDOUT (FORMAT binary)"
        with self._connection.cursor() as cursor, cursor.copy(sql.SQL(statement)) as copy:
            return b"".join(bytes(part) for part in copy)

    def _summed(self) -> dict[str, Sum]:
        return {name: (int(count), int(total)) for name, count, total in self._run(self._sums)}

    def _described(self) -> set[tuple[Any, ...]]:
        return set(self._run(_STRUCTURE + "".join(map(_versions_of, _CATALOGUES))))

    def _run(self, statement: str) -> psycopg.Cursor[Any]:
        return self._connection.execute(sql.SQL(statement))


def original_of(address: str) -> Original | None:
    """What the database at ``address`` holds; None, where that login is no superuser's and might not see all of it."""
    connection: Connection = psycopg.connect(address, autocommit=True, application_name=_NAME)
    if connection.info.parameter_status("is_superuser") == "on":
        return Original(connection)
    connection.close()
    return None


def _sum_of(table: str) -> str:
    # With its name: several workers read large tables, and then the parts of a UNION ALL come in any order.
    return f"SELECT '{table}', count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {table} t"


def _versions_of(catalogue: str) -> str:
    return f" UNION ALL SELECT '{catalogue}', count(*), sum(xmin::text::bigint) FROM {catalogue}"
