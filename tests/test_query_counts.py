"""How many queries each page of a workspace takes, against the checked-in baseline ``query_counts.json``.

A page that takes more fails, and so does one that takes fewer, so that the baseline stays true. After a change that is
meant: ``QUERY_COUNTS=write make test ARGS=tests/test_query_counts.py`` writes the file anew; its diff is what to review.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tenants.models import Member
from tests import cast
from tests.browser.addresses import addresses
from tests.browser.scene import plant
from tests.conftest import ROOT

pytestmark = pytest.mark.django_db
Counts = dict[str, dict[str, int]]
BASELINE = ROOT / "tests" / "query_counts.json"


def counted(client: Client, address: str) -> int | None:
    """Queries of the second visit (the first may fill caches); None for what is no page of this person."""
    if client.get(address).status_code != 200:
        return None
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(address)
        if answer.streaming:
            b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # streamed
    return len(queries)


@pytest.fixture(scope="module")
def counted_once() -> Counts:
    """What the first of the tests counted; the scene and the visits cost more than all else here."""
    return {}


@pytest.fixture
def counts(
    request: pytest.FixtureRequest, client_of: Callable[[Member], Client], counted_once: Counts
) -> Counts:
    if not counted_once:
        counted_once |= _counts(request, client_of)
    return counted_once


def _counts(request: pytest.FixtureRequest, client_of: Callable[[Member], Client]) -> Counts:
    clients = {who: client_of(request.getfixturevalue(who)) for who in ("admin", "manager", "rep")}
    scene = plant()
    # The pipeline's own pages have a baseline beside their tests.
    known = {
        name: address
        for name, address in addresses(scene, cast.ACME).items()
        if address.startswith(f"/w/{cast.ACME}/") and not name.startswith("pipeline:")
    }
    found: Counts = {}
    for who, client in clients.items():
        asked = {name: counted(client, address) for name, address in known.items()}
        found[who] = {name: number for name, number in sorted(asked.items()) if number is not None}
    return found


def test_pages_take_the_queries_of_the_baseline(counts: Counts) -> None:
    if os.environ.get("QUERY_COUNTS") == "write":
        BASELINE.write_text(json.dumps(counts, indent=2) + "\n")
    assert counts == json.loads(BASELINE.read_text())


def test_no_page_takes_more_than_a_few(counts: Counts) -> None:
    assert {name: number for pages in counts.values() for name, number in pages.items() if number > 44} == {}
