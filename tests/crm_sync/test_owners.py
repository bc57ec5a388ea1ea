"""Whose a CRM owner's deals are: by e-mail, by somebody's choice, by who left; each change on record, with whose they were before."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape

import pytest
from django.test import Client

from accounts.services import user_create
from audit.models import Event
from crm_sync.errors import HeirNotActive, HeirRequired
from crm_sync.models import FormerHolder, HolderOrigin, Owner
from crm_sync.owners import owner_assign, owner_follow_email, owners_match_members
from isolation import context
from isolation.errors import Forbidden
from rbac.selectors import actor_of
from rbac.services import reporting_line_set
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_add, member_deactivate, member_role_change
from tests.cast import PLANTER
from tests.pipeline.deals import build, make_deal, owner_of

pytestmark = pytest.mark.django_db
OWNERS = "/w/acme-corp/settings/people/owners/"
ClientOf = Callable[[Member], Client]


def make_owner(tenant: Tenant, name: str, email: str = "") -> Owner:
    with context.tenant_wide(tenant.id):
        return Owner.objects.create(  # type: ignore[no-any-return]  # the manager is untyped
            tenant_id=tenant.id, source="salesforce", external_id=f"005{name}", name=name, email=email,
            modified_at=datetime(2026, 1, 1, tzinfo=UTC),
        )  # fmt: skip


def now(owner: Owner) -> Owner:
    with context.tenant_wide(owner.tenant_id):
        return Owner.objects.get(tenant_id=owner.tenant_id, pk=owner.pk)  # type: ignore[no-any-return]  # as above


def assign(owner: Owner, member: Member | None) -> None:
    with context.tenant_wide(owner.tenant_id):
        owner_assign(owner=owner, member=member, acting_user=PLANTER)


def seen_by(member: Member) -> set[str]:
    with context.of_actor(actor_of(member), member.tenant_id):
        return set(Owner.objects.values_list("name", flat=True))


def latest_event(tenant: Tenant) -> str:
    with context.tenant_wide(tenant.id):
        event = Event.objects.order_by("-id").first()
    assert event is not None
    return str(event.sentence)


class TestAssigning:
    def test_gives_a_member_several_owners(self, acme: Tenant, rep: Member) -> None:
        assign(make_owner(acme, "House account"), rep)
        assert seen_by(rep) == {"Rita Rep", "House account"}

    def test_to_nobody_hides_the_deals_from_all_but_who_see_everything(
        self, rep: Member, head: Member, analyst: Member
    ) -> None:
        assign(owner_of(rep), None)
        assert seen_by(rep) == set()
        assert "Rita Rep" not in seen_by(head)
        assert "Rita Rep" in seen_by(analyst)

    def test_outlives_the_next_match_by_e_mail(self, rep: Member, other_rep: Member) -> None:
        owner = owner_of(rep)
        assign(owner, other_rep)
        with context.tenant_wide(rep.tenant_id):
            owners_match_members(rep.tenant_id)
        assert now(owner).member_id == other_rep.id

    def test_to_nobody_outlives_the_next_match_too(self, rep: Member) -> None:
        owner = owner_of(rep)
        assign(owner, None)
        with context.tenant_wide(rep.tenant_id):
            owners_match_members(rep.tenant_id)
        assert now(owner).member_id is None

    def test_is_undone_by_following_the_e_mail(self, rep: Member, other_rep: Member) -> None:
        owner = owner_of(rep)
        assign(owner, other_rep)
        with context.tenant_wide(rep.tenant_id):
            owner_follow_email(owner=now(owner), acting_user=PLANTER)
        found = now(owner)
        assert (found.member_id, found.holder_origin) == (rep.id, HolderOrigin.EMAIL)

    def test_refuses_who_has_left(self, rep: Member, other_rep: Member) -> None:
        with context.tenant_wide(rep.tenant_id):
            member_deactivate(member=other_rep, reason="gone", acting_user=PLANTER)
            gone = Member.objects.get(pk=other_rep.pk)
        with pytest.raises(HeirNotActive, match=r"otto@acme\.test is deactivated"):
            assign(owner_of(rep), gone)

    def test_takes_the_right_to(self, rep: Member, manager: Member) -> None:
        with context.tenant_wide(rep.tenant_id), pytest.raises(Forbidden, match=r"people\.edit"):
            owner_assign(owner=owner_of(rep), member=manager, acting_user=actor_of(manager))

    def test_is_on_record_with_whose_it_was(self, acme: Tenant, rep: Member, other_rep: Member) -> None:
        owner = owner_of(rep)
        assign(owner, other_rep)
        assert latest_event(acme) == "The deals of the CRM owner Rita Rep are now otto@acme.test's"
        with context.tenant_wide(acme.id):
            assert list(FormerHolder.objects.values_list("owner_id", "member_id")) == [(owner.id, rep.id)]


class TestLeaving:
    def leave(self, member: Member, heir: Member | None) -> None:
        with context.tenant_wide(member.tenant_id):
            member_deactivate(member=member, reason="gone", heir=heir, acting_user=PLANTER)

    def test_passes_every_owner_on(self, acme: Tenant, rep: Member, other_rep: Member) -> None:
        house = make_owner(acme, "House account")
        assign(house, rep)
        self.leave(rep, other_rep)
        assert seen_by(other_rep) == {"Otto Rep", "Rita Rep", "House account"}
        assert now(house).holder_origin == HolderOrigin.PASSED_ON

    def test_without_an_heir_leaves_the_deals_to_the_managers_above(
        self, rep: Member, manager: Member
    ) -> None:
        make_deal(rep)
        self.leave(rep, None)
        assert "Rita Rep" in seen_by(manager)

    def test_is_refused_where_open_deals_would_be_lost(self, rep: Member) -> None:
        make_deal(rep)
        with context.tenant_wide(rep.tenant_id):
            reporting_line_set(member=rep, manager=None, acting_user=PLANTER)
        with pytest.raises(HeirRequired, match=r"rita@acme\.test owns 1 open deals and reports to nobody"):
            self.leave(rep, None)

    def test_is_refused_to_an_heir_who_leaves(self, rep: Member) -> None:
        with pytest.raises(HeirNotActive):
            self.leave(rep, rep)

    def test_passes_on_what_the_one_who_ends_the_access_does_not_see(
        self, admin: Member, rep: Member, other_rep: Member, client_of: ClientOf
    ) -> None:
        """A desk's admin ends access and sees no deals of others: nothing is lost by that."""
        with context.tenant_wide(rep.tenant_id):
            user = user_create(email="desk@acme.test", name="Desk", password=None, acting_user=PLANTER)
            desk = member_add(tenant=rep.tenant, user=user, role=RoleCode.DESK_ADMIN, acting_user=PLANTER)
        address = f"/w/acme-corp/settings/people/{rep.id}/deactivate/"
        answer = client_of(desk).post(address, {"reason": "gone", "heir": str(other_rep.id)})
        assert answer.status_code == 302
        assert seen_by(other_rep) == {"Otto Rep", "Rita Rep"}


