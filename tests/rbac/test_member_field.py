"""Where a workspace has more members than a list helps with, people are chosen by e-mail address."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import User
from isolation import context
from rbac.forms_people import MEMBERS_LISTED
from rbac.selectors import manager_id_of
from tenants.models import Member, RoleCode
from tenants.services import member_deactivate
from tests.cast import PLANTER
from tests.pipeline.deals import owner_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def crowd(rep: Member) -> None:
    """As many colleagues as a list may hold, besides the cast."""
    emails = [f"colleague{number}@acme.test" for number in range(MEMBERS_LISTED)]
    with context.accounts():
        users = User.objects.bulk_create([User(email=email, password="!") for email in emails])
    with context.tenant_wide(rep.tenant_id):
        Member.objects.bulk_create(
            Member(tenant=rep.tenant, user=user, email=user.email, role=RoleCode.SALES_REP) for user in users
        )


def manager_sent(browser: Client, member: Member, manager: str, seen: str = "") -> tuple[int, str]:
    answer = browser.post(
        f"/w/acme-corp/settings/people/{member.id}/manager/", {"manager": manager, "seen": seen}, follow=True
    )
    return answer.status_code, answer.content.decode()


def manager_of(member: Member) -> object:
    with context.tenant_wide(member.tenant_id):
        return manager_id_of(member)


@pytest.mark.usefixtures("crowd")
class TestALargeWorkspace:
    def test_shows_the_managers_address_and_no_list_of_people(
        self, admin: Member, rep: Member, manager: Member, client_of: Callable[[Member], Client]
    ) -> None:
        page = client_of(admin).get(f"/w/acme-corp/settings/people/{rep.id}/").content.decode()
        assert f'type="email" name="manager" value="{manager.email}"' in page
        assert "colleague7@acme.test" not in page

    def test_takes_an_address_in_any_case_and_an_id(
        self, admin: Member, rep: Member, head: Member, client_of: Callable[[Member], Client]
    ) -> None:
        browser = client_of(admin)
        status, page = manager_sent(browser, rep, f" {head.email.upper()} ")
        assert (status, manager_of(rep)) == (200, head.id), page
        assert manager_sent(browser, rep, "")[0] == 200
        assert manager_of(rep) is None
        assert manager_sent(browser, rep, str(head.id))[0] == 200
        assert manager_of(rep) == head.id

    def test_refuses_who_is_nobody_here_with_a_sentence_and_keeps_what_was_entered(
        self,
        admin: Member,
        rep: Member,
        manager: Member,
        stranger: Member,
        client_of: Callable[[Member], Client],
    ) -> None:
        status, page = manager_sent(client_of(admin), rep, stranger.email)
        assert status == 400
        assert "Nobody who could be chosen here has this address." in page
        assert stranger.email in page
        assert manager_of(rep) == manager.id


def test_a_small_workspace_offers_its_people_by_name(
    admin: Member, rep: Member, manager: Member, client_of: Callable[[Member], Client]
) -> None:
    page = client_of(admin).get(f"/w/acme-corp/settings/people/{rep.id}/").content.decode()
    assert f'<option value="{manager.id}" selected>{manager}</option>' in page


class TestWhoLeft:
    """Somebody deactivated stays where they stand until somebody else is chosen: a form must not put nobody there unasked."""

    @pytest.fixture
    def left(self, manager: Member) -> Member:
        with context.tenant_wide(manager.tenant_id):
            return member_deactivate(member=manager, reason="left", acting_user=PLANTER)

    def test_still_stands_in_the_form_as_the_manager(
        self, admin: Member, rep: Member, left: Member, client_of: Callable[[Member], Client]
    ) -> None:
        browser = client_of(admin)
        page = browser.get(f"/w/acme-corp/settings/people/{rep.id}/").content.decode()
        assert f'<option value="{left.id}" selected>{left}, deactivated</option>' in page
        assert manager_sent(browser, rep, str(left.id), seen=str(left.id))[0] == 200
        assert manager_of(rep) == left.id

    def test_is_no_choice_where_somebody_else_stands(
        self,
        admin: Member,
        other_rep: Member,
        head: Member,
        left: Member,
        client_of: Callable[[Member], Client],
    ) -> None:
        browser = client_of(admin)
        manager_sent(browser, other_rep, str(head.id))
        status, page = manager_sent(browser, other_rep, str(left.id))
        assert status == 400
        assert "Nobody who could be chosen here." in page
        body = {"manager": str(left.id)}
        answer = browser.put(
            f"/api/v1/w/acme-corp/members/{other_rep.id}/manager/", body, content_type="application/json"
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "rbac.manager_not_active")
        assert manager_of(other_rep) == head.id

    def test_still_stands_in_the_form_of_a_crm_owner(
        self, admin: Member, rep: Member, client_of: Callable[[Member], Client]
    ) -> None:
        owner = owner_of(rep)
        with context.tenant_wide(rep.tenant_id):
            member_deactivate(member=rep, reason="left", acting_user=PLANTER)
        browser, page = (
            client_of(admin),
            f"/w/acme-corp/settings/people/owners/salesforce/{owner.external_id}/",
        )
        assert (
            f'<option value="{rep.id}" selected>{rep}, deactivated</option>'
            in browser.get(page).content.decode()
        )
        sent = {"member": str(rep.id), "seen": str(rep.id)}
        assert browser.post(f"{page}assign/", sent).status_code == 302
        assert owner_of(rep) == owner
