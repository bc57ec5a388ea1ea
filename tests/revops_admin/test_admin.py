"""Django admin: for operators, to look at, inside the platform context; what it changes goes through services."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AccessKey, User
from accounts.services import access_key_issue
from audit.models import Event, PlatformEntry
from isolation import context
from revops_admin.admin_site import site
from tenants.models import Member
from tests.cast import PLANTER, user_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member | User], Client]
MODELS = [model._meta.label_lower for model in site._registry]


@pytest.fixture
def browser(operator: User, client_of: ClientOf) -> Client:
    return client_of(operator)


def of(label: str, page: str, *args: object) -> str:
    return reverse(f"admin:{label.replace('.', '_')}_{page}", args=args)


class TestTheDoor:
    @pytest.mark.parametrize("address", ["/admin/", "/admin/tenants/tenant/", "/admin/login/"])
    def test_is_our_own_sign_in(self, address: str) -> None:
        assert Client().get(address)["Location"].startswith("/accounts/login/")

    @pytest.mark.parametrize("who", ["admin", "rep", "partner", "stranger"])
    def test_stays_shut_for_members(
        self, who: str, request: pytest.FixtureRequest, client_of: ClientOf
    ) -> None:
        assert client_of(request.getfixturevalue(who)).get("/admin/").status_code == 403

    def test_signs_out_by_our_own_page(self, browser: Client) -> None:
        assert browser.post("/admin/logout/")["Location"] == "/accounts/logout/"

    def test_has_a_policy_of_its_own_that_lets_nothing_in_from_elsewhere(self, browser: Client) -> None:
        policy = browser.get("/admin/")["Content-Security-Policy"]
        assert "script-src 'self' 'unsafe-eval'" in policy
        assert "http" not in policy
        assert "unsafe" not in browser.get("/platform/")["Content-Security-Policy"]


class TestEveryModel:
    @pytest.mark.parametrize("label", MODELS)
    def test_is_listed_and_searched_in_the_platform_context(
        self, label: str, browser: Client, operator: User
    ) -> None:
        assert browser.get(of(label, "changelist")).status_code == 200
        assert browser.get(of(label, "changelist"), {"q": "a"}).status_code == 200
        with context.platform("read the log", PLANTER):
            entry = PlatformEntry.objects.filter(actor_label=operator.email).latest("at")
        assert entry.reason == f"administration: {of(label, 'changelist')}"

    @pytest.mark.parametrize("label", MODELS)
    def test_cannot_be_added_changed_or_deleted(self, label: str, browser: Client) -> None:
        model = next(model for model in site._registry if model._meta.label_lower == label)
        assert browser.get(of(label, "add")).status_code == 403
        with context.platform("find a row", PLANTER):
            row = model._default_manager.first()
        if row is None:
            return
        assert browser.get(of(label, "change", row.pk)).status_code == 200
        assert browser.post(of(label, "change", row.pk), {"name": "x"}).status_code == 403
        assert browser.post(of(label, "delete", row.pk), {"post": "yes"}).status_code == 403


class TestSecrets:
    def test_do_not_show(self, browser: Client, partner: Member) -> None:
        user = user_of(partner)
        key, _ = access_key_issue(user=user, label="gamma", acting_user=PLANTER)
        page = browser.get(of("accounts.user", "change", user.pk)).content.decode()
        assert user.password not in page
        assert "argon2" not in page
        page = browser.get(of("accounts.accesskey", "change", key.pk)).content.decode()
        assert key.hint in page
        assert key.digest not in page


class TestActions:
    def test_end_all_sessions_of_a_person(self, browser: Client, rep: Member, client_of: ClientOf) -> None:
        theirs = client_of(rep)
        address = reverse("admin:accounts_user_end_sessions", args=[rep.user_id])
        assert "End all sessions?" in browser.get(address).content.decode()
        assert theirs.get("/w/acme-corp/settings/").status_code == 200
        answer = browser.post(address, {"_form_submitted": "True"}, headers={"HX-Request": "true"})
        assert answer["HX-Redirect"] == of("accounts.user", "change", rep.user_id)
        assert theirs.get("/w/acme-corp/settings/").status_code == 302

    def test_revoke_a_key_on_record_in_the_workspace(self, browser: Client, partner: Member) -> None:
        key, _ = access_key_issue(user=user_of(partner), label="gamma", acting_user=PLANTER)
        address = reverse("admin:accounts_accesskey_revoke", args=[key.pk])
        browser.post(address, {"_form_submitted": "True"})
        with context.accounts():
            assert AccessKey.objects.get(pk=key.pk).revoked_at
        with context.tenant_wide(partner.tenant_id):
            assert Event.objects.filter(code="tenants.partner_key_revoked", actor_kind="operator").exists()

    def test_are_closed_to_members(self, admin: Member, rep: Member, client_of: ClientOf) -> None:
        address = reverse("admin:accounts_user_end_sessions", args=[rep.user_id])
        assert client_of(admin).post(address, {"_form_submitted": "True"}).status_code == 403
