"""Every kind of change can be looked at before it is saved: the page says what the change then does, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone

from accounts.services import user_create
from audit.models import Event
from crm_sync.models import Opportunity
from isolation import context
from rbac.models import ReportingLine, RoleGrant
from rbac.selectors import actor_of, manager_id_of
from rbac.services import reporting_line_set
from tenants.models import Member, RoleCode
from tenants.services import member_add
from tests.cast import PLANTER
from tests.pipeline.deals import make_deal, owner_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]


def address(member: Member, kind: str) -> str:
    return f"/w/acme-corp/settings/people/{member.id}/preview/{kind}/"


def looked(client: Client, member: Member, kind: str, **sent: str) -> tuple[int, str]:
    answer = client.post(address(member, kind), sent)
    return answer.status_code, unescape(answer.content.decode())


def deals_of(member: Member) -> int:
    with context.of_actor(actor_of(member), member.tenant_id):
        return Opportunity.objects.count()


def everything(member: Member) -> tuple[Any, ...]:
    """What a preview could have left behind."""
    with context.tenant_wide(member.tenant_id):
        one = Member.objects.get(pk=member.pk)
        return (
            Event.objects.count(), RoleGrant.objects.count(), ReportingLine.objects.count(), one.role, one.is_active,
        )  # fmt: skip


@pytest.fixture
def deals(rep: Member, other_rep: Member) -> None:
    for number in range(2):
        make_deal(rep, name=f"Rita {number}", amount_minor=10_000_00)
    make_deal(other_rep, name="Otto 0")


@pytest.mark.usefixtures("deals")
class TestTheKinds:
    def test_a_role_that_shows_everything(self, admin: Member, rep: Member, client_of: ClientOf) -> None:
        before = everything(rep)
        status, page = looked(client_of(admin), rep, "role", role="revops_analyst")
        assert status == 200
        assert "If Rita Rep had the role Analyst" in page
        assert "Rita Rep would gain 1 deal." in page
        assert everything(rep) == before

    def test_a_role_beside_the_base_role(
        self, admin: Member, analyst: Member, rep: Member, client_of: ClientOf
    ) -> None:
        before = everything(analyst)
        status, page = looked(client_of(admin), analyst, "grant", role="agent", reason="Covers the desk")
        assert status == 200
        assert "Nobody would see more or fewer deals." in page
        assert everything(analyst) == before

    def test_a_role_that_begins_later_as_if_it_began_now(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(rep.tenant_id):
            user = user_create(email="desk@acme.test", name="Desk", password=None, acting_user=PLANTER)
            desk = member_add(tenant=rep.tenant, user=user, role=RoleCode.AGENT, acting_user=PLANTER)
        local = timezone.now().astimezone(ZoneInfo(rep.tenant.timezone)) + timedelta(days=9)
        later = local.strftime("%Y-%m-%dT12:00")
        status, page = looked(
            client_of(admin), desk, "grant", role="revops_analyst", reason="Counts", valid_from=later
        )
        assert status == 200
        assert "Desk would gain 3 deals." in page
        assert "if it began now" in page
        with context.tenant_wide(rep.tenant_id):
            assert not RoleGrant.objects.filter(member=desk).exists()

    def test_leaving_with_an_heir(
        self,
        admin: Member,
        rep: Member,
        other_rep: Member,
        distant_rep: Member,
        manager: Member,
        client_of: ClientOf,
    ) -> None:
        before = everything(rep)
        client = client_of(admin)
        status, page = looked(client, rep, "deactivate", reason="gone", heir=str(distant_rep.id))
        assert status == 200
        assert "If Rita Rep left and Dina Rep took the deals over" in page
        assert "Dina Rep would gain 2 deals; 2 people would lose up to 2 deals each." in page
        assert everything(rep) == before
        saved = client.post(
            f"/w/acme-corp/settings/people/{rep.id}/deactivate/",
            {"reason": "gone", "heir": str(distant_rep.id)},
        )
        assert saved.status_code == 302
        assert (deals_of(distant_rep), deals_of(manager)) == (2, 1)

    def test_leaving_without_anybody_to_see_the_deals_is_refused_with_the_services_sentence(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(rep.tenant_id):
            reporting_line_set(member=rep, manager=None, acting_user=PLANTER)
        status, page = looked(client_of(admin), rep, "deactivate", reason="gone")
        assert status == 400
        assert "rita@acme.test owns 2 open deals and reports to nobody" in page

    def test_a_move_to_the_top(
        self, admin: Member, rep: Member, manager: Member, client_of: ClientOf
    ) -> None:
        status, page = looked(client_of(admin), rep, "manager", manager="")
        assert status == 200
        assert "If Rita Rep reported to nobody" in page
        assert "2 people would lose up to 2 deals each." in page
        with context.tenant_wide(rep.tenant_id):
            assert manager_id_of(rep) == manager.id

    def test_one_that_nobody_knows_is_not_there(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        assert client_of(admin).get(address(rep, "telepathy")).status_code == 404

    @pytest.mark.parametrize("kind", ["manager", "role", "grant", "deactivate"])
    def test_each_begins_with_its_form(
        self, admin: Member, rep: Member, client_of: ClientOf, kind: str
    ) -> None:
        answer = client_of(admin).get(address(rep, kind))
        assert answer.status_code == 200
        assert "Preview…" in answer.content.decode()

    @pytest.mark.parametrize("page", ["", "roles/"])
    def test_is_offered_on_the_pages_where_changes_are_made(
        self, admin: Member, rep: Member, client_of: ClientOf, page: str
    ) -> None:
        kinds = ["grant"] if page else ["manager", "role", "deactivate"]
        content = client_of(admin).get(f"/w/acme-corp/settings/people/{rep.id}/{page}").content.decode()
        for kind in kinds:
            assert f'formaction="{address(rep, kind)}"' in content


@pytest.mark.usefixtures("deals")
class TestWhoMaySee:
    def test_names_no_deal_to_who_may_move_people_and_not_see_their_deals(
        self, rep: Member, head: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(rep.tenant_id):
            user = user_create(email="desk@acme.test", name="Desk", password=None, acting_user=PLANTER)
            desk = member_add(tenant=rep.tenant, user=user, role=RoleCode.DESK_ADMIN, acting_user=PLANTER)
        status, page = looked(client_of(desk), rep, "manager", manager=str(head.id))
        assert status == 200
        assert "is shown to those who see every deal" in page
        assert "Rita 0" not in page
        assert "would lose" not in page
        assert "Save the move" in page

    def test_is_refused_without_the_right_to_the_change_itself(
        self, analyst: Member, rep: Member, client_of: ClientOf
    ) -> None:
        assert looked(client_of(analyst), rep, "manager", manager="")[0] == 403


@pytest.mark.usefixtures("deals")
class TestTheApi:
    def put(self, client: Client, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        answer = client.put(f"/api/v1/w/acme-corp/{path}", body, content_type="application/json")
        return answer.status_code, answer.json()

    def test_previews_and_then_moves(
        self, admin: Member, rep: Member, head: Member, manager: Member, client_of: ClientOf
    ) -> None:
        path, body = f"members/{rep.id}/manager/", {"manager": str(head.id), "seen": str(manager.id)}
        client = client_of(admin)
        status, told = self.put(client, f"{path}?preview=true", body)
        assert status == 200
        (one,) = told["differences"]
        assert (one["name"], one["change"], one["open_deals"]) == ("Mona Manager", "loss", 2)
        assert one["money"] == [{"currency": "USD", "amount_minor": 2_000_000}]
        with context.tenant_wide(rep.tenant_id):
            assert manager_id_of(rep) == manager.id
        assert self.put(client, path, body) == (200, {"is_preview": False, "differences": []})
        with context.tenant_wide(rep.tenant_id):
            assert manager_id_of(rep) == head.id
        status, refused = self.put(client, path, {"manager": None, "seen": str(manager.id)})
        assert (status, refused["error"]["code"]) == (409, "rbac.manager_changed_meanwhile")

    def test_gives_the_tree_level_by_level(self, admin: Member, head: Member, client_of: ClientOf) -> None:
        client = client_of(admin)
        top = client.get("/api/v1/w/acme-corp/tree/").json()["results"]
        assert [one["name"] for one in top] == ["Hugo Head", "Ada Admin", "Anna Analyst"]
        assert (top[0]["direct_reports"], top[0]["all_reports"]) == (2, 4)
        below = client.get(f"/api/v1/w/acme-corp/tree/?manager={head.id}").json()["results"]
        assert [one["name"] for one in below] == ["Mona Manager", "Dina Rep"]
        assert client.get("/api/v1/w/acme-corp/tree/?manager=x").status_code == 400

    def test_assigns_owners(
        self, admin: Member, rep: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        client, owner = client_of(admin), owner_of(rep)
        path = f"owners/salesforce/{owner.external_id}/"
        status, told = self.put(client, f"{path}?preview=true", {"member": str(distant_rep.id)})
        assert status == 200
        assert {(one["name"], one["change"]) for one in told["differences"]} == {
            ("Dina Rep", "gain"), ("Rita Rep", "loss"), ("Mona Manager", "loss"),
        }  # fmt: skip
        assert self.put(client, path, {"member": str(distant_rep.id)})[0] == 200
        found = client.get(f"/api/v1/w/acme-corp/{path}").json()
        assert (found["member"], found["origin"]) == (str(distant_rep.id), "chosen")
        assert self.put(client, path, {"follow_email": True})[0] == 200
        assert client.get(f"/api/v1/w/acme-corp/{path}").json()["member"] == str(rep.id)
        assert self.put(client, path, {})[0] == 400
