"""The database and its roles."""

from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from revops_admin.runtime import database
from revops_admin.runtime.errors import RuntimeProblem
from revops_admin.runtime.services import Services, at_database, create_database, drop_database, resolve_given

CONTEXTS = ("person", "platform", "tenant_member", "tenant_wide")


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    """Return what ``query`` gives at ``url``."""
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.fixture
def administrator(services: Services) -> str:
    """The superuser's address."""
    assert services.database_admin_url is not None
    return services.database_admin_url


class TestRoles:
    def test_have_exactly_the_promised_attributes(self, administrator: str) -> None:
        found = rows(
            administrator,
            "SELECT rolname, rolcanlogin, rolinherit, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication "
            "OR rolbypassrls FROM pg_roles WHERE rolname IN "
            "('revops_owner','revops_app','tenant_member','tenant_wide','platform','person') ORDER BY 1",
        )
        assert found == [
            ("person", False, False, False),
            ("platform", False, False, False),
            ("revops_app", True, False, False),
            ("revops_owner", True, True, False),
            ("tenant_member", False, False, False),
            ("tenant_wide", False, False, False),
        ]

    def test_the_program_may_take_the_four_contexts_and_inherits_none(self, administrator: str) -> None:
        found = rows(
            administrator,
            "SELECT r.rolname, m.rolname, a.inherit_option, a.set_option, a.admin_option FROM pg_auth_members a "
            "JOIN pg_roles r ON r.oid = roleid JOIN pg_roles m ON m.oid = member "
            "WHERE r.rolname !~ '^pg_' ORDER BY 1",
        )
        assert found == [(context, "revops_app", False, True, False) for context in CONTEXTS]

    def test_a_table_of_the_owner_is_the_programs_but_not_the_contexts(self, services: Services) -> None:
        with psycopg.connect(services.database_owner_url, autocommit=True) as owner:
            owner.execute("CREATE TABLE IF NOT EXISTS plain (id bigserial)")
        with psycopg.connect(services.database_url) as app:
            app.execute("INSERT INTO plain DEFAULT VALUES")
            app.execute("SET LOCAL ROLE tenant_wide")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("SELECT * FROM plain")

    @pytest.mark.parametrize("context", ["revops_app", *CONTEXTS])
    def test_each_may_stage_rows_and_make_nothing_lasting(self, services: Services, context: str) -> None:
        with psycopg.connect(services.database_url) as app:
            app.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(context)))
            app.execute("CREATE TEMPORARY TABLE staged (id int) ON COMMIT DROP")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("CREATE TABLE public.lasting (id int)")

    def test_a_stranger_of_the_server_cannot_connect(self, services: Services, administrator: str) -> None:
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS stranger")
            connection.execute("CREATE ROLE stranger LOGIN PASSWORD 'known'")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(database.login_url(administrator, "stranger", "known"))


class TestBootstrapping:
    def test_again_changes_nothing(self, services: Services, administrator: str) -> None:
        logins = database.derived_logins(administrator)
        assert logins is not None
        database.bootstrap(administrator, logins)
        assert rows(services.database_url, "SELECT 1") == [(1,)]

    def test_makes_a_missing_database_and_tolerates_roles_that_exist(self, administrator: str) -> None:
        logins = database.derived_logins(administrator)
        assert logins is not None
        second = database.to_database(administrator, "second")
        database.bootstrap(second, logins)
        assert rows(second, "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'") == [(1,)]
        assert rows(database.login_url(second, database.APP, logins.app), "SELECT 1") == [(1,)]

    def test_leaves_the_servers_own_database_alone(self, administrator: str) -> None:
        with pytest.raises(RuntimeProblem, match="the server's own database"):
            database.bootstrap(database.to_database(administrator, "postgres"), database.Logins("a", "b"))

    def test_by_a_login_that_may_only_make_roles_and_databases(self, administrator: str) -> None:
        with psycopg.connect(administrator, autocommit=True) as connection:
            for role in ("revops_owner", "revops_app", *CONTEXTS):
                rename = sql.SQL("ALTER ROLE {} RENAME TO {}")
                connection.execute(rename.format(sql.Identifier(role), sql.Identifier(f"{role}_aside")))
            connection.execute("CREATE ROLE cloud LOGIN CREATEROLE CREATEDB PASSWORD 'known'")
        try:
            cloud = database.to_database(database.login_url(administrator, "cloud", "known"), "cloudy")
            logins = database.derived_logins(cloud)
            assert logins is not None
            database.bootstrap(cloud, logins)
            database.bootstrap(cloud, logins)
            assert rows(database.login_url(cloud, database.APP, logins.app), "SELECT 1") == [(1,)]
        finally:
            self._put_back(administrator)

    def _put_back(self, administrator: str) -> None:
        with psycopg.connect(administrator, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS cloudy WITH (FORCE)")
            for role in ("revops_owner", "revops_app", *CONTEXTS, "cloud"):
                connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))
            for role in ("revops_owner", "revops_app", *CONTEXTS):
                rename = sql.SQL("ALTER ROLE {} RENAME TO {}")
                connection.execute(rename.format(sql.Identifier(f"{role}_aside"), sql.Identifier(role)))


class TestTheUsersDatabaseUrl:
    def test_an_administrators_becomes_the_programs_own_login(
        self, tmp_path: Path, administrator: str
    ) -> None:
        app, owner, kept = resolve_given(tmp_path, administrator, None)
        assert rows(app, "SELECT current_user") == [("revops_app",)]
        assert rows(owner, "SELECT current_user") == [("revops_owner",)]
        assert kept == administrator

    def test_an_ordinary_login_needs_the_owners_beside_it(self, tmp_path: Path, services: Services) -> None:
        with pytest.raises(RuntimeProblem, match="DATABASE_OWNER_URL must name"):
            resolve_given(tmp_path, services.database_url, None)
        both = resolve_given(tmp_path, services.database_url, services.database_owner_url)
        assert both == (services.database_url, services.database_owner_url, None)

    @pytest.mark.parametrize("url", ["mysql://x/y", "postgresql://nobody:wrong@127.0.0.1:1/x"])
    def test_a_useless_one_is_one_sentence(self, tmp_path: Path, url: str) -> None:
        with pytest.raises(RuntimeProblem, match=r"^DATABASE_URL: [^\n]*$"):
            resolve_given(tmp_path, url, None)


class TestDatabasesForTests:
    def test_a_copy_has_the_templates_tables_and_the_programs_rights(self, services: Services) -> None:
        made = create_database(services, "template_of_tests")
        with psycopg.connect(made.database_owner_url, autocommit=True) as owner:
            owner.execute("CREATE TABLE copied AS SELECT 1 AS one")
        copy = create_database(services, "copy_of_tests", "template_of_tests")
        assert copy == at_database(services, "copy_of_tests")
        with psycopg.connect(copy.database_url) as app:
            assert app.execute("SELECT one FROM copied").fetchone() == (1,)
            app.execute("CREATE TEMPORARY TABLE staged (id int)")
        for name in ("copy_of_tests", "template_of_tests", "never_was"):
            drop_database(services, name)

    def test_need_an_administrator(self, services: Services) -> None:
        with pytest.raises(RuntimeProblem, match="administrator"):
            create_database(Services(services.database_url, services.database_owner_url, None, ""), "x")
