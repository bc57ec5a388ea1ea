"""Whoever signs in, as whatever: the first page is one that they may open, and so is every page of the sidebar."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.services import user_create
from isolation import context
from rbac.roles import BUILT_IN
from tenants.models import Member, RoleCode
from tenants.services import member_add
from tests import cast
from tests.api.conftest import make_alert

pytestmark = pytest.mark.django_db
DESK = [role.code for role in BUILT_IN.values() if "pipeline.view" not in role.permissions]
ADMINISTERS_THE_DESK = {RoleCode.SUPER_ADMIN, RoleCode.DESK_ADMIN}


@dataclass(frozen=True)
class Visitor:
    """Somebody at a browser, signed in through the form."""

    role: RoleCode
    slug: str
    client: Client

    @property
    def root(self) -> str:
        return f"/w/{self.slug}/"

    def landed(self) -> tuple[str, int]:
        """Where the start page leads, and what it answers."""
        response = self.client.get("/", follow=True)
        return response.redirect_chain[-1][0], response.status_code

    def sidebar(self) -> list[str]:
        """Every address of the workspace in the sidebar of the first page, its name on top included."""
        page = self.client.get("/", follow=True).content.decode()
        nav = re.search(r"<nav\b.*?</nav>", page, re.DOTALL)
        return re.findall(r'href="(/w/[^"]+)"', nav[0]) if nav else []


@pytest.fixture(autouse=True)
def no_limits_from_before() -> None:
    """Signing in is limited by address, and all tests come from one."""
    cache.clear()


@pytest.fixture(params=list(RoleCode), ids=str)
def visitor(request: pytest.FixtureRequest, db: None) -> Visitor:
    role: RoleCode = request.param
    slug = cast.PARTNER if role is RoleCode.DESIGN_PARTNER else cast.ACME
    tenant, email = cast.tenant_of(slug), f"{role}@landing.test"
    user = user_create(email=email, name="", password=cast.PASSWORD, acting_user=cast.PLANTER)
    with context.tenant_wide(tenant.id):
        member_add(tenant=tenant, user=user, role=role, acting_user=cast.PLANTER)
    client = Client()
    client.post("/accounts/login/", {"login": email, "password": cast.PASSWORD})
    return Visitor(role, slug, client)


class TestEveryRole:
    def test_lands_on_a_page_of_its_own(self, visitor: Visitor) -> None:
        expected = visitor.root + ("queue/" if visitor.role in DESK else "")
        assert visitor.landed() == (expected, 200)

    def test_can_open_every_page_of_the_sidebar(self, visitor: Visitor) -> None:
        links = visitor.sidebar()
        assert visitor.landed()[0] in links
        answers = {link: visitor.client.get(link, follow=True).status_code for link in links}
        assert answers == dict.fromkeys(links, 200)

    def test_sees_in_the_sidebar_what_it_may_use(self, visitor: Visitor) -> None:
        links = {link.removeprefix(visitor.root) for link in visitor.sidebar()}
        if visitor.role in DESK:
            leading = {"settings/people/", "settings/access-review/", "audit/", "settings/break-glass/"}
            more = leading if visitor.role in ADMINISTERS_THE_DESK else set[str]()
            assert links - {""} == {"alerts/", "queue/", "settings/"} | more
        else:
            assert {"", "deals/", "alerts/", "settings/"} <= links


class TestTheWorkspacesAddress:
    def test_is_still_refused_for_what_changes_something(self, visitor: Visitor) -> None:
        assert visitor.client.post(visitor.root).status_code == (403 if visitor.role in DESK else 405)

    def test_does_not_exist_for_strangers_with_a_desk_role(self, visitor: Visitor) -> None:
        other = cast.ACME if visitor.slug == cast.PARTNER else cast.BETA
        assert visitor.client.get(f"/w/{other}/").status_code == 404

    def test_leaves_the_pages_of_the_pipeline_closed(self, visitor: Visitor) -> None:
        expected = 403 if visitor.role in DESK else 200
        for page in ("deals/", "datasets/"):
            assert visitor.client.get(visitor.root + page).status_code == expected


def test_a_desk_admin_reads_the_whole_audit_log(admin: Member, client_of: Callable[[Member], Client]) -> None:
    user = user_create(email="boss@acme.test", name="", password=None, acting_user=cast.PLANTER)
    with context.tenant_wide(admin.tenant_id):
        boss = member_add(tenant=admin.tenant, user=user, role=RoleCode.DESK_ADMIN, acting_user=cast.PLANTER)
    own, others = (client_of(one).get("/w/acme-corp/audit/").content for one in (boss, admin))
    assert own.count(b"<tr") == others.count(b"<tr") > 5
    sheet = client_of(boss).get(reverse("audit:export", kwargs={"tenant": cast.ACME}))
    assert b"tenants.provisioned" in b"".join(sheet.streaming_content)  # type: ignore[attr-defined]  # streamed


def test_an_alert_leads_nobody_to_a_page_that_is_closed_to_them(visitor: Visitor) -> None:
    with context.tenant_wide(cast.tenant_of(visitor.slug).id):
        somebody: Member = Member.objects.select_related("tenant").earliest("joined_at")
    alert = make_alert(somebody)
    page = visitor.client.get(f"{visitor.root}alerts/{alert.id}/").content.decode()
    assert alert.rule_name in page
    assert (f'href="{visitor.root}deals/' in page) is (visitor.role not in DESK)
