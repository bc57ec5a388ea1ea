"""Whatever Acme's people do, by service, page, API, task or raw SQL, Beta's rows neither change nor show.

Beta has a row in every table (``filled``); what is called, with which of Beta's values, and how a transaction ends is hypothesis's choice.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import json
import pkgutil
import re
import typing
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from celery import current_app
from django.db import connection, models, transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from accounts.models import User
from isolation import context
from isolation.actors import Actor
from isolation.context import Context, Role
from isolation.models import TenantModel
from isolation.proof import declared
from isolation.tasks import WalledTask
from rbac.selectors import actor_of
from tenants.models import Tenant
from tests import cast
from tests.conftest import WorkerDatabase
from tests.isolation.filled import Filled, fill
from tests.isolation.raw import take
from tests.test_permission_table import NOBODY, ROUTES, Workspace, routes

WATCHER = Actor.system("tests.properties")
TABLES = sorted(declared().tables)
ROOMS = ("tenants", "rbac", "alerts", "crm_sync", "pipeline", "operations")
_UNIQUE = re.compile(r"[0-9a-f]{10,32}|[0-9a-f-]{36}|.+@beta\.test")


def bounded(examples: int) -> settings:
    """So many examples, however long each takes; the fixtures of one test serve them all."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
        print_blob=True,
    )


@pytest.fixture(scope="module")
def filled(worker_database: WorkerDatabase, django_db_blocker: Any) -> Iterator[Filled]:
    with psycopg.connect(str(worker_database.services.database_admin_url)) as administrator:
        found = fill(administrator)
    yield found
    with django_db_blocker.unblock():
        worker_database.renew()


def state_of_beta(execute: Callable[[str], Any], beta: int) -> dict[str, str]:
    """A digest of all of Beta's rows, by table; ``execute`` runs SQL with sight of them and gives a cursor."""
    found = {}
    for table, wall in declared().tables.items():
        text = f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} AS t WHERE {wall.tenant_column} = {beta}"
        found[table] = execute(text).fetchone()[0]
    return found


def seen_by_platform(beta: int) -> dict[str, str]:
    """The same, from within this test's own transaction."""
    with context.platform("watch Beta's rows", WATCHER), connection.cursor() as cursor:
        return state_of_beta(lambda text: (cursor.execute(text), cursor)[1], beta)


def values_of_beta(filled: Filled) -> list[str]:
    """Texts that only Beta's rows hold: made-up ones, ids, addresses."""
    held = {str(value) for row in filled.of_beta.values() for value in row.values() if isinstance(value, str)}
    return sorted(value for value in held if _UNIQUE.fullmatch(value))


# Services

Service = Callable[..., Any]


def services() -> list[Service]:
    """Every function of a ``services`` module that takes an acting user."""
    found = []
    for room in ROOMS:
        module = importlib.import_module(f"{room}.services")
        inner = [
            importlib.import_module(f"{module.__name__}.{one.name}")
            for one in pkgutil.iter_modules(getattr(module, "__path__", []))
        ]
        for where in (module, *inner):
            members = inspect.getmembers(where, inspect.isfunction)
            found += [
                one
                for _, one in members
                if one.__module__ == where.__name__ and "acting_user" in inspect.signature(one).parameters
            ]
    return found


SERVICES = services()


def instance(model: type[models.Model], tenant_id: int) -> Any:
    """A row of that tenant, loaded by somebody who may."""
    with context.platform("find a row", WATCHER):
        column = "pk" if model is Tenant else "tenant_id"
        return model._default_manager.filter(**{column: tenant_id}).first()


def argument(kind: Any, tenant_id: int, draw: Any, texts: list[str]) -> Any:
    """A value of that type; a row of that tenant where it is a model."""
    chosen = (
        next((one for one in typing.get_args(kind) if one is not type(None)), kind)
        if typing.get_args(kind)
        else kind
    )
    if isinstance(chosen, type) and issubclass(chosen, TenantModel | Tenant):
        return instance(chosen, tenant_id)
    if chosen is User:
        return cast.account(cast.PEOPLE["stranger"][2])
    if isinstance(chosen, type) and issubclass(chosen, enum.Enum):
        return draw(st.sampled_from(list(chosen)))
    if chosen in (bool, int):
        return draw(st.sampled_from([True, False] if chosen is bool else [tenant_id, 1]))
    if chosen is datetime:
        return datetime(2026, 1, 31, tzinfo=UTC)
    if chosen is UUID:
        return draw(st.sampled_from([UUID(one) for one in texts if len(one) == 36]))
    return draw(st.sampled_from(texts)) if chosen is str else {}


