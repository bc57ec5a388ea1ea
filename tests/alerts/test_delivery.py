"""Messages go out at least once, and never get lost: a real mail server, real refusals, a sender killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import LazySettings
from django.db import connections
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from alerts import delivery
from alerts.channels.base import PassingError
from alerts.delivery import LONGEST_WAIT, MAX_ATTEMPTS, Claim, claim_due, send, wait_after
from alerts.errors import DeliveryUnderWay, RecipientIsBlocked
from alerts.models import BlockedRecipient, Delivery, DeliveryState, Rule
from alerts.services import delivery_resend, recipient_unblock
from audit.models import Event
from isolation import context
from isolation.errors import Forbidden
from rbac.selectors import actor_of
from tenants.models import Member, Tenant
from tests.alerts.conftest import EVALUATOR, Level, MailServer, deliveries_in, notices_in
from tests.conftest import WorkerDatabase

Watch = Callable[..., Rule]


def _claims(batch: int = 200) -> list[Claim]:
    with context.platform("claim messages", EVALUATOR):
        return claim_due(batch)


def _send_all() -> None:
    for claim in _claims():
        send(claim)


def _mail_of(tenant: Tenant) -> Delivery:
    (mail,) = [d for d in deliveries_in(tenant) if d.channel == "email"]
    return mail


def _make_due(tenant: Tenant) -> None:
    """As if every wait and every lease were over."""
    long_ago = timezone.now() - timedelta(minutes=1)
    with context.tenant_wide(tenant.id):
        Delivery.objects.exclude(leased_until=None).update(leased_until=long_ago)
        Delivery.objects.update(next_attempt_at=long_ago)


@pytest.fixture
def fired(acme: Tenant, level: Level, watch: Watch) -> Tenant:
    """Acme with one alert whose two messages wait."""
    watch(acme)
    level.judge({acme.id: 0.14})
    return acme


@pytest.mark.django_db
class TestAMessage:
    def test_reaches_the_mail_server_and_the_app_once_each(
        self, fired: Tenant, mail_server: MailServer
    ) -> None:
        _send_all()
        _send_all()
        assert mail_server.recipients == ["ada@acme.test"]
        (notice,) = notices_in(fired)
        assert notice.title == "Warning: level"
        assert {d.state for d in deliveries_in(fired)} == {DeliveryState.SENT}

    def test_says_what_was_found_where_and_how_to_get_there(
        self, fired: Tenant, mail_server: MailServer, settings: LazySettings
    ) -> None:
        settings.WEB_URL = "https://hub.example"
        _send_all()
        mail, sent = mail_server.mails[0], _mail_of(fired)
        assert mail["Subject"] == "[Acme Corp] Warning: level"
        assert mail["Message-ID"] == f"<{sent.id}.0@revops-hub.localhost>"
        for kind in ("plain", "html"):
            part = mail.get_body((kind,))
            assert part is not None
            text = part.get_content()
            assert "Share of tests that fail is 14 %, above the limit of 10 %." in text
            assert f"https://hub.example/w/acme-corp/alerts/{sent.alert_id}/" in text

    def test_that_goes_out_late_says_that_it_is_over_by_now(
        self, fired: Tenant, level: Level, mail_server: MailServer
    ) -> None:
        level.judge({fired.id: 0.01})
        _send_all()
        part = mail_server.mails[0].get_body(("plain",))
        assert part is not None
        assert "above the limit of 10 %. It has recovered since." in part.get_content()

    def test_waits_and_goes_out_later_when_the_server_is_busy(
        self, fired: Tenant, mail_server: MailServer
    ) -> None:
        mail_server.busy = 1
        _send_all()
        mail = _mail_of(fired)
        assert mail.state == DeliveryState.PENDING
        assert "451 Try again later" in mail.error
        assert mail.next_attempt_at > timezone.now()
        assert _claims() == []
        _make_due(fired)
        _send_all()
        assert mail_server.recipients == ["ada@acme.test"]
        assert (_mail_of(fired).state, _mail_of(fired).attempts, _mail_of(fired).error) == (
            DeliveryState.SENT,
            2,
            "",
        )

    def test_waits_when_there_is_no_server_at_all(
        self, fired: Tenant, mail_server: MailServer, settings: LazySettings
    ) -> None:
        settings.EMAIL_PORT = 1
        _send_all()
        assert _mail_of(fired).state == DeliveryState.PENDING
        assert "did not take the message" in _mail_of(fired).error

    def test_is_given_up_after_the_last_try_and_the_admins_are_told(
        self, fired: Tenant, mail_server: MailServer
    ) -> None:
        mail_server.busy = 100
        for _ in range(MAX_ATTEMPTS):
            _make_due(fired)
            _send_all()
        assert _mail_of(fired).state == DeliveryState.FAILED
        _make_due(fired)
        assert _claims() == []
        assert [n.audience for n in notices_in(fired)] == ["everyone", "admins"]


@pytest.mark.django_db
class TestAnAddressThatRefusesForGood:
    @pytest.fixture(autouse=True)
    def _refusing(self, fired: Tenant, mail_server: MailServer) -> None:
        mail_server.refuse["ada@acme.test"] = "550 No such user"
        _send_all()

    def test_is_not_tried_again(self, fired: Tenant) -> None:
        assert _mail_of(fired).state == DeliveryState.FAILED
        _make_due(fired)
        assert _claims() == []

    def test_is_told_to_the_admins_in_the_app(self, fired: Tenant) -> None:
        told = [n for n in notices_in(fired) if n.audience == "admins"]
        assert [n.title for n in told] == ["A message to ada@acme.test could not be delivered"]
        assert "550 No such user" in told[0].text

    def test_gets_no_further_messages_until_an_admin_lifts_the_block(
        self, fired: Tenant, admin: Member, level: Level, watch: Watch
    ) -> None:
        watch(fired, name="second")
        level.judge({fired.id: 0.3})
        assert len([d for d in deliveries_in(fired) if d.channel == "email"]) == 1
        with context.tenant_wide(fired.id):
            recipient_unblock(blocked=BlockedRecipient.objects.get(), acting_user=actor_of(admin))
        watch(fired, name="third")
        level.judge({fired.id: 0.3})
        assert len([d for d in deliveries_in(fired) if d.channel == "email"]) == 2

    def test_cannot_be_sent_to_again_by_hand_meanwhile(self, fired: Tenant, admin: Member) -> None:
        with pytest.raises(RecipientIsBlocked, match="550 No such user"), context.tenant_wide(fired.id):
            delivery_resend(delivery=_mail_of(fired), acting_user=actor_of(admin))


@pytest.mark.django_db
class TestSendingAgain:
    def test_sends_a_second_mail_under_another_id(
        self, fired: Tenant, admin: Member, mail_server: MailServer
    ) -> None:
        _send_all()
        with context.tenant_wide(fired.id):
            delivery_resend(delivery=_mail_of(fired), acting_user=actor_of(admin))
            assert Event.objects.filter(code="alerts.delivery_resent").exists()
        _make_due(fired)  # the whole test is one transaction, in which the database's clock stands still
        _send_all()
        assert len({mail["Message-ID"] for mail in mail_server.mails}) == 2

    def test_is_refused_while_the_message_is_under_way(self, fired: Tenant, admin: Member) -> None:
        with pytest.raises(DeliveryUnderWay), context.tenant_wide(fired.id):
            delivery_resend(delivery=_mail_of(fired), acting_user=actor_of(admin))

    def test_needs_the_right_to_change_alerts(self, fired: Tenant, rep: Member) -> None:
        with pytest.raises(Forbidden), context.tenant_wide(fired.id):
            delivery_resend(delivery=_mail_of(fired), acting_user=actor_of(rep))


@pytest.mark.django_db
class TestClaiming:
    def test_serves_every_workspace_in_turn(
        self, acme: Tenant, beta: Tenant, level: Level, watch: Watch
    ) -> None:
        for number in range(5):
            watch(acme, name=f"rule {number}")
        watch(beta)
        level.judge({acme.id: 0.5, beta.id: 0.5})
        assert {claim.tenant_id for claim in _claims(batch=2)} == {acme.id, beta.id}

    def test_passes_a_row_on_when_its_lease_is_over(self, fired: Tenant) -> None:
        first = _claims()
        assert _claims() == []
        _make_due(fired)
        assert {c.delivery_id for c in _claims()} == {c.delivery_id for c in first}

    def test_gives_a_message_up_whose_senders_always_die_and_tells_the_admins(self, fired: Tenant) -> None:
        for _ in range(MAX_ATTEMPTS):
            claims = _claims()
            assert len(claims) == 2
            for claim in claims:
                delivery._started(claim)
            _make_due(fired)
        assert _claims() == []
        assert {d.state for d in deliveries_in(fired)} == {DeliveryState.FAILED}
        assert {n.audience for n in notices_in(fired)} == {"admins"}

    def test_a_sender_that_comes_late_cannot_fail_what_somebody_else_has(
        self, fired: Tenant, mail_server: MailServer
    ) -> None:
        (mail,) = [claim for claim in _claims() if claim.channel == "email"]
        late = delivery._started(mail)
        assert late is not None
        _make_due(fired)
        for claim in _claims():
            send(claim)
        assert delivery._not_sent(late, PassingError("The server went away.")) is None
        assert {d.state for d in deliveries_in(fired)} == {DeliveryState.SENT}


class TestTwoDispatchersAtOnce:
    def test_never_take_the_same_row(
        self, committed: WorkerDatabase, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        for number in range(10):
            watch(acme, name=f"rule {number}")
        level.judge({acme.id: 0.5})
        start, taken = threading.Barrier(4), []

        def run() -> None:
            start.wait(timeout=10)
            try:
                taken.extend(_claims())
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        assert len(taken) == len({claim.delivery_id for claim in taken}) == 20


class _HangingServer(MailServer):
    """Takes the whole mail and then never answers, so that the sender can be killed between sending and marking."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Event()
        self.released = threading.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        self.arrived.set()
        while not self.released.is_set():
            await _pause()
        return answer


