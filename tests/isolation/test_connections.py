"""Connections outlive requests; what was left on them does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.signals import request_finished, request_started
from django.db import connection

from isolation import context
from pages.sheets import csv_response
from tests.conftest import WorkerDatabase

LEFT = (
    "CREATE TEMPORARY TABLE left_over AS SELECT 'acme' AS whose",
    "SET search_path = pg_temp, public",
    "SET revops.context = 'kept'",
    "SET TimeZone = 'Asia/Tokyo'",
    "SET SESSION ROLE tenant_wide",
    "PREPARE kept AS SELECT 1",
    "DECLARE kept CURSOR WITH HOLD FOR SELECT 1",
    "SELECT pg_advisory_lock(7)",
    "LISTEN news",
)
FOUND = """
    SELECT to_regclass('pg_temp.left_over') IS NOT NULL, current_setting('search_path') LIKE 'pg_temp%',
           coalesce(current_setting('revops.context', true), '') <> '', current_setting('TimeZone') <> 'UTC', current_setting('role') <> 'none',
           EXISTS (SELECT FROM pg_prepared_statements), EXISTS (SELECT FROM pg_cursors WHERE is_holdable),
           EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), EXISTS (SELECT pg_listening_channels())
"""


def ask(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() if cursor.description else None


@pytest.fixture
def fresh(committed: WorkerDatabase) -> Iterator[None]:
    """A connection of this test's own."""
    connection.close()
    yield
    connection.close()


@pytest.mark.usefixtures("fresh")
class TestTheNextRequest:
    def test_has_the_connection_and_nothing_that_was_left_on_it(self) -> None:
        (before,) = ask("SELECT pg_backend_pid()")
        for statement in LEFT:
            ask(statement)
        assert ask(FOUND) == (True,) * len(LEFT)
        request_finished.send(sender=None)
        request_started.send(sender=None, environ={})
        assert ask(FOUND) == (False,) * len(LEFT)
        assert ask("SELECT pg_backend_pid()") == (before,)

    def test_is_not_inside_the_transaction_of_a_download_that_was_cut_short(self) -> None:
        """The reader went away: the server closes the answer, which still stands in its context."""

        def rows() -> Iterator[list[int]]:
            with context.person(UUID(int=0)):
                yield from ([number] for number in range(5_000))

        (before,) = ask("SELECT pg_backend_pid()")
        download = csv_response("numbers", ["Number"], rows())
        next(iter(download))
        assert (connection.in_atomic_block, context.current().role) == (True, context.Role.PERSON)
        download.close()  # sends request_finished
        assert (connection.in_atomic_block, context.current().role) == (False, context.Role.NONE)
        assert ask(FOUND) == (False,) * len(LEFT)
        assert ask("SELECT pg_backend_pid()") == (before,)

    def test_finds_a_new_one_where_the_server_ended_it_meanwhile(self, committed: WorkerDatabase) -> None:
        (before,) = ask("SELECT pg_backend_pid()")
        request_finished.send(sender=None)
        with psycopg.connect(str(committed.services.database_admin_url), autocommit=True) as administrator:
            administrator.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
        request_started.send(sender=None, environ={})
        (after,) = ask("SELECT pg_backend_pid()")
        assert after != before

    def test_finds_a_new_one_where_the_server_ended_it_within_the_request(
        self, committed: WorkerDatabase
    ) -> None:
        (before,) = ask("SELECT pg_backend_pid()")
        with psycopg.connect(str(committed.services.database_admin_url), autocommit=True) as administrator:
            administrator.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
        request_finished.send(sender=None)
        request_started.send(sender=None, environ={})
        assert ask("SELECT 1") == (1,)
