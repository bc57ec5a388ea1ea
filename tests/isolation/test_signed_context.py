"""Full SQL as the program's login makes no context: what is not signed for this role, connection and moment fails loudly."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.db import connection, connections, transaction
from pytest_django.plugin import DjangoDbBlocker

from accounts.selectors import user_by_email
from audit.models import PlatformEvent
from isolation import checks, context, signing
from isolation.actors import Actor
from isolation.context import Context, Role
from tenants.models import Member, Tenant
from tests.conftest import ROOT, WorkerDatabase
from tests.isolation.raw import Login, enter, put, sealed, take, tenant_id_of

ROLES = ("tenant_member", "tenant_shared", "tenant_wide", "platform", "person", "accounts")
JOB = Actor.system("tests")
MEMBERS = "SELECT count(*) FROM tenants_member"
PLATFORM = Context(role=Role.PLATFORM, reason="test")
Denied = psycopg.errors.InsufficientPrivilege


@pytest.fixture(scope="module")
def database(worker_database: WorkerDatabase, django_db_blocker: DjangoDbBlocker) -> Iterator[WorkerDatabase]:
    """For statements that leave nothing behind; made anew after the last of them all the same."""
    with django_db_blocker.unblock():
        yield worker_database
        worker_database.renew()


@pytest.fixture
def login(database: WorkerDatabase) -> Iterator[Login]:
    """`psql` as the program's login."""
    with psycopg.connect(database.services.database_url, autocommit=True) as opened:
        yield opened


@pytest.fixture
def acme_id(login: Login) -> int:
    return tenant_id_of(login, "acme-corp")


@pytest.fixture
def beta_id(login: Login) -> int:
    return tenant_id_of(login, "beta-inc")


def wide(tenant_id: int) -> Context:
    return Context(role=Role.TENANT_WIDE, tenant_id=tenant_id)


def the_only(login: Login, query: str) -> Any:
    row = login.execute(query).fetchone()
    assert row is not None
    return row[0]


class TestAContextMadeByHand:
    def test_without_a_signature_is_refused(self, login: Login, beta_id: int) -> None:
        with pytest.raises(Denied, match="no context is set") as refused, login.transaction():
            login.execute("SELECT set_config('revops.tenant_id', %s, true)", [str(beta_id)])
            login.execute("SET LOCAL ROLE tenant_wide")
            login.execute(MEMBERS)
        assert "isolation.context" in str(refused.value.diag.message_hint)

    def test_changes_nothing_in_a_signed_one(self, login: Login, acme_id: int, beta_id: int) -> None:
        with login.transaction():
            take(login, wide(acme_id))
            login.execute("SELECT set_config('revops.tenant_id', %s, true)", [str(beta_id)])
            assert login.execute("SELECT DISTINCT tenant_id FROM tenants_member").fetchall() == [(acme_id,)]

    @pytest.mark.parametrize(
        "table", ["tenants_member", "audit_event", "audit_platformevent", "audit_platformentry"]
    )
    def test_of_the_platform_is_refused(self, login: Login, table: str) -> None:
        with pytest.raises(Denied, match="no context is set"), login.transaction():
            login.execute("SET LOCAL ROLE platform")
            login.execute("SELECT set_config('revops.reason', 'curiosity', true)")
            login.execute(f"SELECT count(*) FROM {table}")

    @pytest.mark.parametrize("signature", ["", "00", "not hex", "\u00e4", "0" * 64])
    def test_with_a_made_up_signature_is_refused(self, login: Login, beta_id: int, signature: str) -> None:
        with pytest.raises(Denied, match="does not fit"), login.transaction():
            payload, _ = sealed(login, wide(beta_id))
            put(login, payload, signature, "tenant_wide")
            login.execute(MEMBERS)

    @pytest.mark.parametrize("payload", ["|", "x", "|||||||", "{}", "\u00e4|tenant_wide"])
    def test_of_another_form_is_refused(self, login: Login, payload: str) -> None:
        with pytest.raises(Denied), login.transaction():
            put(login, payload, "0" * 64, "tenant_wide")
            login.execute(MEMBERS)

    def test_with_a_key_of_ones_own_is_refused(self, login: Login, beta_id: int) -> None:
        until = time.time_ns() // 1000 + 60_000_000
        fields = wide(beta_id).fields(login.info.backend_pid, until)
        own = signing.derived("the attacker's own key")
        with pytest.raises(Denied, match="does not know"), login.transaction():
            put(login, *signing.signed(fields, own), "tenant_wide")
            login.execute(MEMBERS)
        renamed = signing.Key(id=signing.current_key().id, secret=own.secret)
        with pytest.raises(Denied, match="does not fit"), login.transaction():
            put(login, *signing.signed(fields, renamed), "tenant_wide")
            login.execute(MEMBERS)


