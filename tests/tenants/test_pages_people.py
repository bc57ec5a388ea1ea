"""The people pages: who may do what there, what is refused with which sentence, and the mail that a new person gets."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus

import pytest
from django.core import mail
from django.test import Client

from accounts.models import User
from accounts.selectors import user_by_email
from accounts.services import password_set
from audit.models import Event
from isolation import context
from isolation.models import PeriodicJob
from rbac.selectors import team_of
from tenants.invitations import WAITS, send_due
from tenants.models import Invitation, Member, RoleCode, Tenant
from tests.cast import PLANTER, account, user_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[Member], Client]
PEOPLE = "/w/acme-corp/settings/people/"
NEW = {"email": "Nina@Acme.test", "name": "Nina New", "role": "sales_rep", "manager": ""}


def read(client: Client, address: str, status: HTTPStatus = HTTPStatus.OK) -> str:
    response = client.get(address)
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def page_of(member: Member) -> str:
    return f"{PEOPLE}{member.id}/"


def fresh(member: Member) -> Member:
    with context.platform("look again", PLANTER):
        return Member.objects.select_related("tenant").get(pk=member.pk)


def codes_of(tenant: Tenant) -> list[str]:
    with context.tenant_wide(tenant.id):
        return list(Event.objects.order_by("-at", "-id").values_list("code", flat=True))


class TestThePeopleList:
    @pytest.mark.parametrize(
        ("who", "status"),
        [
            ("admin", 200),
            ("analyst", 200),
            ("manager", 200),
            ("rep", 403),
            ("stranger", 404),
            ("partner", 404),
        ],
    )
    def test_is_for_holders_of_the_right(
        self, who: str, status: int, request: pytest.FixtureRequest, client_of: ClientOf
    ) -> None:
        assert client_of(request.getfixturevalue(who)).get(PEOPLE).status_code == status

    def test_shows_role_and_manager_of_everybody_here_and_nobody_else(
        self, admin: Member, client_of: ClientOf
    ) -> None:
        rows = {row.name: row for row in client_of(admin).get(PEOPLE).context["page"].table.rows}
        assert (rows["Rita Rep"].role, rows["Rita Rep"].manager) == ("Rep", "Mona Manager")
        assert "Stan Stranger" not in rows

    def test_offers_changes_only_to_who_may_make_them(
        self, admin: Member, analyst: Member, rep: Member, client_of: ClientOf
    ) -> None:
        assert "Add a person" in read(client_of(admin), PEOPLE)
        assert "Add a person" not in read(client_of(analyst), PEOPLE)
        assert "Deactivate" not in read(client_of(analyst), page_of(rep))

    def test_searches_filters_and_sorts(self, admin: Member, client_of: ClientOf) -> None:
        client = client_of(admin)

        def names(query: str) -> list[str]:
            return [row.name for row in client.get(f"{PEOPLE}?{query}").context["page"].table.rows]

        assert names("q=RITA@acme") == ["Rita Rep"]
        assert names("role=sales_manager") == ["Hugo Head", "Mona Manager"]
        assert names("role=sales_manager&sort=-name") == ["Mona Manager", "Hugo Head"]
        assert names("state=deactivated") == []

    def test_pages_by_name_without_gap_or_repeat(
        self, admin: Member, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("rbac.views.PAGE_SIZE", 3)
        client, address, seen = client_of(admin), PEOPLE, []
        while address:
            table = client.get(address).context["page"].table
            seen += [row.name for row in table.rows]
            address = table.next_url
        assert seen == sorted(seen)
        assert len(seen) == len(set(seen)) == 7

    @pytest.mark.parametrize("query", ["role=king", "state=asleep", "sort=height", "page=xx"])
    def test_says_what_is_wrong_with_a_filter(self, query: str, admin: Member, client_of: ClientOf) -> None:
        read(client_of(admin), f"{PEOPLE}?{query}", HTTPStatus.BAD_REQUEST)

    def test_does_not_know_people_of_other_workspaces(
        self, admin: Member, stranger: Member, client_of: ClientOf
    ) -> None:
        read(client_of(admin), page_of(stranger), HTTPStatus.NOT_FOUND)


class TestAddingAPerson:
    def test_lets_a_new_person_in_and_owes_a_mail(
        self, acme: Tenant, admin: Member, client_of: ClientOf
    ) -> None:
        response = client_of(admin).post(f"{PEOPLE}add/", NEW)
        assert response.status_code == HTTPStatus.FOUND
        assert {"tenants.member_added", "tenants.member_invited"} <= set(codes_of(acme)[:3])
        with context.tenant_wide(acme.id):
            member = Member.objects.get(email="nina@acme.test")
            assert Invitation.objects.get(member=member).requested_by == admin.email
        assert (member.role, member.name) == ("sales_rep", "Nina New")

    def test_puts_the_person_under_the_manager(
        self, acme: Tenant, admin: Member, manager: Member, client_of: ClientOf
    ) -> None:
        client_of(admin).post(f"{PEOPLE}add/", NEW | {"manager": str(manager.id)})
        with context.tenant_wide(acme.id):
            assert Member.objects.get(email="nina@acme.test").id in team_of(manager)

    def test_answers_alike_for_a_person_who_works_elsewhere_too(
        self, acme: Tenant, admin: Member, stranger: Member, client_of: ClientOf
    ) -> None:
        client = client_of(admin)
        asked = NEW | {"email": stranger.email, "name": "Our Stan"}
        answers = [client.post(f"{PEOPLE}add/", data, follow=True).content.decode() for data in (NEW, asked)]
        notes = [re.search(r"was added\.[^<]*", answer) for answer in answers]
        assert notes[0]
        assert notes[1]
        assert notes[0][0].strip() == notes[1][0].strip()
        with context.tenant_wide(acme.id):
            member = Member.objects.get(email=stranger.email)
            assert (member.name, Invitation.objects.filter(member=member).count()) == ("Our Stan", 0)

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"email": "nina"}, "Enter an address like name@example.com."),
            ({"email": ""}, "Enter the e-mail address."),
            ({"email": "rita@acme.test"}, "rita@acme.test is a member of Acme Corp already."),
            ({"role": "design_partner"}, "design_partner is not one of the available choices"),
            ({"manager": "00000000-0000-0000-0000-000000000000"}, "Nobody who could be chosen here."),
        ],
    )
    def test_says_next_to_the_field_what_is_wrong(
        self, change: dict[str, str], sentence: str, admin: Member, client_of: ClientOf
    ) -> None:
        response = client_of(admin).post(f"{PEOPLE}add/", NEW | change)
        assert response.status_code == HTTPStatus.BAD_REQUEST
        assert sentence in response.content.decode()
        assert user_by_email("nina@acme.test") is None

    def test_is_not_for_analysts(self, analyst: Member, client_of: ClientOf) -> None:
        assert client_of(analyst).post(f"{PEOPLE}add/", NEW).status_code == HTTPStatus.FORBIDDEN


class TestTheInvitation:
    def invite(self, admin: Member, client_of: ClientOf) -> User:
        client_of(admin).post(f"{PEOPLE}add/", NEW)
        return account("nina@acme.test")

    def test_sets_a_password_by_its_link_once(self, admin: Member, client_of: ClientOf) -> None:
        self.invite(admin, client_of)
        assert send_due() == 1
        (sent,) = mail.outbox
        assert (sent.to, sent.subject) == (["nina@acme.test"], "You were added to Acme Corp")
        found = re.search(r"https?://[^/]+(/accounts/password/reset/key/\S+)", sent.body)
        assert found
        client = Client()
        form = client.get(found[1], follow=True)
        password = "a long and winding road 7"
        client.post(form.redirect_chain[-1][0], {"password1": password, "password2": password})
        assert account("nina@acme.test").check_password(password)
        assert "no longer works" in Client().get(found[1], follow=True).content.decode()

    def test_is_sent_once(self, admin: Member, client_of: ClientOf) -> None:
        self.invite(admin, client_of)
        assert (send_due(), send_due(), len(mail.outbox)) == (1, 0, 1)

    def test_is_tried_again_when_the_mail_server_is_away(
        self, acme: Tenant, admin: Member, client_of: ClientOf, settings: object
    ) -> None:
        self.invite(admin, client_of)
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]  # the fixture
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # type: ignore[attr-defined]  # as above
        send_due()
        with context.tenant_wide(acme.id):
            invitation = Invitation.objects.get()
        assert invitation.sent_at is None
        assert "mail server" in invitation.error
        assert invitation.next_attempt_at - invitation.requested_at >= WAITS[0]

    def test_is_left_out_for_who_set_a_password_meanwhile(self, admin: Member, client_of: ClientOf) -> None:
        user = self.invite(admin, client_of)
        password_set(user=user, password="meanwhile-set-123", acting_user=PLANTER)
        send_due()
        assert mail.outbox == []

    def test_wakes_the_job(self, admin: Member, client_of: ClientOf) -> None:
        PeriodicJob.objects.update_or_create(
            code="tenants.invitations", defaults={"due_at": "2099-01-01T00:00Z"}
        )
        self.invite(admin, client_of)
        assert PeriodicJob.objects.get(code="tenants.invitations").due_at.year < 2099


class TestChangingARole:
    def test_changes_what_the_person_may_do_at_once(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        client_of(admin).post(f"{page_of(rep)}role/", {"role": "revops_analyst"})
        assert fresh(rep).role == RoleCode.REVOPS_ANALYST
        assert codes_of(acme)[0] == "tenants.member_role_changed"
        assert client_of(rep).get("/w/acme-corp/audit/").status_code == HTTPStatus.OK

    def test_of_an_admin_is_refused_to_admins_with_the_way_out(
        self, admin: Member, client_of: ClientOf
    ) -> None:
        response = client_of(admin).post(f"{page_of(admin)}role/", {"role": "sales_rep"})
        assert response.status_code == HTTPStatus.FORBIDDEN
        assert "admins are made and unmade by the vendor&#x27;s staff" in response.content.decode()
        assert fresh(admin).role == RoleCode.CUSTOMER_ADMIN

    def test_to_the_same_role_leaves_no_trace(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        before = codes_of(acme)
        client_of(admin).post(f"{page_of(rep)}role/", {"role": "sales_rep"})
        assert codes_of(acme) == before


class TestSettingAManager:
    def test_moves_the_person(
        self, acme: Tenant, admin: Member, rep: Member, head: Member, client_of: ClientOf
    ) -> None:
        client_of(admin).post(f"{page_of(rep)}manager/", {"manager": str(head.id)})
        row = client_of(admin).get(page_of(rep)).content.decode()
        assert "Hugo Head" in row
        assert codes_of(acme)[0] == "rbac.reporting_line_set"

    def test_refuses_a_circle_next_to_the_field(
        self, admin: Member, head: Member, rep: Member, client_of: ClientOf
    ) -> None:
        response = client_of(admin).post(f"{page_of(head)}manager/", {"manager": str(rep.id)})
        assert response.status_code == HTTPStatus.BAD_REQUEST
        form = response.context["page"].manager_form
        assert "already reports to" in form.errors["manager"][0]


class TestDeactivating:
    def test_ends_access_to_this_workspace_and_can_be_undone(
        self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        client, theirs = client_of(admin), client_of(rep)
        client.post(f"{page_of(rep)}deactivate/", {"reason": "left the company"})
        assert theirs.get("/w/acme-corp/settings/").status_code == HTTPStatus.NOT_FOUND
        assert "left the company" in read(client, page_of(rep))
        client.post(f"{page_of(rep)}reactivate/")
        assert theirs.get("/w/acme-corp/settings/").status_code == HTTPStatus.OK
        assert codes_of(acme)[:2] == ["tenants.member_reactivated", "tenants.member_deactivated"]
        assert user_of(rep).is_active

    def test_needs_a_reason(self, admin: Member, rep: Member, client_of: ClientOf) -> None:
        response = client_of(admin).post(f"{page_of(rep)}deactivate/", {"reason": " "})
        assert response.status_code == HTTPStatus.BAD_REQUEST
        assert "Say why, in a few words" in response.content.decode()
        assert fresh(rep).is_active

    def test_of_an_admin_is_refused_to_admins(self, admin: Member, client_of: ClientOf) -> None:
        response = client_of(admin).post(f"{page_of(admin)}deactivate/", {"reason": "tired"})
        assert response.status_code == HTTPStatus.FORBIDDEN
        assert fresh(admin).is_active
