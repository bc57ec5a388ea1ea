"""No address makes the program fail: every page and endpoint, every parameter that it names, with values nobody meant.

The parameters come from the pages' own filter forms and from the API's schema, so a new filter is tried as well.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from accounts.models import User
from tenants.models import Member
from tests.test_permission_table import ALL, ROUTES, Open, Platform, Route

pytestmark = pytest.mark.django_db

ODD = ("\x00", "é" * 3000, "9" * 400, "1e-999999999", "9999-12-31", "--name", "{0.__class__}")
CURSORS = tuple(
    base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
    for text in (
        "[" * 5000, "{}", "[0]", '[0,"\\u0000","\\u0000"]', '[0,"\\ud800","\\ud800"]', "[0,1e999,1e999]",
        '[1,"9999-12-31T23:59:59-23:59","00000000-0000-0000-0000-000000000001"]', f"[0,{10**40},{10**40}]",
    )
)  # fmt: skip
PAGING = ("page", "cursor")
UNREADY = "health_ready"  # answers 503 where no worker runs, whatever is asked
PATHS = (
    "/w/{}/",
    "/w/acme-corp/deals/{}/",
    "/w/acme-corp/alerts/{}/",
    "/w/acme-corp/queue/{}/",
    "/api/v1/w/acme-corp/deals/{}/",
    "/api/v1/w/acme-corp/accounts/{}/",
    "/platform/workspaces/{}/",
)
ODD_PARTS = ("%00", "a" * 400, "%ED%A0%80", "..%2f", "ffffffff-ffff-ffff-ffff-ffffffffffff", "0" * 40)


def _readable() -> list[Route]:
    return [route for route in ALL if ROUTES[route.name].get not in (302, 405) and route.name != UNREADY]


def _asks(names: set[str]) -> Iterator[list[tuple[str, str]]]:
    for name in sorted(names):
        for value in CURSORS if name in PAGING else ODD:
            yield [(name, value)]
    yield [(name, value) for name in sorted(names) for value in ("1", "2", "x")]


def _names(client: Client, route: Route, schema: dict[str, set[str]]) -> set[str]:
    """The parameters that this address knows; those of its list for a download."""
    if route.is_api:
        return schema.get(route.address, set()) | {"format"}
    response = client.get(route.address.removesuffix("export/"))
    page = (response.context or {}).get("page")
    filters = getattr(page, "filters", None)
    named = {field.name for field in filters.fields} if filters else set()
    return named | ({"sort", "page"} if named or getattr(page, "table", None) else {"q"})


@pytest.fixture
def schema(client: Client) -> dict[str, set[str]]:
    """Query parameters of the API by address, as the schema has them."""
    text = client.get("/api/v1/schema/?format=json").content
    return {
        re.sub(r"\{tenant\}", "acme-corp", path): {
            one["name"] for one in methods["get"].get("parameters", ()) if one["in"] == "query"
        }
        for path, methods in json.loads(text)["paths"].items()
        if "get" in methods
    }


def _status(client: Client, address: str) -> int:
    response: Any = client.get(address)
    if response.streaming:
        list(response.streaming_content)
    return int(response.status_code)


@pytest.mark.parametrize("route", _readable(), ids=str)
def test_no_parameter_makes_it_fail(
    route: Route,
    admin: Member,
    operator: User,
    client_of: Callable[[Member | User], Client],
    schema: dict[str, set[str]],
) -> None:
    line = ROUTES[route.name]
    client = (
        Client() if isinstance(line, Open) else client_of(operator if isinstance(line, Platform) else admin)
    )
    failed = [
        ask
        for ask in _asks(_names(client, route, schema))
        if _status(client, f"{route.address}?{urlencode(ask)}") >= 500
    ]
    assert failed == []


@pytest.mark.parametrize("part", ODD_PARTS, ids=lambda part: part[:12])
def test_no_part_of_an_address_makes_it_fail(
    part: str, admin: Member, operator: User, client_of: Callable[[Member | User], Client]
) -> None:
    for path in PATHS:
        client = client_of(operator if path.startswith("/platform/") else admin)
        assert _status(client, path.format(part)) < 500, path
