"""The operators' pages: for operators alone, over all workspaces, and every change by a service and on record."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import AccessKey, User
from alerts.models import Alert, Rule
from audit.models import Event, PlatformEntry
from crm_sync.models import Connection, RunState, RunTrigger, SyncRun
from isolation import context
from tenants.models import Invitation, Member, Tenant
from tests import cast
from tests.cast import PLANTER, tenant_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member | User], Client]
PLATFORM = "/platform/"
ADDRESSES = (
    PLATFORM, "/platform/new/", "/platform/health/", "/platform/audit/", "/platform/audit/access/",
    "/platform/workspaces/acme-corp/", "/platform/workspaces/gamma-labs/",
)  # fmt: skip
NEW = {
    "customer": "Delta Corp",
    "kind": "customer",
    "tier": "growth",
    "crm": "hubspot",
    "timezone": "Europe/Berlin",
}


@pytest.fixture(autouse=True)
def configs(settings: LazySettings, tmp_path: Path) -> None:
    settings.TENANT_CONFIG_DIR = tmp_path


@pytest.fixture
def browser(operator: User, client_of: ClientOf) -> Client:
    return client_of(operator)


def read(client: Client, address: str, status: HTTPStatus = HTTPStatus.OK) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def sync(tenant: Tenant, state: RunState, *, hours_ago: int) -> None:
    with context.tenant_wide(tenant.id):
        connection, _ = Connection.objects.get_or_create(tenant_id=tenant.id, source="salesforce")
        at = timezone.now() - timedelta(hours=hours_ago)
        SyncRun.objects.create(
            tenant_id=tenant.id, connection=connection, trigger=RunTrigger.MANUAL, state=state, requested_by="a test",
            requested_at=at, started_at=at, finished_at=at, error_message="the CRM is away" if state == "failed" else "",
        )  # fmt: skip


def alert(tenant: Tenant) -> None:
    watched = {"metric": "crm_sync.sync_delay", "threshold": 1.0}
    with context.tenant_wide(tenant.id):
        rule = Rule.objects.create(tenant_id=tenant.id, name="of a test", **watched)
        Alert.objects.create(tenant_id=tenant.id, rule=rule, rule_name=rule.name, value=2.0, **watched)


def row_of(browser: Client, name: str, query: str = "") -> object:
    rows = browser.get(f"{PLATFORM}?{query}").context["page"].table.rows
    return next(row for row in rows if row.name == name)


class TestTheDoor:
    @pytest.mark.parametrize("address", ADDRESSES)
    def test_opens_to_operators_alone(
        self, address: str, browser: Client, admin: Member, partner: Member, client_of: ClientOf
    ) -> None:
        assert Client().get(address)["Location"].startswith("/accounts/login/")
        for member in (admin, partner):
            page = read(client_of(member), address, HTTPStatus.FORBIDDEN)
            assert "for the vendor&#x27;s staff" in page
        read(browser, address)

    def test_closes_for_an_operator_who_left(self, operator: User, browser: Client) -> None:
        cast.account_set(operator, is_active=False)
        assert browser.get(PLATFORM).status_code == HTTPStatus.FOUND

    def test_records_who_looked_and_why(self, operator: User, browser: Client) -> None:
        browser.get("/platform/workspaces/acme-corp/")
        with context.platform("read the log", PLANTER):
            assert PlatformEntry.objects.filter(
                reason="operator looks at acme-corp", actor_label=operator.email
            ).exists()

    def test_takes_no_change_without_the_token(self, operator: User) -> None:
        strict = Client(enforce_csrf_checks=True)
        cast.sign_in(strict, operator)
        assert strict.post("/platform/new/", NEW).status_code == HTTPStatus.FORBIDDEN


class TestTheWorkspaces:
    def test_shows_members_sync_and_alerts(self, acme: Tenant, browser: Client) -> None:
        sync(acme, RunState.SUCCEEDED, hours_ago=5)
        sync(acme, RunState.FAILED, hours_ago=1)
        alert(acme)
        row = row_of(browser, "Acme Corp")
        assert (row.members, row.deals, row.alerts) == ("7", "0", 1)  # type: ignore[attr-defined]  # a WorkspaceRow
        assert (row.sync.label, row.synced) == ("Failed", "5 hours ago")  # type: ignore[attr-defined]  # as above

    def test_filters(self, acme: Tenant, browser: Client) -> None:
        sync(acme, RunState.FAILED, hours_ago=1)

        def names(query: str) -> list[str]:
            return [row.name for row in browser.get(f"{PLATFORM}?{query}").context["page"].table.rows]

        assert names("q=beta") == ["Beta Inc"]
        assert names("tier=enterprise") == ["Acme Corp"]
        assert names("kind=partner") == ["Gamma Labs"]
        assert names("sync=failed") == ["Acme Corp"]
        assert names("sync=never") == ["Beta Inc", "Gamma Labs"]
        assert names("state=inactive") == []

    @pytest.mark.parametrize("sort", ["name", "members", "sync", "alerts"])
    def test_sorts_both_ways_and_pages(
        self, sort: str, acme: Tenant, beta: Tenant, browser: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sync(acme, RunState.SUCCEEDED, hours_ago=5)
        sync(beta, RunState.SUCCEEDED, hours_ago=2)
        alert(beta)
        monkeypatch.setattr("revops_admin.platform.views_workspaces.PAGE_SIZE", 1)

        def names(direction: str) -> list[str]:
            address, seen = f"{PLATFORM}?sort={direction}{sort}", []
            while address:
                table = browser.get(address).context["page"].table
                seen += [row.name for row in table.rows]
                address = table.next_url
            return seen

        assert sorted(names("")) == ["Acme Corp", "Beta Inc", "Gamma Labs"]
        assert names("-") == names("")[::-1]

    def test_are_read_in_one_statement(
        self, browser: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        # Savepoint, context, session, person, the context before, savepoint; the same around its entry on record and the list.
        with django_assert_num_queries(12):
            browser.get(PLATFORM)

    @pytest.mark.parametrize("query", ["tier=gold", "sync=maybe", "sort=colour", "page=x"])
    def test_says_what_is_wrong_with_a_filter(self, query: str, browser: Client) -> None:
        read(browser, f"{PLATFORM}?{query}", HTTPStatus.BAD_REQUEST)


class TestOneWorkspace:
    def test_shows_runs_alerts_and_people(self, acme: Tenant, browser: Client) -> None:
        sync(acme, RunState.FAILED, hours_ago=1)
        alert(acme)
        page = read(browser, "/platform/workspaces/acme-corp/")
        for words in ("the CRM is away", "of a test", "rita@acme.test", "America/Los Angeles"):
            assert words in page

    def test_does_not_exist_for_another_name(self, browser: Client) -> None:
        read(browser, "/platform/workspaces/nobody/", HTTPStatus.NOT_FOUND)

    def test_takes_a_first_admin(self, beta: Tenant, browser: Client) -> None:
        given = {"email": "bella@beta.test", "name": "Bella", "role": "customer_admin"}
        browser.post("/platform/workspaces/beta-inc/members/", given)
        with context.tenant_wide(beta.id):
            member = Member.objects.get(email="bella@beta.test")
            assert Invitation.objects.filter(member=member).exists()
            assert Event.objects.filter(code="tenants.member_added", actor_kind="operator").exists()

    def test_refuses_a_bad_address_next_to_the_field(self, browser: Client) -> None:
        response = browser.post(
            "/platform/workspaces/beta-inc/members/", {"email": "bella", "role": "customer_admin"}
        )
        assert response.status_code == HTTPStatus.BAD_REQUEST
        assert "Enter an address like name@example.com." in response.content.decode()


class TestOneMember:
    def page(self, member: Member) -> str:
        return f"/platform/workspaces/acme-corp/members/{member.id}/"

    def test_is_made_an_admin_here(self, rep: Member, browser: Client) -> None:
        browser.post(f"{self.page(rep)}role/", {"role": "customer_admin"})
        assert "Admin" in read(browser, self.page(rep))
        with context.tenant_wide(rep.tenant_id):
            assert Member.objects.get(pk=rep.pk).role == "customer_admin"
            assert Event.objects.filter(code="tenants.member_role_changed", actor_kind="operator").exists()

    def test_is_ended_and_let_in_again(self, analyst: Member, browser: Client) -> None:
        browser.post(f"{self.page(analyst)}end/", {"reason": "left"})
        assert "Let in again" in read(browser, self.page(analyst))
        browser.post(f"{self.page(analyst)}again/")
        assert "Let in again" not in read(browser, self.page(analyst))

    def test_who_is_the_last_admin_stays(self, admin: Member, browser: Client) -> None:
        for name, sent in (("role", {"role": "viewer"}), ("end", {"reason": "left"})):
            response = browser.post(f"{self.page(admin)}{name}/", sent)
            assert response.status_code == HTTPStatus.BAD_REQUEST
            assert "is the last admin of Acme Corp" in response.content.decode()

    def test_of_another_workspace_does_not_exist_there(self, stranger: Member, browser: Client) -> None:
        read(browser, self.page(stranger), HTTPStatus.NOT_FOUND)


def key_of(partner: Member) -> AccessKey:
    with context.accounts():
        return AccessKey.objects.get(user_id=partner.user_id)


class TestAccessKeys:
    GAMMA = "/platform/workspaces/gamma-labs/"

    def issue(self, browser: Client, partner: Member) -> str:
        response = browser.post(f"{self.GAMMA}members/{partner.id}/key/")
        assert "no-store" in response["Cache-Control"]
        found = re.search(r'<code id="access-key">([^<]+)</code>', response.content.decode())
        assert found
        return found[1]

    def test_are_shown_once_and_work(self, browser: Client, partner: Member) -> None:
        secret = self.issue(browser, partner)
        assert secret not in read(browser, self.GAMMA)
        client = Client()
        client.post("/accounts/access-key/", {"access_key": secret})
        assert client.get("/", follow=True).redirect_chain[-1][0] == "/w/gamma-labs/"

    def test_end_when_revoked(self, browser: Client, partner: Member) -> None:
        self.issue(browser, partner)
        key = key_of(partner)
        assert "Revoke" in read(browser, self.GAMMA)
        browser.post(f"{self.GAMMA}keys/{key.id}/revoke/")
        assert key_of(partner).revoked_at
        with context.tenant_wide(partner.tenant_id):
            assert Event.objects.filter(code="tenants.partner_key_revoked", actor_kind="operator").exists()

    def test_are_for_partners_alone(self, browser: Client, rep: Member) -> None:
        assert browser.post(f"/platform/workspaces/acme-corp/members/{rep.id}/key/").status_code == 404

    def test_are_revoked_through_their_own_workspace(self, browser: Client, partner: Member) -> None:
        self.issue(browser, partner)
        key = key_of(partner)
        assert browser.post(f"/platform/workspaces/acme-corp/keys/{key.id}/revoke/").status_code == 404


class TestProvisioning:
    def test_shows_the_plan_and_makes_nothing(self, browser: Client) -> None:
        response = browser.post("/platform/new/", NEW)
        assert response.status_code == HTTPStatus.OK
        names = [resource.name for resource in response.context["page"].plan]
        assert {"delta-corp", "delta-corp-revops-admins", "delta-corp.json"} <= set(names)
        with context.platform("look", PLANTER):
            assert not Tenant.objects.filter(slug="delta-corp").exists()

    def test_makes_the_workspace_when_confirmed(self, browser: Client, tmp_path: Path) -> None:
        response = browser.post("/platform/new/", NEW | {"confirm": "yes"})
        assert response["Location"] == "/platform/workspaces/delta-corp/"
        assert tenant_of("delta-corp").timezone == "Europe/Berlin"
        assert (tmp_path / "delta-corp.json").exists()
        assert "Add its first admin below." in read(browser, "/platform/workspaces/delta-corp/")

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"customer": "Acme Corp"}, "The workspace acme-corp exists already."),
            ({"customer": "!!!"}, "has no letters or digits"),
            ({"timezone": "Mars"}, "“Mars” is not a time zone."),
            ({"tier": "gold"}, "gold is not one of the available choices"),
        ],
    )
    def test_refuses_next_to_the_field(self, change: dict[str, str], sentence: str, browser: Client) -> None:
        response = browser.post("/platform/new/", NEW | change | {"confirm": "yes"})
        assert response.status_code == HTTPStatus.BAD_REQUEST
        form = response.context["page"].form
        assert sentence in form.errors[next(iter(change))][0]


class TestThePlatformsLog:
    def test_tells_sign_ins_with_filters(self, browser: Client) -> None:
        page = read(browser, "/platform/audit/?event=accounts.signed_in&person=olga")
        assert "olga@vendor.test signed in by password" in page
        assert "was created" not in page.split("<tbody>")[1]

    def test_tells_who_entered_the_platform_context(self, browser: Client) -> None:
        page = read(browser, "/platform/audit/access/?reason=provision&kind=system")
        assert "provision workspace acme-corp" in page

    @pytest.mark.parametrize("query", ["event=none", "from=x", "page=x"])
    def test_says_what_is_wrong_with_a_filter(self, query: str, browser: Client) -> None:
        read(browser, f"/platform/audit/?{query}", HTTPStatus.BAD_REQUEST)

    def test_pages(self, browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("revops_admin.platform.views_audit.PAGE_SIZE", 2)
        first = browser.get("/platform/audit/access/").context["page"].table
        second = browser.get(first.next_url).context["page"].table
        assert len(first.rows) == len(second.rows) == 2
        assert second.previous_url


def test_health_names_the_connections_that_fail_with_their_class(browser: Client, acme: Tenant) -> None:
    assert "CRM connections that fail" in read(browser, "/platform/health/")
    sync(acme, RunState.FAILED, hours_ago=1)
    with context.tenant_wide(acme.id):
        SyncRun.objects.update(error_code="timeout", error_message="Salesforce did not answer in time.")
    page = read(browser, "/platform/health/")
    assert "Salesforce did not answer in time." in page
    assert "Time-out" in page
    assert "Time-out: Salesforce did not answer in time." in read(browser, "/platform/workspaces/acme-corp/")
