"""Sessions: kept behind the accounts' context, and forgotten when they are over."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.tasks import sessions_forget
from isolation import context
from tenants.models import Member

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]


def key_of(browser: Client) -> str:
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def kept() -> set[str]:
    with context.accounts():
        return set(Session.objects.values_list("session_key", flat=True))


def test_those_that_are_over_are_deleted(admin: Member, rep: Member, client_of: ClientOf) -> None:
    over, valid = client_of(admin), client_of(rep)
    with context.accounts():
        Session.objects.filter(pk=key_of(over)).update(expire_date=datetime(2026, 1, 1, tzinfo=UTC))
    sessions_forget()
    assert key_of(valid) in kept()
    assert key_of(over) not in kept()


def test_who_asks_is_looked_up_in_one_context(rep: Member, client_of: ClientOf) -> None:
    browser = client_of(rep)
    with CaptureQueriesContext(connection) as sent:
        browser.get("/")
    entered = [query["sql"] for query in sent.captured_queries if "|accounts|" in query["sql"]]
    assert len(entered) == 1


def test_a_visitor_without_one_costs_no_statement(client: Client, db: None) -> None:
    with CaptureQueriesContext(connection) as sent:
        assert client.get("/", headers={"host": "localhost"}).status_code == 302
    assert sent.captured_queries == []
