"""The reporting tree as a page: a level at a time, what each reader may see in it, and moves that go through a preview."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.services import user_create
from audit.models import Event
from isolation import context
from rbac.models import ReportingLine
from rbac.selectors import manager_id_of
from rbac.services import reporting_line_set
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_add, member_deactivate
from tests.cast import PLANTER
from tests.pipeline.deals import build, make_deal

pytestmark = pytest.mark.django_db
TREE = "/w/acme-corp/settings/people/tree/"
ClientOf = Callable[[Member], Client]


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())))


def names(client: Client, address: str) -> list[str]:
    """The people of the level at that address, in their order."""
    content = client.get(address).content.decode()
    return re.findall(r'<a href="/w/acme-corp/settings/people/[0-9a-f-]{36}/">([^<]*)</a>', content)


def level(member: Member) -> str:
    return f"{TREE}{member.id}/?part=1"


def preview_url(member: Member) -> str:
    return f"/w/acme-corp/settings/people/{member.id}/preview/manager/"


def save_url(member: Member) -> str:
    return f"/w/acme-corp/settings/people/{member.id}/manager/"


def manager_of(member: Member) -> object:
    with context.tenant_wide(member.tenant_id):
        return manager_id_of(member)


def crowd(tenant: Tenant, size: int) -> list[Member]:
    with context.tenant_wide(tenant.id):
        return [
            member_add(
                tenant=tenant, role=RoleCode.SALES_REP, acting_user=PLANTER,
                user=user_create(email=f"c{n:03}@acme.test", name=f"Crowd {n:03}", password=None, acting_user=PLANTER),
            )
            for n in range(size)
        ]  # fmt: skip


class TestThePicture:
    def test_begins_with_who_leads_people_and_reports_to_nobody(
        self, admin: Member, head: Member, client_of: ClientOf
    ) -> None:
        assert names(client_of(admin), TREE) == ["Hugo Head", "Ada Admin", "Anna Analyst"]

    def test_unfolds_a_level_at_a_time(
        self, admin: Member, head: Member, manager: Member, client_of: ClientOf
    ) -> None:
        client = client_of(admin)
        assert names(client, level(head)) == ["Mona Manager", "Dina Rep"]
        assert names(client, level(manager)) == ["Otto Rep", "Rita Rep"]
        assert "2 reports, 4 people in all" in text_of(client, TREE)

    def test_shows_what_each_sees_as_the_home_page_counts(
        self, admin: Member, head: Member, manager: Member, rep: Member, client_of: ClientOf
    ) -> None:
        make_deal(rep, amount_minor=40_000_00)
        make_deal(manager, amount_minor=2_000_00)
        build(rep.tenant)
        client = client_of(admin)
        assert "2 open deals, $42K" in text_of(client, TREE)
        assert "1 open deal, $40K" in text_of(client, level(manager))
        assert "Sees every deal" in text_of(client, TREE)

    def test_tells_a_manager_nothing_of_deals_outside_the_own_team(
        self, head: Member, manager: Member, rep: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        make_deal(rep, amount_minor=40_000_00)
        make_deal(distant_rep, amount_minor=7_000_00)
        build(rep.tenant)
        client = client_of(manager)
        assert "1 open deal, $40K" in text_of(client, level(head))
        assert "$47K" not in text_of(client, TREE)
        assert "open deal" not in text_of(client, TREE)
        assert "$7K" not in text_of(client, level(head))

    def test_marks_who_has_left(
        self, admin: Member, manager: Member, rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(rep.tenant_id):
            member_deactivate(member=rep, reason="gone", acting_user=PLANTER)
        assert "Deactivated" in text_of(client_of(admin), level(manager))

    def test_finds_people_with_the_managers_above(self, admin: Member, client_of: ClientOf) -> None:
        found = text_of(client_of(admin), f"{TREE}?q=rita")
        assert "Hugo Head › Mona Manager › Rita Rep" in found
        assert "Otto" not in found

    def test_says_where_nobody_is_found(self, admin: Member, client_of: ClientOf) -> None:
        assert "Nobody’s name or e-mail holds “zzz”." in text_of(client_of(admin), f"{TREE}?q=zzz")

    def test_shows_large_teams_in_pages_with_as_many_queries_as_small_ones(
        self, admin: Member, acme: Tenant, manager: Member, client_of: ClientOf
    ) -> None:
        client = client_of(admin)
        names(client, level(manager))
        with CaptureQueriesContext(connection) as few:
            names(client, level(manager))
        with context.tenant_wide(acme.id):
            for one in crowd(acme, 60):
                reporting_line_set(member=one, manager=manager, acting_user=PLANTER)
        with CaptureQueriesContext(connection) as many:
            first = client.get(level(manager)).content.decode()
        assert len(many) == len(few)
        more = re.search(r'hx-get="([^"]*page=[^"]*)"', first)
        assert more is not None
        shown = [*names(client, level(manager)), *names(client, unescape(more[1]))]
        assert shown == [*(f"Crowd {n:03}" for n in range(60)), "Otto Rep", "Rita Rep"]

    def test_offers_moves_to_nobody_who_may_not_make_them(
        self, manager: Member, rep: Member, client_of: ClientOf
    ) -> None:
        content = client_of(manager).get(TREE).content.decode()
        assert "draggable" not in content
        assert "Move…" not in content
        assert client_of(manager).post(preview_url(rep), {"manager": ""}).status_code == 403


class TestMoving:
    def test_shows_who_gains_and_who_loses_before_anything_is_saved(
        self, admin: Member, head: Member, manager: Member, rep: Member, client_of: ClientOf
    ) -> None:
        deal = make_deal(rep, name="Big one", amount_minor=40_000_00)
        answer = client_of(admin).post(preview_url(rep), {"manager": str(head.id), "back": "tree"})
        page = unescape(answer.content.decode())
        assert answer.status_code == 200
        assert "If Rita Rep reported to Hugo Head" in page
        assert "Mona Manager would lose 1 deal." in page
        assert f"/w/acme-corp/deals/{deal.external_id}/" in page
        assert "$40,000" in page
        assert manager_of(rep) == manager.id

    def test_leaves_no_trace_of_a_preview(
        self, admin: Member, head: Member, rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(rep.tenant_id):
            before = Event.objects.count(), ReportingLine.objects.count()
        client_of(admin).post(preview_url(rep), {"manager": str(head.id)})
        with context.tenant_wide(rep.tenant_id):
            assert (Event.objects.count(), ReportingLine.objects.count()) == before

    def test_saves_what_the_preview_showed(
        self, admin: Member, head: Member, rep: Member, client_of: ClientOf
    ) -> None:
        client = client_of(admin)
        page = client.post(preview_url(rep), {"manager": str(head.id), "back": "tree"}).content.decode()
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))
        hidden.pop("csrfmiddlewaretoken", None)
        answer = client.post(save_url(rep), hidden)
        assert (answer.status_code, answer["Location"]) == (302, TREE)
        assert manager_of(rep) == head.id

    def test_refuses_a_page_that_somebody_overtook(
        self,
        admin: Member,
        head: Member,
        manager: Member,
        rep: Member,
        other_rep: Member,
        client_of: ClientOf,
    ) -> None:
        with context.tenant_wide(rep.tenant_id):
            reporting_line_set(member=rep, manager=other_rep, acting_user=PLANTER)
        answer = client_of(admin).post(save_url(rep), {"manager": str(head.id), "seen": str(manager.id)})
        assert answer.status_code == 400
        assert "rita@acme.test reports to otto@acme.test now" in unescape(answer.content.decode())
        assert manager_of(rep) == other_rep.id

    @pytest.mark.parametrize("seen", ["somebody", "-" * 36])
    def test_refuses_a_page_that_was_tampered_with(
        self, admin: Member, head: Member, manager: Member, rep: Member, client_of: ClientOf, seen: str
    ) -> None:
        answer = client_of(admin).post(save_url(rep), {"manager": str(head.id), "seen": seen})
        assert answer.status_code == 400
        assert "This page is incomplete." in answer.content.decode()
        assert manager_of(rep) == manager.id

    def test_refuses_a_circle_in_the_preview_and_keeps_it_on_record(
        self, admin: Member, head: Member, rep: Member, client_of: ClientOf
    ) -> None:
        answer = client_of(admin).post(preview_url(head), {"manager": str(rep.id)})
        assert answer.status_code == 400
        assert "rita@acme.test already reports to hugo@acme.test" in unescape(answer.content.decode())
        with context.tenant_wide(rep.tenant_id):
            latest = Event.objects.order_by("-id").first()
        assert latest is not None
        assert (latest.code, latest.target_label) == ("rbac.role_change_denied", "hugo@acme.test")

    def test_is_told_on_the_persons_page(
        self, admin: Member, head: Member, rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(rep.tenant_id):
            reporting_line_set(member=rep, manager=head, acting_user=PLANTER)
        told = text_of(client_of(admin), f"/w/acme-corp/settings/people/{rep.id}/")
        assert re.search(r"Reports to Hugo Head since .* Reported to Mona Manager .* until ", told)
