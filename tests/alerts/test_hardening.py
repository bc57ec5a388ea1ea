"""Addresses stay with those who look after them; a silent server costs little; a try counts when it is made."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from alerts import delivery, reach, tasks
from alerts.delivery import Claim, claim_due, in_hands, send, send_in_turn
from alerts.models import BlockedRecipient, Delivery, DeliveryState, NoticeMark, Rule
from isolation import context
from tenants.models import Member, Tenant
from tests.alerts.conftest import EVALUATOR, Level, MailServer, alerts_in, deliveries_in

pytestmark = pytest.mark.django_db

SignedIn = Callable[[Any], Client]
Watch = Callable[..., Rule]
ROOT = "/w/acme-corp/alerts/"
ADDRESS = "ada@acme.test"


@pytest.fixture
def fired(acme: Tenant, level: Level, watch: Watch) -> Tenant:
    watch(acme)
    level.judge({acme.id: 0.14})
    return acme


def _claims() -> list[Claim]:
    with context.platform("claim messages", EVALUATOR):
        return claim_due()


def _mails(tenant: Tenant) -> list[Delivery]:
    return [one for one in deliveries_in(tenant) if one.channel == "email"]


def _make_due(tenant: Tenant) -> None:
    long_ago = timezone.now() - timedelta(minutes=1)
    with context.tenant_wide(tenant.id):
        Delivery.objects.exclude(leased_until=None).update(leased_until=long_ago)
        Delivery.objects.update(next_attempt_at=long_ago)


def _text(response: Any) -> str:
    return str(response.content.decode())


class TestRecipients:
    @pytest.fixture(autouse=True)
    def _failed(self, fired: Tenant) -> None:
        reason = f"The mail server refused {ADDRESS}: 550"
        with context.tenant_wide(fired.id):
            Delivery.objects.filter(channel="email").update(state=DeliveryState.FAILED, error=reason)
            BlockedRecipient.objects.create(
                tenant=fired, channel="email", recipient="x@acme.test", reason=reason
            )

    def test_are_not_named_to_those_who_may_not_change_them(
        self, fired: Tenant, rep: Member, client_of: SignedIn
    ) -> None:
        client, (alert,) = client_of(rep), alerts_in(fired)
        for page in (f"{ROOT}rules/", f"{ROOT}{alert.id}/"):
            text = _text(client.get(page))
            assert "1 recipient" in text
            assert "@acme.test" not in text.replace("rita@acme.test", "")  # the reader's own
        api = _text(client.get(f"/api/v1/w/acme-corp/alerts/{alert.id}/"))
        assert "@acme.test" not in api

    def test_are_named_to_those_who_may(self, fired: Tenant, admin: Member, client_of: SignedIn) -> None:
        client, (alert,) = client_of(admin), alerts_in(fired)
        assert "x@acme.test" in _text(client.get(f"{ROOT}rules/"))
        assert f"refused {ADDRESS}: 550" in _text(client.get(f"{ROOT}{alert.id}/"))


class TestMarkingNoticesAsRead:
    @pytest.mark.parametrize(
        "until",
        [
            "9999-12-31T23:59:59-12:00",
            "9999-12-31T23:59:59-23:59",
            "0001-01-01T00:00:00+23:59",
            "1969-12-31T23:59:59Z",
            "2026-13-01T00:00:00Z",
            "\x00",
        ],
    )
    def test_refuses_an_instant_that_cannot_be(
        self, fired: Tenant, rep: Member, client_of: SignedIn, until: str
    ) -> None:
        client = client_of(rep)
        response = client.post(f"{ROOT}notices/", QUERY_STRING="", query_params={"until": until})
        assert response.status_code == 400
        with context.tenant_wide(fired.id):
            assert not NoticeMark.objects.exists()
        assert client.get(f"{ROOT}notices/").status_code == 200

    def test_refuses_the_future(self, rep: Member, client_of: SignedIn) -> None:
        tomorrow = (timezone.now() + timedelta(days=1)).isoformat()
        response = client_of(rep).post(f"{ROOT}notices/", query_params={"until": tomorrow})
        assert response.status_code == 400
        assert "in the future" in _text(response)


class TestAClaim:
    def test_that_waits_too_long_is_no_try(self, fired: Tenant, mail_server: MailServer) -> None:
        for _ in range(delivery.MAX_ATTEMPTS + 1):
            assert len(_claims()) == 2
            _make_due(fired)
        assert {one.attempts for one in deliveries_in(fired)} == {0}
        for claim in _claims():
            send(claim)
        assert {(one.state, one.attempts) for one in deliveries_in(fired)} == {("sent", 1)}

    def test_is_good_for_one_sender(self, fired: Tenant, mail_server: MailServer) -> None:
        first = _claims()
        _make_due(fired)
        second = _claims()
        assert [send(claim) for claim in first] == ["sent", "sent"]
        assert [send(claim) for claim in second] == [None, None]
        assert mail_server.recipients == [ADDRESS]

    def test_begins_its_lease_anew_when_the_sender_starts(self, fired: Tenant) -> None:
        claims = _claims()
        _make_due(fired)
        for claim in claims:
            started = delivery._started(claim)
            assert started is not None
            assert started.leased_until is not None
            assert started.leased_until > timezone.now() + timedelta(minutes=1)


class TestHandingOut:
    def test_is_in_small_batches_of_one_workspace_and_channel(
        self, acme: Tenant, beta: Tenant, level: Level, watch: Watch
    ) -> None:
        for number in range(25):
            watch(acme, name=f"rule {number}")
        watch(beta)
        level.judge({acme.id: 0.5, beta.id: 0.5})
        hands = list(in_hands(_claims()))
        assert sorted(len(hand) for hand in hands) == [1, 1, 5, 5, 20, 20]
        for hand in hands:
            assert len({(claim.tenant_id, claim.channel) for claim in hand}) == 1

    def test_ends_after_half_a_minute_and_gives_the_rest_back_untried(
        self, fired: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "ONE_HANDS_TIME", timedelta(0))
        send_in_turn(_claims())
        assert {(one.state, one.attempts) for one in deliveries_in(fired)} == {("pending", 0)}
        _make_due(fired)  # the whole test is one transaction, in which the database's clock stands still
        assert len(_claims()) == 2

    def test_leaves_time_for_the_last_message(self) -> None:
        assert delivery.ONE_HANDS_TIME.total_seconds() + 30 < tasks.send.soft_time_limit


class TestAServerThatNeverAnswers:
    @pytest.fixture(autouse=True)
    def _silent_server(self, settings: LazySettings) -> Iterator[None]:
        with socket.create_server(("127.0.0.1", 0), backlog=20) as server:  # takes connections, says nothing
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()
            settings.EMAIL_TIMEOUT = 0.5
            yield
        reach.answered("email")

    def test_keeps_one_message_waiting_and_no_other(self, acme: Tenant, level: Level, watch: Watch) -> None:
        for number in range(5):
            watch(acme, name=f"rule {number}")
        level.judge({acme.id: 0.5})
        begun = time.monotonic()
        for hand in in_hands(_claims()):
            send_in_turn(hand)
        assert time.monotonic() - begun < 2.5  # one wait of half a second; five would be more
        assert sorted(mail.attempts for mail in _mails(acme)) == [0, 0, 0, 0, 1]
        assert {mail.state for mail in _mails(acme)} == {"pending"}
        assert all(mail.next_attempt_at > timezone.now() for mail in _mails(acme))
        assert {one.state for one in deliveries_in(acme) if one.channel == "in_app"} == {"sent"}

    def test_is_looked_at_again_by_one_sender_after_a_pause(
        self, fired: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reach, "PAUSE", timedelta(seconds=1))
        reach.kept_silent("email")
        assert not reach.may_try("email")
        time.sleep(1.2)
        assert [reach.may_try("email") for _ in range(3)] == [True, False, False]

    def test_gets_everything_once_it_answers(self, fired: Tenant, settings: LazySettings) -> None:
        for claim in _claims():
            send(claim)
        _make_due(fired)
        reach.answered("email")
        with MailServer() as server:
            settings.EMAIL_PORT = server.port
            for claim in _claims():
                send(claim)
            assert server.recipients == [ADDRESS]
        assert reach.may_try("email")
        assert reach.may_try("email")
