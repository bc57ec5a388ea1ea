"""A stranger with full SQL as the program's login and Acme's context gets nowhere near Beta's rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from isolation.context import Context, Role
from tests.conftest import WorkerDatabase
from tests.isolation.raw import enter, take


@pytest.fixture
def login(committed: WorkerDatabase) -> Iterator[psycopg.Connection[Any]]:
    """`psql` as the program's login."""
    with psycopg.connect(committed.services.database_url, autocommit=True) as connection:
        yield connection


def beta_member(connection: psycopg.Connection[Any]) -> tuple[int, str]:
    with connection.transaction(force_rollback=True):
        enter(connection, "beta-inc")
        row = connection.execute("SELECT tenant_id, id FROM tenants_member LIMIT 1").fetchone()
    assert row is not None
    return row[0], str(row[1])


def test_the_login_without_a_context_is_refused(login: psycopg.Connection[Any]) -> None:
    for statement in (
        "SELECT * FROM crm_sync_opportunity",
        "SELECT * FROM tenants_member",
        "INSERT INTO crm_sync_opportunity (tenant_id) VALUES (1)",
        "UPDATE crm_sync_opportunity SET name = 'x'",
        "DELETE FROM crm_sync_opportunity",
        "TRUNCATE crm_sync_opportunity",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            login.execute(statement)


@pytest.mark.parametrize("role", [Role.TENANT_WIDE, Role.TENANT_MEMBER])
def test_anothers_rows_cannot_be_read(login: psycopg.Connection[Any], role: Role) -> None:
    tenant_id, member_id = beta_member(login)
    with login.transaction(force_rollback=True):
        enter(login, "acme-corp", role)
        for sql in ("tenant_id = %(t)s", "id = %(m)s::uuid", "email LIKE '%%@beta.test'"):
            found = login.execute(
                f"SELECT count(*) FROM tenants_member WHERE {sql}", {"t": tenant_id, "m": member_id}
            )
            assert found.fetchone() == (0,)


def test_anothers_rows_cannot_be_written(login: psycopg.Connection[Any]) -> None:
    tenant_id, member_id = beta_member(login)
    with login.transaction(force_rollback=True):
        enter(login, "acme-corp")
        assert login.execute("UPDATE tenants_member SET name = 'x' WHERE id = %s", [member_id]).rowcount == 0
        assert login.execute("DELETE FROM tenants_member WHERE tenant_id = %s", [tenant_id]).rowcount == 0
    with (
        login.transaction(force_rollback=True),
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level"),
    ):
        enter(login, "acme-corp")
        login.execute(
            "INSERT INTO rbac_group (tenant_id, id, name, role) VALUES (%s, %s, 'g', 'sales_rep')",
            [tenant_id, uuid4()],
        )
    with (
        login.transaction(force_rollback=True),
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level"),
    ):
        enter(login, "acme-corp")
        login.execute("UPDATE tenants_member SET tenant_id = %s", [tenant_id])


def test_anothers_rows_cannot_be_referenced(login: psycopg.Connection[Any]) -> None:
    _, member_id = beta_member(login)
    with pytest.raises(psycopg.errors.ForeignKeyViolation), login.transaction():
        enter(login, "acme-corp")
        login.execute(
            "INSERT INTO rbac_reportingline (tenant_id, member_id, manager_id) "
            "SELECT tenant_id, id, %s FROM tenants_member LIMIT 1",
            [member_id],
        )


def test_a_member_sees_no_deal_of_an_owner_that_is_not_visible(login: psycopg.Connection[Any]) -> None:
    with login.transaction(force_rollback=True):
        enter(login, "acme-corp")
        owners = [row[0] for row in login.execute("SELECT id FROM crm_sync_owner ORDER BY id").fetchall()]
        assert len(owners) > 1
        enter(login, "acme-corp", Role.TENANT_MEMBER, owners[:1])
        assert login.execute("SELECT id FROM crm_sync_owner").fetchall() == [(owners[0],)]


def test_the_log_cannot_be_changed_or_removed(login: psycopg.Connection[Any]) -> None:
    for role in (Role.TENANT_WIDE, Role.TENANT_MEMBER, Role.PLATFORM):
        for statement in ("UPDATE audit_event SET code = 'x'", "DELETE FROM audit_event"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), login.transaction():
                if role is Role.PLATFORM:
                    take(login, Context(role=role, reason="test"))
                else:
                    enter(login, "acme-corp", role)
                login.execute(statement)
    for statement in ("UPDATE audit_platformevent SET code = 'x'", "DELETE FROM audit_platformentry"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            login.execute(statement)


def test_copy_into_a_tenant_table_is_refused(login: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported), login.transaction():
        enter(login, "acme-corp")
        with login.cursor() as cursor, cursor.copy("COPY tenants_member FROM STDIN") as copy:
            copy.write(b"")


def test_a_tenant_cannot_probe_slugs_by_renaming_itself(login: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), login.transaction():
        enter(login, "acme-corp")
        login.execute("UPDATE tenants_tenant SET slug = 'beta-inc'")
