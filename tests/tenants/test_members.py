"""Membership: once, at once, and without telling one workspace about another."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections

from accounts.errors import EmailTaken
from accounts.services import user_create
from audit.models import Event
from isolation import context
from tenants.errors import LastAdmin, MemberExists, TenantExists
from tenants.models import Member, RoleCode, Tenant
from tenants.provisioning import provision, request_checked
from tenants.services import member_deactivate, member_invite
from tests import cast
from tests.cast import PLANTER


@pytest.mark.django_db
class TestInviting:
    def test_tells_nothing_of_a_person_whom_another_workspace_knows(
        self, acme: Tenant, stranger: Member
    ) -> None:
        with context.tenant_wide(acme.id):
            for email in (stranger.email, "new@acme.test"):
                member_invite(tenant=acme, email=email, name="", role=RoleCode.SALES_REP, acting_user=PLANTER)
            invited = Member.objects.filter(email__in=[stranger.email, "new@acme.test"])
            assert set(invited.values_list("name", flat=True)) == {""}
            recorded = [
                set(Event.objects.filter(target_label=email).values_list("code", flat=True))
                for email in (stranger.email, "new@acme.test")
            ]
        assert recorded[0] == recorded[1]

    def test_twice_is_refused_with_a_sentence(self, acme: Tenant, rep: Member) -> None:
        with (
            context.tenant_wide(acme.id),
            pytest.raises(MemberExists, match="is a member of Acme Corp already"),
        ):
            member_invite(tenant=acme, email=rep.email, name="", role=RoleCode.SALES_REP, acting_user=PLANTER)

    def test_of_a_taken_address_makes_no_second_account(self, rep: Member) -> None:
        with pytest.raises(EmailTaken):
            user_create(email=rep.email.upper(), name="", password=None, acting_user=PLANTER)


@pytest.mark.django_db
class TestDeactivating:
    def test_twice_keeps_the_first_reason(self, acme: Tenant, rep: Member) -> None:
        with context.tenant_wide(acme.id):
            member_deactivate(member=rep, reason="left", acting_user=PLANTER)
            again = member_deactivate(member=rep, reason="typo", acting_user=PLANTER)
            assert again.deactivation_reason == "left"
            assert Event.objects.filter(code="tenants.member_deactivated").count() == 1

    def test_leaves_the_last_admin(self, acme: Tenant, admin: Member) -> None:
        with context.tenant_wide(acme.id), pytest.raises(LastAdmin, match="Make someone else an admin first"):
            member_deactivate(member=admin, reason="left", acting_user=PLANTER)


def test_two_provisions_of_one_name_at_once_make_one(committed: Any, settings: Any, tmp_path: Any) -> None:
    del committed
    settings.TENANT_CONFIG_DIR = str(tmp_path)
    request = request_checked(customer="Race Ltd", tier="growth", crm="salesforce", timezone="UTC")
    outcomes: list[str] = []

    def run() -> None:
        try:
            provision(request, acting_user=PLANTER)
            outcomes.append("made")
        except TenantExists as refusal:
            outcomes.append(refusal.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "tenants.exists"]
    assert cast.tenant_of("race-ltd").name == "Race Ltd"
