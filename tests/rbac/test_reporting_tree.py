"""The closure table always says what a walk over the edges would say."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.services import user_create
from audit.models import Event
from isolation import context
from isolation.actors import Actor, ActorKind
from isolation.errors import Forbidden
from rbac.errors import ReportingCycle
from rbac.models import ReportingLine, ReportingPath
from rbac.selectors import actor_of, team_of
from rbac.services import reporting_line_set
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_add
from tests.cast import PLANTER

pytestmark = pytest.mark.django_db


def walk(edges: dict[UUID, UUID], member: UUID) -> set[UUID]:
    """Everyone below a member, the slow way."""
    below = {child for child, parent in edges.items() if parent == member}
    return below.union(*(walk(edges, child) for child in below)) if below else below


def edges_of(tenant: Tenant) -> dict[UUID, UUID]:
    lines = ReportingLine.objects.filter(tenant=tenant, valid_until=None)
    return dict(lines.values_list("member_id", "manager_id"))


class TestTheTree:
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(moves=st.lists(st.tuples(st.integers(0, 7), st.integers(-1, 7)), min_size=1, max_size=20))
    def test_equals_a_recursive_walk_after_any_moves(
        self, acme: Tenant, moves: list[tuple[int, int]]
    ) -> None:
        with transaction.atomic(), context.tenant_wide(acme.id):
            people = [self._join(acme, n) for n in range(8)]
            for below, above in moves:
                try:
                    reporting_line_set(
                        member=people[below],
                        manager=people[above] if above >= 0 else None,
                        acting_user=PLANTER,
                    )
                except ReportingCycle:
                    assert below == above or people[below].id in self._chain(acme, people[above].id)
            edges = edges_of(acme)
            for person in people:
                assert set(team_of(person)) - {person.id} == walk(edges, person.id)
            transaction.set_rollback(True)

    def _join(self, tenant: Tenant, number: int) -> Member:
        user = user_create(
            email=f"p{number}@acme.test", name=f"P{number}", password=None, acting_user=PLANTER
        )
        return member_add(tenant=tenant, user=user, role=RoleCode.SALES_MANAGER, acting_user=PLANTER)

    def _chain(self, tenant: Tenant, member: UUID) -> list[UUID]:
        edges, chain = edges_of(tenant), []
        while member in edges:
            member = edges[member]
            chain.append(member)
        return chain

    def test_refuses_a_circle_and_changes_nothing(self, acme: Tenant, head: Member, rep: Member) -> None:
        with context.tenant_wide(acme.id):
            before = ReportingPath.objects.count()
            with pytest.raises(ReportingCycle, match=r"rita@acme\.test already reports to hugo@acme\.test"):
                reporting_line_set(member=head, manager=rep, acting_user=PLANTER)
            assert ReportingPath.objects.count() == before

    def test_is_changed_only_with_the_right_to(self, acme: Tenant, rep: Member, head: Member) -> None:
        with context.tenant_wide(acme.id), pytest.raises(Forbidden, match=r"people\.edit"):
            reporting_line_set(member=rep, manager=head, acting_user=actor_of(rep))

    def test_records_every_change(self, acme: Tenant, rep: Member, head: Member) -> None:
        with context.tenant_wide(acme.id):
            reporting_line_set(member=rep, manager=head, acting_user=PLANTER)
            latest = Event.objects.order_by("-id").first()
        assert latest is not None
        assert latest.sentence == "rita@acme.test now reports to hugo@acme.test"


class TestVisibility:
    def owners(self, member: Member) -> set[str]:
        from crm_sync.models import Owner

        actor = actor_of(member)
        with context.of_actor(actor, member.tenant_id):
            return set(Owner.objects.values_list("name", flat=True))

    def test_of_a_rep_is_the_own_rows(self, rep: Member) -> None:
        assert self.owners(rep) == {"Rita Rep"}

    def test_of_a_manager_is_the_tree(self, manager: Member) -> None:
        assert self.owners(manager) == {"Mona Manager", "Rita Rep", "Otto Rep"}

    def test_of_the_head_is_everyone_below(self, head: Member) -> None:
        assert self.owners(head) == {"Hugo Head", "Mona Manager", "Rita Rep", "Otto Rep", "Dina Rep"}

    def test_of_an_admin_is_the_workspace_and_not_the_next_one(self, admin: Member, stranger: Member) -> None:
        assert "Dina Rep" in self.owners(admin)
        assert self.owners(stranger) == {"Bea Rep"}


def test_a_persons_rights_end_at_the_workspace(admin: Member, beta: Tenant) -> None:
    actor = actor_of(admin)
    assert actor.kind is ActorKind.PERSON
    assert actor.may("people.edit", admin.tenant_id)
    assert not actor.may("people.edit", beta.id)
    assert Actor.system("job").may("people.edit", beta.id)
