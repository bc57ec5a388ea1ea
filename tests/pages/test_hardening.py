"""A forged cursor is refused, never an error of the program."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from accounts.models import User
from tenants.models import Member

pytestmark = pytest.mark.django_db

SignedIn = Callable[[Any], Client]
ID = str(UUID(int=1))


def cursor(*values: object) -> str:
    return _coded(json.dumps([0, *values]))


def _coded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


ANY_LIST = {
    "nested": _coded("[" * 4000),
    "long": cursor("x" * 8000, ID),
    "no list": _coded("1"),
    "too few": cursor(),
    "a list": cursor([1], [1]),
    "huge": _coded("[0," + "9" * 5000 + ",1]"),
    "not base64": "é",
}
TEXTS = {"NUL": cursor("\x00", ID), "half a character": cursor("\ud800", ID)}
INSTANTS = {
    "after the end": cursor("9999-12-31T23:59:59-23:59", ID),
    "before the beginning": cursor("0001-01-01T00:00:00+23:59", ID),
    "no zone": cursor("2026-01-01T00:00:00", ID),
    "a number": cursor(5, ID),
}
NUMBERS = {
    "text": cursor("abc", 1),
    "too large": cursor(10**30, 1),
    "id too large": cursor(1, 10**30),
    "infinite": _coded("[0,Infinity,1]"),
    "not a number": _coded("[0,NaN,1]"),
}
SCORES = {"too large": cursor(10**400, ID), "infinite": _coded(f'[0,1e999,"{ID}"]'), "no id": cursor(1, "x")}


def _cases(address: str, *kinds: dict[str, str]) -> list[Any]:
    joined = "&" if "?" in address else "?"
    name = "cursor" if address.startswith("/api/") else "page"
    every = {**ANY_LIST, **{key: value for kind in kinds for key, value in kind.items()}}
    return [
        pytest.param(f"{address}{joined}{name}={text}", id=f"{address} {key}") for key, text in every.items()
    ]


WORKSPACE = [
    *_cases("/w/acme-corp/settings/people/", TEXTS),
    *_cases("/w/acme-corp/settings/people/?sort=joined", INSTANTS),
    *_cases("/w/acme-corp/alerts/", INSTANTS),
    *_cases("/w/acme-corp/alerts/notices/", INSTANTS),
    *_cases("/w/acme-corp/queue/", SCORES),
    *_cases("/w/acme-corp/settings/crm/salesforce/runs/", INSTANTS),
    *_cases("/w/acme-corp/deals/"),
    *_cases("/api/v1/w/acme-corp/alerts/", INSTANTS),
    *_cases("/api/v1/w/acme-corp/accounts/", {"NUL": cursor("a", "\x00"), "half": cursor("\ud800", "a")}),
]
PLATFORM = [
    *_cases("/platform/", TEXTS),
    *_cases("/platform/?sort=members", NUMBERS),
    *_cases(
        "/platform/?sort=sync", {"a word": cursor("abc", 1), "late": cursor("9999-12-31T23:59:59-23:59", 1)}
    ),
    *_cases("/platform/audit/access/", INSTANTS),
]


@pytest.mark.parametrize("address", WORKSPACE)
def test_a_workspaces_lists_refuse_it(address: str, admin: Member, client_of: SignedIn) -> None:
    assert client_of(admin).get(address).status_code == 400


@pytest.mark.parametrize("address", PLATFORM)
def test_the_operators_lists_refuse_it(address: str, operator: User, client_of: SignedIn) -> None:
    assert client_of(operator).get(address).status_code == 400


@pytest.mark.parametrize("sort", ["name", "-name", "members", "-members", "sync", "alerts"])
def test_the_programs_own_cursors_lead_on(
    sort: str, operator: User, client_of: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("revops_admin.platform.views_workspaces.PAGE_SIZE", 1)
    client, address, seen = client_of(operator), f"/platform/?sort={sort}", []
    while address:
        table = client.get(address).context["page"].table
        seen += [row.slug for row in table.rows]
        address = table.next_url
    assert sorted(seen) == ["acme-corp", "beta-inc", "gamma-labs"]
