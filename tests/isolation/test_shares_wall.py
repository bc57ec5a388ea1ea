"""What a member with shares gets from bare SQL: the owners' rows and the shared ones, change only where it was shared, no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from django.apps import apps

from crm_sync.models import Account, Activity, Contact, ContactRole, Opportunity, Owner, StageChange
from isolation import context
from isolation.actors import Shares
from isolation.context import Context, Role
from isolation.models import MirrorModel
from pipeline.models import DealHealth, RecentChange
from tests import cast
from tests.conftest import WorkerDatabase
from tests.isolation.raw import put, sealed, take
from tests.pipeline.deals import (
    add_activity,
    add_contact,
    add_stage,
    ago,
    build,
    make_deal,
    owner_of,
    today_of,
)
from tests.pipeline.shares import account_with_deals

DEAL_TABLES = [
    (Opportunity, "id"), (DealHealth, "id"), (StageChange, "opportunity_id"), (Activity, "opportunity_id"),
    (ContactRole, "opportunity_id"), (RecentChange, "opportunity_id"),
]  # fmt: skip


@dataclass
class Planted:
    """Rita's deals (mine), Dina's: one shared to see, one to change, one not at all; an account; and Beta's deal."""

    tenant_id: int
    rita: int
    dina: int
    mine: int
    seen: int
    changed: int
    hidden: int
    account: int
    betas: int

    def context(self, **shares: Sequence[int]) -> Context:
        """Rita's, with the shares of this scene or others."""
        given = Shares(
            deal=(self.seen, self.changed),
            deal_edit=(self.changed,),
            account=(self.account,),
            owner=(self.dina,),
        )
        return Context(
            role=Role.TENANT_SHARED, tenant_id=self.tenant_id, owner_ids=(self.rita,),
            shares=replace(given, **{kind: tuple(ids) for kind, ids in shares.items()}),
        )  # fmt: skip


@pytest.fixture
def planted(committed: WorkerDatabase) -> Planted:
    rep, dina, bea = (cast.member_of(key) for key in ("rep", "distant_rep", "beta_rep"))
    deals = [make_deal(member) for member in (rep, dina, dina, dina, bea)]
    for deal in deals:
        add_activity(deal, today_of(rep.tenant))
        add_contact(deal, "003000000000001")
        add_stage(deal, "Discovery", ago(2))
    build(rep.tenant)
    build(bea.tenant)
    account = account_with_deals(dina)
    mine, seen, changed, hidden, betas = (deal.id for deal in deals)
    return Planted(
        rep.tenant_id, owner_of(rep).id, owner_of(dina).id, mine, seen, changed, hidden, account.id, betas
    )


@pytest.fixture
def login(planted: Planted, committed: WorkerDatabase) -> Iterator[psycopg.Connection[Any]]:
    """`psql` as the program's login."""
    with psycopg.connect(committed.services.database_url, autocommit=True) as connection:
        yield connection


def ids(login: psycopg.Connection[Any], planted: Context, table: str, column: str) -> set[int]:
    with login.transaction(force_rollback=True):
        take(login, planted)
        return {row[0] for row in login.execute(f"SELECT {column} FROM {table}").fetchall()}


def changed(login: psycopg.Connection[Any], planted: Context, table: str, column: str) -> set[int]:
    with login.transaction(force_rollback=True):
        take(login, planted)
        sql = f"UPDATE {table} SET tenant_id = tenant_id RETURNING {column}"
        return {row[0] for row in login.execute(sql).fetchall()}


def test_every_table_that_can_be_shared_is_tried_here() -> None:
    walled = {
        model
        for model in apps.get_models()
        if getattr(getattr(model, "Isolation", None), "shared_through", ())
    }
    assert {Account, Contact, Owner, *(model for model, _ in DEAL_TABLES)} == walled
    assert all(issubclass(model, MirrorModel) for model in walled)