class TestASignedContext:
    @pytest.mark.parametrize("field", range(8))
    def test_is_refused_with_one_character_changed(self, login: Login, acme_id: int, field: int) -> None:
        payload, signature = sealed(login, Context(Role.TENANT_MEMBER, acme_id, (1, 2), UUID(int=7), "r"))
        parts = payload.split("|")
        parts[field] = parts[field][:-2] + ("1" if parts[field][-2:-1] != "1" else "2") + parts[field][-1]
        changed = "|".join(parts)
        assert changed != payload
        with pytest.raises(Denied, match=r"does not (fit|know)"), login.transaction():
            put(login, changed, signature, "tenant_member")
            login.execute(MEMBERS)

    def test_is_refused_with_one_digit_of_the_signature_changed(self, login: Login, acme_id: int) -> None:
        payload, signature = sealed(login, wide(acme_id))
        changed = signature[:-1] + ("0" if signature[-1] != "0" else "1")
        with pytest.raises(Denied, match="does not fit"), login.transaction():
            put(login, payload, changed, "tenant_wide")
            login.execute(MEMBERS)

    @pytest.mark.parametrize("taken", ["tenant_wide", "platform", "person"])
    def test_fits_no_other_role(self, login: Login, acme_id: int, taken: str) -> None:
        member = Context(
            role=Role.TENANT_MEMBER, tenant_id=acme_id, owner_ids=(1,), reason="r", user_id=UUID(int=7)
        )
        with pytest.raises(Denied, match="signed for role tenant_member"), login.transaction():
            take(login, member)
            login.execute(f"SET LOCAL ROLE {taken}")
            login.execute(MEMBERS)

    def test_fits_no_other_connection(self, login: Login, acme_id: int, committed: WorkerDatabase) -> None:
        with psycopg.connect(committed.services.database_url, autocommit=True) as other:
            copied = sealed(other, wide(acme_id))
        with pytest.raises(Denied, match="another connection") as refused, login.transaction():
            put(login, *copied, "tenant_wide")
            login.execute(MEMBERS)
        assert "DATABASE_IS_POOLED" in str(refused.value.diag.message_hint)

    def test_goes_on_in_a_long_transaction_and_is_of_no_use_in_a_later_one(
        self, login: Login, acme_id: int
    ) -> None:
        soon_over = sealed(login, wide(acme_id), seconds=0.3)
        with login.transaction():
            put(login, *soon_over, "tenant_wide")
            login.execute("SELECT pg_sleep(0.4)")
            assert the_only(login, MEMBERS) > 0
        with pytest.raises(Denied, match="expired"), login.transaction():
            put(login, *soon_over, "tenant_wide")
            login.execute(MEMBERS)

    def test_keeps_a_reason_that_holds_the_separator(self, login: Login) -> None:
        reason = "a|b||c — ü"
        with login.transaction():
            take(login, Context(role=Role.PLATFORM, reason=reason))
            assert the_only(login, "SELECT revops_platform_reason()") == reason

    def test_is_believed_in_parallel_plans(self, login: Login, acme_id: int) -> None:
        with login.transaction():
            take(login, wide(acme_id))
            expected = the_only(login, MEMBERS)
            login.execute("SET LOCAL debug_parallel_query = on")
            login.execute("SET LOCAL parallel_setup_cost = 0")
            login.execute("SET LOCAL min_parallel_table_scan_size = 0")
            assert the_only(login, MEMBERS) == expected