async def _pause() -> None:
    import asyncio

    await asyncio.sleep(0.02)


_SENDER = """
import os, django
django.setup()
from django.conf import settings
settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
settings.EMAIL_PORT = int(os.environ["TEST_SMTP_PORT"])
settings.EMAIL_HOST = "127.0.0.1"
from alerts.delivery import claim_due, send
from isolation import context
from isolation.actors import Actor
with context.platform("claim messages", Actor.system("tests.sender")):
    claims = claim_due()
for claim in claims:
    send(claim)
"""


class TestASenderThatIsKilled:
    def test_leaves_the_message_to_the_next_one_under_the_same_id(
        self,
        committed: WorkerDatabase,
        fired: Tenant,
        process_environment: dict[str, str],
        settings: LazySettings,
    ) -> None:
        with _HangingServer() as server:
            environment = {**process_environment, "TEST_SMTP_PORT": str(server.port)}
            process = subprocess.Popen([sys.executable, "-c", _SENDER], env=environment)
            assert server.arrived.wait(timeout=30)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(timeout=10)
            server.released.set()
            assert _mail_of(fired).state == DeliveryState.SENDING
            assert [c for c in _claims() if c.delivery_id == _mail_of(fired).id] == []
            _make_due(fired)
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
            _send_all()
            assert _mail_of(fired).state == DeliveryState.SENT
            assert len(server.mails) == 2
            assert len({mail["Message-ID"] for mail in server.mails}) == 1
            assert len(notices_in(fired)) == 1


@given(st.integers(min_value=1, max_value=10_000))
def test_the_wait_between_tries_grows_and_stays_bounded(attempt: int) -> None:
    assert timedelta(seconds=15) <= wait_after(attempt) <= 1.5 * LONGEST_WAIT


def test_the_lease_outlives_the_sender() -> None:
    from alerts import tasks

    assert delivery.LEASE.total_seconds() > tasks.send.time_limit