@pytest.mark.parametrize(("model", "column"), DEAL_TABLES, ids=lambda one: getattr(one, "__name__", str(one)))
class TestADealsRows:
    def test_show_by_owner_and_by_share_alone(
        self, login: psycopg.Connection[Any], planted: Planted, model: Any, column: str
    ) -> None:
        table = model._meta.db_table
        with login.transaction(force_rollback=True):
            take(login, Context(role=Role.TENANT_WIDE, tenant_id=planted.tenant_id))
            there = {row[0] for row in login.execute(f"SELECT {column} FROM {table}").fetchall()}
        assert {planted.mine, planted.seen, planted.changed, planted.hidden} <= there, "nothing to hide"
        assert ids(login, planted.context(), table, column) == {planted.mine, planted.seen, planted.changed}

    def test_change_by_owner_and_by_a_share_that_says_so_alone(
        self, login: psycopg.Connection[Any], planted: Planted, model: Any, column: str
    ) -> None:
        table = model._meta.db_table
        assert changed(login, planted.context(), table, column) == {planted.mine, planted.changed}

    def test_cannot_be_added_or_removed(
        self, login: psycopg.Connection[Any], planted: Planted, model: Any, column: str
    ) -> None:
        table = model._meta.db_table
        for statement in (f"DELETE FROM {table}", f"INSERT INTO {table} SELECT * FROM {table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), login.transaction():
                take(login, planted.context())
                login.execute(statement)

    def test_of_another_workspace_do_not_show_even_where_the_context_names_them(
        self, login: psycopg.Connection[Any], planted: Planted, model: Any, column: str
    ) -> None:
        named = planted.context(deal=[planted.betas], deal_edit=[planted.betas])
        table = model._meta.db_table
        assert ids(login, named, table, column) == {planted.mine}
        assert planted.betas not in changed(login, named, table, column)

    def test_cannot_be_handed_to_somebody_unseen(
        self, login: psycopg.Connection[Any], planted: Planted, model: Any, column: str
    ) -> None:
        """Neither out of the workspace, nor from the shared row to one that is not."""
        table = model._meta.db_table
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level"), login.transaction():
            take(login, planted.context())
            login.execute(f"UPDATE {table} SET tenant_id = tenant_id + 1")


def test_accounts_and_owners_show_by_share(login: psycopg.Connection[Any], planted: Planted) -> None:
    shared = planted.context()
    assert ids(login, shared, "crm_sync_account", "id") == {planted.account}
    assert ids(login, planted.context(account=[]), "crm_sync_account", "id") == set()
    assert ids(login, shared, "crm_sync_owner", "id") == {planted.rita, planted.dina}
    assert changed(login, shared, "crm_sync_account", "id") == set()


def test_shares_that_were_written_in_by_hand_are_refused(
    login: psycopg.Connection[Any], planted: Planted
) -> None:
    """The signature is over the ids, too: adding one, or the share's role to another context, gives an error and no rows."""
    payload, signature = sealed(login, planted.context())
    forged = payload.replace(str(planted.seen), str(planted.hidden))
    assert forged != payload
    member = Context(role=Role.TENANT_MEMBER, tenant_id=planted.tenant_id, owner_ids=(planted.rita,))
    for settings in (
        (forged, signature, "tenant_shared"), (*sealed(login, member), "tenant_shared"), (payload, signature, "tenant_wide"),
        (payload, signature, "tenant_member"), ("", "", "tenant_shared"),
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.InsufficientPrivilege), login.transaction():
            put(login, *settings)
            login.execute("SELECT count(*) FROM crm_sync_opportunity")


def test_the_program_takes_the_role_for_holders_of_shares_only(planted: Planted) -> None:
    with context.tenant_member(planted.tenant_id, [planted.rita]):
        assert set(Opportunity.objects.values_list("id", flat=True)) == {planted.mine}
    with context.tenant_shared(planted.tenant_id, [planted.rita], Shares(deal=(planted.seen,))):
        assert set(Opportunity.objects.values_list("id", flat=True)) == {planted.mine, planted.seen}
        with context.tenant_wide(planted.tenant_id):
            assert planted.hidden in Opportunity.objects.values_list("id", flat=True)
        assert set(Opportunity.objects.values_list("id", flat=True)) == {planted.mine, planted.seen}
