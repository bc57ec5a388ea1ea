"""What a stay of the vendor's staff tells: mails, notices, the log, the platform's page, the command."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.management import CommandError, call_command
from django.db.models import F
from django.test import Client

from accounts.models import User
from isolation import context
from pages.objects import Table
from rbac.breakglass.mails import WAITS, send_due
from rbac.grants import Term, role_grant
from rbac.models_breakglass import BreakGlass, BreakGlassMail
from tenants.models import Member, Tenant
from tests import cast
from tests.cast import PLANTER
from tests.rbac.stays import HOME, LOG, WHY, ClientOf, begin, body, let_time_pass


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
