"""Accounts by command: for the first operator, and for whom no mail reaches."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from audit.models import PlatformEvent
from isolation import context
from tenants.models import Member
from tests.cast import PLANTER, account

pytestmark = pytest.mark.django_db
LONG = "correct horse battery staple"


@pytest.fixture(autouse=True)
def no_limits_from_before() -> None:
    cache.clear()


def run(monkeypatch: pytest.MonkeyPatch, command: str, *arguments: str, password: str = LONG) -> Any:
    """What the command prints as JSON, with the password on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    out = io.StringIO()
    call_command(command, "--json", *arguments, stdout=out)
    return json.loads(out.getvalue())


def opens_with(email: str, password: str) -> bool:
    client = Client()
    client.post("/accounts/login/", {"login": email, "password": password})
    return not client.get("/")["Location"].startswith("/accounts/")


class TestCreateOperator:
    def test_makes_somebody_who_signs_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert (
            run(monkeypatch, "create_operator", "--email", "Nora@vendor.test")["email"] == "nora@vendor.test"
        )
        assert account("nora@vendor.test").is_operator
        assert opens_with("nora@vendor.test", LONG)

    @pytest.mark.parametrize(
        ("email", "password", "said"),
        [("nora", LONG, "is not an e-mail address"), ("nora@vendor.test", "short", "too short")],
    )
    def test_says_what_is_wrong(
        self, email: str, password: str, said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(password))
        with pytest.raises(CommandError, match=said):
            call_command("create_operator", "--email", email)


class TestSetPassword:
    def test_replaces_the_old_one_ends_sessions_and_is_on_record(
        self, rep: Member, client_of: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser = client_of(rep)
        assert run(monkeypatch, "set_password", "--email", rep.email.upper())["email"] == rep.email
        assert browser.get("/")["Location"].startswith("/accounts/")
        assert opens_with(rep.email, LONG)
        with context.platform("read the log", PLANTER):
            events = PlatformEvent.objects.filter(code="accounts.password_set", target_label=rep.email)
            assert events.get().actor_label == "command set_password"

    def test_says_what_is_wrong_and_changes_nothing(
        self, rep: Member, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = account(rep.email).password
        for email, password, said in (
            ("nobody@acme.test", LONG, "There is no account of nobody@acme.test"),
            (rep.email, "rita@acme.test", "too similar"),
        ):
            monkeypatch.setattr("sys.stdin", io.StringIO(password))
            with pytest.raises(CommandError, match=said):
                call_command("set_password", "--email", email)
        assert account(rep.email).password == before
