"""Roads up that are no roads: one's own base role, a held role widened, look-alike names, forged bodies, other workspaces' ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from audit.models import Event
from isolation import context
from isolation.errors import DomainError
from rbac.custom_roles import custom_role_archive, custom_role_change, custom_role_create
from rbac.denials import MOST_A_MINUTE, record_denied
from rbac.errors import DutiesConflict, OwnRoles, RightsNotHeld, RoleInUse
from rbac.events import RoleChangeDenied
from rbac.grants import Term
from rbac.models import CustomRole, RoleGrant, Sight
from rbac.roles import BUILT_IN
from rbac.selectors import actor_of
from rbac.services import reporting_line_set
from tenants.models import Member, RoleCode, Tenant
from tests.cast import PLANTER
from tests.rbac.attempts import (
    API,
    PEOPLE,
    QUEUE,
    ClientOf,
    DeniedAgain,
    become,
    denied,
    draft,
    give,
    in_an_hour,
    made,
)
from tests.test_permission_table import ALL, ROUTES, Route, Workspace, send


@pytest.mark.django_db
class TestATimeBoxedAdmin:
    """Nothing that somebody does with rights for an hour leaves them with more when the hour is over."""

    @pytest.fixture
    def boxed(self, rep: Member) -> Member:
        viewer = become(rep, RoleCode.VIEWER)
        give(viewer, "admin", term=in_an_hour())
        return viewer

    def test_does_not_lift_the_own_base_role(self, acme: Tenant, boxed: Member, client_of: ClientOf) -> None:
        response = client_of(boxed).post(f"{PEOPLE}{boxed.id}/role/", {"role": "revops_analyst"})
        assert response.status_code == 403
        assert "Nobody gives themselves a role" in response.content.decode()
        assert denied(acme) == ["rbac.own_roles"]

    def test_widens_no_role_that_is_also_the_own(self, acme: Tenant, boxed: Member) -> None:
        role = made(acme, draft())
        give(boxed, role.code)
        for wider in (draft(rights=QUEUE | {"people.edit"}), draft(level=5)):
            with context.tenant_wide(acme.id), pytest.raises(OwnRoles):
                custom_role_change(role=role, draft=wider, version=1, acting_user=actor_of(boxed))

    def test_widens_no_role_that_becomes_the_own_later(self, acme: Tenant, boxed: Member) -> None:
        role = made(acme, draft())
        give(boxed, role.code, term=Term(since=datetime.now(UTC) + timedelta(days=1)))
        with context.tenant_wide(acme.id), pytest.raises(OwnRoles):
            wider = draft(rights=QUEUE | {"people.edit"})
            custom_role_change(role=role, draft=wider, version=1, acting_user=actor_of(boxed))

    def test_may_still_narrow_and_rename_it(self, acme: Tenant, boxed: Member) -> None:
        role = made(acme, draft(rights=QUEUE | {"audit.view"}))
        give(boxed, role.code)
        with context.tenant_wide(acme.id):
            narrower = draft("Desk", level=7)
            done = custom_role_change(role=role, draft=narrower, version=1, acting_user=actor_of(boxed))
        assert done.version == 2

    def test_makes_nothing_when_the_hour_is_over(self, acme: Tenant, rep: Member) -> None:
        viewer = become(rep, RoleCode.VIEWER)
        grant = give(viewer, "admin", term=in_an_hour())
        before = actor_of(viewer)
        with context.tenant_wide(acme.id):
            RoleGrant.objects.filter(pk=grant.pk).update(valid_until=datetime.now(UTC))
        assert before.may("roles.edit", acme.id)
        assert not actor_of(viewer).may("roles.edit", acme.id)


@pytest.mark.django_db
class TestTheTree:
    """Who leads a team sees its deals, so nobody puts people under themselves."""

    @pytest.fixture
    def watcher(self, acme: Tenant, analyst: Member) -> Member:
        desk = become(analyst, RoleCode.DESK_ADMIN)
        give(desk, made(acme, draft("Team watcher", 6, frozenset({"pipeline.view"}), Sight.TEAM)).code)
        return desk

    def test_is_not_hung_under_oneself_directly_or_through_others(
        self, acme: Tenant, watcher: Member, head: Member, distant_rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(acme.id):
            reporting_line_set(member=distant_rep, manager=watcher, acting_user=PLANTER)
        seen = actor_of(watcher).owner_ids
        for manager in (watcher, distant_rep):
            response = client_of(watcher).post(f"{PEOPLE}{head.id}/manager/", {"manager": str(manager.id)})
            assert response.status_code == 403
        assert actor_of(watcher).owner_ids == seen
        assert denied(acme) == ["rbac.own_team"]

    def test_is_hung_under_whoever_sees_every_deal_anyhow(
        self, admin: Member, head: Member, client_of: ClientOf
    ) -> None:
        response = client_of(admin).post(f"{PEOPLE}{head.id}/manager/", {"manager": str(admin.id)})
        assert response.status_code == 302


@pytest.mark.django_db
class TestDeskAdmins:
    """They look after people too, and see no deals: their pages run in the narrower context."""

    @pytest.fixture
    def desk(self, rep: Member) -> Member:
        return become(rep, RoleCode.DESK_ADMIN)

    def test_make_change_and_archive_roles(self, acme: Tenant, desk: Member, client_of: ClientOf) -> None:
        client = client_of(desk)
        sent = {
            "name": "Night shift",
            "level": "6",
            "sight": "own",
            "permissions": ["bookings.view"],
            "version": "0",
        }
        assert client.post(f"{PEOPLE}roles/new/", sent).status_code == 302
        assert (
            client.post(
                f"{PEOPLE}roles/night_shift/edit/", sent | {"name": "Day", "version": "1"}
            ).status_code
            == 302
        )
        assert client.post(f"{PEOPLE}roles/night_shift/archive/").status_code == 302

    def test_add_people_and_set_managers(
        self, desk: Member, analyst: Member, manager: Member, client_of: ClientOf
    ) -> None:
        client = client_of(desk)
        assert client.post(f"{PEOPLE}{analyst.id}/manager/", {"manager": str(manager.id)}).status_code == 302
        new = {"email": "nina@acme.test", "name": "Nina", "role": "agent", "manager": str(manager.id)}
        assert client.post(f"{PEOPLE}add/", new).status_code == 302


@pytest.mark.django_db
class TestLookAlikes:
    @pytest.mark.parametrize(
        "name",
        [
            "\u0410dmin",  # Cyrillic А
            "Adm\u0456n",  # Cyrillic і
            "\u0391dmin",  # Greek Α
            "\u0421\u041e\u0410\u0421\u041d",  # COACH in Cyrillic letters alone
            "Adm1n",
            "Adm\u0131n",  # dotless ı
            "Admin\u3164",  # an invisible letter
            "Admin \u3164",
            "\u1d00dmin",  # small capital
            "\u13aada",  # Cherokee beside Latin
            "\U0001d400dmin",  # mathematical bold
            "A\u0301dmin",
            "System Administrator",  # as the support guide calls our super admin
        ],
    )
    def test_are_no_new_names(self, name: str, acme: Tenant) -> None:
        made(acme, draft("Coach"))
        with context.tenant_wide(acme.id), pytest.raises(DomainError) as refused:
            custom_role_create(tenant=acme, draft=draft(name), acting_user=PLANTER)
        assert refused.value.field == "name"

    @pytest.mark.parametrize(
        "name",
        [
            "Керівник продажу",
            "Πωλήσεις",
            "営業マネージャー",
            "영업 관리자",
            "Señor dé façade",
            "RevOps менеджер",
            "مدير",
            "Straße 7",
        ],
    )
    def test_are_not_seen_in_honest_names(self, name: str, acme: Tenant) -> None:
        assert made(acme, draft(name)).version == 1

    @pytest.mark.parametrize("name", ["!!!", "\U0001f600", "– –", "\u2800"])
    def test_a_name_without_a_letter_is_none(self, name: str, acme: Tenant) -> None:
        with context.tenant_wide(acme.id), pytest.raises(DomainError) as refused:
            custom_role_create(tenant=acme, draft=draft(name), acting_user=PLANTER)
        assert refused.value.field == "name"


@pytest.mark.django_db
class TestForgedInput:
    @pytest.mark.parametrize(
        "level", ["0", "-1", "one", "1e0", "2.0", "9999999999999999999", "", " ", "\u0661"]
    )
    def test_levels(self, level: str, acme: Tenant, admin: Member, client_of: ClientOf) -> None:
        sent = {"name": "Up", "level": level, "sight": "own", "permissions": ["audit.view"], "version": "0"}
        response = client_of(admin).post(f"{PEOPLE}roles/new/", sent)
        assert response.status_code in (400, 403)
        with context.tenant_wide(acme.id):
            assert not CustomRole.objects.exists()

    @pytest.mark.parametrize("version", ["", "-1", "0", "2", "x", "99999999999999999999"])
    def test_versions(self, version: str, acme: Tenant, admin: Member, client_of: ClientOf) -> None:
        made(acme, draft())
        sent = {"name": "Up", "level": "6", "sight": "own", "permissions": ["audit.view"], "version": version}
        assert client_of(admin).post(f"{PEOPLE}roles/deal_desk/edit/", sent).status_code == 400

    @pytest.mark.parametrize("method", ["put", "patch", "delete"])
    def test_methods(self, method: str, admin: Member, rep: Member, client_of: ClientOf) -> None:
        grant = give(rep, "viewer")
        client = client_of(admin)
        for address in (
            f"{API}{rep.id}/grants/",
            f"{API}{rep.id}/grants/{grant.id}/end/",
            "/api/v1/w/acme-corp/roles/",
        ):
            response = getattr(client, method)(
                address, {"role": "customer_admin"}, content_type="application/json"
            )
            assert response.status_code == 405
        assert actor_of(rep).level == 5

    @pytest.mark.parametrize(
        "more",
        [
            {"tenant_id": 2, "member_id": "0", "granted_by": "nobody", "custom_role_id": None, "level": 1},
            {"valid_from": "0001-01-01T00:00:00+14:00"},
            {"valid_until": "9999-12-31T23:59:59-14:00"},
            {"valid_from": "2400-02-30T00:00:00Z"},
            {"role": ["viewer"]},
            {"role": {"code": "viewer"}},
            {"role": "\ud800"},
            {"reason": "\u0000"},
            {"reason": "x" * 301},
        ],
    )
    def test_bodies(
        self, more: dict[str, Any], acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        body = {"role": "viewer", "reason": "x"} | more
        response = client_of(admin).post(f"{API}{rep.id}/grants/", body, content_type="application/json")
        assert response.status_code == (201 if "tenant_id" in more else 400), response.content
        with context.tenant_wide(acme.id):
            kept = [
                (one.tenant_id, one.member_id, one.granted_by, one.role) for one in RoleGrant.objects.all()
            ]
        assert kept == ([(acme.id, rep.id, admin.email, "viewer")] if "tenant_id" in more else [])

    def test_ids_of_another_workspace(
        self, acme: Tenant, beta: Tenant, admin: Member, beta_rep: Member, rep: Member, client_of: ClientOf
    ) -> None:
        theirs = give(beta_rep, "viewer")
        made(beta, draft("Beta only"))
        client = client_of(admin)
        sent = {"role": "viewer", "reason": "x"}
        for address in (
            f"{PEOPLE}{beta_rep.id}/roles/grant/",
            f"{PEOPLE}{rep.id}/roles/{theirs.id}/end/",
            f"{PEOPLE}{beta_rep.id}/roles/{theirs.id}/end/",
            f"{PEOPLE}roles/beta_only/archive/",
            f"{API}{beta_rep.id}/grants/",
            f"{API}{rep.id}/grants/{theirs.id}/end/",
        ):
            assert client.post(address, sent).status_code == 404
        response = client.post(
            f"{API}{rep.id}/grants/", sent | {"role": "beta_only"}, content_type="application/json"
        )
        assert (response.status_code, response.json()["error"]["field"]) == (404, "role")
        assert client.post(f"{PEOPLE}{rep.id}/manager/", {"manager": str(beta_rep.id)}).status_code == 400
        assert actor_of(beta_rep).may("bookings.view", beta.id)


@pytest.mark.django_db
class TestLater:
    def test_a_grant_for_later_is_parted_from_duties_of_then(self, rep: Member) -> None:
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        become(rep, RoleCode.VIEWER)
        give(rep, "revops_analyst", term=Term(since=tomorrow))
        with pytest.raises(DutiesConflict):
            give(rep, "sales_rep")
        with pytest.raises(DutiesConflict):
            become(rep, RoleCode.SALES_REP)
        give(rep, "sales_rep", term=Term(until=tomorrow))

    def test_a_role_is_not_archived_while_a_grant_waits(self, acme: Tenant, rep: Member) -> None:
        role = made(acme, draft())
        give(rep, role.code, term=Term(since=datetime.now(UTC) + timedelta(days=1)))
        with context.tenant_wide(acme.id), pytest.raises(RoleInUse, match="1 person"):
            custom_role_archive(role=role, acting_user=PLANTER)

    def test_a_role_for_later_is_not_given_duties_that_its_holder_may_not_join(
        self, acme: Tenant, rep: Member
    ) -> None:
        role = made(acme, draft())
        give(rep, role.code, term=Term(since=datetime.now(UTC) + timedelta(days=1)))
        with context.tenant_wide(acme.id), pytest.raises(DutiesConflict):
            custom_role_change(
                role=role, draft=draft(rights=frozenset({"crm.edit"})), version=1, acting_user=PLANTER
            )

    def test_a_maker_who_lost_rights_cannot_put_them_into_the_role_again(
        self, acme: Tenant, analyst: Member, rep: Member
    ) -> None:
        maker = become(analyst, RoleCode.VIEWER)
        give(maker, "admin", term=in_an_hour())
        role = made(acme, draft(rights=frozenset({"audit.view", "bookings.view"})), actor_of(maker))
        with context.tenant_wide(acme.id):
            RoleGrant.objects.filter(member=maker).update(valid_until=datetime.now(UTC))
        made(acme, draft("Role keeper", 4, frozenset({"roles.edit"})))
        give(maker, "role_keeper")
        with context.tenant_wide(acme.id), pytest.raises(RightsNotHeld, match="audit"):
            custom_role_change(
                role=role, draft=draft("Renamed", rights=frozenset({"audit.view"})), version=1,
                acting_user=actor_of(maker),
            )  # fmt: skip


@pytest.mark.django_db
class TestRightsWithoutSight:
    """A role of the workspace's own may hold every right and show no deal but the own: its pages run in the narrower context."""

    @pytest.fixture
    def holder(self, acme: Tenant, rep: Member) -> Member:
        become(rep, RoleCode.VIEWER)
        rights = BUILT_IN[RoleCode.CUSTOMER_ADMIN].permissions
        give(rep, made(acme, draft("Everything", 3, rights)).code)
        return rep

    @pytest.mark.parametrize(
        "route", [route for route in ALL if isinstance(ROUTES[route.name], Workspace)], ids=str
    )
    def test_open_every_page_that_the_right_opens(
        self, route: Route, holder: Member, client_of: ClientOf
    ) -> None:
        client = client_of(holder)
        line = ROUTES[route.name]
        assert isinstance(line, Workspace)
        assert send(client, "get", route).status_code < 500
        assert send(client, "post", route).status_code < 500

    def test_write_what_admins_write(
        self, acme: Tenant, holder: Member, analyst: Member, manager: Member, client_of: ClientOf
    ) -> None:
        client = client_of(holder)
        statuses = {
            name: client.post(f"/w/acme-corp/{address}", sent).status_code
            for name, address, sent in (
                ("zone", "settings/timezone/", {"timezone": "Europe/Paris"}),
                ("manager", f"settings/people/{analyst.id}/manager/", {"manager": str(manager.id)}),
                ("role", f"settings/people/{analyst.id}/role/", {"role": "viewer"}),
                ("grant", f"settings/people/{analyst.id}/roles/grant/", {"role": "agent", "reason": "x"}),
                ("end", f"settings/people/{analyst.id}/deactivate/", {"reason": "x"}),
                ("again", f"settings/people/{analyst.id}/reactivate/", {}),
            )
        }
        assert set(statuses.values()) == {302}, statuses


