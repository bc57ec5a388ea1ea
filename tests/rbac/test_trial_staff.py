"""`create_test_staff`: people to try roles with, whose passwords are seen once, and never where real people work."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from audit.models import Event, PlatformEvent
from isolation import context
from rbac.trial_staff import trial_staff_create
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_deactivate, member_role_change
from tests.cast import ACME, PARTNER, PLANTER

pytestmark = pytest.mark.django_db
DEFAULT = {"super_admin@acme-corp.test", "agent@acme-corp.test", "viewer@acme-corp.test"}


@pytest.fixture(autouse=True)
def no_limits_from_before() -> None:
    cache.clear()


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("create_test_staff", "--customer", ACME, *arguments, stdout=out)
    return out.getvalue()


def staff(*arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(*arguments, "--json"))["staff"]
    return found


def accounts() -> list[tuple[str, str]]:
    """Address and stored password of everybody."""
    with context.accounts():
        return list(User.objects.order_by("email").values_list("email", "password"))


def first_page(email: str, password: str) -> str:
    client = Client()
    client.post("/accounts/login/", {"login": email, "password": password})
    return client.get("/", follow=True).redirect_chain[-1][0]


def members(tenant: Tenant) -> dict[str, Member]:
    with context.tenant_wide(tenant.id):
        return {member.email: member for member in Member.objects.filter(tenant=tenant)}


class TestMakingThem:
    def test_gives_a_super_admin_an_agent_and_a_viewer(self, acme: Tenant) -> None:
        made = staff()
        assert {one["email"] for one in made} == DEFAULT
        roles = {email: member.role for email, member in members(acme).items() if email in DEFAULT}
        assert roles == {email: email.split("@")[0] for email in DEFAULT}

    def test_lets_each_sign_in_with_the_password_that_was_shown(self, acme: Tenant) -> None:
        for one in staff():
            assert first_page(one["email"], one["password"]) == "/w/acme-corp/queue/"

    def test_makes_up_another_password_for_everybody(self, acme: Tenant) -> None:
        roles = [role for role in RoleCode if role is not RoleCode.DESIGN_PARTNER]
        passwords = {one["password"] for one in staff("--roles", ",".join(roles))}
        assert len(passwords) == len(roles) == 12
        assert all(len(password) >= 20 for password in passwords)

    def test_keeps_no_password_in_clear(self, acme: Tenant) -> None:
        made = staff()
        with context.platform("look for passwords", PLANTER):
            told = [str(facts) for facts in PlatformEvent.objects.values_list("facts", flat=True)]
        with context.tenant_wide(acme.id):
            told += [str(facts) for facts in Event.objects.values_list("facts", flat=True)]
        stored = [*told, *(password for _, password in accounts())]
        assert not [one for one in made for text in stored if one["password"] in text]

    def test_is_on_record_in_the_workspace(self, acme: Tenant) -> None:
        run()
        with context.tenant_wide(acme.id):
            added = Event.objects.filter(actor_label="command create_test_staff", code="tenants.member_added")
            assert set(added.values_list("target_label", flat=True)) == DEFAULT

    def test_takes_names_as_other_documents_say_them(self, acme: Tenant) -> None:
        made = staff("--roles", "Support Agent, Read-Only User,agent")
        assert [one["role"] for one in made] == ["agent", "viewer"]


class TestASecondRun:
    def test_says_who_is_there_and_changes_nothing(self, acme: Tenant) -> None:
        first = staff()
        before = accounts()
        told = run()
        assert "0 made, 3 there already" in told
        assert accounts() == before
        assert first_page(first[1]["email"], first[1]["password"]) == "/w/acme-corp/queue/"

    def test_shows_no_password_again(self, acme: Tenant) -> None:
        run()
        assert {one["password"] for one in staff()} == {None}

    def test_gives_new_passwords_when_asked(self, acme: Tenant) -> None:
        first, second = staff(), staff("--reset-passwords")
        assert first_page(first[1]["email"], first[1]["password"]) == "/accounts/login/?next=/"
        assert first_page(second[1]["email"], second[1]["password"]) == "/w/acme-corp/queue/"
        assert {one["is_new"] for one in second} == {False}

    def test_leaves_a_changed_role_and_a_deactivated_member_as_they_are(self, acme: Tenant) -> None:
        run()
        found = members(acme)
        with context.tenant_wide(acme.id):
            agent, viewer = (found[f"{name}@acme-corp.test"] for name in ("agent", "viewer"))
            member_role_change(member=agent, role=RoleCode.SUPPORT, acting_user=PLANTER)
            member_deactivate(member=viewer, reason="tried", acting_user=PLANTER)
        told = run()
        assert "agent@acme-corp.test        Support       is there" in told
        assert "deactivated" in told


class TestRefusals:
    def refused(self, *arguments: str) -> CommandError:
        with pytest.raises(CommandError) as refusal:
            call_command("create_test_staff", *arguments, stdout=io.StringIO())
        assert refusal.value.returncode == 2
        return refusal.value

    def test_are_for_settings_of_a_server(self, acme: Tenant, settings: LazySettings) -> None:
        settings.ALLOWS_TEST_ACCOUNTS = False
        assert "real people" in str(self.refused("--customer", ACME))
        assert not DEFAULT & members(acme).keys()

    def test_production_settings_are_such(self) -> None:
        from revops_admin.settings import base

        assert base.ALLOWS_TEST_ACCOUNTS is False
        assert (
            "ALLOWS_TEST_ACCOUNTS" not in (base.BASE_DIR / "revops_admin/settings/production.py").read_text()
        )

    def test_name_the_roles_for_a_wrong_one(self, acme: Tenant) -> None:
        assert "senior_agent (Senior agent)" in str(
            self.refused("--customer", ACME, "--roles", "agent,chief")
        )
        assert not DEFAULT & members(acme).keys()

    @pytest.mark.parametrize("roles", ["", " , "])
    def test_ask_for_a_role(self, roles: str) -> None:
        assert "names no role" in str(self.refused("--customer", ACME, "--roles", roles))

    def test_are_for_a_workspace_that_is_not_there(self) -> None:
        assert "nowhere" in str(self.refused("--customer", "nowhere"))

    def test_are_for_a_role_that_a_partners_workspace_does_not_have(self) -> None:
        assert "has no role" in str(self.refused("--customer", PARTNER))

    def test_make_nobody_when_one_role_of_several_does_not_fit(self, acme: Tenant) -> None:
        self.refused("--customer", ACME, "--roles", "agent,design_partner")
        assert not DEFAULT & members(acme).keys()


def test_every_password_is_new_for_every_workspace(acme: Tenant, beta: Tenant) -> None:
    made = [
        one
        for tenant in (acme, beta)
        for one in trial_staff_create(tenant=tenant, roles=[RoleCode.AGENT], acting_user=PLANTER)
    ]
    assert [one.email for one in made] == ["agent@acme-corp.test", "agent@beta-inc.test"]
    assert made[0].password != made[1].password
