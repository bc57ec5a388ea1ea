"""Searching deals by words: what is found, by whom, and that an index behind the wall finds it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from crm_sync.models import Opportunity
from isolation import context
from pipeline.filters import DealFilters, DealState
from pipeline.listing import DealQuery
from pipeline.models import DealWord
from tenants.models import Member, Tenant
from tests.pipeline.deals import build, make_deal, owner_of

pytestmark = pytest.mark.django_db


def found(tenant: Tenant, search: str, **filters: Any) -> list[str]:
    """The names of the deals that a search finds, in the context of the caller, in the list's order."""
    query = DealQuery(tenant.id, DealFilters(search=search, **filters))
    return [row.name for row in query.fetch(limit=50)]


@pytest.fixture
def wide(acme: Tenant) -> Iterator[None]:
    with context.tenant_wide(acme.id):
        yield


@pytest.fixture(params=["by the index", "deal by deal", "terms together"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The three ways a search goes: named deals, the list's own order, and the intersection of common terms."""
    if request.param == "deal by deal":
        monkeypatch.setattr("pipeline.search.NAMED_AT_MOST", 0)
        monkeypatch.setattr("pipeline.search.COMMON_FROM", -1)
    if request.param == "terms together":
        monkeypatch.setattr("pipeline.search._Words.deals", lambda _: None)
    return str(request.param)


@pytest.mark.usefixtures("way")
class TestASearch:
    @pytest.mark.parametrize(
        ("search", "is_found"),
        [
            ("café", True),
            ("CAFE", True),
            ("caf", True),
            ("afé", False),
            ("strasse 12", True),
            ("straße", True),
            ("12 hafen", True),
            ("hafen-straße", True),
            ("o'neill", True),
            ("neill & sons", True),
            ("2026", True),
            ("026", False),
            ("１２", True),
            ("łódź", True),
            ("lodz", True),
            ("\\ % _ 12", True),
            ("%", False),
            ("café nothing", False),
            ("006XYZ000000001AAA", True),
            ("006XYZ", False),
        ],
    )
    def test_finds_words_by_their_beginnings(
        self, acme: Tenant, rep: Member, search: str, is_found: bool
    ) -> None:
        deal = "Café Hafen-Straße 12 – Łódź, 2026"
        make_deal(rep, name=deal, account_name="O'Neill & Sons_Ltd", external_id="006XYZ000000001AAA")
        make_deal(rep, name="Another", account_name="Company")
        build(acme)
        with context.tenant_wide(acme.id):
            assert found(acme, search) == ([deal] if is_found else [])

    def test_shows_a_rep_the_own_deals_alone(
        self, acme: Tenant, rep: Member, other_rep: Member, beta_rep: Member
    ) -> None:
        for owner in (rep, other_rep, beta_rep):
            make_deal(owner, name=f"Solar of {owner.name}")
        for tenant in (acme, beta_rep.tenant):
            build(tenant)
        for owner in (rep, other_rep):
            with context.tenant_member(acme.id, [owner_of(owner).id]):
                assert found(acme, "solar") == [f"Solar of {owner.name}"]
                assert set(DealWord.objects.values_list("owner_id", flat=True)) == {owner_of(owner).id}
        with context.tenant_wide(acme.id):
            assert sorted(found(acme, "sol")) == sorted(
                [f"Solar of {rep.name}", f"Solar of {other_rep.name}"]
            )

    def test_keeps_the_other_filters_and_goes_on_page_by_page(self, acme: Tenant, rep: Member) -> None:
        for number in range(5):
            make_deal(rep, name=f"Wind {number}", amount_minor=number)
        make_deal(rep, name="Wind lost", is_closed=True)
        build(acme)
        with context.tenant_wide(acme.id):
            assert found(acme, "wind", amount_min_minor=3) == ["Wind 3", "Wind 4"]
            assert found(acme, "wind", state=DealState.LOST) == ["Wind lost"]
            query = DealQuery(acme.id, DealFilters(search="wind"))
            assert (len(query.fetch(limit=3)), query.count(at_most=100)) == (3, 5)


class TestWhatChanges:
    @pytest.fixture
    def deal(self, acme: Tenant, rep: Member) -> Opportunity:
        made = make_deal(rep, name="Harbour crane")
        build(acme)
        return made

    def test_a_new_name_is_found_and_the_old_one_is_not(self, acme: Tenant, deal: Opportunity) -> None:
        with context.tenant_wide(acme.id):
            Opportunity.objects.filter(pk=deal.pk).update(name="Airport bridge")
            assert found(acme, "harbour") == []  # the deal itself decides, before any build
        build(acme, [deal])
        with context.tenant_wide(acme.id):
            assert (found(acme, "harbour"), found(acme, "bridge")) == ([], ["Airport bridge"])

    def test_words_follow_the_owner(
        self, acme: Tenant, rep: Member, other_rep: Member, deal: Opportunity
    ) -> None:
        with context.tenant_wide(acme.id):
            Opportunity.objects.filter(pk=deal.pk).update(owner_id=owner_of(other_rep).id)
        build(acme, [deal])
        with context.tenant_member(acme.id, [owner_of(rep).id]):
            assert (found(acme, "harbour"), DealWord.objects.exists()) == ([], False)
        with context.tenant_member(acme.id, [owner_of(other_rep).id]):
            assert found(acme, "harbour") == ["Harbour crane"]

    def test_a_deal_without_an_owner_is_found_by_those_who_see_everything(
        self, acme: Tenant, rep: Member, deal: Opportunity
    ) -> None:
        with context.tenant_wide(acme.id):
            Opportunity.objects.filter(pk=deal.pk).update(owner_id=None)
        build(acme, [deal])
        with context.tenant_wide(acme.id):
            assert found(acme, "harbour") == ["Harbour crane"]
        with context.tenant_member(acme.id, [owner_of(rep).id, 0]):
            assert found(acme, "harbour") == []

    def test_a_deal_that_left_leaves_no_word(self, acme: Tenant, deal: Opportunity) -> None:
        with context.tenant_wide(acme.id):
            Opportunity.objects.filter(pk=deal.pk).delete()
        build(acme, [deal])
        with context.tenant_wide(acme.id):
            assert not DealWord.objects.exists()

    @pytest.mark.usefixtures("wide")
    def test_before_the_first_build_every_deal_is_looked_at(self, acme: Tenant, rep: Member) -> None:
        make_deal(rep, name="Early bird")
        assert found(acme, "bird") == ["Early bird"]


_MANY = """
    INSERT INTO crm_sync_opportunity (tenant_id, source, external_id, modified_at, custom, owner_external_id, owner_id, name,
        account_external_id, account_name, stage, amount_minor, currency, close_on, is_closed, is_won, kind, lead_source, next_step,
        forecast_category, created_at)
    SELECT tenant_id, source, 'many' || n, modified_at, custom, owner_external_id, owner_id, 'Deal ' || n, account_external_id,
        account_name, stage, amount_minor, currency, close_on, is_closed, is_won, kind, lead_source, next_step, forecast_category,
        created_at
    FROM crm_sync_opportunity CROSS JOIN generate_series(1, 10000) AS n WHERE tenant_id = %s
"""


class TestThePlan:
    @pytest.mark.parametrize("sight", ["everything", "own deals"])
    def test_reads_words_by_the_index_behind_the_wall(self, acme: Tenant, rep: Member, sight: str) -> None:
        make_deal(rep)
        with context.tenant_wide(acme.id), connection.cursor() as cursor:
            cursor.execute(_MANY, [acme.id])
            cursor.execute("SELECT crm_sync_analyze('crm_sync_opportunity')")  # as a load of so many does
        build(acme)  # refreshes its own statistics
        mine = context.tenant_member(acme.id, [owner_of(rep).id])
        with context.tenant_wide(acme.id) if sight == "everything" else mine:
            plans = _plans(acme, "deal 77")
        words = [plan for plan in plans if "pipeline_dealword" in plan]
        assert len(words) == 2  # one for each term
        for plan in words:
            # A comparison that is not leak-proof would stand in a filter, behind the policy's conditions.
            conditions = [line for line in plan.splitlines() if "Index Cond" in line and "word" in line]
            assert conditions, plan
            assert all(
                part in conditions[0] for part in ("tenant_id =", "owner_id = ANY", "word >=", "word <")
            ), plan
        listed = plans[-1]
        assert "Seq Scan on crm_sync_opportunity" not in listed
        assert "id = one.id" in next(line for line in listed.splitlines() if "Index Cond" in line), listed


def _plans(tenant: Tenant, search: str) -> list[str]:
    """The plan of each statement that reads words or deals."""
    sent: list[tuple[str, Any]] = []

    def catch(execute: Any, sql: str, values: Any, many: bool, of: Any) -> Any:
        sent.append((sql, values))
        return execute(sql, values, many, of)

    with connection.execute_wrapper(catch):
        found(tenant, search)
    plans = []
    with connection.cursor() as cursor:
        # Some rows are best read whole: forbid that, to see what an index can do.
        cursor.execute(
            "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)"
        )
        for sql, values in sent:
            if "pipeline_dealword" in sql or "FROM (" in sql:
                cursor.execute(f"EXPLAIN {sql}", values)
                plans.append("\n".join(line for (line,) in cursor.fetchall()))
    return plans