class TestThePage:
    def rows(self, client: Client, query: str = "") -> list[str]:
        answer = client.get(f"{OWNERS}export.csv{query}")
        assert answer.status_code == 200
        text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]  # streamed
        return [row["name"] for row in csv.DictReader(io.StringIO(text))]

    def test_lists_what_the_reader_sees(self, admin: Member, manager: Member, client_of: ClientOf) -> None:
        assert self.rows(client_of(admin)) == [
            "Dina Rep", "Hugo Head", "Mona Manager", "Otto Rep", "Rita Rep",
        ]  # fmt: skip
        assert self.rows(client_of(manager)) == ["Mona Manager", "Otto Rep", "Rita Rep"]

    @pytest.mark.parametrize(
        ("whose", "expected"),
        [
            ("nobody", ["Stray"]),
            ("several", ["House account", "Mona Manager"]),
            ("left", ["Otto Rep"]),
            ("chosen", ["House account"]),
            ("passed_on", []),
        ],
    )
    def test_filters(
        self, acme: Tenant, admin: Member, manager: Member, other_rep: Member, client_of: ClientOf,
        whose: str, expected: list[str],
    ) -> None:  # fmt: skip
        make_owner(acme, "Stray")
        assign(make_owner(acme, "House account"), manager)
        with context.tenant_wide(acme.id):
            member_deactivate(member=other_rep, reason="gone", acting_user=PLANTER)
        assert self.rows(client_of(admin), f"?whose={whose}") == expected

    def test_sorts_by_open_deals(self, admin: Member, rep: Member, client_of: ClientOf) -> None:
        make_deal(rep)
        build(rep.tenant)
        content = client_of(admin).get(f"{OWNERS}?sort=-deals").content.decode()
        assert content.index("Rita Rep") < content.index("Dina Rep")
        assert "1 open deal, $10K" in content

    def test_puts_exports_on_record(self, acme: Tenant, admin: Member, client_of: ClientOf) -> None:
        self.rows(client_of(admin), "?q=rita")
        assert latest_event(acme) == "The list of CRM owners was exported (q=rita)"

    def test_assigns_after_a_preview(
        self, acme: Tenant, admin: Member, rep: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        make_deal(rep, name="Big one")
        owner = owner_of(rep)
        place, client = f"{OWNERS}salesforce/{owner.external_id}/", client_of(admin)
        page = unescape(client.post(f"{place}preview/", {"member": str(distant_rep.id)}).content.decode())
        assert "If the deals of Rita Rep were Dina Rep’s" in page
        assert "Dina Rep would gain 1 deal; 2 people would lose up to 1 deal each." in page
        assert now(owner).member_id == rep.id
        assert client.post(f"{place}assign/", {"member": str(distant_rep.id)}).status_code == 302
        assert now(owner).member_id == distant_rep.id
        told = unescape(client.get(place).content.decode())
        assert "Whose before" in told
        assert "Rita Rep" in told.split("Whose before")[1]
        assert client.post(f"{place}follow/").status_code == 302
        assert now(owner).member_id == rep.id

    def test_says_where_an_owner_was_nobody_elses_before(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        content = client_of(admin).get(f"{OWNERS}salesforce/{owner_of(rep).external_id}/").content.decode()
        assert "Nobody else’s, as far as is known." in content

    def test_is_another_workspaces_nowhere(
        self, admin: Member, beta_rep: Member, client_of: ClientOf
    ) -> None:
        place = f"{OWNERS}salesforce/{owner_of(beta_rep).external_id}/"
        assert client_of(admin).get(place).status_code == 404
        assert client_of(admin).post(f"{place}assign/", {"member": ""}).status_code == 404

    def test_stands_on_the_persons_page(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        assign(make_owner(acme, "House account"), rep)
        content = client_of(admin).get(f"/w/acme-corp/settings/people/{rep.id}/").content.decode()
        part = content.split('id="part-owners"')[1].split("</section>")[0]
        assert "Rita Rep" in part
        assert "House account" in part

    def test_tells_no_deals_to_who_may_not_read_them(
        self, acme: Tenant, rep: Member, analyst: Member, client_of: ClientOf
    ) -> None:
        make_deal(rep)
        build(acme)
        with context.tenant_wide(acme.id):
            member_role_change(member=analyst, role=RoleCode.DESK_ADMIN, acting_user=PLANTER)
        content = client_of(analyst).get(OWNERS).content.decode()
        assert "open deal" not in content
        assert "No CRM owners yet" in content
