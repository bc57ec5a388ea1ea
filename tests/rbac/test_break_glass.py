"""The vendor's staff in a workspace's data: only with a reason, for hours, to read, in plain sight, and over by itself."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections
from django.db.models import F
from django.test import Client

from accounts.models import User
from accounts.services import user_create
from accounts.signals import BY_KEY, METHOD_KEY
from audit.models import PlatformEvent
from isolation import context
from isolation.errors import Forbidden
from isolation.proof import declared
from rbac.breakglass.door import VIEWING, visitor_of
from rbac.breakglass.errors import (
    MemberAlready,
    NotByMembership,
    OverAlready,
    StaffOnly,
    WorkspaceOff,
)
from rbac.breakglass.services import Stay, break_glass_end, break_glass_start
from rbac.models_breakglass import BreakGlass
from rbac.selectors import actor_of
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_add, member_invite, member_role_change
from tests import cast
from tests.browser.addresses import addresses
from tests.browser.scene import plant
from tests.cast import PLANTER
from tests.conftest import WorkerDatabase
from tests.pipeline.deals import make_deal
from tests.rbac.stays import ENTER, HOME, LOG, WHY, ClientOf, begin, body, let_time_pass, recorded
from tests.test_permission_table import ALL, ROUTES, Route, Workspace


@pytest.mark.django_db
class TestEntering:
    def test_leads_from_the_platform_page_into_the_data(
        self, browser: Client, rep: Member, acme: Tenant
    ) -> None:
        make_deal(rep, name="Northwind renewal")
        assert browser.get(HOME).status_code == 404
        answer = browser.post(ENTER, {"reason": WHY, "stay": "60", "ticket": "SUP-7"})
        assert (answer.status_code, answer["Location"]) == (302, "/w/acme-corp/")
        assert "Northwind renewal" in body(browser.get(HOME))
        with context.tenant_wide(acme.id):
            begun = BreakGlass.objects.get()
        assert begun.until - begun.started_at == timedelta(hours=1)
        assert (begun.reason, begun.ticket, begun.operator_label) == (WHY, "SUP-7", cast.OPERATOR)

    def test_is_on_record_in_the_customers_log_and_in_the_vendors(
        self, stay: BreakGlass, acme: Tenant
    ) -> None:
        (event,) = recorded(acme, "rbac.break_glass_started")
        assert (event.actor_kind, event.actor_label) == ("operator", cast.OPERATOR)
        assert event.facts["reason"] == WHY
        with context.platform("read the log", PLANTER):
            assert PlatformEvent.objects.filter(code="rbac.break_glass_started").get().facts == event.facts

    @pytest.mark.parametrize(
        "reason", ["", "look", "    too    short   ", "with a\x00NUL in the middle of it"]
    )
    def test_needs_a_reason_that_a_customer_would_understand(
        self, reason: str, browser: Client, acme: Tenant
    ) -> None:
        answer = browser.post(ENTER, {"reason": reason, "stay": "60"})
        assert answer.status_code == 400
        assert "15 characters" in body(answer) or "plain" in body(answer) or "Null characters" in body(answer)
        assert browser.get(HOME).status_code == 404

    @pytest.mark.parametrize("minutes", ["", "0", "300", "-15", "abc", "1e3"])
    def test_is_for_one_of_three_lengths(self, minutes: str, browser: Client) -> None:
        assert browser.post(ENTER, {"reason": WHY, "stay": minutes}).status_code == 400
        assert browser.get(HOME).status_code == 404

    def test_for_more_than_four_hours_is_refused_by_the_table_itself(self, stay: BreakGlass) -> None:
        with (
            pytest.raises(IntegrityError, match="rbac_breakglass_at_most"),
            context.tenant_wide(stay.tenant_id),
        ):
            BreakGlass.objects.filter(pk=stay.pk).update(
                until=F("started_at") + timedelta(hours=4, seconds=1)
            )

    def test_twice_is_refused(self, stay: BreakGlass, browser: Client) -> None:
        answer = browser.post(ENTER, {"reason": WHY, "stay": "60"})
        assert answer.status_code == 400
        assert "in the data of Acme Corp already" in body(answer)

    def test_is_possible_again_after_the_end(self, stay: BreakGlass, acme: Tenant, operator: User) -> None:
        let_time_pass(stay, timedelta(minutes=15))
        assert begin(acme, operator).id != stay.id

    def test_is_for_operators_who_act_as_themselves(
        self, acme: Tenant, admin: Member, stay: BreakGlass, client_of: ClientOf
    ) -> None:
        for actor in (PLANTER, actor_of(admin), visitor_of(stay)):
            with pytest.raises(StaffOnly), context.tenant_wide(acme.id):
                break_glass_start(tenant=acme, reason=WHY, stay=Stay.HOUR, acting_user=actor)
        assert client_of(admin).post(ENTER, {"reason": WHY, "stay": "60"}).status_code == 403

    def test_is_not_for_a_member_who_can_open_it_anyway(self, acme: Tenant, operator: User) -> None:
        with context.tenant_wide(acme.id):
            member_add(tenant=acme, user=operator, role=RoleCode.SALES_REP, acting_user=PLANTER)
        with pytest.raises(MemberAlready):
            begin(acme, operator)

    def test_is_not_for_a_workspace_that_is_switched_off(self, acme: Tenant, operator: User) -> None:
        with context.platform("switch off", PLANTER):
            Tenant.objects.filter(pk=acme.pk).update(is_active=False)
        with pytest.raises(WorkspaceOff):
            begin(acme, operator)


@pytest.mark.django_db
class TestTheWayAround:
    def test_by_a_place_of_ones_own_is_shut_and_on_record(self, browser: Client, acme: Tenant) -> None:
        answer = browser.post(
            "/platform/workspaces/acme-corp/members/",
            {"email": cast.OPERATOR.upper(), "name": "Olga", "role": "customer_admin"},
        )
        assert answer.status_code == 403
        assert "vendor's staff" in body(answer) or "vendor&#x27;s staff" in body(answer)
        assert browser.get(HOME).status_code == 404
        (event,) = recorded(acme, "rbac.role_change_denied")
        assert event.facts["refused_as"] == NotByMembership.code

    def test_by_letting_oneself_in_again_is_shut(self, browser: Client, acme: Tenant, operator: User) -> None:
        with context.tenant_wide(acme.id):
            mine = member_add(tenant=acme, user=operator, role=RoleCode.SALES_REP, acting_user=PLANTER)
        place = f"/platform/workspaces/acme-corp/members/{mine.id}/"
        assert browser.post(f"{place}end/", {"reason": "moved to support"}).status_code == 302
        assert browser.post(f"{place}again/").status_code == 403

    def test_through_django_admin_is_shut(self, browser: Client) -> None:
        index = body(browser.get("/admin/"))
        assert "/admin/audit/platformevent/" in index
        for gone in ("audit/event", "crm_sync/opportunity", "operations/priorityitem", "rbac/breakglass"):
            assert f"/admin/{gone}/" not in index
            assert browser.get(f"/admin/{gone}/").status_code == 404


@pytest.mark.django_db
class TestInside:
    def test_only_the_workspace_that_was_entered_opens(self, stay: BreakGlass, browser: Client) -> None:
        assert browser.get(HOME).status_code == 200
        assert browser.get("/w/beta-inc/deals/").status_code == 404
        assert browser.get("/w/no-such-place/deals/").status_code == 404
        assert browser.get("/api/v1/w/beta-inc/deals/").status_code == 404

    def test_only_for_the_operator_who_entered(self, stay: BreakGlass, client_of: ClientOf) -> None:
        colleague = user_create(
            email="oskar@vendor.test", name="", password=None, is_operator=True, acting_user=PLANTER
        )
        assert client_of(colleague).get(HOME).status_code == 404

    def test_not_for_whoever_is_no_operator_any_more(
        self, stay: BreakGlass, browser: Client, operator: User
    ) -> None:
        cast.account_set(operator, is_operator=False)
        assert browser.get(HOME).status_code == 404

    def test_every_deal_shows_and_contact_data_stays_masked(
        self, stay: BreakGlass, browser: Client, rep: Member, distant_rep: Member
    ) -> None:
        scene = plant()
        assert "Deal 00" in body(browser.get(HOME))
        item = body(browser.get(f"/w/acme-corp/queue/{scene.item.id}/"))
        assert "98123 45678" not in item
        assert "usha@example.com" not in item
        assert "xxxx" in item.lower() or "•" in item or "*" in item

    def test_the_rights_are_a_fixed_set_of_views(self) -> None:
        assert {code.rpartition(".")[2] for code in VIEWING} == {"view"}
        assert VIEWING.isdisjoint({"bookings.view", "users.view", "exports.run", "crm.contact_data"})

    def test_the_platform_context_is_out_of_reach(self, stay: BreakGlass) -> None:
        with pytest.raises(PermissionError), context.platform("a visitor tries", visitor_of(stay)):
            pass

    def test_services_refuse_the_visitor(self, stay: BreakGlass, acme: Tenant, rep: Member) -> None:
        visitor = visitor_of(stay)
        with context.tenant_wide(acme.id):
            with pytest.raises(Forbidden):
                member_invite(
                    tenant=acme, email="x@vendor.test", name="", role=RoleCode.SALES_REP, acting_user=visitor
                )
            with pytest.raises(Forbidden):
                member_role_change(member=rep, role=RoleCode.REVOPS_ANALYST, acting_user=visitor)
            with pytest.raises(Forbidden):
                break_glass_end(stay=stay, acting_user=visitor)

    def test_the_page_says_who_you_are_until_when_and_why(self, stay: BreakGlass, browser: Client) -> None:
        page = body(browser.get(HOME))
        assert "You are in Acme Corp’s data as the vendor’s staff until" in page
        assert "Acme asked why two deals are missing" in page
        assert f'action="/platform/workspaces/acme-corp/enter/{stay.id}/end/"' in page
        assert "Vendor’s staff, to read" in page

    def test_a_refusals_page_says_so_too(self, stay: BreakGlass, browser: Client) -> None:
        answer = browser.get("/w/acme-corp/settings/people/add/")
        assert answer.status_code == 403
        assert "Every page you open is recorded" in body(answer)

    def test_the_session_of_an_access_key_does_not_open_it(self, stay: BreakGlass, browser: Client) -> None:
        session = browser.session
        session[METHOD_KEY] = BY_KEY
        session.save()
        assert browser.get(HOME).status_code == 404


def _is_answered(route: Route) -> bool:
    line = ROUTES.get(route.name)
    return isinstance(line, Workspace) and line.get != 405


@pytest.mark.django_db
class TestEveryRoute:
    @pytest.mark.parametrize("route", [one for one in ALL if _is_answered(one)], ids=str)
    def test_reading_is_answered_by_right_and_on_record_once(
        self, route: Route, stay: BreakGlass, browser: Client, acme: Tenant
    ) -> None:
        line = ROUTES[route.name]
        assert isinstance(line, Workspace)
        answer = browser.get(route.address, {"q": "Call 98123 45678"})
        body(answer)
        may = {line.read, line.also} - {""} <= VIEWING
        assert answer.status_code == (line.get if may else 403)
        assert answer.status_code in (200, 403, 404)
        (event,) = recorded(acme)
        assert (event.facts["path"], event.facts["view"]) == (route.address, route.name)
        assert "98123 45678" not in json.dumps(event.facts)
        assert (event.target_id, event.actor_kind, event.actor_label) == (
            str(stay.id),
            "operator",
            cast.OPERATOR,
        )

    def test_changing_is_refused_and_changes_no_row(
        self, stay: BreakGlass, browser: Client, acme: Tenant
    ) -> None:
        before = _rows_of(acme)
        for route in (one for one in ALL if isinstance(ROUTES.get(one.name), Workspace)):
            for method in ("post", "put", "patch", "delete", "options"):
                answer = getattr(browser, method)(route.address, {}, content_type="application/json")
                assert answer.status_code in (403, 405), (route.name, method, answer.status_code)
        assert _rows_of(acme) == before
        assert recorded(acme) == []


def _rows_of(tenant: Tenant) -> dict[str, Any]:
    """A digest of every row that the workspace has, but for the log."""
    found = {}
    tables = sorted(declared().tables.keys() - {"audit_event"})
    with context.tenant_wide(tenant.id), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {table} t")
            found[table] = cursor.fetchone()
    return found


@pytest.mark.django_db
class TestReadingEverythingThereIs:
    def test_changes_no_row_and_shows_no_contact_data(
        self, browser: Client, acme: Tenant, operator: User
    ) -> None:
        """Over the filled scene: each page of the route table, with real ids, as the operator."""
        scene = plant()
        begin(acme, operator)
        known = {
            name: address for name, address in addresses(scene, cast.ACME).items()
            if address.startswith(f"/w/{cast.ACME}/")
        }  # fmt: skip
        before, opened = _rows_of(acme), {}
        for name, address in known.items():
            answer = browser.get(address)
            text = body(answer)
            if answer.status_code == 200:
                opened[name] = text
        assert _rows_of(acme) == before
        assert len(opened) > 30, sorted(opened)
        planted = ("98123 45678", "9812345678", "usha@example.com")
        assert [name for name, text in opened.items() if any(one in text for one in planted)] == []


@pytest.mark.django_db
class TestTheEnd:
    def test_comes_by_the_clock(self, stay: BreakGlass, browser: Client, acme: Tenant) -> None:
        assert browser.get(HOME).status_code == 200
        let_time_pass(stay, timedelta(minutes=14, seconds=30))
        assert browser.get(HOME).status_code == 200
        let_time_pass(stay, timedelta(seconds=31))
        for address in (HOME, "/api/v1/w/acme-corp/deals/", "/w/acme-corp/audit/export.csv"):
            answer = browser.get(address)
            assert answer.status_code == 404
            assert "Acme Corp" not in body(answer)
        assert browser.post("/w/acme-corp/alerts/notices/").status_code == 404
        assert len(recorded(acme)) == 2

    def test_is_the_operators_own_decision(self, stay: BreakGlass, browser: Client, acme: Tenant) -> None:
        answer = browser.post(f"{ENTER}{stay.id}/end/")
        assert answer["Location"] == "/platform/workspaces/acme-corp/"
        assert browser.get(HOME).status_code == 404
        (event,) = recorded(acme, "rbac.break_glass_ended")
        assert event.actor_label == cast.OPERATOR

    def test_is_an_admins_decision_at_any_time(
        self, stay: BreakGlass, browser: Client, admin: Member, client_of: ClientOf, acme: Tenant
    ) -> None:
        theirs = client_of(admin)
        assert "End this access" in body(theirs.get(LOG))
        answer = theirs.post(f"{LOG}{stay.id}/end/", follow=True)
        assert "cannot read this workspace any more" in body(answer)
        assert browser.get(HOME).status_code == 404
        (event,) = recorded(acme, "rbac.break_glass_ended")
        assert event.actor_label == admin.email
        with context.platform("read the log", PLANTER):
            assert PlatformEvent.objects.filter(
                code="rbac.break_glass_ended", actor_label=admin.email
            ).exists()

    def test_is_no_decision_of_an_analyst_or_of_another_workspace(
        self, stay: BreakGlass, browser: Client, analyst: Member, stranger: Member, client_of: ClientOf
    ) -> None:
        assert client_of(analyst).post(f"{LOG}{stay.id}/end/").status_code == 403
        assert "End this access" not in body(client_of(analyst).get(LOG))
        assert client_of(stranger).post(f"{LOG}{stay.id}/end/").status_code == 404
        foreign = f"/w/beta-inc/settings/break-glass/{stay.id}/end/"
        assert client_of(stranger).post(foreign).status_code == 404
        assert browser.get(HOME).status_code == 200

    def test_comes_once(self, stay: BreakGlass, admin: Member, client_of: ClientOf) -> None:
        theirs = client_of(admin)
        theirs.post(f"{LOG}{stay.id}/end/")
        answer = theirs.post(f"{LOG}{stay.id}/end/")
        assert answer.status_code == 409
        assert "over already" in body(answer)

    def test_is_not_put_off_by_ending_what_time_has_ended(self, stay: BreakGlass) -> None:
        let_time_pass(stay, timedelta(hours=1))
        with pytest.raises(OverAlready), context.tenant_wide(stay.tenant_id):
            break_glass_end(stay=stay, acting_user=PLANTER)


class TestTheRecord:
    def test_is_needed_for_the_answer(
        self, committed: WorkerDatabase, operator: User, rep: Member, client_of: ClientOf
    ) -> None:
        """Where the event cannot be written, no data leaves: pages, files and the API alike."""
        make_deal(rep, name="Northwind renewal")
        begin(rep.tenant, operator)
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "ALTER TABLE audit_event ADD CONSTRAINT no_reads CHECK (code <> 'rbac.break_glass_read') NOT VALID"
            )
        browser = client_of(operator)
        browser.raise_request_exception = False
        for address in (HOME, "/w/acme-corp/audit/export.csv", "/api/v1/w/acme-corp/deals/"):
            answer = browser.get(address)
            assert answer.status_code == 500
            assert "Northwind" not in body(answer)

    def test_of_a_file_is_there_before_its_first_line(
        self, committed: WorkerDatabase, operator: User, acme: Tenant, client_of: ClientOf
    ) -> None:
        begun = begin(acme, operator)
        answer = client_of(operator).get("/w/acme-corp/audit/export.csv")
        assert answer.streaming
        (event,) = recorded(acme)
        assert event.facts["view"] == "audit:export"
        # What was started in time goes on; what is started after is not there.
        let_time_pass(begun, timedelta(minutes=16))
        assert "rbac.break_glass_started" in body(answer)
        assert client_of(operator).get("/w/acme-corp/audit/export.csv").status_code == 404

    def test_stays_when_the_page_fails_or_is_refused(
        self, committed: WorkerDatabase, operator: User, acme: Tenant, client_of: ClientOf
    ) -> None:
        begin(acme, operator)
        browser = client_of(operator)
        assert browser.get("/w/acme-corp/settings/people/add/").status_code == 403
        assert browser.get("/w/acme-corp/deals/006NOTHERE/").status_code == 404
        assert browser.post("/w/acme-corp/settings/people/add/").status_code == 403
        assert [event.facts["view"] for event in recorded(acme)] == ["people:add", "pipeline:deal"]
        (refused,) = recorded(acme, "rbac.break_glass_write_refused")
        assert (refused.facts["method"], refused.facts["view"]) == ("POST", "people:add")
