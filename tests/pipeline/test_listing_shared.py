"""The deals list of who holds shares: exactly the visible rows, in the list's order, page by page, whatever it is sorted by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from django.db import connection
from django.test import Client

from isolation import context
from pipeline.filters import DealFilters, DealState, SortKey
from pipeline.listing_shared import SharedDealQuery, deal_query
from pipeline.selectors import deals_visible
from rbac.selectors import actor_of
from tenants.models import Member
from tests.pipeline.deals import build, make_deal, owner_of, today_of
from tests.pipeline.shares import give

pytestmark = pytest.mark.django_db
SIZE = 3


@pytest.fixture
def names(rep: Member, other_rep: Member, distant_rep: Member) -> set[str]:
    """What Rita sees: her own nine, and three of Otto's; one of hers is shared with her too, most of Otto's and Dina's are not."""
    today = today_of(rep.tenant)
    for member, start in ((rep, 0), (other_rep, 1)):
        for n in range(9):
            deal = make_deal(
                member, name=f"{member.name} {n}", close_on=None if n % 4 == 3 else today + timedelta(days=2 * n + start),
                amount_minor=None if n % 5 == 4 else 100 * (n * 7 % 9) + start, is_closed=n == 8, stage_changed_at=None,
            )  # fmt: skip
            if (member, n) in ((rep, 0), (other_rep, 2), (other_rep, 3), (other_rep, 4), (other_rep, 8)):
                give(deal, rep)
    make_deal(distant_rep, name="Dina 0")
    build(rep.tenant)
    return {*(f"Rita Rep {n}" for n in range(8)), "Otto Rep 2", "Otto Rep 3", "Otto Rep 4"}


@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("sort", list(SortKey))
@pytest.mark.parametrize("is_mixed", [True, False], ids=["own and shared", "a team's"])
def test_pages_forth_and_back_hold_every_visible_deal_once_and_in_order(
    names: set[str], rep: Member, manager: Member, is_mixed: bool, sort: SortKey, is_descending: bool
) -> None:
    filters = DealFilters(sort=sort, is_descending=is_descending)
    if not is_mixed:
        names = {f"{name} {n}" for name in ("Rita Rep", "Otto Rep") for n in range(8)}
    with context.of_actor(actor_of(rep if is_mixed else manager), rep.tenant_id):
        pages = [deals_visible(filters, tenant_id=rep.tenant_id, size=SIZE)]
        assert pages[0].count == len(names)
        assert isinstance(deal_query(rep.tenant_id, filters), SharedDealQuery) == is_mixed
        while cursor := pages[-1].next_cursor:
            pages.append(deals_visible(filters, tenant_id=rep.tenant_id, size=SIZE, cursor=cursor))
        forth = [row for page in pages for row in page.rows]
        streamed = list(deal_query(rep.tenant_id, filters).stream())
        back = list(pages[-1].rows)
        cursor = pages[-1].previous_cursor
        while cursor:
            page = deals_visible(filters, tenant_id=rep.tenant_id, size=SIZE, cursor=cursor)
            back[:0], cursor = page.rows, page.previous_cursor
    assert [row.name for row in forth] == [row.name for row in streamed] == [row.name for row in back]
    assert ({row.name for row in forth}, len(forth)) == (names, len(names))
    keys = [row.sort_value(sort) for row in forth]
    known = [key for key in keys if key is not None]
    assert keys == [*known, *[None] * (len(keys) - len(known))]
    if sort is not SortKey.NAME:  # the database's own alphabet
        assert all((a >= b if is_descending else a <= b) for a, b in pairwise(known))  # type: ignore[operator]  # of one type


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (DealFilters(state=DealState.CLOSED), {"Rita Rep 8", "Otto Rep 8"}),
        (DealFilters(state=DealState.CLOSED, sort=SortKey.SCORE), {"Rita Rep 8", "Otto Rep 8"}),
        (DealFilters(state=DealState.WON, sort=SortKey.STAGE_AGE), set()),
        (
            DealFilters(state=DealState.ALL, sort=SortKey.SCORE, search="otto"),
            {"Otto Rep 2", "Otto Rep 3", "Otto Rep 4", "Otto Rep 8"},
        ),
        (DealFilters(search="otto"), {"Otto Rep 2", "Otto Rep 3", "Otto Rep 4"}),
        (DealFilters(is_shared=True), {"Rita Rep 0", "Otto Rep 2", "Otto Rep 3", "Otto Rep 4"}),
        (DealFilters(amount_min_minor=801), set()),
    ],
)
def test_filters_hold_for_both(
    names: set[str], rep: Member, filters: DealFilters, expected: set[str]
) -> None:
    with context.of_actor(actor_of(rep), rep.tenant_id):
        rows = list(deal_query(rep.tenant_id, filters).stream())
    assert {row.name for row in rows} == expected


def test_owners_that_are_asked_for_are_not_the_readers_own(
    names: set[str], rep: Member, other_rep: Member, distant_rep: Member
) -> None:
    asked = DealFilters(owners=(owner_of(other_rep).id, owner_of(distant_rep).id))
    with context.of_actor(actor_of(rep), rep.tenant_id):
        rows = list(deal_query(rep.tenant_id, asked).stream())
    assert {row.name for row in rows} == {"Otto Rep 2", "Otto Rep 3", "Otto Rep 4"}


def test_badges_mark_what_is_seen_by_share_alone(
    names: set[str], rep: Member, manager: Member, client_of: Callable[[Member], Client]
) -> None:
    rows = client_of(rep).get("/w/acme-corp/deals/").context["page"].table.rows
    assert {row.name for row in rows if row.is_shared} == {"Otto Rep 2", "Otto Rep 3", "Otto Rep 4"}
    rows = client_of(manager).get("/w/acme-corp/deals/").context["page"].table.rows
    assert not any(row.is_shared for row in rows)


def test_home_says_that_its_sums_leave_shared_deals_out(
    names: set[str], rep: Member, other_rep: Member, client_of: Callable[[Member], Client]
) -> None:
    page = client_of(rep).get("/w/acme-corp/").content.decode()
    assert "Deals that others share with you are not in these sums." in page
    assert "are not in these sums" not in client_of(other_rep).get("/w/acme-corp/").content.decode()


@pytest.mark.parametrize("sort", [SortKey.CLOSE_ON, SortKey.AMOUNT])
def test_no_part_walks_the_whole_workspace(names: set[str], rep: Member, sort: SortKey) -> None:
    with context.of_actor(actor_of(rep), rep.tenant_id), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('enable_seqscan', 'off', true)")
        sql, values = deal_query(rep.tenant_id, DealFilters(sort=sort)).select(has_value=True, limit=26)
        cursor.execute(f"EXPLAIN {sql}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "crm_sync_deal_by_owner" in plan or "Index Cond: ((tenant_id" in plan, plan