class TestWhatSomebodyMakesAsAnotherRole:
    """Taking a role is free; so nothing that is made as one may carry its sight into another one's context."""

    @pytest.mark.parametrize("maker", ["tenant_wide", "platform"])
    def test_a_view_shows_no_more(self, login: Login, acme_id: int, maker: str) -> None:
        refusal = r"signed for role tenant_member|permission denied for function revops_platform_reason"
        with pytest.raises(Denied, match=refusal), login.transaction():
            login.execute(f"SET LOCAL ROLE {maker}")
            login.execute("CREATE TEMPORARY VIEW peek AS SELECT * FROM crm_sync_owner")
            login.execute("GRANT SELECT ON peek TO tenant_member")
            take(login, Context(role=Role.TENANT_MEMBER, tenant_id=acme_id))
            login.execute("SELECT count(*) FROM peek")

    @pytest.mark.parametrize("maker", ["tenant_wide", "platform"])
    def test_a_function_shows_no_more(self, login: Login, acme_id: int, maker: str) -> None:
        with pytest.raises(Denied, match="signed for role tenant_member"), login.transaction():
            login.execute(f"SET LOCAL ROLE {maker}")
            login.execute(
                "CREATE FUNCTION pg_temp.peek() RETURNS bigint SECURITY DEFINER LANGUAGE sql "
                "AS 'SELECT count(*) FROM public.crm_sync_owner'"
            )
            take(login, Context(role=Role.TENANT_MEMBER, tenant_id=acme_id))
            login.execute("SELECT pg_temp.peek()")

    def test_names_of_ones_own_do_not_reach_the_check(self, login: Login, beta_id: int) -> None:
        own = signing.derived("the attacker's own key")
        until = time.time_ns() // 1000 + 60_000_000
        forged = signing.signed(wide(beta_id).fields(login.info.backend_pid, until), own)
        login.execute(
            "CREATE TEMPORARY TABLE isolation_contextkey (id text, inner_key bytea, outer_key bytea)"
        )
        login.execute(
            "INSERT INTO isolation_contextkey VALUES (%s, %s, %s)",
            [own.id, own.padded(0x36), own.padded(0x5C)],
        )
        login.execute("GRANT ALL ON isolation_contextkey TO PUBLIC")
        login.execute(
            "CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea IMMUTABLE LANGUAGE sql AS 'SELECT ''same''::bytea'"
        )
        login.execute(
            "CREATE FUNCTION pg_temp.same(bytea, bytea) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true'"
        )
        login.execute(
            "CREATE OPERATOR pg_temp.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = pg_temp.same)"
        )
        login.execute("SET search_path = pg_temp, pg_catalog, public")
        with pytest.raises(Denied, match="does not know"), login.transaction():
            put(login, *forged, "tenant_wide")
            login.execute("SELECT count(*) FROM public.tenants_member")


