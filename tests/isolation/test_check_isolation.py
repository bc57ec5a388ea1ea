"""``manage.py check_isolation``: each thing that would open the wall is found, and said in a sentence that says what to do.

Each case breaks the real database in a transaction, reads it there, and rolls back.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest

from isolation.proof import Level, Report, declared, examine
from tests.conftest import ROOT, WorkerDatabase

LEAKY = "CREATE FUNCTION leaky(text) RETURNS boolean LANGUAGE sql IMMUTABLE LEAKPROOF AS 'SELECT true'; ALTER FUNCTION leaky OWNER TO revops_owner;"
DEFINER = "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER {} AS 'SELECT 1::bigint'; ALTER FUNCTION peek OWNER TO revops_owner;"
FIXED = "SET search_path = pg_catalog, pg_temp"
CLOSED = "REVOKE ALL ON FUNCTION peek FROM PUBLIC;"
POLICY = "CREATE POLICY extra ON tenants_member {};"
MEMBER_POLICY = "ALTER POLICY crm_sync_opportunity_tenant_member ON crm_sync_opportunity"
MINE = "tenant_id = (SELECT revops_tenant_id('tenant_member'))"


@dataclass(frozen=True)
class Break:
    """SQL that opens the wall, and the finding that must come of it: kind, place, and a piece of the remedy."""

    sql: str
    kind: str
    place: str
    remedy: str

    def __str__(self) -> str:
        return self.sql[:70]


BREAKS = [
    # Tables
    Break("CREATE TABLE loose (id int, tenant_id bigint)", "unwalled", "loose", "TenantModel"),
    Break("CREATE SCHEMA side; CREATE TABLE side.loose (tenant_id bigint)", "unwalled", "side.loose", "TenantModel"),
    Break("CREATE TABLE part () INHERITS (tenants_member)", "unwalled", "part", "TenantModel"),
    Break("ALTER TABLE tenants_member NO FORCE ROW LEVEL SECURITY", "row-security", "tenants_member", "FORCE ROW"),
    Break("ALTER TABLE tenants_member DISABLE ROW LEVEL SECURITY", "row-security", "tenants_member", "ENABLE ROW"),
    Break("ALTER TABLE tenants_member OWNER TO postgres", "owner", "tenants_member", "OWNER TO revops_owner"),
    Break("DROP TABLE alerts_notice CASCADE", "table", "alerts_notice", "migrate"),
    Break("GRANT SELECT ON accounts_user TO tenant_wide", "shared", "accounts_user", "REVOKE SELECT ON accounts_user FROM tenant_wide"),
    Break("GRANT SELECT (email) ON accounts_user TO PUBLIC", "shared", "accounts_user", "FROM PUBLIC"),
    Break("GRANT SELECT ON accounts_user TO revops_app", "shared", "accounts_user", "FROM revops_app"),
    Break("GRANT DELETE ON isolation_heartbeat TO revops_app", "shared", "isolation_heartbeat", "REVOKE DELETE"),
    Break("GRANT SELECT ON django_session TO revops_app", "shared", "django_session", "FROM revops_app"),
    Break("GRANT UPDATE ON audit_platformevent TO accounts", "shared", "audit_platformevent", "FROM accounts"),
    Break("ALTER TABLE accounts_user NO FORCE ROW LEVEL SECURITY", "row-security", "accounts_user", "FORCE ROW"),
    Break("ALTER TABLE django_session DISABLE ROW LEVEL SECURITY", "row-security", "django_session", "ENABLE ROW"),
    Break("CREATE POLICY more ON audit_platformevent FOR INSERT TO revops_app", "policy", "audit_platformevent", "DROP POLICY more"),
    Break("CREATE POLICY more ON accounts_user TO accounts USING (true)", "policy", "accounts_user", "DROP POLICY more"),
    Break("ALTER POLICY django_session_accounts ON django_session USING ((SELECT revops_reaches_accounts()) OR true)",
          "policy", "django_session", "DROP POLICY"),
    Break("ALTER POLICY accounts_user_accounts ON accounts_user WITH CHECK (true)", "policy", "accounts_user", "DROP POLICY"),
    Break("ALTER TABLE tenants_tenant ALTER slug SET STATISTICS 100", "statistics", "tenants_tenant", "SET STATISTICS 0"),
    Break("CREATE TABLE notes (id int)", "undeclared", "notes", "SharedRights"),
    Break("GRANT SELECT ON isolation_contextkey TO revops_app", "signing-key", "isolation_contextkey", "rotate"),
    # Policies
    Break("DROP POLICY tenants_member_platform ON tenants_member", "policy", "tenants_member", "migration"),
    Break(POLICY.format("USING (true)"), "policy", "tenants_member", "DROP POLICY extra"),
    Break(POLICY.format("TO revops_app USING (true) WITH CHECK (true)"), "policy", "tenants_member", "DROP POLICY extra"),
    Break(POLICY.format(f"TO tenant_member USING ({MINE}) WITH CHECK ({MINE})"), "policy", "tenants_member", "drop all but"),
    Break(f"{MEMBER_POLICY} USING ({MINE} OR owner_id = 1)", "policy", "crm_sync_opportunity", "DROP POLICY"),
    Break(f"{MEMBER_POLICY} USING ({MINE} AND true OR stage = 'x')", "policy", "crm_sync_opportunity", "DROP POLICY"),
    Break(f"{MEMBER_POLICY} USING (tenant_id > 0)", "policy", "crm_sync_opportunity", "DROP POLICY"),
    Break(f"{MEMBER_POLICY} WITH CHECK (true)", "policy", "crm_sync_opportunity", "DROP POLICY"),
    Break(f"{MEMBER_POLICY} USING ({MINE.replace('tenant_member', 'tenant_wide')})", "policy", "crm_sync_opportunity", "DROP"),
    Break("ALTER POLICY tenants_member_platform ON tenants_member USING (true)", "policy", "tenants_member", "DROP POLICY"),
    Break("ALTER POLICY tenants_member_person ON tenants_member USING (is_active)", "policy", "tenants_member", "DROP POLICY"),
    # Indexes and keys
    Break("CREATE UNIQUE INDEX oracle ON tenants_member (email)", "index", "tenants_member", "tenant_id"),
    Break("CREATE INDEX oracle ON tenants_member (lower(email))", "index", "tenants_member", "tenant_id"),
    Break("ALTER TABLE crm_sync_syncrun ADD UNIQUE (id); ALTER TABLE alerts_alert ADD COLUMN run uuid REFERENCES crm_sync_syncrun (id)",
          "key", "alerts_alert", "SameTenantForeignKey"),
    Break("ALTER TABLE rbac_reportingline DROP CONSTRAINT rbac_reportingline_manager_same_tenant", "key", "rbac_reportingline", "migrate"),
    Break("ALTER TABLE rbac_reportingline DISABLE TRIGGER ALL", "key", "rbac_reportingline", "triggers"),
    # Rights
    Break("GRANT SELECT ON tenants_member TO revops_app", "right", "tenants_member", "REVOKE SELECT"),
    Break("GRANT TRUNCATE ON tenants_member TO tenant_wide", "right", "tenants_member", "REVOKE TRUNCATE"),
    Break("GRANT REFERENCES ON tenants_member TO tenant_member", "right", "tenants_member", "REVOKE REFERENCES"),
    Break("GRANT SELECT ON tenants_member TO tenant_wide WITH GRANT OPTION", "right", "tenants_member", "REVOKE SELECT"),
    Break("GRANT UPDATE ON audit_event TO tenant_wide", "right", "audit_event", "REVOKE UPDATE"),
    Break("GRANT UPDATE (slug) ON tenants_tenant TO tenant_wide", "right", "tenants_tenant", "REVOKE UPDATE (slug)"),
    Break("GRANT SELECT ON alerts_rule TO PUBLIC", "right", "alerts_rule", "FROM PUBLIC"),
    # Doors around the tables
    Break("CREATE VIEW all_members AS SELECT * FROM tenants_member", "view", "all_members", "security_invoker"),
    Break("CREATE MATERIALIZED VIEW all_members AS SELECT * FROM tenants_member; GRANT SELECT ON all_members TO tenant_wide",
          "materialised-view", "all_members", "REVOKE ALL"),
    Break("CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w", "foreign-server", "s", "DROP SERVER"),
    Break("CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE far (id int) SERVER s; GRANT SELECT ON far TO tenant_wide",
          "foreign-table", "far", "REVOKE ALL"),
    Break(DEFINER.format("") + CLOSED, "definer", "peek()", "SET search_path"),
    Break(DEFINER.format("SET search_path = public") + CLOSED, "definer", "peek()", "SET search_path"),
    Break(DEFINER.format("SET search_path = pg_temp, public") + CLOSED, "definer", "peek()", "SET search_path"),
    Break(DEFINER.format(FIXED), "definer", "peek()", "REVOKE EXECUTE"),
    Break("CREATE FUNCTION stray() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function", "stray()", "OWNER TO revops_owner"),
    Break(LEAKY, "leak-proof", "leaky(text)", "NOT LEAKPROOF"),
    Break("ALTER FUNCTION texticlike(text, text) LEAKPROOF", "leak-proof", "texticlike(text,text)", "NOT LEAKPROOF"),
    Break("GRANT SELECT ON SEQUENCE crm_sync_opportunity_id_seq TO revops_app", "sequence", "crm_sync_opportunity_id_seq", "REVOKE"),
    Break("CREATE TRIGGER t BEFORE UPDATE ON tenants_member FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
          "trigger", "tenants_member", "DROP TRIGGER"),
    Break("CREATE RULE r AS ON DELETE TO tenants_member DO INSTEAD NOTHING", "rule", "tenants_member", "DROP RULE"),
    Break("CREATE PUBLICATION all_rows FOR TABLE tenants_member", "publication", "all_rows", "DROP PUBLICATION"),
    Break("CREATE FUNCTION et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION et()",
          "event-trigger", "e", "DROP EVENT TRIGGER"),
    Break("SELECT lo_create(4711)", "large-object", "large object 4711", "unlink"),
    Break("UPDATE pg_extension SET extname = 'dblink' WHERE extname = 'pg_trgm'", "extension", "dblink", "DROP EXTENSION"),
    # Roles
    Break("ALTER ROLE revops_app SUPERUSER", "role", "revops_app", "NOSUPERUSER"),
    Break("ALTER ROLE tenant_wide BYPASSRLS", "role", "tenant_wide", "NOBYPASSRLS"),
    Break("CREATE ROLE reports LOGIN BYPASSRLS", "role", "reports", "NOBYPASSRLS"),
    Break("ALTER ROLE revops_app INHERIT", "role", "revops_app", "NOINHERIT"),
    Break("ALTER ROLE revops_app REPLICATION", "role", "revops_app", "NOREPLICATION"),
    Break("ALTER ROLE platform LOGIN", "role", "platform", "NOLOGIN"),
    Break("GRANT tenant_wide TO revops_app WITH INHERIT TRUE", "membership", "revops_app", "INHERIT FALSE"),
    Break("GRANT platform TO revops_app WITH ADMIN TRUE", "membership", "revops_app", "ADMIN FALSE"),
    Break("GRANT revops_owner TO revops_app", "membership", "revops_app", "REVOKE revops_owner"),
    Break("GRANT pg_read_all_data TO tenant_wide", "membership", "tenant_wide", "REVOKE pg_read_all_data"),
    Break("CREATE ROLE reports LOGIN; GRANT platform TO reports", "membership", "reports", "REVOKE platform"),
    Break("REVOKE person FROM revops_app", "membership", "revops_app", "bootstrap"),
    Break("ALTER ROLE revops_app SET role = 'platform'", "setting", "revops_app", "RESET role"),
    Break("ALTER ROLE revops_app SET search_path = pg_temp, public", "setting", "revops_app", "RESET search_path"),
    Break("ALTER ROLE revops_app SET revops.context = 'x'", "setting", "revops_app", "RESET revops.context"),
    # The place
    Break("GRANT USAGE ON SCHEMA public TO PUBLIC", "schema", "schema public", "FROM PUBLIC"),
    Break("GRANT CREATE ON SCHEMA public TO tenant_wide", "schema", "schema public", "REVOKE CREATE"),
    Break("DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO revops_app', current_database()); END $$", "database", "database", "REVOKE CREATE"),
    Break("ALTER DEFAULT PRIVILEGES FOR ROLE revops_owner IN SCHEMA public GRANT SELECT ON TABLES TO tenant_wide",
          "default-rights", "default rights", "FROM tenant_wide"),
]  # fmt: skip


@pytest.fixture
def administrator(worker_database: WorkerDatabase) -> Iterator[psycopg.Connection[Any]]:
    """A superuser's transaction on this worker's database, which is never committed."""
    with psycopg.connect(str(worker_database.services.database_admin_url)) as connection:
        yield connection
        connection.rollback()


def examined(connection: psycopg.Connection[Any]) -> Report:
    with connection.cursor() as cursor:
        return examine(cursor)


def test_an_untouched_database_has_no_error(administrator: psycopg.Connection[Any]) -> None:
    report = examined(administrator)
    assert [str(one) for one in report.of_level(Level.ERROR)] == []


@pytest.mark.parametrize("broken", BREAKS, ids=str)
def test_what_opens_the_wall_is_found(broken: Break, administrator: psycopg.Connection[Any]) -> None:
    administrator.execute(broken.sql)
    errors = examined(administrator).of_level(Level.ERROR)
    fitting = [one for one in errors if one.kind == broken.kind and one.place.startswith(broken.place)]
    assert fitting, [str(one) for one in errors]
    assert any(broken.remedy in one.remedy for one in fitting), [str(one) for one in fitting]


def test_every_kind_of_finding_is_proven() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "isolation/proof").glob("*.py"))
    kinds = {
        text.split('"')[0]
        for mark in ('Finding("', '_listed(\n        "')
        for text in sources.split(mark)[1:]
    }
    assert kinds - {broken.kind for broken in BREAKS} == {"server"}  # no server of an old version is at hand


def test_a_missing_role_is_found(administrator: psycopg.Connection[Any]) -> None:
    expected = declared()
    more = replace(expected, tenant_roles=expected.tenant_roles | {"tenant_ghost"})
    with administrator.cursor() as cursor:
        findings = examine(cursor, more).findings
    assert any(one.kind == "role" and one.place == "tenant_ghost" for one in findings)


@pytest.mark.parametrize(
    ("number", "level"), [(150020, Level.ERROR), (160015, Level.WARNING), (180006, Level.WARNING), (180007, None)]
)  # fmt: skip
def test_leaking_servers_are_named(number: int, level: Level | None) -> None:
    from isolation.proof.place import version_findings

    assert [one.level for one in version_findings(*divmod(number, 10_000))] == ([level] if level else [])


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "check_isolation", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


class TestTheCommand:
    def test_prints_every_table_and_ends_well_where_nothing_is_off(
        self, process_environment: dict[str, str]
    ) -> None:
        done = run(process_environment, "--fail-level", "error")
        assert (done.returncode, done.stderr) == (0, "")
        assert {
            name for name in declared().tables if f"\n{name}\n" in f"\n{done.stdout}"
        } == declared().tables.keys()
        assert "tenants_member_tenant_wide for tenant_wide: (tenant_id = " in done.stdout
        assert (
            "role revops_app: attributes login; may take accounts, person, platform, tenant_member, tenant_shared, tenant_wide"
            in done.stdout
        )

    def test_fails_with_a_sentence_where_something_is(
        self, committed: WorkerDatabase, process_environment: dict[str, str]
    ) -> None:
        with psycopg.connect(committed.services.database_owner_url) as owner:
            owner.execute("GRANT SELECT ON tenants_member TO revops_app")
        done = run(process_environment, "--json", "--fail-level", "error")
        assert done.returncode == 1
        report = json.loads(done.stdout)
        errors = [one for one in report["findings"] if one["level"] == "error"]
        assert (report["holds"], len(errors)) == (False, 1)
        assert errors[0]["sentence"] == (
            "tenants_member: the program's bare login may SELECT; run REVOKE SELECT ON tenants_member FROM revops_app."
        )

    def test_refuses_what_it_does_not_know(self, process_environment: dict[str, str]) -> None:
        assert run(process_environment, "--database", "nowhere").returncode == 2

    def test_explains_itself(self, process_environment: dict[str, str]) -> None:
        done = run(process_environment, "--help")
        assert "Exit codes: 0 nothing is off" in done.stdout
