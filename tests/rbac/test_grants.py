"""Roles beside the base role: who may give and take them, until when, and what is refused, with its sentence and on record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.models import Event
from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError, Forbidden, InvalidInput, NotFound
from rbac.errors import (
    DutiesConflict,
    GrantEnded,
    MemberNotActive,
    OwnRoles,
    RoleHeldAlready,
    RoleTooHigh,
)
from rbac.grants import Term, role_grant, role_grant_end
from rbac.models import BaseRolePeriod, RoleGrant
from rbac.roles import BUILT_IN
from rbac.selectors import actor_of
from tenants.models import Member, RoleCode, Tenant
from tenants.services import (
    member_add,
    member_deactivate,
    member_invite,
    member_reactivate,
    member_role_change,
)
from tests import cast
from tests.cast import PLANTER

ClientOf = Callable[[Member], Client]
PEOPLE = "/w/acme-corp/settings/people/"


def give(member: Member, role: str, by: Any = PLANTER, term: Term | None = None) -> RoleGrant:
    with context.tenant_wide(member.tenant_id):
        return role_grant(member=member, role=role, term=term or Term(), reason="test", acting_user=by)


def soon(**since: int) -> datetime:
    return datetime.now(UTC) + timedelta(**since)


def denied(tenant: Tenant) -> list[tuple[str, str]]:
    with context.tenant_wide(tenant.id):
        events = Event.objects.filter(code="rbac.role_change_denied").order_by("at", "id")
        return [(event.facts["refused_as"], event.actor_label) for event in events]


@pytest.mark.django_db
class TestGiving:
    def test_adds_rights_and_takes_none(self, acme: Tenant, admin: Member, rep: Member) -> None:
        before = actor_of(rep)
        give(rep, "agent", actor_of(admin))
        after = actor_of(rep)
        assert before.permissions < after.permissions
        assert after.may("complaints.resolve", acme.id)
        assert (after.role, after.level) == ("sales_rep", 5)

    def test_widens_what_is_seen_to_the_widest(self, admin: Member, analyst: Member, rep: Member) -> None:
        assert actor_of(rep).owner_ids
        give(rep, "support")
        assert actor_of(rep).owner_ids
        give(analyst, "support")
        assert actor_of(analyst).owner_ids is None

    def test_is_on_record_with_role_period_and_reason(self, acme: Tenant, admin: Member, rep: Member) -> None:
        give(rep, "viewer", actor_of(admin), Term(until=soon(days=2)))
        with context.tenant_wide(acme.id):
            event = Event.objects.get(code="rbac.role_granted")
        assert (event.actor_label, event.target_label) == (admin.email, rep.email)
        assert "until" in event.sentence
        assert "test" in event.sentence

    def test_needs_the_right(self, analyst: Member, rep: Member) -> None:
        with pytest.raises(Forbidden, match=r"people\.edit"):
            give(rep, "viewer", actor_of(analyst))

    @pytest.mark.parametrize("role", ["customer_admin", "super_admin", "admin"])
    def test_stays_below_the_own_level(self, role: str, admin: Member, analyst: Member) -> None:
        with pytest.raises(RoleTooHigh, match="only roles below the own level"):
            give(analyst, role, actor_of(admin))

    def test_is_not_for_oneself(self, admin: Member) -> None:
        with pytest.raises(OwnRoles, match="Nobody gives themselves a role"):
            give(admin, "viewer", actor_of(admin))

    def test_reaches_only_the_own_workspace(self, admin: Member, beta_rep: Member) -> None:
        with pytest.raises(Forbidden):
            give(beta_rep, "viewer", actor_of(admin))

    def test_of_an_unknown_role_is_refused(self, rep: Member) -> None:
        for role in ("king", "design_partner", ""):
            with pytest.raises(NotFound, match="no such role"):
                give(rep, role)

    def test_twice_in_one_time_is_refused_and_one_after_the_other_is_not(self, rep: Member) -> None:
        end = soon(days=1)
        give(rep, "viewer", term=Term(until=end))
        with pytest.raises(RoleHeldAlready, match="End that grant first"):
            give(rep, "viewer")
        give(rep, "viewer", term=Term(since=end))

    @pytest.mark.parametrize(
        ("term", "field"),
        [
            (Term(until=datetime(2020, 1, 1, tzinfo=UTC)), "valid_until"),
            (Term(since=datetime(2020, 1, 1, tzinfo=UTC)), "valid_from"),
            (Term(until=datetime(9999, 12, 31, tzinfo=UTC)), "valid_until"),
            (Term(since=soon(days=3), until=soon(days=2)), "valid_until"),
        ],
    )
    def test_needs_a_time_that_makes_sense(self, term: Term, field: str, rep: Member) -> None:
        with pytest.raises(InvalidInput) as refused:
            give(rep, "viewer", term=term)
        assert refused.value.field == field

    def test_needs_somebody_who_may_come_in(self, acme: Tenant, rep: Member) -> None:
        with context.tenant_wide(acme.id):
            member_deactivate(member=rep, reason="left", acting_user=PLANTER)
        with pytest.raises(MemberNotActive):
            give(rep, "viewer")


@pytest.mark.django_db
class TestTaking:
    def test_holds_from_the_next_question_on_and_keeps_the_row(
        self, acme: Tenant, admin: Member, rep: Member
    ) -> None:
        grant = give(rep, "agent", actor_of(admin))
        with context.tenant_wide(acme.id):
            role_grant_end(grant=grant, reason="done", acting_user=actor_of(admin))
            kept = RoleGrant.objects.get(pk=grant.pk)
        assert not actor_of(rep).may("complaints.resolve", acme.id)
        assert (kept.revoked_by, kept.revoked_reason) == (admin.email, "done")

    def test_of_what_begins_later_keeps_it_from_beginning(self, acme: Tenant, rep: Member) -> None:
        grant = give(rep, "agent", term=Term(since=soon(days=1)))
        with context.tenant_wide(acme.id):
            role_grant_end(grant=grant, reason="no more", acting_user=PLANTER)
        give(rep, "agent", term=Term(since=soon(days=1)))

    def test_twice_is_refused(self, acme: Tenant, rep: Member) -> None:
        grant = give(rep, "agent")
        with context.tenant_wide(acme.id):
            role_grant_end(grant=grant, reason="done", acting_user=PLANTER)
            with pytest.raises(GrantEnded, match="ended already"):
                role_grant_end(grant=grant, reason="done", acting_user=PLANTER)

    def test_stays_below_the_own_level(self, acme: Tenant, admin: Member, analyst: Member) -> None:
        grant = give(analyst, "admin")
        with context.tenant_wide(acme.id), pytest.raises(RoleTooHigh):
            role_grant_end(grant=grant, reason="envy", acting_user=actor_of(admin))


@pytest.mark.django_db
class TestBaseRoles:
    """The older services pass the same checks: there is no way around."""

    def test_admins_make_no_admins(
        self, acme: Tenant, admin: Member, analyst: Member, stranger: Member
    ) -> None:
        actor = actor_of(admin)
        top, user = RoleCode.CUSTOMER_ADMIN, cast.user_of(stranger)
        with context.tenant_wide(acme.id):
            for attempt in (
                lambda: member_role_change(member=analyst, role=top, acting_user=actor),
                lambda: member_add(tenant=acme, user=user, role=top, acting_user=actor),
                lambda: member_invite(tenant=acme, email="x@acme.test", name="", role=top, acting_user=actor),
            ):
                with pytest.raises(RoleTooHigh, match="vendor's staff"):
                    attempt()

    def test_a_higher_grant_shields_from_deactivation(
        self, acme: Tenant, admin: Member, analyst: Member
    ) -> None:
        give(analyst, "admin")
        with context.tenant_wide(acme.id):
            with pytest.raises(RoleTooHigh):
                member_deactivate(member=analyst, reason="coup", acting_user=actor_of(admin))
            member_deactivate(member=analyst, reason="left", acting_user=PLANTER)
            with pytest.raises(RoleTooHigh):
                member_reactivate(member=analyst, acting_user=actor_of(admin))

    def test_a_base_role_is_kept_apart_from_grants(self, acme: Tenant, rep: Member) -> None:
        with context.tenant_wide(acme.id):
            member_role_change(member=rep, role=RoleCode.VIEWER, acting_user=PLANTER)
            role_grant(member=rep, role="revops_analyst", term=Term(), reason="test", acting_user=PLANTER)
            with pytest.raises(DutiesConflict, match="who carries a quota"):
                member_role_change(member=rep, role=RoleCode.SALES_REP, acting_user=PLANTER)

    def test_every_change_ends_one_period_and_begins_another(self, acme: Tenant, rep: Member) -> None:
        with context.tenant_wide(acme.id):
            member_role_change(member=rep, role=RoleCode.VIEWER, acting_user=PLANTER)
            member_deactivate(member=rep, reason="left", acting_user=PLANTER)
            member_reactivate(member=rep, acting_user=PLANTER)
            periods = list(BaseRolePeriod.objects.filter(tenant=acme, member=rep).order_by("id"))
        assert [period.role for period in periods] == ["sales_rep", "viewer", "viewer"]
        assert [period.valid_until is None for period in periods] == [False, False, True]
        assert periods[0].valid_until == periods[1].valid_from
        assert periods[1].valid_until <= periods[2].valid_from

    def test_the_whole_cast_has_a_history(self, acme: Tenant) -> None:
        with context.tenant_wide(acme.id):
            members = set(Member.objects.values_list("id", "role"))
            open_periods = set(
                BaseRolePeriod.objects.filter(valid_until=None).values_list("member_id", "role")
            )
        assert members == open_periods


@pytest.mark.django_db
class TestDeniedAttempts:
    def test_by_page_are_answered_with_the_sentence_and_kept(
        self, acme: Tenant, admin: Member, analyst: Member, client_of: ClientOf
    ) -> None:
        sent = {"role": "super_admin", "reason": "please"}
        response = client_of(admin).post(f"{PEOPLE}{analyst.id}/roles/grant/", sent)
        assert response.status_code == 403
        assert "only roles below the own level" in response.content.decode()
        assert denied(acme) == [("rbac.role_too_high", admin.email)]
        with context.tenant_wide(acme.id):
            assert not RoleGrant.objects.exists()

    def test_by_api_body_are_answered_with_the_code_and_kept(
        self, acme: Tenant, admin: Member, analyst: Member, client_of: ClientOf
    ) -> None:
        body = {"role": "customer_admin", "reason": "x", "level": 1, "granted_by": "me"}
        address = f"/api/v1/w/acme-corp/members/{analyst.id}/grants/"
        response = client_of(admin).post(address, body, content_type="application/json")
        assert (response.status_code, response.json()["error"]["code"]) == (403, "rbac.role_too_high")
        assert denied(acme) == [("rbac.role_too_high", admin.email)]

    def test_beside_a_field_are_kept_too(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        response = client_of(admin).post(
            f"{PEOPLE}{rep.id}/roles/grant/", {"role": "revops_analyst", "reason": "x"}
        )
        assert response.status_code == 400
        assert "who carries a quota" in response.content.decode()
        assert denied(acme) == [("rbac.duties_conflict", admin.email)]

    def test_without_the_right_are_kept(
        self, acme: Tenant, analyst: Member, rep: Member, client_of: ClientOf
    ) -> None:
        assert client_of(analyst).post(f"{PEOPLE}{rep.id}/role/", {"role": "viewer"}).status_code == 403
        assert denied(acme) == [("forbidden", analyst.email)]

    def test_from_a_page_that_has_become_stale(
        self, acme: Tenant, manager: Member, rep: Member, client_of: ClientOf
    ) -> None:
        with context.tenant_wide(acme.id):
            member_role_change(member=manager, role=RoleCode.DESK_ADMIN, acting_user=PLANTER)
        client = client_of(manager)
        address = f"{PEOPLE}{rep.id}/roles/"
        assert "Give the role" in client.get(address).content.decode()
        with context.tenant_wide(acme.id):
            member_role_change(member=manager, role=RoleCode.DESK_MANAGER, acting_user=PLANTER)
        assert client.post(f"{address}grant/", {"role": "agent", "reason": "x"}).status_code == 403
        assert denied(acme) == [("forbidden", manager.email)]

    def test_of_strangers_leave_no_line_in_somebody_elses_log(
        self, acme: Tenant, stranger: Member, rep: Member, client_of: ClientOf
    ) -> None:
        client_of(stranger).post(f"{PEOPLE}{rep.id}/roles/grant/", {"role": "viewer", "reason": "x"})
        assert denied(acme) == []


@pytest.mark.django_db
class TestWhateverIsTried:
    GIVERS = ("admin", "analyst", "manager", "rep", "desk")
    TAKERS = ("analyst", "manager", "rep", "desk")

    def test_nobody_ends_with_more_than_the_givers_could_give(
        self, acme: Tenant, request: pytest.FixtureRequest
    ) -> None:
        people = {
            key: request.getfixturevalue(key) for key in ("admin", "analyst", "manager", "rep", "other_rep")
        }
        people["desk"] = people.pop("other_rep")
        with context.tenant_wide(acme.id):
            member_role_change(member=people["desk"], role=RoleCode.DESK_ADMIN, acting_user=PLANTER)
        attempts = st.tuples(
            st.sampled_from(self.GIVERS), st.sampled_from(self.TAKERS), st.sampled_from(RoleCode.values)
        )

        @given(st.lists(attempts, min_size=1, max_size=6))
        @settings(max_examples=12, deadline=None, derandomize=True, database=None)
        def never(tried: list[tuple[str, str, str]]) -> None:
            with transaction.atomic():
                highest: dict[str, int] = {}
                for giver, taker, role in tried:
                    actor = actor_of_fresh(people[giver])
                    with suppress(DomainError):
                        give(people[taker], role, actor)
                        assert actor.may("people.edit", acme.id)
                        assert BUILT_IN[RoleCode(role)].level > actor.level
                        highest[taker] = min(highest.get(taker, 99), BUILT_IN[RoleCode(role)].level)
                for key, member in people.items():
                    base = BUILT_IN[RoleCode.DESK_ADMIN if key == "desk" else RoleCode(member.role)].level
                    assert actor_of_fresh(member).level == min(base, highest.get(key, 99))
                transaction.set_rollback(True)

        never()


def actor_of_fresh(member: Member) -> Actor:
    with context.tenant_wide(member.tenant_id):
        found = Member.objects.get(pk=member.pk)
    return actor_of(found)


def test_an_expired_grant_opens_nothing_a_second_later(
    committed: Any, rep: Member, client_of: ClientOf
) -> None:
    del committed
    give(rep, "support", term=Term(until=soon(seconds=2)))
    client, address = client_of(rep), "/w/acme-corp/queue/"
    assert client.get(address).status_code == 200
    threading.Event().wait(2.2)
    assert client.get(address).status_code == 403


def test_two_halves_of_a_forbidden_pair_at_once_make_one(committed: Any, rep: Member) -> None:
    del committed
    with context.tenant_wide(rep.tenant_id):
        member_role_change(member=rep, role=RoleCode.VIEWER, acting_user=PLANTER)
    start, outcomes = threading.Barrier(2), []

    def run(role: str) -> None:
        try:
            start.wait()
            give(rep, role)
            outcomes.append("given")
        except DomainError as refusal:
            outcomes.append(refusal.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(role,)) for role in ("sales_rep", "revops_analyst")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["given", "rbac.duties_conflict"]


def test_members_from_before_begin_their_history_with_what_they_are(committed: Any, rep: Member) -> None:
    del committed
    backfill = import_module("rbac.migrations.0005_base_role_history")._BACKFILL
    with context.tenant_wide(rep.tenant_id):
        member_deactivate(member=rep, reason="left", acting_user=PLANTER)
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE rbac_baseroleperiod NO FORCE ROW LEVEL SECURITY")
        cursor.execute("DELETE FROM rbac_baseroleperiod")
        cursor.execute(backfill)
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relforcerowsecurity "
            "AND relname IN ('tenants_member', 'rbac_baseroleperiod')"
        )
        assert cursor.fetchone() == (2,)
    with context.platform("look at every history", PLANTER):
        left = BaseRolePeriod.objects.get(member=rep)
        begun = set(BaseRolePeriod.objects.filter(valid_until=None).values_list("member_id", "role"))
        assert begun == set(Member.objects.filter(is_active=True).values_list("id", "role"))
    assert (left.role, left.valid_from, left.valid_until is None) == ("sales_rep", rep.joined_at, False)