class TestTheKey:
    @pytest.mark.parametrize("role", ["none", *ROLES])
    @pytest.mark.parametrize(
        "statement",
        [
            "SELECT * FROM isolation_contextkey",
            "COPY isolation_contextkey TO STDOUT",
            "INSERT INTO isolation_contextkey VALUES ('k', ''::bytea, ''::bytea)",
            "UPDATE isolation_contextkey SET id = id",
            "DELETE FROM isolation_contextkey",
            "TRUNCATE isolation_contextkey",
            "SELECT revops_verified_context('tenant_wide')",
        ],
    )
    def test_is_out_of_reach(self, login: Login, role: str, statement: str) -> None:
        with pytest.raises(Denied, match="permission denied"), login.transaction():
            login.execute(f"SET LOCAL ROLE {role}")
            login.execute(statement)

    def test_does_not_show_even_where_a_right_was_given_by_mistake(
        self, login: Login, committed: WorkerDatabase
    ) -> None:
        with psycopg.connect(committed.services.database_owner_url) as owner:
            owner.execute("GRANT SELECT ON isolation_contextkey TO PUBLIC")
        assert the_only(login, "SELECT count(*) FROM isolation_contextkey") == 0

    def test_is_in_no_function_no_setting_and_no_message(self, login: Login, acme_id: int) -> None:
        secrets = [each.hex() for each in (signing.current_key().padded(0x36), signing.current_key().secret)]
        told = [the_only(login, "SELECT string_agg(prosrc, '') FROM pg_proc")]
        with login.transaction(force_rollback=True):
            take(login, wide(acme_id))
            told.append(the_only(login, "SELECT string_agg(setting, '') FROM pg_settings"))
            told.append(
                the_only(
                    login, "SELECT current_setting('revops.context') || current_setting('revops.signature')"
                )
            )
        with pytest.raises(Denied) as refused, login.transaction():
            put(login, "x", "y", "tenant_wide")
            login.execute(MEMBERS)
        told.append(str(refused.value))
        assert not [secret for secret in secrets for text in told if secret in text]

    def test_cannot_be_worked_around_by_other_functions(self, login: Login) -> None:
        for role in ("none", *ROLES):
            for statement in (
                "CREATE OR REPLACE FUNCTION revops_tenant_id(role_of_policy text) RETURNS bigint LANGUAGE sql AS 'SELECT 2::bigint'",
                "CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'",
                "CREATE FUNCTION pg_catalog.sha256(text) RETURNS bytea LANGUAGE sql AS 'SELECT null::bytea'",
                "ALTER FUNCTION revops_tenant_id(text) SECURITY INVOKER",
                "ALTER FUNCTION revops_tenant_id(text) SET search_path = pg_temp",
                "DROP FUNCTION revops_verified_context(text)",
                "CREATE SCHEMA mine",
                "ALTER POLICY tenants_member_tenant_wide ON tenants_member USING (true)",
            ):
                with pytest.raises(Denied), login.transaction():
                    login.execute(f"SET LOCAL ROLE {role}")
                    login.execute(statement)

    def test_is_checked_for_the_role_of_each_policy(self, login: Login) -> None:
        policies = login.execute(
            "SELECT p.polname, r.rolname, coalesce(pg_get_expr(polqual, polrelid), '') || coalesce(pg_get_expr(polwithcheck, polrelid), '') "
            "FROM pg_policy p JOIN pg_roles r ON r.oid = ANY (p.polroles)"
        ).fetchall()
        expected = {
            "tenant_member": "revops_tenant_id('tenant_member'::text)",
            "tenant_shared": "revops_tenant_id('tenant_shared'::text)",
            "tenant_wide": "revops_tenant_id('tenant_wide'::text)",
            "platform": "revops_platform_reason()",
            "accounts": "revops_reaches_accounts()",
        }
        wrong = [
            (name, role)
            for name, role, predicate in policies
            if role in expected and expected[role] not in predicate
        ]
        assert policies
        assert wrong == []

    def test_functions_of_the_owner_have_a_fixed_search_path(self, login: Login) -> None:
        found = login.execute(
            "SELECT proname, proconfig::text, pg_get_userbyid(proowner), has_function_privilege('public', oid, 'EXECUTE'), proparallel "
            "FROM pg_proc WHERE prosecdef AND proname LIKE 'revops%' ORDER BY proname"
        ).fetchall()
        fixed = '{"search_path=pg_catalog, pg_temp"}'
        names = (
            "revops_owner_ids",
            "revops_platform_reason",
            "revops_reaches_accounts",
            "revops_shared_ids",
            "revops_tenant_id",
            "revops_user_id",
        )
        assert found == [(name, fixed, "revops_owner", False, "r") for name in names]


class TestTheProgram:
    def test_needs_one_round_trip(self, acme: Tenant, django_assert_num_queries: Any) -> None:
        with transaction.atomic(), django_assert_num_queries(4), context.tenant_wide(acme.id):
            pass  # a savepoint, the context, what was there before, and the end of the savepoint

    def test_finds_no_temporary_table_under_the_name_of_ours(self, acme: Tenant, rep: Member) -> None:
        """Injected SQL could leave one behind, to see and do what the next context's role may."""
        with context.tenant_wide(acme.id), connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE accounts_user AS SELECT 1 AS id")
            cursor.execute("CREATE TEMPORARY VIEW tenants_member AS SELECT 1 AS id")
            cursor.execute("GRANT ALL ON pg_temp.accounts_user, pg_temp.tenants_member TO PUBLIC")
            cursor.execute("SET search_path = pg_temp, public")
        assert user_by_email(rep.email) is not None
        with context.person(rep.user_id):
            assert Member.objects.get().email == rep.email

    def test_works_behind_a_pooler(self, acme: Tenant, rep: Member, settings: LazySettings) -> None:
        settings.DATABASE_IS_POOLED = True
        with context.tenant_wide(acme.id):
            with context.person(rep.user_id):
                assert Member.objects.count() == 1
            assert Member.objects.count() > 1

    def test_signs_for_one_transaction_only_behind_a_pooler(
        self, login: Login, committed: WorkerDatabase, settings: LazySettings
    ) -> None:
        settings.DATABASE_IS_POOLED = True
        kept = "SELECT current_setting('revops.context'), current_setting('revops.signature')"
        with transaction.atomic(), connection.cursor() as cursor, context.platform("test", JOB):
            cursor.execute(kept)
            saved = cursor.fetchone()
            assert Member.objects.count() > 0
        with pytest.raises(Exception, match="expired"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('revops.context', %s, true), set_config('revops.signature', %s, true)",
                saved,
            )
            cursor.execute("SET LOCAL ROLE platform")
            cursor.execute(MEMBERS)

    def test_is_told_by_the_check_when_the_database_does_not_know_the_key(
        self, committed: WorkerDatabase, settings: LazySettings
    ) -> None:
        assert checks.contexts_are_accepted(None, ["default"]) == []
        settings.SECRET_KEY = "another one"
        (found,) = checks.contexts_are_accepted(None, ["default"])
        assert found.id == "isolation.E023"
        assert "rotate_context_key" in str(found.hint)