@pytest.mark.django_db
class TestInTheProgram:
    def test_there_are_services_and_tasks_to_try(self) -> None:
        assert len(SERVICES) > 25
        assert len(tenant_tasks()) >= 4

    @pytest.mark.parametrize("service", SERVICES, ids=lambda one: one.__name__)
    def test_no_service_reaches_beta(self, service: Service, filled: Filled) -> None:
        admin, texts, before = cast.member_of("admin"), values_of_beta(filled), seen_by_platform(filled.beta)
        hints = typing.get_type_hints(service)
        names = [name for name in inspect.signature(service).parameters if name != "acting_user"]

        @bounded(6)
        @given(data=st.data())
        def holds(data: st.DataObject) -> None:
            tenants = data.draw(
                st.lists(
                    st.sampled_from([filled.beta, filled.acme]), min_size=len(names), max_size=len(names)
                )
            )
            given_values = {
                name: argument(hints[name], tenant, data.draw, texts)
                for name, tenant in zip(names, tenants, strict=True)
            }
            with transaction.atomic():
                with suppress(Exception), transaction.atomic():
                    with context.tenant_wide(filled.acme):
                        service(**given_values, acting_user=actor_of(admin))
                    with connection.cursor() as cursor:
                        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                assert_unchanged(before, filled)
                transaction.set_rollback(True)

        holds()

    @bounded(40)
    @given(data=st.data())
    def test_no_task_of_acmes_reaches_beta(self, data: st.DataObject, filled: Filled) -> None:
        before, task = seen_by_platform(filled.beta), data.draw(st.sampled_from(tenant_tasks()))
        ids = [row["id"] for row in filled.of_beta.values() if isinstance(row.get("id"), str)]
        ours = {
            name: data.draw(st.sampled_from(ids))
            for name in inspect.signature(task.run).parameters
            if name != "tenant_id"
        }
        if "messages" in ours:
            ours["messages"] = [(ours["messages"], 1)]
        with transaction.atomic():
            with suppress(Exception), transaction.atomic():
                task(tenant_id=filled.acme, **ours)
            assert_unchanged(before, filled)
            transaction.set_rollback(True)

    @bounded(60)
    @given(data=st.data())
    def test_no_page_or_call_of_the_api_reaches_beta(self, data: st.DataObject, filled: Filled) -> None:
        who, before, texts = (
            data.draw(st.sampled_from(["admin", "analyst", "manager", "rep"])),
            seen_by_platform(filled.beta),
            values_of_beta(filled),
        )
        client = Client(raise_request_exception=False)
        cast.sign_in(client, cast.user_of(cast.member_of(who)))
        address = data.draw(st.sampled_from(ADDRESSES)).replace(
            str(NOBODY), data.draw(st.sampled_from([t for t in texts if len(t) == 36]))
        )
        slug = data.draw(st.sampled_from([cast.ACME, cast.ACME, cast.BETA]))
        sent = data.draw(
            st.dictionaries(
                st.sampled_from(FIELDS),
                st.sampled_from([*texts[:40], cast.BETA, str(filled.beta)]),
                max_size=4,
            )
        )
        method = data.draw(st.sampled_from(["get", "get", "post"]))
        body: Any = json.dumps(sent) if method == "post" and "/api/" in address else sent
        kind = {"content_type": "application/json"} if isinstance(body, str) else {}
        with transaction.atomic():
            answer = getattr(client, method)(address.replace(cast.ACME, slug), body, **kind)
            text = b"".join(answer.streaming_content) if answer.streaming else answer.content
            assert_unchanged(before, filled)
            transaction.set_rollback(True)
        shown = (
            {one for one in texts if one in text.decode(errors="replace")}
            - set(sent.values())
            - set(address.split("/"))
        )
        assert (shown, slug == cast.BETA and answer.status_code == 200) == (set(), False)


