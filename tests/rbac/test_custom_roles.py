"""A workspace's own roles: never more than their makers hold, one change at a time, nothing overwritten, nothing deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from audit.models import Event
from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError, Forbidden, InvalidInput
from rbac.custom_roles import RoleDraft, custom_role_archive, custom_role_change, custom_role_create
from rbac.errors import (
    DutiesConflict,
    RightsNotHeld,
    RoleArchived,
    RoleChangedMeanwhile,
    RoleInUse,
    RoleNameTaken,
    RoleTooHigh,
)
from rbac.grants import Term, role_grant, role_grant_end
from rbac.models import CustomRole, CustomRoleVersion, Sight
from rbac.selectors import actor_of
from tenants.models import Member, Tenant
from tests.cast import PLANTER
from tests.rbac.at_once import at_once
from tests.rbac.attempts import QUEUE, draft

ClientOf = Callable[[Member], Client]
ROLES = "/w/acme-corp/settings/people/roles/"


def make(tenant: Tenant, wanted: RoleDraft, by: Actor = PLANTER) -> CustomRole:
    with context.tenant_wide(tenant.id):
        return custom_role_create(tenant=tenant, draft=wanted, acting_user=by)


def change(role: CustomRole, wanted: RoleDraft, by: Actor = PLANTER, version: int = 1) -> CustomRole:
    with context.tenant_wide(role.tenant_id):
        return custom_role_change(role=role, draft=wanted, version=version, acting_user=by)


def give(member: Member, role: str) -> Any:
    with context.tenant_wide(member.tenant_id):
        return role_grant(member=member, role=role, term=Term(), reason="test", acting_user=PLANTER)


def denied(tenant: Tenant) -> list[str]:
    with context.tenant_wide(tenant.id):
        events = Event.objects.filter(code="rbac.role_change_denied").order_by("at", "id")
        return [event.facts["refused_as"] for event in events]


@pytest.mark.django_db
class TestMaking:
    def test_gives_a_role_that_can_be_held(self, acme: Tenant, admin: Member, rep: Member) -> None:
        role = make(acme, draft(rights=QUEUE | {"audit.view"}), actor_of(admin))
        assert (role.code, role.version) == ("deal_desk", 1)
        before = actor_of(rep)
        give(rep, "deal_desk")
        assert actor_of(rep).permissions - before.permissions == QUEUE | {"audit.view"}

    def test_takes_no_right_that_the_maker_does_not_hold(self, acme: Tenant, admin: Member) -> None:
        with pytest.raises(RightsNotHeld, match="Refund bookings"):
            make(acme, draft(rights=QUEUE | {"bookings.refund"}), actor_of(admin))

    def test_shows_no_deal_that_the_maker_does_not_see(self, acme: Tenant, manager: Member) -> None:
        make(acme, draft("Role maker", 4, frozenset({"roles.edit"})))
        with context.tenant_wide(acme.id):
            manager.role = "viewer"
            manager.save(update_fields=["role"])
        give(manager, "role_maker")
        with pytest.raises(RightsNotHeld, match="Every deal"):
            make(acme, draft(rights=frozenset({"roles.edit"}), sight=Sight.EVERYTHING), actor_of(manager))

    @pytest.mark.parametrize("level", [1, 2])
    def test_stays_below_the_makers_level(self, level: int, acme: Tenant, admin: Member) -> None:
        with pytest.raises(RoleTooHigh):
            make(acme, draft(level=level), actor_of(admin))

    def test_needs_the_right(self, acme: Tenant, analyst: Member) -> None:
        with pytest.raises(Forbidden, match=r"roles\.edit"):
            make(acme, draft(), actor_of(analyst))

    @pytest.mark.parametrize(
        "name", ["Admin", "customer_admin", " ADMIN ", "Desk-Admin", "Ａｄｍｉｎ", "super admin", "deal DESK"]
    )
    def test_takes_no_name_that_reads_like_another(self, name: str, acme: Tenant) -> None:
        make(acme, draft())
        with pytest.raises(RoleNameTaken):
            make(acme, draft(name))

    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("Matrix", "matrix_2"),
            ("Новая роль", "role"),
            ("  Deal   Desk!  ", "deal_desk"),
            ("Röle 2", "role_2"),
        ],
    )
    def test_makes_a_code_that_addresses_can_hold(self, name: str, code: str, acme: Tenant) -> None:
        assert make(acme, draft(name)).code == code

    @pytest.mark.parametrize(
        ("wanted", "field"),
        [
            (draft(""), "name"),
            (draft("x" * 61), "name"),
            (draft("bell\x07"), "name"),
            (draft("zero\u200bwidth"), "name"),
            (draft(level=0), "level"),
            (draft(level=10), "level"),
            (draft(rights=frozenset()), "permissions"),
            (draft(rights=frozenset({"world.rule"})), "permissions"),
        ],
    )
    def test_says_which_input_cannot_be_used(self, wanted: RoleDraft, field: str, acme: Tenant) -> None:
        with pytest.raises(InvalidInput) as refused:
            make(acme, wanted)
        assert refused.value.field == field

    def test_in_two_workspaces_under_one_name(self, acme: Tenant, beta: Tenant) -> None:
        assert make(acme, draft()).code == make(beta, draft()).code

    def test_never_takes_a_built_in_code_past_the_services(self, acme: Tenant) -> None:
        with context.tenant_wide(acme.id), pytest.raises(IntegrityError), transaction.atomic():
            CustomRole(tenant=acme, code="customer_admin", created_by="x").save(force_insert=True)


@pytest.mark.django_db
class TestChanging:
    def test_holds_for_everybody_at_once_and_keeps_what_was(self, acme: Tenant, rep: Member) -> None:
        role = make(acme, draft())
        give(rep, role.code)
        change(role, draft("Deal desk", 5, frozenset({"audit.view"}), Sight.TEAM))
        actor = actor_of(rep)
        assert actor.may("audit.view", acme.id)
        assert not actor.may("ops.priority_queue.view", acme.id)
        with context.tenant_wide(acme.id):
            versions = list(CustomRoleVersion.objects.filter(role=role).order_by("version"))
        assert [(one.version, one.permissions) for one in versions] == [
            (1, sorted(QUEUE)),
            (2, ["audit.view"]),
        ]
        assert versions[0].valid_until == versions[1].valid_from

    def test_never_adds_what_the_changer_does_not_hold(self, acme: Tenant, admin: Member) -> None:
        role = make(acme, draft(), actor_of(admin))
        with pytest.raises(RightsNotHeld):
            change(role, draft(rights=QUEUE | {"system.admin"}), actor_of(admin))

    def test_never_lifts_a_role_to_the_changers_level(self, acme: Tenant, admin: Member) -> None:
        role = make(acme, draft(), actor_of(admin))
        with pytest.raises(RoleTooHigh):
            change(role, draft(level=2), actor_of(admin))

    def test_of_a_higher_role_is_refused(self, acme: Tenant, admin: Member) -> None:
        role = make(acme, draft(level=2))
        with pytest.raises(RoleTooHigh):
            change(role, draft(level=6), actor_of(admin))

    def test_to_the_name_of_a_built_in_role_is_refused(self, acme: Tenant) -> None:
        role = make(acme, draft())
        with pytest.raises(RoleNameTaken):
            change(role, draft("Customer admin"))

    def test_of_the_name_keeps_the_code(self, acme: Tenant) -> None:
        assert change(make(acme, draft()), draft("Pricing")).code == "deal_desk"

    def test_made_on_an_older_version_is_refused(self, acme: Tenant) -> None:
        role = make(acme, draft())
        change(role, draft("Pricing"))
        with pytest.raises(RoleChangedMeanwhile, match="nothing of yours was saved"):
            change(role, draft("Discounts"))

    def test_of_nothing_makes_no_version(self, acme: Tenant) -> None:
        assert change(make(acme, draft()), draft()).version == 1

    def test_that_joins_parted_duties_is_refused_with_the_holder(self, acme: Tenant, rep: Member) -> None:
        role = make(acme, draft())
        give(rep, role.code)
        with pytest.raises(DutiesConflict, match=r"rita@acme\.test"):
            change(role, draft(rights=frozenset({"people.edit"})))

    def test_of_a_role_with_parted_rights_keeps_sellers_from_it(self, acme: Tenant, rep: Member) -> None:
        make(acme, draft("Rule keeper", rights=frozenset({"alerts.edit"})))
        with pytest.raises(DutiesConflict, match="rules that watch the own deals"):
            give(rep, "rule_keeper")


@pytest.mark.django_db
class TestArchiving:
    def test_is_refused_while_somebody_holds_the_role(
        self, acme: Tenant, rep: Member, manager: Member
    ) -> None:
        role = make(acme, draft())
        grants = [give(member, role.code) for member in (rep, manager)]
        with context.tenant_wide(acme.id):
            with pytest.raises(RoleInUse, match="held by 2 people"):
                custom_role_archive(role=role, acting_user=PLANTER)
            for grant in grants:
                role_grant_end(grant=grant, reason="test", acting_user=PLANTER)
            assert custom_role_archive(role=role, acting_user=PLANTER).archived_at

    def test_frees_the_name_but_never_the_code(self, acme: Tenant) -> None:
        role = make(acme, draft())
        with context.tenant_wide(acme.id):
            custom_role_archive(role=role, acting_user=PLANTER)
            with pytest.raises(RoleArchived):
                custom_role_archive(role=role, acting_user=PLANTER)
        with pytest.raises(RoleArchived):
            change(role, draft("Other"))
        assert make(acme, draft()).code == "deal_desk_2"

    def test_ends_that_it_can_be_given(self, acme: Tenant, rep: Member) -> None:
        role = make(acme, draft())
        with context.tenant_wide(acme.id):
            custom_role_archive(role=role, acting_user=PLANTER)
        with pytest.raises(DomainError, match="no such role"):
            give(rep, role.code)


@pytest.mark.django_db
class TestThePages:
    def sent(self, **changes: Any) -> dict[str, Any]:
        return {
            "name": "Deal desk", "sentence": "Prices", "level": "6", "sight": "own",
            "permissions": ["ops.priority_queue.view"], "version": "0",
        } | changes  # fmt: skip

    def test_make_change_and_archive_a_role(self, acme: Tenant, admin: Member, client_of: ClientOf) -> None:
        client = client_of(admin)
        assert client.post(f"{ROLES}new/", self.sent())["Location"] == f"{ROLES}deal_desk/"
        assert "Deal desk" in client.get(ROLES).content.decode()
        client.post(f"{ROLES}deal_desk/edit/", self.sent(name="Pricing", version="1"))
        assert "Pricing" in client.get(f"{ROLES}deal_desk/").content.decode()
        client.post(f"{ROLES}deal_desk/archive/")
        client.get(ROLES)  # reads the notes of what was done
        assert "Pricing" not in client.get(ROLES).content.decode()
        assert "Pricing" in client.get(f"{ROLES}?kind=archived").content.decode()
        with context.tenant_wide(acme.id):
            codes = list(Event.objects.order_by("-at", "-id").values_list("code", flat=True)[:3])
        assert codes == ["rbac.custom_role_archived", "rbac.custom_role_changed", "rbac.custom_role_created"]

    def test_offer_only_what_the_maker_holds(self, admin: Member, client_of: ClientOf) -> None:
        page = client_of(admin).get(f"{ROLES}new/").content.decode()
        assert "Change the connection" in page or 'value="crm.edit"' in page
        assert 'value="bookings.refund"' not in page

    def test_refuse_a_forged_right_and_keep_the_attempt(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        forged = self.sent(permissions=["ops.priority_queue.view", "system.admin"])
        response = client_of(admin).post(f"{ROLES}new/", forged)
        assert response.status_code == 403
        assert "may not make a role that holds more" in response.content.decode()
        assert denied(acme) == ["rbac.rights_not_held"]

    def test_tell_the_second_of_two_that_the_first_was_quicker(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        make(acme, draft(), actor_of(admin))
        client = client_of(admin)
        client.post(f"{ROLES}deal_desk/edit/", self.sent(name="First", version="1"))
        response = client.post(f"{ROLES}deal_desk/edit/", self.sent(name="Second", version="1"))
        assert response.status_code == 400
        assert "while you were at it" in response.content.decode()
        assert "First" in client.get(f"{ROLES}deal_desk/").content.decode()
        assert denied(acme) == ["rbac.role_changed_meanwhile"]

    def test_say_how_many_hold_a_role_and_lead_to_them(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        make(acme, draft(), actor_of(admin))
        give(rep, "deal_desk")
        client = client_of(admin)
        response = client.post(f"{ROLES}deal_desk/archive/")
        assert response.status_code == 409
        assert "held by 1 person" in response.content.decode()
        page = client.get(f"{ROLES}deal_desk/").content.decode()
        assert "?role=deal_desk" in page
        rows = client.get("/w/acme-corp/settings/people/?role=deal_desk").context["page"].table.rows
        assert [row.name for row in rows] == ["Rita Rep"]
        assert denied(acme) == ["rbac.role_in_use"]

    def test_show_no_buttons_to_whoever_may_not_use_them(
        self, acme: Tenant, analyst: Member, admin: Member, client_of: ClientOf
    ) -> None:
        make(acme, draft(level=2))
        assert "Make a role" not in client_of(analyst).get(ROLES).content.decode()
        page = client_of(admin).get(f"{ROLES}deal_desk/").content.decode()
        assert "/edit/" not in page
        assert "only who stands above it can change it" in page
        assert client_of(admin).get(f"{ROLES}deal_desk/edit/").status_code == 404

    def test_do_not_know_roles_of_other_workspaces(
        self, beta: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        make(beta, draft())
        assert client_of(admin).get(f"{ROLES}deal_desk/").status_code == 404


def test_two_changes_of_one_role_at_once_make_one(committed: Any, admin: Member) -> None:
    del committed
    role = make(admin.tenant, draft())
    changed = [lambda name=name: change(role, draft(name)) for name in ("First", "Second")]
    assert at_once(*changed) == ["done", "rbac.role_changed_meanwhile"]


def test_archiving_and_giving_at_once_leave_no_archived_role_in_use(committed: Any, rep: Member) -> None:
    del committed
    role = make(rep.tenant, draft())

    def archive() -> None:
        with context.tenant_wide(rep.tenant_id):
            custom_role_archive(role=role, acting_user=PLANTER)

    outcomes = at_once(archive, lambda: give(rep, role.code))
    assert outcomes in (["done", "rbac.role_in_use"], ["done", "not_found"])
