"""Signing in, out and back in: by password, by mail, by access key."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.errors import KeyForOperator
from accounts.models import User
from accounts.selectors import user_by_email
from accounts.services import access_key_issue, access_key_revoke, sessions_end
from audit.models import PlatformEvent
from isolation import context
from isolation.actors import Actor
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_add
from tests.cast import OPERATOR, PASSWORD, PLANTER, account_set, user_of

pytestmark = pytest.mark.django_db
LOGIN, KEY = "/accounts/login/", "/accounts/access-key/"


@pytest.fixture(autouse=True)
def no_earlier_tries() -> Iterator[None]:
    """Rate limits count in Redis, which no transaction rolls back."""
    cache.clear()
    yield
    cache.clear()


def sign_in(email: str, password: str = PASSWORD) -> Client:
    client = Client()
    client.post(LOGIN, {"login": email, "password": password})
    return client


def codes() -> list[str]:
    with context.platform("read the log", PLANTER):
        return list(PlatformEvent.objects.order_by("-id").values_list("code", flat=True)[:5])


class TestPassword:
    def test_leads_a_member_into_the_workspace(self, rep: Member) -> None:
        response = sign_in(rep.email.upper()).get("/")
        assert (response.status_code, response["Location"]) == (302, "/w/acme-corp/")
        assert codes()[0] == "accounts.signed_in"

    def test_leads_an_operator_to_the_platform(self, operator: User) -> None:
        assert sign_in(OPERATOR).get("/")["Location"] == "/platform/"

    def test_wrong_says_so_and_is_on_record(self, rep: Member) -> None:
        response = Client().post(LOGIN, {"login": rep.email, "password": "wrong"})
        assert b"not correct" in response.content
        assert codes()[0] == "accounts.sign_in_failed"

    def test_is_locked_after_five_wrong_tries_even_for_the_right_one(self, rep: Member) -> None:
        client = Client()
        for _ in range(5):
            client.post(LOGIN, {"login": rep.email, "password": "wrong"})
        response = client.post(LOGIN, {"login": rep.email, "password": PASSWORD})
        assert b"Too many failed" in response.content
        assert client.get("/").status_code == 302
        assert "login" in client.get("/")["Location"]

    def test_of_another_person_still_works_meanwhile(self, rep: Member, manager: Member) -> None:
        for _ in range(6):
            Client().post(LOGIN, {"login": rep.email, "password": "wrong"})
        assert sign_in(manager.email).get("/")["Location"] == "/w/acme-corp/"

    def test_can_be_reset_by_mail(self, rep: Member) -> None:
        Client().post("/accounts/password/reset/", {"email": rep.email})
        link = re.search(r"https?://[^/]+(/accounts/password/reset/key/\S+)", str(mail.outbox[0].body))
        assert link is not None
        client = Client()
        form = client.get(link.group(1), follow=True)
        new = "a new and long enough secret"
        client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
        assert sign_in(rep.email, new).get("/")["Location"] == "/w/acme-corp/"

    def test_reset_does_not_tell_who_has_an_account(self) -> None:
        response = Client().post("/accounts/password/reset/", {"email": "nobody@nowhere.test"}, follow=True)
        assert response.status_code == 200

    def test_sign_out_ends_the_session(self, rep: Member) -> None:
        client = sign_in(rep.email)
        client.post("/accounts/logout/")
        assert "login" in client.get("/")["Location"]

    def test_nobody_signs_up_alone(self) -> None:
        Client().post("/accounts/signup/", {"email": "new@acme.test", "password1": "x-long-enough-x"})
        assert user_by_email("new@acme.test") is None


class TestEndingSessions:
    def test_is_at_once_and_everywhere(self, rep: Member) -> None:
        here, there = sign_in(rep.email), sign_in(rep.email)
        sessions_end(user=user_of(rep), acting_user=PLANTER)
        assert all("login" in client.get("/")["Location"] for client in (here, there))


class TestAccessKey:
    def test_opens_the_partners_workspace(self, partner: Member) -> None:
        _, secret = access_key_issue(user=user_of(partner), label="gamma-labs", acting_user=PLANTER)
        client = Client()
        assert client.post(KEY, {"access_key": f" {secret} "})["Location"] == "/"
        assert client.get("/")["Location"] == "/w/gamma-labs/"

    def test_is_not_kept(self, partner: Member) -> None:
        key, secret = access_key_issue(user=user_of(partner), label="gamma-labs", acting_user=PLANTER)
        with context.accounts():
            key.refresh_from_db()
        assert secret not in (key.digest, key.hint)
        assert secret.startswith("gamma_labs_")

    def test_revoked_ends_sessions_and_is_refused_at_once(self, partner: Member) -> None:
        key, secret = access_key_issue(user=user_of(partner), label="gamma-labs", acting_user=PLANTER)
        client = Client()
        client.post(KEY, {"access_key": secret})
        access_key_revoke(key=key, acting_user=PLANTER)
        assert "login" in client.get("/")["Location"]
        response = Client().post(KEY, {"access_key": secret})
        assert response.status_code == 400
        assert "was revoked" in response.content.decode()

    @pytest.mark.parametrize(
        "typed", ["", "gamma_labs_", "x" * 119, "gamma_labs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
    )
    def test_wrong_is_refused_with_a_sentence(self, typed: str) -> None:
        response = Client().post(KEY, {"access_key": typed})
        assert response.status_code == 400
        assert "access key" in response.content.decode()

    def test_of_a_deactivated_person_is_refused(self, partner: Member) -> None:
        user = user_of(partner)
        _, secret = access_key_issue(user=user, label="gamma-labs", acting_user=PLANTER)
        account_set(user, is_active=False)
        assert Client().post(KEY, {"access_key": secret}).status_code == 400

    def test_guessing_is_slowed_down(self) -> None:
        statuses = [Client().post(KEY, {"access_key": f"guess{n}"}).status_code for n in range(12)]
        assert statuses[-1] == 429


def test_the_operator_actor_is_refused_to_others(rep: Member) -> None:
    with pytest.raises(PermissionError):
        user_of(rep).as_operator()
    assert Actor.system("x").is_trusted_everywhere


class TestWhatAKeyOpens:
    def test_is_never_an_operators_session(self, operator: User) -> None:
        with pytest.raises(KeyForOperator):
            access_key_issue(user=operator, label="gamma-labs", acting_user=PLANTER)

    def test_ends_when_its_owner_becomes_an_operator(self, partner: Member) -> None:
        user = user_of(partner)
        _, secret = access_key_issue(user=user, label="gamma-labs", acting_user=PLANTER)
        account_set(user, is_operator=True)
        assert Client().post(KEY, {"access_key": secret}).status_code == 400

    def test_is_the_partners_workspace_even_for_a_person_with_others(
        self, partner: Member, acme: Tenant
    ) -> None:
        user = user_of(partner)
        with context.tenant_wide(acme.id):
            member_add(tenant=acme, user=user, role=RoleCode.CUSTOMER_ADMIN, acting_user=PLANTER)
        _, secret = access_key_issue(user=user, label="gamma-labs", acting_user=PLANTER)
        client = Client()
        client.post(KEY, {"access_key": secret})
        assert client.get("/")["Location"] == "/w/gamma-labs/"
        assert client.get("/w/acme-corp/").status_code == 404
        assert client.get("/api/v1/w/acme-corp/deals/").status_code == 404
        assert [one["tenant"] for one in client.get("/api/v1/me/").json()["workspaces"]] == ["gamma-labs"]