def tenant_tasks() -> list[Any]:
    """Every task that works for one tenant."""
    return sorted(
        (
            one
            for one in current_app.tasks.values()
            if isinstance(one, WalledTask) and one.scope.startswith("tenant")
        ),
        key=lambda one: one.name,
    )


ADDRESSES = sorted(route.address for route in routes() if isinstance(ROUTES.get(route.name), Workspace))
FIELDS = ("id", "tenant", "tenant_id", "member", "manager", "role", "owner", "owner_id", "account", "email", "name", "q", "search", "person", "page",
          "cursor", "sort", "event", "target", "rule", "connection", "run", "reason", "state", "stage")  # fmt: skip


def assert_unchanged(before: dict[str, str], filled: Filled) -> None:
    after = seen_by_platform(filled.beta)
    assert {table for table in before if before[table] != after[table]} == set()


# Raw SQL on connections that are used again, with transactions that end in every way

Login = psycopg.Connection[Any]
CONDITIONS = (
    "true",
    "{tenant} = {beta}",
    "{tenant} <> {acme}",
    "{tenant} IN ({acme}, {beta})",
    "ctid IS NOT NULL",
    "{tenant} > 0 OR true",
)
STATEMENTS = (
    "SELECT to_jsonb(a)::text FROM {table} AS a WHERE {condition}",
    "SELECT to_jsonb(a)::text FROM {table} AS a WHERE EXISTS (SELECT FROM {other} AS b WHERE b.{other_tenant} <> {acme}) AND {condition}",
    "SELECT to_jsonb(b)::text FROM {table} AS a FULL JOIN {other} AS b ON b.{other_tenant} <> a.{tenant}",
    "SELECT count(*)::text FROM {table} AS a WHERE {tenant} = {beta} HAVING count(*) > 0",
    "UPDATE {table} SET {tenant} = {tenant} WHERE {condition} RETURNING {tenant}::text",
    "UPDATE {table} SET {tenant} = {beta} WHERE {condition} RETURNING {tenant}::text",
    "INSERT INTO {table} SELECT (jsonb_populate_record(a, jsonb_build_object('{tenant}', {beta}))).* FROM {table} AS a RETURNING {tenant}::text",
    "MERGE INTO {table} AS a USING {other} AS b ON a.{tenant} = {beta} WHEN MATCHED THEN DELETE",
    "DELETE FROM {table} WHERE {condition} RETURNING {tenant}::text",
    "LOCK TABLE {table} IN ROW EXCLUSIVE MODE",
    "SELECT set_config('revops.tenant_id', '{beta}', false)",
    "SELECT set_config('role', 'platform', false)",
    "SELECT set_config('revops.context', replace(current_setting('revops.context'), '|{acme}|', '|{beta}|'), false)",
    "SAVEPOINT s",
    "ROLLBACK TO SAVEPOINT s",
)  # fmt: skip
# One statement is tried on several tables.
TRIED = st.tuples(
    st.sampled_from(STATEMENTS),
    st.lists(st.sampled_from(TABLES), min_size=1, max_size=15),
    st.sampled_from(TABLES),
    st.sampled_from(CONDITIONS),
)
STEP = st.tuples(
    st.integers(0, 1),
    st.sampled_from([Role.TENANT_WIDE, Role.TENANT_MEMBER, Role.NONE]),
    st.lists(TRIED, max_size=4),
    st.sampled_from(["commit", "rollback", "kill", "read as Beta"]),
)


class Pool:
    """Two connections of the program's login that are used again and again, as a pooler would, and replaced when killed."""

    def __init__(self, worker_database: WorkerDatabase, administrator: Login) -> None:
        self._url = worker_database.services.database_url
        self._administrator = administrator
        self._all = [self._new(), self._new()]

    def _new(self) -> Login:
        return psycopg.connect(self._url)

    def __getitem__(self, place: int) -> Login:
        if self._all[place].closed:
            self._all[place] = self._new()
        return self._all[place]

    def kill(self, place: int) -> None:
        """End the connection's process in the middle of what it does."""
        self._administrator.execute(
            "SELECT pg_terminate_backend(%s, 5000)", [self._all[place].info.backend_pid]
        )
        with pytest.raises(psycopg.OperationalError):
            self._all[place].execute("SELECT 1")
        self._all[place].close()

    def close(self) -> None:
        for one in self._all:
            one.close()


