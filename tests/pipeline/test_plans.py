"""The deals list's orders are carried by indexes behind the wall: no plan sorts what it could read in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from isolation import context
from pipeline.cursors import Cursor
from pipeline.filters import DealFilters, SortKey
from pipeline.listing import DealQuery
from tenants.models import Member
from tests.pipeline.deals import build, make_deal, owner_of

pytestmark = pytest.mark.django_db
_FORBIDDEN = ["enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_hashjoin", "enable_mergejoin"]


@pytest.fixture
def acting(request: pytest.FixtureRequest, rep: Member, other_rep: Member) -> Iterator[Member]:
    for member in (rep, other_rep):
        make_deal(member)
    build(rep.tenant)
    mine, theirs = owner_of(rep).id, owner_of(other_rep).id
    contexts = {
        "everything": context.tenant_wide(rep.tenant_id),
        "own deals": context.tenant_member(rep.tenant_id, [mine]),
        "a team's deals": context.tenant_member(rep.tenant_id, [mine, theirs]),
    }
    with contexts[request.param]:
        yield rep


def plan_of(query: DealQuery, cursor: Cursor | None) -> str:
    sql, values = query.select(has_value=True, cursor=cursor, limit=26)
    with connection.cursor() as statement:
        # A table of one row is best read whole and sorted: forbid that, to see what an index can do.
        statement.execute(
            "SELECT set_config(name, 'off', true) FROM unnest(%s::text[]) AS name",
            [_FORBIDDEN],
        )
        statement.execute(f"EXPLAIN {sql}", values)
        return "\n".join(line for (line,) in statement.fetchall())


@pytest.mark.parametrize("acting", ["everything", "own deals", "a team's deals"], indirect=True)
@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("sort", [SortKey.CLOSE_ON, SortKey.AMOUNT, SortKey.SCORE, SortKey.STAGE_AGE])
class TestAPageOfDeals:
    def test_is_read_in_the_order_of_an_index(
        self, acting: Member, sort: SortKey, is_descending: bool
    ) -> None:
        query = DealQuery(acting.tenant_id, DealFilters(sort=sort, is_descending=is_descending))
        value = "2026-01-01" if sort is SortKey.CLOSE_ON else 5
        for cursor in (None, Cursor(value, 7)):
            plan = plan_of(query, cursor)
            assert "Sort" not in plan, plan
