"""Whatever a test commits is gone before the next one: rows by putting them back, anything else by a new copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.conftest import WorkerDatabase

Login = psycopg.Connection[Any]
WROTE = "INSERT INTO isolation_heartbeat (name, at) VALUES ('left behind', now())"
ROWS = {
    "adds": WROTE,
    "changes": "UPDATE tenants_tenant SET name = name || ' & Sons'",
    "removes": "DELETE FROM crm_sync_owner",
    "writes to the log, which nobody may take from": "INSERT INTO audit_platformevent SELECT (r).* FROM"
    " (SELECT jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid())) AS r FROM audit_platformevent e LIMIT 1)",
    "empties": "TRUNCATE accounts_user CASCADE",
    "adds so much that several processes read it": """
        SET session_replication_role = replica;
        INSERT INTO isolation_heartbeat (name, at) SELECT 'left behind ' || number, now() FROM generate_series(1, 100000) number;
        INSERT INTO crm_sync_seenrow (tenant_id, run_id, object_name, external_id)
            SELECT 1, gen_random_uuid(), 'deals', number FROM generate_series(1, 100000) number;
        INSERT INTO crm_sync_noticedrow (tenant_id, connection_id, object_name, external_id, noticed_at)
            SELECT 1, gen_random_uuid(), 'deals', number, now() FROM generate_series(1, 100000) number;
        ANALYZE
    """,
}
MORE = {
    "a right on a table": "GRANT SELECT ON tenants_member TO revops_app",
    "a right on a function": "REVOKE EXECUTE ON FUNCTION pg_catalog.version() FROM PUBLIC",
    "a function": "CREATE FUNCTION left_behind() RETURNS int LANGUAGE sql RETURN 1",
    "a table": "CREATE TABLE left_behind (id int)",
    "a column": "ALTER TABLE tenants_member ADD COLUMN left_behind int",
    "a policy": "CREATE POLICY left_behind ON tenants_member USING (true)",
    "a wall that is down": "ALTER TABLE tenants_member DISABLE ROW LEVEL SECURITY",
    "a key that is not checked": "ALTER TABLE tenants_member DISABLE TRIGGER ALL",
    "a setting": "ALTER ROLE revops_app IN DATABASE {} SET work_mem = '5MB'",
    "a right on the database": "GRANT CREATE ON DATABASE {} TO tenant_member",
}
TABLES = "SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"


@pytest.fixture
def administrator(committed: WorkerDatabase) -> Iterator[Login]:
    with login(committed) as opened:
        yield opened


def login(database: WorkerDatabase) -> Login:
    return psycopg.connect(str(database.services.database_admin_url), autocommit=True)


def everything(login: Login) -> dict[str, list[tuple[str]]]:
    """Every row, by table."""
    names = [name for (name,) in login.execute(TABLES).fetchall()]
    return {name: login.execute(f"SELECT t::text FROM {name} t ORDER BY 1").fetchall() for name in names}


def place_of(login: Login) -> int:
    """Which copy this is."""
    found = login.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("statement", ROWS.values(), ids=ROWS)
def test_a_test_that_leaves_rows(committed: WorkerDatabase, administrator: Login, statement: str) -> None:
    before, place = everything(administrator), place_of(administrator)
    administrator.execute(statement)
    assert everything(administrator) != before
    committed.renew()
    with login(committed) as again:
        assert everything(again) == before
        assert place_of(again) == place


@pytest.mark.parametrize("statement", MORE.values(), ids=MORE)
def test_a_test_that_leaves_more_than_rows(
    committed: WorkerDatabase, administrator: Login, statement: str
) -> None:
    place = place_of(administrator)
    administrator.execute(statement.format(f'"{committed.name}"'))
    committed.renew()
    with login(committed) as again:
        assert place_of(again) != place


def test_a_test_that_left_somebody_writing(committed: WorkerDatabase) -> None:
    with login(committed) as other:
        other.autocommit = False
        other.execute(WROTE)
        committed.renew()
        with pytest.raises(psycopg.OperationalError):
            other.commit()
    with login(committed) as again:
        assert again.execute("SELECT * FROM isolation_heartbeat").fetchall() == []


def test_a_table_that_only_this_session_had(committed: WorkerDatabase, administrator: Login) -> None:
    place = place_of(administrator)
    administrator.execute("CREATE TEMPORARY TABLE mine AS SELECT 1 AS number")
    committed.renew()
    with login(committed) as again:
        assert place_of(again) == place
        assert again.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_a_test_that_ended_every_session(committed: WorkerDatabase, administrator: Login) -> None:
    administrator.execute(WROTE)
    administrator.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid()"
    )
    committed.renew()
    with login(committed) as again:
        assert again.execute("SELECT * FROM isolation_heartbeat").fetchall() == []
