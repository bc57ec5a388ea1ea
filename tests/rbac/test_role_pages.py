"""The roles list, the matrix, and a member's roles and rights: what they show, to whom, in which time zone."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from isolation import context, permissions
from rbac.grants import Term, role_grant
from rbac.models import RoleGrant
from rbac.roles import BUILT_IN
from tenants.models import Member, RoleCode, Tenant
from tests.cast import PLANTER

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]
PEOPLE = "/w/acme-corp/settings/people/"


def give(member: Member, role: str, until: datetime | None = None) -> RoleGrant:
    with context.tenant_wide(member.tenant_id):
        return role_grant(
            member=member, role=role, term=Term(until=until), reason="Covers", acting_user=PLANTER
        )


class TestTheRolesList:
    def rows(self, client: Client, query: str = "") -> list[str]:
        return [row.name for row in client.get(f"{PEOPLE}roles/?{query}").context["page"].table.rows]

    def test_counts_who_holds_each_role_by_base_role_or_grant(
        self, admin: Member, analyst: Member, client_of: ClientOf
    ) -> None:
        give(analyst, "viewer")
        rows = client_of(admin).get(f"{PEOPLE}roles/").context["page"].table.rows
        held = {row.name: row.holders for row in rows}
        assert (held["Rep"], held["Manager"], held["Viewer"], held["Support"]) == (3, 2, 1, 0)

    def test_sorts_searches_and_filters(self, admin: Member, client_of: ClientOf) -> None:
        client = client_of(admin)
        assert self.rows(client)[0] == "Super admin"
        assert self.rows(client, "sort=-level")[0] == "Viewer"
        assert self.rows(client, "sort=name")[0] == "Admin"
        assert self.rows(client, "kind=own") == []
        assert self.rows(client, "q=refund") == ["Super admin", "Desk admin", "Senior agent"]

    def test_says_what_is_wrong_with_a_filter(self, admin: Member, client_of: ClientOf) -> None:
        for query in ("kind=royal", "sort=height"):
            assert client_of(admin).get(f"{PEOPLE}roles/?{query}").status_code == 400

    def test_of_a_partners_workspace_has_the_partners_role_alone(
        self, partner: Member, client_of: ClientOf
    ) -> None:
        page = client_of(partner).get("/w/gamma-labs/settings/people/roles/").context["page"]
        assert [row.name for row in page.table.rows] == ["Design partner"]


class TestTheMatrix:
    def test_ticks_exactly_what_each_role_holds(self, admin: Member, client_of: ClientOf) -> None:
        page = client_of(admin).get(f"{PEOPLE}roles/matrix/").context["page"]
        names = [role.name for role in page.roles]
        ticked = {
            (row.code, name)
            for group in page.groups
            for row in group.rows
            for name, held in zip(names, row.cells, strict=True)
            if held
        }
        expected = {
            (code, role.name)
            for role in BUILT_IN.values()
            if role.code is not RoleCode.DESIGN_PARTNER
            for code in role.permissions
        }
        assert ticked == expected

    def test_exports_the_same_as_a_sheet(self, admin: Member, client_of: ClientOf) -> None:
        response = client_of(admin).get(f"{PEOPLE}roles/matrix/export.csv")
        text = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]  # streamed
        heads, *rows = list(csv.reader(StringIO(text)))
        assert {row[1] for row in rows} == permissions.all_permissions().keys()
        admins = {row[1] for row in rows if row[heads.index("Admin")] == "yes"}
        assert admins == BUILT_IN[RoleCode.CUSTOMER_ADMIN].permissions


class TestThePeople:
    def test_are_listed_with_all_their_roles_and_each_ones_page_tells_them_too(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        give(rep, "support")
        client = client_of(admin)
        rows = client.get(f"{PEOPLE}?role=support").context["page"].table.rows
        assert [(row.name, row.role) for row in rows] == [("Rita Rep", "Rep, Support")]
        facts = {one.term: one.value for one in client.get(f"{PEOPLE}{rep.id}/").context["page"].facts}
        assert (facts["Base role"], facts["Beside it"]) == ("Rep", "Support")


class TestAMembersRoles:
    def page(self, member: Member) -> str:
        return f"{PEOPLE}{member.id}/roles/"

    def test_name_for_each_right_the_roles_that_it_comes_from(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        give(rep, "support")
        page = client_of(admin).get(self.page(rep)).context["page"]
        origins = {right.code: right.origin for group in page.groups for right in group.rights}
        assert origins["exports.run"] == "Rep"
        assert origins["complaints.view"] == "Support"
        assert origins["tenant.view"] == "Rep, Support"
        both = BUILT_IN[RoleCode.SALES_REP].permissions | BUILT_IN[RoleCode.SUPPORT].permissions
        assert origins.keys() == both

    def test_take_an_end_in_the_workspaces_zone(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        zone = ZoneInfo("America/Los_Angeles")
        local = (
            (datetime.now(UTC) + timedelta(days=2))
            .astimezone(zone)
            .replace(tzinfo=None, second=0, microsecond=0)
        )
        sent = {"role": "viewer", "valid_until": f"{local:%Y-%m-%dT%H:%M}", "reason": "Covers"}
        response = client_of(admin).post(f"{self.page(rep)}grant/", sent, follow=True)
        assert f"{local:%H:%M}" in response.content.decode()
        with context.tenant_wide(rep.tenant_id):
            grant = RoleGrant.objects.get()
        assert grant.valid_until == local.replace(tzinfo=zone)

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("valid_until", "2001-01-01T00:00", "That is in the past"),
            ("valid_until", "soon", "Enter a valid date/time"),
            ("valid_until", "2027-03-14T02:30", "it may be ambiguous or it may not exist"),
            ("role", "", "Choose a role."),
            ("role", "king", "There is no such role here"),
            ("reason", " ", "Say why, in a few words"),
        ],
    )
    def test_say_beside_the_field_what_is_wrong(
        self, field: str, value: str, sentence: str, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        sent = {"role": "viewer", "reason": "Covers"} | {field: value}
        response = client_of(admin).post(f"{self.page(rep)}grant/", sent)
        assert response.status_code == 400
        assert sentence in response.content.decode()

    def test_end_a_grant_with_a_reason(self, admin: Member, rep: Member, client_of: ClientOf) -> None:
        grant = give(rep, "viewer")
        client = client_of(admin)
        address = f"{self.page(rep)}{grant.id}/end/"
        assert client.post(address, {"reason": ""}).status_code == 400
        page = client.post(address, {"reason": "Rita is back"}, follow=True).content.decode()
        assert "Rita is back" in page
        assert client.post(address, {"reason": "again"}).status_code == 400

    def test_offer_only_roles_below_the_own_level_and_nothing_to_oneself(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        client = client_of(admin)
        form = client.get(self.page(rep)).context["page"].grant_form
        offered = {code for code, _ in form.fields["role"].widget.choices}
        assert not {"admin", "sales_rep", "revops_analyst"} & offered
        assert {"manager", "viewer"} <= offered
        assert client.get(self.page(admin)).context["page"].grant_form is None

    def test_show_no_forms_to_readers(self, analyst: Member, rep: Member, client_of: ClientOf) -> None:
        give(rep, "viewer")
        page = client_of(analyst).get(self.page(rep)).content.decode()
        assert "Viewer" in page
        assert "Give the role" not in page
        assert "End now" not in page

    def test_do_not_end_a_grant_of_somebody_else(
        self, admin: Member, rep: Member, manager: Member, client_of: ClientOf
    ) -> None:
        grant = give(rep, "viewer")
        response = client_of(admin).post(f"{self.page(manager)}{grant.id}/end/", {"reason": "x"})
        assert response.status_code == 404

    def test_of_another_workspace_do_not_exist(
        self, admin: Member, stranger: Member, client_of: ClientOf
    ) -> None:
        assert client_of(admin).get(self.page(stranger)).status_code == 404


class TestThePersonPage:
    def test_offers_no_role_at_or_above_the_own_level(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        page = client_of(admin).get(f"{PEOPLE}{rep.id}/").content.decode()
        assert 'value="customer_admin"' not in page
        assert 'value="sales_manager"' in page

    def test_of_an_admin_has_no_form_that_an_admin_could_not_use(
        self, acme: Tenant, admin: Member, analyst: Member, client_of: ClientOf
    ) -> None:
        give(analyst, "admin")
        page = client_of(admin).get(f"{PEOPLE}{admin.id}/").context["page"]
        assert (page.role_form, page.deactivate_form) == (None, None)
        assert client_of(admin).get(f"{PEOPLE}{analyst.id}/").context["page"].deactivate_form is None


class TestTheApi:
    API = "/api/v1/w/acme-corp/"

    def test_lists_roles(self, admin: Member, client_of: ClientOf) -> None:
        roles = {role["code"]: role for role in client_of(admin).get(f"{self.API}roles/").json()}
        assert (roles["sales_rep"]["level"], roles["sales_rep"]["holders"]) == (5, 3)
        assert roles["sales_manager"]["sight"] == "team"

    def test_gives_and_ends_a_role(self, admin: Member, rep: Member, client_of: ClientOf) -> None:
        client, address = client_of(admin), f"{self.API}members/{rep.id}/grants/"
        made = client.post(address, {"role": "viewer", "reason": "x"}, content_type="application/json")
        assert (made.status_code, made.json()["role"]) == (201, "viewer")
        assert [one["id"] for one in client.get(address).json()["results"]] == [made.json()["id"]]
        end = f"{address}{made.json()['id']}/end/"
        assert (
            client.post(end, {"reason": "y"}, content_type="application/json").json()["revoked_reason"] == "y"
        )
        again = client.post(end, {"reason": "y"}, content_type="application/json")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "rbac.grant_ended")
