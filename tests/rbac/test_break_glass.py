"""The vendor's staff in a workspace's data: only with a reason, for hours, to read, in plain sight, and over by itself."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections
from django.db.models import F
from django.http.response import HttpResponseBase
from django.test import Client

from accounts.models import User
from accounts.signals import BY_KEY, METHOD_KEY
from audit.models import Event, PlatformEvent
from isolation import context
from isolation.errors import Forbidden
from isolation.proof import declared
from pages.objects import Table
from rbac.breakglass.door import VIEWING, visitor_of
from rbac.breakglass.errors import (
    MemberAlready,
    NotByMembership,
    OverAlready,
    StaffOnly,
    WorkspaceOff,
)
from rbac.breakglass.mails import WAITS, send_due
from rbac.breakglass.services import Stay, break_glass_end, break_glass_start
from rbac.grants import Term, role_grant
from rbac.models_breakglass import BreakGlass, BreakGlassMail
from rbac.selectors import actor_of
from tenants.models import Member, RoleCode, Tenant
from tenants.services import member_add, member_invite, member_role_change
from tests import cast
from tests.browser.addresses import addresses
from tests.browser.scene import plant
from tests.cast import PLANTER
from tests.conftest import WorkerDatabase
from tests.pipeline.deals import make_deal
from tests.test_permission_table import ALL, ROUTES, Route, Workspace

ClientOf = Callable[[Member | User], Client]
WHY = "Acme asked why two deals are missing, call 98123 45678"
LOG = "/w/acme-corp/settings/break-glass/"
ENTER = "/platform/workspaces/acme-corp/enter/"
HOME = "/w/acme-corp/deals/"


def begin(tenant: Tenant, operator: User, *, stay: Stay = Stay.QUARTER, reason: str = WHY) -> BreakGlass:
    actor = operator.as_operator()
    with context.platform("a test enters", actor):
        return break_glass_start(tenant=tenant, reason=reason, stay=stay, ticket="SUP-7", acting_user=actor)


def let_time_pass(stay: BreakGlass, by: timedelta) -> None:
    """What the clock would do: the whole stay lies so much earlier."""
    with context.platform("a test lets time pass", PLANTER):
        BreakGlass.objects.filter(pk=stay.pk).update(started_at=F("started_at") - by, until=F("until") - by)


def recorded(tenant: Tenant, code: str = "rbac.break_glass_read") -> list[Event]:
    with context.tenant_wide(tenant.id):
        return list(Event.objects.filter(code=code).order_by("at", "id"))


def body(answer: HttpResponseBase) -> str:
    content = b"".join(answer) if answer.streaming else answer.content  # type: ignore[attr-defined]  # either has one
    return str(content.decode())


@pytest.fixture
def browser(operator: User, client_of: ClientOf) -> Client:
    return client_of(operator)


@pytest.fixture
def stay(acme: Tenant, operator: User) -> BreakGlass:
    return begin(acme, operator)


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
        colleague = User.objects.create_user(
            email="oskar@vendor.test", password=cast.PASSWORD, is_operator=True
        )
        assert client_of(colleague).get(HOME).status_code == 404

    def test_not_for_whoever_is_no_operator_any_more(
        self, stay: BreakGlass, browser: Client, operator: User
    ) -> None:
        User.objects.filter(pk=operator.pk).update(is_operator=False)
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


@pytest.mark.django_db
class TestTellingTheCustomer:
    def test_by_mail_to_whoever_can_end_it(
        self, acme: Tenant, operator: User, admin: Member, analyst: Member, settings: LazySettings
    ) -> None:
        with context.tenant_wide(acme.id):  # the desk's admin looks after people, too
            role_grant(member=analyst, role="admin", term=Term(), reason="stands in", acting_user=PLANTER)
        begin(acme, operator)
        assert send_due() == 2
        assert {message.to[0] for message in mail.outbox} == {admin.email, analyst.email}
        message = mail.outbox[0]
        assert cast.OPERATOR in message.body
        assert "Acme asked why two deals are missing" in message.body
        assert "98123 45678" not in message.body
        assert "SUP-7" in message.body
        assert "America/Los Angeles" in message.body
        assert f"You can end it at once:\n\n{settings.WEB_URL}{LOG}" in message.body
        assert send_due() == 0

    def test_by_mail_to_everybody_where_nobody_can_end_it(self, partner: Member, operator: User) -> None:
        begin(partner.tenant, operator)
        send_due()
        assert [message.to for message in mail.outbox] == [[partner.email]]
        assert "end it" not in mail.outbox[0].body

    def test_again_and_again_while_the_mail_server_is_away(
        self, stay: BreakGlass, settings: LazySettings, admin: Member
    ) -> None:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        for _ in WAITS:
            assert send_due() == 1
            assert send_due() == 0
            _due_now()
        assert send_due() == 0
        with context.tenant_wide(stay.tenant_id):
            owed = BreakGlassMail.objects.get()
        assert owed.sent_at is None
        assert "mail server" in owed.error

    def test_on_every_page_of_those_who_read_the_log(
        self, stay: BreakGlass, admin: Member, rep: Member, stranger: Member, client_of: ClientOf
    ) -> None:
        page = body(client_of(admin).get(HOME))
        assert f"Vendor’s staff ({cast.OPERATOR}) can read this workspace until" in page
        assert "98123 45678" not in page
        assert LOG in page
        assert "Vendor’s staff" not in body(client_of(rep).get(HOME))
        assert "Vendor’s staff" not in body(client_of(stranger).get("/w/beta-inc/deals/"))
        let_time_pass(stay, timedelta(minutes=16))
        assert "can read this workspace until" not in body(client_of(admin).get(HOME))


def _due_now() -> None:
    with context.platform("make the next try due", PLANTER):
        BreakGlassMail.objects.update(next_attempt_at=F("next_attempt_at") - timedelta(days=2))


@pytest.mark.django_db
class TestTheLog:
    def table(self, client: Client, query: str = "") -> Table[Any]:
        table: Table[Any] = client.get(f"{LOG}?{query}").context["page"].table
        return table

    def test_is_empty_with_a_sentence(self, admin: Member, client_of: ClientOf) -> None:
        page = body(client_of(admin).get(LOG))
        assert "Nobody was here" in page

    def test_tells_who_why_how_long_and_how_much(
        self, stay: BreakGlass, browser: Client, admin: Member, client_of: ClientOf
    ) -> None:
        for _ in range(3):
            browser.get(HOME)
        (row,) = self.table(client_of(admin)).rows
        assert (row.operator, row.ticket, row.reads, row.state.label) == (
            cast.OPERATOR,
            "SUP-7",
            "3",
            "In force",
        )
        events = client_of(admin).get(row.reads_url).context["page"].table.rows
        assert [event.sentence for event in events] == [
            f"The vendor's staff ({cast.OPERATOR}) opened {HOME}"
        ] * 3

    def test_counts_each_stay_apart_and_filters(
        self,
        stay: BreakGlass,
        browser: Client,
        operator: User,
        acme: Tenant,
        admin: Member,
        client_of: ClientOf,
    ) -> None:
        browser.get(HOME)
        let_time_pass(stay, timedelta(hours=1))
        begin(acme, operator)
        browser.get(HOME)
        browser.get(HOME)
        theirs = client_of(admin)
        assert [row.reads for row in self.table(theirs).rows] == ["2", "1"]
        assert [row.reads for row in self.table(theirs, "sort=since").rows] == ["1", "2"]
        assert [row.state.label for row in self.table(theirs, "state=over").rows] == ["Time is over"]
        assert [row.reads for row in self.table(theirs, "state=open").rows] == ["2"]
        assert self.table(theirs, "operator=nobody").rows == []
        assert self.table(theirs, "to=2020-01-01").rows == []
        assert theirs.get(f"{LOG}?state=odd").status_code == 400

    def test_is_a_sheet_too(
        self, stay: BreakGlass, browser: Client, admin: Member, client_of: ClientOf
    ) -> None:
        browser.get(HOME)
        answer = client_of(admin).get(f"{LOG}export.csv")
        (row,) = csv.DictReader(io.StringIO(body(answer).removeprefix("\ufeff")))
        assert (row["id"], row["operator"], row["pages_opened"]) == (str(stay.id), cast.OPERATOR, "1")
        assert row["ended_utc"] == ""
        assert "98123 45678" not in row["reason"]

    def test_of_one_workspace_is_not_in_anothers(
        self, stay: BreakGlass, stranger: Member, client_of: ClientOf
    ) -> None:
        assert client_of(stranger).get("/w/beta-inc/settings/break-glass/").context["page"].table.rows == []


@pytest.mark.django_db
class TestThePlatformPage:
    PLACE = "/platform/workspaces/acme-corp/"

    def test_lists_own_stays_in_force(self, stay: BreakGlass, browser: Client) -> None:
        page = browser.get("/platform/workspaces/beta-inc/").context["page"]
        assert [(one.workspace, one.url) for one in page.enter.stays] == [("Acme Corp", "/w/acme-corp/")]
        assert page.enter.form is not None
        assert browser.get(self.PLACE).context["page"].enter.form is None

    def test_ends_nothing_that_is_not_there(self, stay: BreakGlass, browser: Client) -> None:
        foreign = f"/platform/workspaces/beta-inc/enter/{stay.id}/end/"
        assert browser.post(foreign).status_code == 404
        assert browser.get(HOME).status_code == 200


@pytest.mark.django_db
class TestTheCommand:
    def run(self, *arguments: str) -> dict[str, Any]:
        out = io.StringIO()
        call_command("break_glass", "--customer=acme-corp", *arguments, "--json", stdout=out)
        answer: dict[str, Any] = json.loads(out.getvalue())
        return answer

    def test_enters_and_ends(self, browser: Client, operator: User) -> None:
        begun = self.run(f"--as={cast.OPERATOR}", f"--reason={WHY}", "--hours=4")
        assert begun["operator"] == cast.OPERATOR
        assert browser.get(HOME).status_code == 200
        ended = self.run(f"--as={cast.OPERATOR}", "--end")
        assert ended["id"] == begun["id"]
        assert ended["ended_at"]
        assert browser.get(HOME).status_code == 404

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ((f"--as={cast.OPERATOR}",), "reason"),
            ((f"--as={cast.OPERATOR}", f"--reason={WHY}", "--hours=9"), "hours"),
            (("--as=ada@acme.test", f"--reason={WHY}"), "as"),
            ((f"--as={cast.OPERATOR}", "--end"), "end"),
        ],
    )
    def test_says_what_is_wrong(
        self, arguments: tuple[str, ...], field: str, operator: User, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = io.StringIO()
        with pytest.raises(SystemExit) as stopped:
            call_command("break_glass", "--customer=acme-corp", *arguments, "--json", stdout=out)
        assert stopped.value.code == 2
        assert json.loads(out.getvalue())["error"]["field"] == field
        with pytest.raises(CommandError) as refused:
            call_command("break_glass", "--customer=acme-corp", *arguments)
        assert refused.value.returncode == 2