@pytest.mark.django_db
class TestAFloodOfRefusals:
    def test_of_one_kind_is_one_line(
        self, acme: Tenant, admin: Member, analyst: Member, client_of: ClientOf
    ) -> None:
        client = client_of(admin)
        for _ in range(3):
            client.post(f"{PEOPLE}{analyst.id}/roles/grant/", {"role": "super_admin", "reason": "x"})
        assert denied(acme) == ["rbac.role_too_high"]

    def test_of_many_kinds_ends_at_so_many_lines_a_minute(
        self, acme: Tenant, admin: Member, rep: Member, analyst: Member, client_of: ClientOf
    ) -> None:
        sent = {"level": "2", "sight": "own", "permissions": ["audit.view"], "version": "0"}
        for number in range(MOST_A_MINUTE + 3):
            client_of(admin).post(f"{PEOPLE}roles/new/", sent | {"name": f"Role number {number}"})
        assert len(denied(acme)) == MOST_A_MINUTE
        client_of(analyst).post(f"{PEOPLE}{rep.id}/role/", {"role": "viewer"})
        assert denied(acme)[-1] == "forbidden"  # somebody else's lines are not used up

    def test_is_written_again_a_minute_later(
        self, acme: Tenant, analyst: Member, rep: Member, client_of: ClientOf
    ) -> None:
        earlier = RoleChangeDenied(
            target_id=str(rep.id), target_label=rep.email, refused_as="rbac.role_too_high", refusal="No."
        )
        refused = DeniedAgain(
            acting_user=actor_of(analyst), tenant_id=acme.id, target=(str(rep.id), rep.email)
        )
        with context.tenant_wide(acme.id):
            for seconds in (61, 62):
                Event.objects.create(
                    tenant=acme, at=datetime.now(UTC) - timedelta(seconds=seconds), code=earlier.code,
                    actor_kind="person", actor_id=analyst.user_id, actor_label=analyst.email,
                    target_kind="role", target_id=earlier.target_id, facts=earlier.facts(),
                )  # fmt: skip
        record_denied(refused)
        record_denied(refused)
        assert len(denied(acme)) == 3