@pytest.fixture
def administrator(worker_database: WorkerDatabase, filled: Filled) -> Iterator[Login]:
    """Sees everything, and kills."""
    with psycopg.connect(str(worker_database.services.database_admin_url), autocommit=True) as found:
        yield found


@pytest.fixture
def pool(worker_database: WorkerDatabase, administrator: Login) -> Iterator[Pool]:
    found = Pool(worker_database, administrator)
    yield found
    found.close()


@pytest.mark.parametrize("ending", ["rollback", "commit", "kill"])
@pytest.mark.parametrize("text", STATEMENTS)
def test_no_statement_alone_reaches_beta(
    text: str, ending: str, pool: Pool, administrator: Login, filled: Filled
) -> None:
    """Every statement on every table: what the sequences below are made of."""
    holds(
        [(0, Role.TENANT_WIDE, [(text, TABLES, "tenants_member", "true")], ending)],
        pool,
        administrator,
        filled,
    )


@bounded(30)
@given(steps=st.lists(STEP, min_size=1, max_size=5))
def test_no_sql_in_acmes_context_reaches_beta(
    steps: list[Any], pool: Pool, administrator: Login, filled: Filled
) -> None:
    holds(steps, pool, administrator, filled)


def holds(steps: list[Any], pool: Pool, administrator: Login, filled: Filled) -> None:
    """Carry the steps out; Beta's values are in no answer, its rows stay, and nothing is left for who comes after."""
    before, secrets = state_of_beta(administrator.execute, filled.beta), values_of_beta(filled)
    for place, role, tried, ending in steps:
        told = sql_of_acme(pool[place], role, tried, filled)
        assert [one for one in secrets if one in told] == []
        end(pool, place, ending, filled)
        # Whatever was set, for the transaction or the session: without a context of its own the next one gets nothing.
        with pytest.raises(psycopg.Error):
            pool[place].execute("SELECT count(*) FROM tenants_member")
        pool[place].rollback()
    assert state_of_beta(administrator.execute, filled.beta) == before


def sql_of_acme(login: Login, role: Role, tried: list[Any], filled: Filled) -> str:
    """Run these in one transaction of Acme's, going on after errors; everything that came back, rows, errors and notices, as text."""
    told: list[str] = []
    login.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
    if role is not Role.NONE:
        take(login, Context(role=role, tenant_id=filled.acme, owner_ids=(7,)))
    for text in statements(tried, filled):
        try:
            with login.transaction():
                cursor = login.execute(sql.SQL(text))  # type: ignore[arg-type]  # texts of this file
                told += [str(row[0]) for row in cursor.fetchall()] if cursor.description else []
        except psycopg.Error as error:
            told.append(f"{error} {error.diag.message_detail} {error.diag.context}")
            if login.info.transaction_status is psycopg.pq.TransactionStatus.INERROR:
                login.rollback()
                break
    return "\n".join(told)


def statements(tried: list[Any], filled: Filled) -> Iterator[str]:
    for text, tables, other, condition in tried:
        for table in tables:
            tenant, other_tenant = (declared().tables[one].tenant_column for one in (table, other))
            yield text.replace("{condition}", condition).format(
                table=table,
                other=other,
                tenant=tenant,
                other_tenant=other_tenant,
                acme=filled.acme,
                beta=filled.beta,
            )


def end(pool: Pool, place: int, ending: str, filled: Filled) -> None:
    if ending == "kill":
        pool.kill(place)
    elif ending == "commit":
        with suppress(psycopg.Error):  # deferred foreign keys are checked here
            pool[place].commit()
    pool[place].rollback()
    if ending == "read as Beta":  # a pooled connection that somebody of Beta's has used
        with pool[place].transaction():
            take(pool[place], Context(role=Role.TENANT_WIDE, tenant_id=filled.beta))
            pool[place].execute("SELECT * FROM tenants_member")
