"""Levels, unions and time: what roles add up to, whoever gives them and whenever they are asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from isolation import context, permissions
from isolation.actors import LOWEST_LEVEL, Actor, ActorKind
from rbac.duties import DUTIES, duty_between, first_conflict
from rbac.grants import Term, role_grant
from rbac.held import grants_held, roles_held
from rbac.models import Sight
from rbac.roles import BUILT_IN
from rbac.selectors import actor_of
from rbac.standing import HeldRole, RoleFacts, built_in, may_touch, shows_more, standing_of
from tenants.models import Member, RoleCode, Tenant
from tests.cast import PLANTER

CODES = sorted(permissions.all_permissions())
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ROLES = st.builds(
    RoleFacts,
    code=st.sampled_from(["red", "green", "blue", "sales_rep", "sales_manager"]),
    name=st.just("A role"),
    level=st.integers(1, 9),
    permissions=st.frozensets(st.sampled_from(CODES), max_size=6),
    sight=st.sampled_from(list(Sight)),
)
INSTANTS = st.none() | st.integers(0, 6).map(lambda days: EPOCH + timedelta(days=days))
HELD = st.builds(HeldRole, role=ROLES, valid_from=INSTANTS, valid_until=INSTANTS).filter(
    lambda one: one.valid_from is None or one.valid_until is None or one.valid_from < one.valid_until
)


def holds_at(one: HeldRole, instant: datetime) -> bool:
    begun = one.valid_from is None or one.valid_from <= instant
    return begun and (one.valid_until is None or instant < one.valid_until)


class TestStanding:
    @given(st.lists(ROLES, max_size=5))
    def test_is_the_union_the_highest_level_and_the_widest_sight(self, roles: list[RoleFacts]) -> None:
        total = standing_of(roles)
        for code in CODES:
            assert (code in total.permissions) is any(code in role.permissions for role in roles)
        assert total.level == min([role.level for role in roles] or [LOWEST_LEVEL])
        assert not any(shows_more(role.sight, total.sight) for role in roles)
        assert total.sight in {Sight.OWN, *(role.sight for role in roles)}

    @given(st.lists(ROLES, max_size=4), ROLES)
    def test_never_shrinks_by_one_more_role(self, roles: list[RoleFacts], more: RoleFacts) -> None:
        before, after = standing_of(roles), standing_of([*roles, more])
        assert before.permissions <= after.permissions
        assert after.level <= before.level
        assert not shows_more(before.sight, after.sight)


class TestLevels:
    @given(st.integers(1, LOWEST_LEVEL), st.lists(ROLES, max_size=6))
    def test_whoever_gives_only_what_is_allowed_never_makes_an_equal(
        self, level: int, wanted: list[RoleFacts]
    ) -> None:
        giver = Actor(kind=ActorKind.PERSON, label="giver", level=level)
        given_away = [role for role in wanted if may_touch(giver, role)]
        assert standing_of(given_away).level > level or not given_away

    @pytest.mark.parametrize("giver", list(RoleCode))
    def test_no_built_in_role_gives_itself_or_a_higher_one(self, giver: RoleCode) -> None:
        actor = Actor(kind=ActorKind.PERSON, label="giver", level=BUILT_IN[giver].level)
        given_away = {role.code for role in map(built_in, RoleCode) if may_touch(actor, role)}
        assert giver.value not in given_away
        assert all(BUILT_IN[RoleCode(code)].level > BUILT_IN[giver].level for code in given_away)

    def test_bind_neither_operators_nor_jobs(self) -> None:
        assert all(may_touch(PLANTER, built_in(code)) for code in RoleCode)

    def test_let_nobody_without_a_role_give_any(self) -> None:
        nobody = Actor(kind=ActorKind.PERSON, label="nobody")
        assert not any(may_touch(nobody, built_in(code)) for code in RoleCode)


class TestPeriods:
    @given(HELD, HELD)
    def test_overlap_exactly_where_an_instant_lies_in_both(self, one: HeldRole, other: HeldRole) -> None:
        instants = [EPOCH + timedelta(hours=12 * step) for step in range(-1, 16)]
        shared = any(holds_at(one, instant) and holds_at(other, instant) for instant in instants)
        assert one.overlaps(other) is shared
        assert one.overlaps(other) is other.overlaps(one)


class TestDuties:
    def test_no_built_in_role_breaks_one_alone(self) -> None:
        for code in RoleCode:
            assert duty_between(built_in(code), built_in(code)) is None

    def test_name_only_rights_and_roles_that_exist(self) -> None:
        for duty in DUTIES:
            assert duty.permissions <= permissions.all_permissions().keys()
            assert duty.roles <= set(RoleCode.values)

    @pytest.mark.parametrize("seller", ["sales_rep", "sales_manager"])
    @pytest.mark.parametrize("other", ["customer_admin", "super_admin", "admin", "revops_analyst"])
    def test_keep_sellers_from_running_things(self, seller: str, other: str) -> None:
        assert duty_between(built_in(seller), built_in(other)) is not None
        assert duty_between(built_in(other), built_in(seller)) is not None

    @given(HELD, st.lists(HELD, max_size=5))
    def test_are_found_exactly_where_two_sides_meet_in_time(
        self, new: HeldRole, held: list[HeldRole]
    ) -> None:
        meets = any(
            new.overlaps(one) and any(duty.parts(new.role, one.role) for duty in DUTIES) for one in held
        )
        assert (first_conflict(new, held) is not None) is meets


@pytest.mark.django_db
class TestTheClock:
    """``at`` stands for the database's clock: the same statement decides."""

    def grant(self, member: Member, since: timedelta, until: timedelta) -> tuple[datetime, datetime]:
        now = datetime.now(UTC)
        term = Term(now + since, now + until)
        role_grant(member=member, role="viewer", term=term, reason="test", acting_user=PLANTER)
        assert term.since
        assert term.until
        return term.since, term.until

    def test_gives_from_the_first_instant_and_takes_at_the_last(self, acme: Tenant, rep: Member) -> None:
        tick = timedelta(microseconds=1)
        with context.tenant_wide(acme.id):
            since, until = self.grant(rep, timedelta(hours=1), timedelta(hours=2))
            held = [
                len(roles_held([rep], at=instant)[rep.id]) - 1
                for instant in (since - tick, since, until - tick, until)
            ]
        assert held == [0, 1, 1, 0]

    def test_ends_a_grant_while_the_transaction_goes_on(self, acme: Tenant, rep: Member) -> None:
        with context.tenant_wide(acme.id):
            now = datetime.now(UTC)
            term = Term(until=now + timedelta(seconds=1))
            role_grant(member=rep, role="viewer", term=term, reason="test", acting_user=PLANTER)
            before = actor_of(rep)
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_sleep(greatest(0, extract(epoch FROM %s - statement_timestamp())))",
                    [term.until],
                )
            after = actor_of(rep)
        assert before.may("bookings.view", acme.id)
        assert not after.may("bookings.view", acme.id)

    def test_is_asked_once_for_many_members(
        self, acme: Tenant, rep: Member, manager: Member, django_assert_num_queries: object
    ) -> None:
        with context.tenant_wide(acme.id), django_assert_num_queries(1):  # type: ignore[operator]  # the fixture
            assert grants_held(acme.id, [rep.id, manager.id]) == {rep.id: [], manager.id: []}