class TestRotation:
    def test_lets_both_keys_in_until_the_old_one_is_dropped(
        self, login: Login, acme_id: int, committed: WorkerDatabase, settings: LazySettings
    ) -> None:
        old, by_old = settings.SECRET_KEY, sealed(login, wide(acme_id))
        settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "the new one", [old]
        rotation = signing.keys_store(using="owner")
        new_id, old_id = signing.current_key().id, signing.derived(old).id
        assert (rotation.added, rotation.kept, rotation.dropped) == ((new_id,), (old_id,), ())
        for accepted in (by_old, sealed(login, wide(acme_id))):
            with login.transaction():
                put(login, *accepted, "tenant_wide")
                assert the_only(login, MEMBERS) > 0
        settings.SECRET_KEY_FALLBACKS = []
        assert signing.keys_store(using="owner").dropped == (old_id,)
        with pytest.raises(Denied, match="does not know"), login.transaction():
            put(login, *by_old, "tenant_wide")
            login.execute(MEMBERS)

    def test_follows_every_migrate(self, committed: WorkerDatabase, settings: LazySettings) -> None:
        settings.SECRET_KEY = "the new one"
        call_command("migrate", database="owner", verbosity=0)
        with context.platform("test", JOB):
            assert Member.objects.count() > 0

    def test_by_command_twice_changes_nothing_the_second_time(
        self, committed: WorkerDatabase, settings: LazySettings
    ) -> None:
        settings.SECRET_KEY_FALLBACKS = ["an older one"]
        call_command("rotate_context_key", json=True, stdout=StringIO())
        out, text = StringIO(), StringIO()
        call_command("rotate_context_key", json=True, stdout=out)
        call_command("rotate_context_key", stdout=text)
        with context.platform("read the platform's log", JOB):
            (event,) = PlatformEvent.objects.filter(code="audit.context_keys_rotated").order_by("-at")[:1]
            assert PlatformEvent.objects.filter(code=event.code).count() == 2  # the first fill, and this one
        assert event.facts["added"] == [signing.derived("an older one").id]
        assert event.sentence.endswith("1 more, 0 no longer")
        told = json.loads(out.getvalue())
        assert (told["added"], told["dropped"], len(told["kept"])) == ([], [], 2)
        assert f"{signing.current_key().id}  signs from now on" in text.getvalue()

    def test_by_the_programs_login_is_refused(
        self, committed: WorkerDatabase, process_environment: dict[str, str]
    ) -> None:
        told = subprocess.run(
            [sys.executable, "manage.py", "rotate_context_key"],
            env={**process_environment, "DATABASE_OWNER_URL": process_environment["DATABASE_URL"]},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 1
        assert "permission denied for table isolation_contextkey" in told.stderr
        assert "set DATABASE_OWNER_URL" in told.stderr

    def test_is_left_alone_by_a_migrate_of_the_programs_login(self, committed: WorkerDatabase) -> None:
        signing.keys_follow_settings(using="default")
        with connections["owner"].cursor() as cursor:
            cursor.execute("SELECT array_agg(id) FROM isolation_contextkey")
            assert cursor.fetchone() == ([signing.current_key().id],)


def test_the_wall_helpers_enter_what_they_name(login: Login, acme_id: int) -> None:
    with login.transaction():
        enter(login, "acme-corp")
        assert the_only(login, "SELECT DISTINCT tenant_id FROM tenants_member") == acme_id
