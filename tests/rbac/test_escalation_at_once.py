"""Two hands at once, each on a connection of its own: what may not be joined is not."""

from __future__ import annotations

from typing import Any

from isolation import context
from rbac.custom_roles import custom_role_archive, custom_role_change
from rbac.denials import record_denied
from rbac.models import CustomRole, RoleGrant
from rbac.selectors import actor_of
from tenants.models import Member
from tests.cast import PLANTER
from tests.rbac.at_once import at_once
from tests.rbac.attempts import DeniedAgain, denied, draft, give, made


def archived(role: CustomRole) -> CustomRole:
    with context.tenant_wide(role.tenant_id):
        return custom_role_archive(role=role, acting_user=PLANTER)


def test_a_role_is_archived_or_given_but_not_both(committed: Any, admin: Member, rep: Member) -> None:
    del committed
    role = made(admin.tenant, draft())
    outcome = at_once(lambda: archived(role), lambda: give(rep, role.code))
    assert outcome in (["done", "rbac.role_in_use"], ["done", "not_found"])


def test_a_role_gains_a_duty_or_a_seller_but_not_both(committed: Any, admin: Member, rep: Member) -> None:
    del committed
    role = made(admin.tenant, draft())

    def change() -> None:
        with context.tenant_wide(role.tenant_id):
            wider = draft(rights=frozenset({"crm.edit"}))
            custom_role_change(role=role, draft=wider, version=1, acting_user=PLANTER)

    assert at_once(change, lambda: give(rep, role.code)) == ["done", "rbac.duties_conflict"]


def test_one_double_submitted_form_makes_one_grant(committed: Any, admin: Member, rep: Member) -> None:
    del committed, admin
    assert at_once(lambda: give(rep, "viewer"), lambda: give(rep, "viewer")) == [
        "done",
        "rbac.role_held_already",
    ]
    with context.tenant_wide(rep.tenant_id):
        assert RoleGrant.objects.count() == 1


def test_one_double_submitted_form_makes_one_role(committed: Any, admin: Member) -> None:
    del committed
    attempts = [lambda: made(admin.tenant, draft())] * 2
    assert at_once(*attempts) == ["done", "rbac.role_name_taken"]


def test_a_flood_on_many_connections_is_one_line(committed: Any, analyst: Member, rep: Member) -> None:
    del committed
    refused = DeniedAgain(
        acting_user=actor_of(analyst), tenant_id=rep.tenant_id, target=(str(rep.id), rep.email)
    )
    at_once(*[lambda: record_denied(refused)] * 6)
    assert len(denied(rep.tenant)) == 1
