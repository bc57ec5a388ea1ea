"""A metric whose numbers a test sets, rules that watch it, and a real mail server."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import LazySettings

from alerts import registry
from alerts.evaluation import Evaluation, evaluate
from alerts.models import Alert, Delivery, Notice, Rule
from alerts.registry import Metric, Unit
from isolation import context
from isolation.actors import Actor
from tenants.models import Tenant

LEVEL = "tests.level"
EVALUATOR = Actor.system("tests.alerts")


class Level:
    """Sets what the metric ``tests.level`` measures in each workspace, and evaluates."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.set({})

    def set(self, values: dict[int, float]) -> None:
        rows = ", ".join(f"({tenant_id}::bigint, {value}::float8)" for tenant_id, value in values.items())
        source = f"(VALUES {rows})" if rows else "(SELECT NULL::bigint, NULL::float8 WHERE false)"
        sql = f"SELECT tenant_id, value FROM {source} AS v (tenant_id, value)"
        metric = Metric(LEVEL, "Share of tests that fail", Unit.RATIO, sql, page="deals/")
        self._monkeypatch.setitem(registry._registry, LEVEL, metric)

    def judge(self, values: dict[int, float]) -> Evaluation:
        self.set(values)
        return evaluate(EVALUATOR)


@pytest.fixture
def level(monkeypatch: pytest.MonkeyPatch) -> Level:
    return Level(monkeypatch)


@pytest.fixture
def watch(level: Level) -> Callable[..., Rule]:
    """Make a rule on ``tests.level`` above 10 % in a workspace."""

    def made(tenant: Tenant, **values: object) -> Rule:
        defaults: dict[str, object] = {"name": "level", "metric": LEVEL, "threshold": 0.1}
        with context.tenant_wide(tenant.id):
            return Rule.objects.create(tenant=tenant, **{**defaults, **values})

    return made


def alerts_in(tenant: Tenant) -> list[Alert]:
    with context.tenant_wide(tenant.id):
        return list(Alert.objects.order_by("opened_at"))


def deliveries_in(tenant: Tenant) -> list[Delivery]:
    with context.tenant_wide(tenant.id):
        return list(
            Delivery.objects.select_related("alert", "tenant").order_by("created_at", "channel", "kind")
        )


def notices_in(tenant: Tenant) -> list[Notice]:
    with context.tenant_wide(tenant.id):
        return list(Notice.objects.order_by("at"))


class MailServer:
    """A real SMTP server. ``refuse`` maps addresses to answers such as "550 No such user"; ``busy`` answers that many 451 first."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.refuse: dict[str, str] = {}
        self.busy = 0
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.busy:
            self.busy -= 1
            return "451 Try again later"
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.recipients += envelope.rcpt_tos
        self.mails.append(message_from_bytes(bytes(envelope.content or b""), policy=policy.default))  # type: ignore[arg-type]  # the stubs miss that a policy decides the class
        return "250 Taken"

    def __enter__(self) -> MailServer:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


@pytest.fixture
def mail_server(settings: LazySettings) -> Iterator[MailServer]:
    with MailServer() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST = "127.0.0.1"
        settings.EMAIL_PORT = server.port
        yield server
