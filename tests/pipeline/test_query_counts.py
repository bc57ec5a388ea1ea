"""How many statements each page sends: as checked in, and the same for many rows as for few."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenants.models import Member
from tests.pipeline.deals import add_activity, add_contact, add_stage, ago, build, make_deal, today_of

pytestmark = pytest.mark.django_db
BASELINE: dict[str, dict[str, int]] = json.loads((Path(__file__).parent / "query_counts.json").read_text())


def fill(rep: Member, deals: int) -> str:
    """Some deals with children; gives the CRM id of the last one."""
    for _ in range(deals):
        deal = make_deal(rep)
        for number in range(deals):
            add_contact(deal, f"003{number}")
            add_activity(deal, today_of(rep.tenant))
            add_stage(deal, "Discovery", ago(number + 1))
    build(rep.tenant)
    return deal.external_id


@pytest.mark.parametrize(
    ("page", "who"), [(page, who) for page in sorted(BASELINE) for who in BASELINE[page]]
)
class TestThePages:
    @pytest.mark.parametrize("deals", [1, 4])
    def test_send_as_many_statements_as_checked_in(
        self,
        request: pytest.FixtureRequest,
        client_of: Callable[[Member], Client],
        rep: Member,
        who: str,
        page: str,
        deals: int,
    ) -> None:
        address = page.replace("{deal}", fill(rep, deals))
        browser = client_of(request.getfixturevalue(who))
        browser.get(f"/api/v1/w/{rep.tenant.slug}/alerts/")  # the day's first answer also notes the visit
        with CaptureQueriesContext(connection) as sent:
            assert browser.get(address).status_code == 200
        statements = [query["sql"].split(None, 1)[0] for query in sent.captured_queries]
        assert len(statements) == BASELINE[page][who], statements
