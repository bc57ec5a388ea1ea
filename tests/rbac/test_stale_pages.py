"""A page that was opened before somebody else's change does not undo that change unseen."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from crm_sync.models import Owner
from crm_sync.owners import owner_assign
from isolation import context
from tenants.models import Member, RoleCode, Tenant
from tests import cast
from tests.cast import PLANTER
from tests.rbac.attempts import PEOPLE, ClientOf, become, denied

pytestmark = pytest.mark.django_db
MEANWHILE = "somebody changed that while you were at it, and nothing of yours was saved"
_FIELD = re.compile(r'<input type="hidden" name="seen" value="([^"]*)"')


def seen_on(browser: Client, address: str) -> str:
    """What the form of that page remembers of the moment when it was opened."""
    found = _FIELD.findall(browser.get(address).content.decode())
    assert found
    return str(found[0])


class TestARole:
    def test_is_not_changed_back(self, acme: Tenant, admin: Member, rep: Member, client_of: ClientOf) -> None:
        browser, page = client_of(admin), f"{PEOPLE}{rep.id}/"
        seen = seen_on(browser, page)
        become(rep, RoleCode.REVOPS_ANALYST)
        answer = browser.post(f"{page}role/", {"role": "viewer", "seen": seen})
        assert answer.status_code == 400
        assert f"has the role Analyst now: {MEANWHILE}" in unescape(answer.content.decode())
        assert cast.member_of("rep").role == RoleCode.REVOPS_ANALYST
        assert denied(acme) == ["rbac.member_role_changed_meanwhile"]

    def test_that_is_already_what_was_wanted_is_no_conflict(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        browser, page = client_of(admin), f"{PEOPLE}{rep.id}/"
        seen = seen_on(browser, page)
        become(rep, RoleCode.VIEWER)
        assert browser.post(f"{page}role/", {"role": "viewer", "seen": seen}).status_code == 302

    def test_is_changed_from_a_page_that_is_not_stale(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        browser, page = client_of(admin), f"{PEOPLE}{rep.id}/"
        browser.post(f"{page}role/", {"role": "viewer", "seen": seen_on(browser, page)})
        assert cast.member_of("rep").role == RoleCode.VIEWER

    def test_is_not_changed_back_by_an_operator_either(
        self, operator: cast.User, rep: Member, client_of: ClientOf
    ) -> None:
        browser = client_of(operator)  # type: ignore[arg-type]  # operators are users
        page = f"/platform/workspaces/acme-corp/members/{rep.id}/"
        seen = seen_on(browser, page)
        become(rep, RoleCode.REVOPS_ANALYST)
        answer = browser.post(f"{page}role/", {"role": "viewer", "seen": seen})
        assert (answer.status_code, MEANWHILE in answer.content.decode()) == (400, True)

    def test_tells_of_a_page_that_was_tampered_with(
        self, admin: Member, rep: Member, client_of: ClientOf
    ) -> None:
        answer = client_of(admin).post(f"{PEOPLE}{rep.id}/role/", {"role": "viewer", "seen": "emperor"})
        assert (answer.status_code, "This page is incomplete" in answer.content.decode()) == (400, True)


class TestTheHolderOfACrmOwner:
    @pytest.fixture
    def owner(self, rep: Member) -> Owner:
        with context.tenant_wide(rep.tenant_id):
            found: Owner = Owner.objects.get(member_id=rep.id)
        return found

    def taken_meanwhile(self, owner: Owner, member: Member) -> None:
        with context.tenant_wide(owner.tenant_id):
            owner_assign(owner=owner, member=member, acting_user=PLANTER)

    def holder_of(self, owner: Owner) -> object:
        with context.tenant_wide(owner.tenant_id):
            return Owner.objects.get(pk=owner.pk).member_id

    @pytest.mark.parametrize("wanted", ["manager", "rep"])
    def test_is_not_changed_back(
        self, acme: Tenant, admin: Member, owner: Owner, other_rep: Member, wanted: str, client_of: ClientOf,
    ) -> None:  # fmt: skip
        browser, page = client_of(admin), f"{PEOPLE}owners/salesforce/{owner.external_id}/"
        seen = seen_on(browser, page)
        self.taken_meanwhile(owner, other_rep)
        chosen = cast.member_of(wanted)
        answer = browser.post(f"{page}assign/", {"member": str(chosen.id), "seen": seen})
        assert answer.status_code == 400
        assert f"are otto@acme.test’s now: {MEANWHILE}" in unescape(answer.content.decode())
        assert self.holder_of(owner) == other_rep.id
        assert denied(acme) == ["rbac.owner_changed_meanwhile"]

    def test_is_not_changed_back_by_the_api(
        self, admin: Member, owner: Owner, rep: Member, manager: Member, other_rep: Member, client_of: ClientOf,
    ) -> None:  # fmt: skip
        self.taken_meanwhile(owner, other_rep)
        address = f"/api/v1/w/acme-corp/owners/salesforce/{owner.external_id}/"
        body = {"member": str(manager.id), "seen": str(rep.id)}
        answer = client_of(admin).put(address, body, content_type="application/json")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "rbac.owner_changed_meanwhile")
        del body["seen"]
        assert client_of(admin).put(address, body, content_type="application/json").status_code == 200

    def test_is_changed_from_a_preview_that_is_not_stale(
        self, admin: Member, owner: Owner, manager: Member, client_of: ClientOf
    ) -> None:
        browser, page = client_of(admin), f"{PEOPLE}owners/salesforce/{owner.external_id}/"
        form = {"member": str(manager.id), "seen": seen_on(browser, page)}
        preview = browser.post(f"{page}preview/", form).content.decode()
        assert _FIELD.findall(preview) == [form["seen"]]
        assert browser.post(f"{page}assign/", form).status_code == 302
        assert self.holder_of(owner) == manager.id
