"""The partner commands: the key is shown once and works, the list tells no secret, revoking ends it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import AccessKey
from audit.models import Event
from isolation import context
from tenants.models import Member, Tenant
from tests.cast import OPERATOR, PLANTER, tenant_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def configs(settings: LazySettings, tmp_path: Path) -> None:
    settings.TENANT_CONFIG_DIR = tmp_path


def run(name: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def made(*more: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        run("create_partner", "--name", "Delta Labs", "--email", "dan@delta.test", *more, "--json")
    )
    return found


def sign_in(key: str) -> str:
    client = Client()
    client.post("/accounts/access-key/", {"access_key": key})
    return client.get("/", follow=True).redirect_chain[-1][0]


class TestCreatePartner:
    def test_makes_a_workspace_a_partner_and_a_key_that_works(self) -> None:
        partner = made()
        assert partner["tenant"] == "delta-labs"
        assert sign_in(partner["access_key"]) == "/w/delta-labs/"

    def test_keeps_the_key_nowhere(self) -> None:
        key = made()["access_key"]
        with context.accounts():
            stored = AccessKey.objects.get(hint__startswith="delta_labs")
        assert key not in json.dumps([str(value) for value in vars(stored).values()])

    def test_is_on_record_in_the_workspace(self) -> None:
        made()
        tenant = tenant_of("delta-labs")
        with context.tenant_wide(tenant.id):
            assert Event.objects.filter(code="tenants.partner_key_issued").count() == 1

    def test_prints_the_key_once_and_says_so(self) -> None:
        text = run("create_partner", "--name", "Delta Labs", "--email", "dan@delta.test")
        assert "Access key: delta_labs_" in text
        assert "shown this once" in text

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (("--name", "Gamma Labs", "--email", "x@y.test"), "gamma-labs exists already"),
            (("--name", "Delta Labs", "--email", "nobody"), "is not an e-mail address"),
            (("--name", "Delta Labs", "--email", OPERATOR), "Use another address"),
            (("--name", "Delta Labs", "--email", "x@y.test", "--tier", "gold"), "“gold” is not a tier"),
            (("--name", "!!", "--email", "x@y.test"), "has no letters or digits"),
        ],
    )
    def test_refuses_and_leaves_no_trace(self, arguments: tuple[str, ...], sentence: str) -> None:
        with pytest.raises(CommandError, match=sentence) as refused:
            run("create_partner", *arguments)
        assert refused.value.returncode == 2
        with context.platform("count", PLANTER):
            assert not Tenant.objects.filter(slug="delta-labs").exists()


class TestListPartners:
    def test_tells_hints_and_no_secrets(self) -> None:
        partner = made()
        text = run("list_partners")
        assert partner["hint"] in text
        assert partner["access_key"] not in text

    def test_shows_revoked_keys_only_when_asked(self) -> None:
        partner = made()
        run("revoke_access_key", partner["id"], "--force")
        assert json.loads(run("list_partners", "--json")) == []
        (row,) = json.loads(run("list_partners", "--all", "--json"))
        assert row["revoked_at"]

    def test_says_what_to_do_when_there_is_none(self, partner: Member) -> None:
        assert "create_partner" in run("list_partners")


class TestRevokeAccessKey:
    @pytest.mark.parametrize("by", ["hint", "id"])
    def test_ends_the_key(self, by: str) -> None:
        partner = made()
        assert "does not work any more" in run("revoke_access_key", partner[by], "--force")
        assert sign_in(partner["access_key"]).startswith("/accounts/login/")

    def test_takes_a_hint_without_its_dots(self) -> None:
        partner = made()
        assert "does not work" in run("revoke_access_key", partner["hint"].rstrip("…"), "--force")

    def test_asks_for_force_where_nobody_can_confirm(self) -> None:
        with pytest.raises(CommandError, match="Add --force"):
            run("revoke_access_key", made()["id"])

    def test_refuses_a_key_that_nobody_has(self) -> None:
        with pytest.raises(CommandError, match="valid access key “nothing”"):
            run("revoke_access_key", "nothing", "--force")
