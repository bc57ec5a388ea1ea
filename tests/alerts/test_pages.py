"""Who sees and does what on the pages of this room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.http import HttpResponse
from django.test import Client

from alerts.delivery import claim_due, send
from alerts.models import Alert, BlockedRecipient, Channel, Delivery, Notice, Rule
from alerts.selectors import open_alert_count, unread_notice_count
from audit.models import Event
from isolation import context
from rbac.selectors import actor_of
from tenants.models import Member, Tenant
from tests.alerts.conftest import EVALUATOR, Level, alerts_in, deliveries_in

pytestmark = pytest.mark.django_db

SignedIn = Callable[[Any], Client]
Watch = Callable[..., Rule]
ROOT = "/w/acme-corp/alerts/"


@pytest.fixture
def alert(acme: Tenant, level: Level, watch: Watch) -> Alert:
    watch(acme)
    level.judge({acme.id: 0.14})
    return alerts_in(acme)[0]


@pytest.fixture
def rule(acme: Tenant, alert: Alert) -> Rule:
    with context.tenant_wide(acme.id):
        return Rule.objects.get(name="level")


def _text(response: HttpResponse) -> str:
    return response.content.decode()


def _rule_again(rule: Rule) -> Rule:
    with context.tenant_wide(rule.tenant_id):
        return Rule.objects.get(pk=rule.pk)


FORM = {"threshold": "20", "severity": "critical", "cooldown_minutes": "30", "is_enabled": "on"}


class TestTheList:
    def test_shows_everybody_in_the_workspace_what_is_open(
        self, alert: Alert, rep: Member, client_of: SignedIn
    ) -> None:
        response = client_of(rep).get(ROOT)
        assert response.status_code == 200
        assert "Share of tests that fail is 14 %, above the limit of 10 %." in _text(response)

    def test_offers_acknowledging_only_to_those_who_may(
        self, alert: Alert, rep: Member, analyst: Member, client_of: SignedIn
    ) -> None:
        assert "Acknowledge" not in _text(client_of(rep).get(ROOT))
        assert "Acknowledge" in _text(client_of(analyst).get(ROOT))

    @pytest.mark.parametrize(
        ("query", "is_shown"),
        [
            ("state=open", True),
            ("state=past", False),
            ("severity=warning", True),
            ("severity=critical", False),
            ("rule=level", True),
            ("rule=sync_delay", False),
        ],
    )
    def test_filters(
        self, alert: Alert, admin: Member, client_of: SignedIn, query: str, is_shown: bool
    ) -> None:
        assert ("is 14 %" in _text(client_of(admin).get(f"{ROOT}?{query}"))) is is_shown

    def test_says_what_a_filter_may_be(self, admin: Member, client_of: SignedIn) -> None:
        response = client_of(admin).get(f"{ROOT}?severity=loud")
        assert response.status_code == 400
        assert "Severity: there is no “loud”. Choose from: Info, Warning, Critical." in _text(response)

    def test_is_nothing_to_a_stranger(self, alert: Alert, stranger: Member, client_of: SignedIn) -> None:
        assert client_of(stranger).get(ROOT).status_code == 404

    def test_sends_the_signed_out_to_the_sign_in(self, acme: Tenant) -> None:
        assert Client().get(ROOT).status_code == 302

    def test_is_told_by_the_badge(self, acme: Tenant, alert: Alert) -> None:
        with context.tenant_wide(acme.id):
            assert open_alert_count(acme.id) == 1


class TestOneAlert:
    def test_shows_its_messages(self, alert: Alert, admin: Member, client_of: SignedIn) -> None:
        text = _text(client_of(admin).get(f"{ROOT}{alert.id}/"))
        assert "ada@acme.test" in text
        assert "Waiting" in text

    def test_leads_to_what_is_behind_it(self, alert: Alert, rep: Member, client_of: SignedIn) -> None:
        assert 'href="/w/acme-corp/deals/"' in _text(client_of(rep).get(f"{ROOT}{alert.id}/"))

    def test_of_another_workspace_is_not_there(
        self, alert: Alert, stranger: Member, client_of: SignedIn
    ) -> None:
        assert client_of(stranger).get(f"/w/beta-inc/alerts/{alert.id}/").status_code == 404

    def test_that_never_was_is_not_there(self, admin: Member, client_of: SignedIn) -> None:
        assert client_of(admin).get(f"{ROOT}{uuid4()}/").status_code == 404

    def test_can_be_taken_on(self, alert: Alert, acme: Tenant, analyst: Member, client_of: SignedIn) -> None:
        response = client_of(analyst).post(f"{ROOT}{alert.id}/acknowledge/", follow=True)
        assert "anna@acme.test" in _text(response)
        with context.tenant_wide(acme.id):
            assert (
                Event.objects.filter(code="alerts.alert_acknowledged", actor_label="anna@acme.test").count()
                == 1
            )

    def test_cannot_be_taken_on_once_it_has_closed(
        self, alert: Alert, acme: Tenant, level: Level, analyst: Member, client_of: SignedIn
    ) -> None:
        level.judge({acme.id: 0.01})
        response = client_of(analyst).post(f"{ROOT}{alert.id}/acknowledge/")
        assert response.status_code == 409
        assert "nothing to acknowledge" in _text(response)


class TestEveryChange:
    def _posts(self, tenant: Tenant) -> list[str]:
        with context.tenant_wide(tenant.id):
            channel = Channel.objects.get(kind="email")
            blocked = BlockedRecipient.objects.create(
                tenant=tenant, channel="email", recipient="x", reason="y"
            )
            alert, delivery, rule = (
                Alert.objects.get(),
                Delivery.objects.get(channel="email"),
                Rule.objects.get(name="level"),
            )
        return [
            f"{alert.id}/acknowledge/",
            f"deliveries/{delivery.id}/resend/",
            f"rules/{rule.id}/",
            f"channels/{channel.id}/switch/?to=off",
            f"blocked/{blocked.id}/lift/",
        ]

    def test_is_refused_to_whoever_may_only_look(
        self, acme: Tenant, alert: Alert, rep: Member, client_of: SignedIn
    ) -> None:
        client = client_of(rep)
        assert {client.post(ROOT + path).status_code for path in self._posts(acme)} == {403}

    def test_finds_nothing_in_another_workspace(
        self, acme: Tenant, alert: Alert, stranger: Member, client_of: SignedIn
    ) -> None:
        client, paths = client_of(stranger), self._posts(acme)
        assert {client.post(ROOT + path).status_code for path in paths} == {404}
        assert {client.post(f"/w/beta-inc/alerts/{path}", FORM).status_code for path in paths} == {404}

    def test_takes_a_post(self, acme: Tenant, alert: Alert, admin: Member, client_of: SignedIn) -> None:
        client = client_of(admin)
        paths = [path for path in self._posts(acme) if not path.startswith("rules/")]
        assert {client.get(ROOT + path).status_code for path in paths} == {405}


class TestTheForm:
    def test_saves_and_records_what_changed(
        self, rule: Rule, acme: Tenant, admin: Member, client_of: SignedIn
    ) -> None:
        assert client_of(admin).post(f"{ROOT}rules/{rule.id}/", FORM).status_code == 302
        saved = _rule_again(rule)
        assert (saved.threshold, saved.severity, saved.cooldown_minutes) == (0.2, "critical", 30)
        with context.tenant_wide(acme.id):
            facts = Event.objects.get(code="alerts.rule_saved").facts
        assert facts["changed"] == ["cooldown_minutes", "severity", "threshold"]

    def test_shows_a_ratio_as_a_percentage(self, rule: Rule, admin: Member, client_of: SignedIn) -> None:
        text = _text(client_of(admin).get(f"{ROOT}rules/{rule.id}/"))
        assert 'value="10"' in text
        assert "in percent" in text

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("threshold", "120", "The threshold must be from 0 % to 100 %"),
            ("threshold", "-1", "The threshold must be from 0 % to 100 %"),
            ("threshold", "nan", "Enter a number."),
            ("threshold", "", "This field is required."),
            ("cooldown_minutes", "4", "The cooldown must be from 5 minutes to 10,080 (a week)."),
            (
                "cooldown_minutes",
                "99999999999999999999",
                "The cooldown must be from 5 minutes to 10,080 (a week).",
            ),
            ("severity", "loud", "Select a valid choice."),
        ],
    )
    def test_says_what_would_be_right(
        self, rule: Rule, admin: Member, client_of: SignedIn, field: str, value: str, sentence: str
    ) -> None:
        response = client_of(admin).post(f"{ROOT}rules/{rule.id}/", {**FORM, field: value})
        assert response.status_code == 400
        assert sentence in _text(response)
        assert _rule_again(rule).threshold == 0.1

    def test_switches_a_rule_off_and_closes_its_alert(
        self, rule: Rule, acme: Tenant, admin: Member, client_of: SignedIn
    ) -> None:
        client_of(admin).post(f"{ROOT}rules/{rule.id}/", {k: v for k, v in FORM.items() if k != "is_enabled"})
        assert not _rule_again(rule).is_enabled
        assert not alerts_in(acme)[0].is_open


class TestTheRulesPage:
    def test_shows_rules_and_where_alerts_go(self, rule: Rule, rep: Member, client_of: SignedIn) -> None:
        text = _text(client_of(rep).get(f"{ROOT}rules/"))
        for words in (
            "Share of tests that fail is above 10 %",
            "sync_delay",
            "1 recipient",
            "Everyone in the workspace",
        ):
            assert words in text
        assert "Switch off" not in text

    def test_lifts_a_block(self, acme: Tenant, admin: Member, client_of: SignedIn) -> None:
        with context.tenant_wide(acme.id):
            BlockedRecipient.objects.create(
                tenant=acme, channel="email", recipient="ada@acme.test", reason="550 No such user."
            )
            path = f"{ROOT}blocked/{BlockedRecipient.objects.get().id}/lift/"
        client = client_of(admin)
        assert "550 No such user." in _text(client.get(f"{ROOT}rules/"))
        client.post(path)
        with context.tenant_wide(acme.id):
            assert not BlockedRecipient.objects.exists()

    def test_switches_a_channel(self, acme: Tenant, admin: Member, client_of: SignedIn) -> None:
        with context.tenant_wide(acme.id):
            channel = Channel.objects.get(kind="email")
        assert client_of(admin).post(f"{ROOT}channels/{channel.id}/switch/?to=sideways").status_code == 400
        client_of(admin).post(f"{ROOT}channels/{channel.id}/switch/?to=off")
        with context.tenant_wide(acme.id):
            assert not Channel.objects.get(kind="email").is_enabled


class TestNotices:
    @pytest.fixture
    def told(self, alert: Alert, acme: Tenant) -> None:
        with context.platform("send", EVALUATOR):
            claims = claim_due()
        in_app = {d.id for d in deliveries_in(acme) if d.channel == "in_app"}
        for claim in claims:
            if claim.delivery_id in in_app:
                send(claim)

    def _unread(self, member: Member) -> int:
        with context.tenant_wide(member.tenant_id):
            return unread_notice_count(actor_of(member), member)

    def test_are_read_by_each_member_alone(
        self, told: None, rep: Member, other_rep: Member, client_of: SignedIn
    ) -> None:
        client = client_of(rep)
        text = _text(client.get(f"{ROOT}notices/"))
        assert "Warning: level" in text
        until = text.partition("until=")[2].partition('"')[0].replace("&amp;", "&")
        assert client.post(f"{ROOT}notices/?until={until}").status_code == 302
        assert (self._unread(rep), self._unread(other_rep)) == (0, 1)

    def test_refuse_an_instant_that_is_none(self, told: None, rep: Member, client_of: SignedIn) -> None:
        for text in ("", "yesterday", "2026-13-41T00:00:00Z", "2026-01-01T00:00:00"):
            assert client_of(rep).post(f"{ROOT}notices/?until={text}").status_code == 400

    def test_for_admins_are_not_shown_to_a_rep(
        self, acme: Tenant, rep: Member, admin: Member, client_of: SignedIn
    ) -> None:
        with context.tenant_wide(acme.id):
            Notice.objects.create(
                tenant=acme, key="k", audience="admins", severity="warning", title="For admins", text="x"
            )
        assert "For admins" not in _text(client_of(rep).get(f"{ROOT}notices/"))
        assert "For admins" in _text(client_of(admin).get(f"{ROOT}notices/"))


def test_ids_in_addresses_tell_nothing_about_other_workspaces(alert: Alert) -> None:
    assert isinstance(alert.id, UUID)
