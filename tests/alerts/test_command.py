"""``manage.py test_alert``: does a message really arrive?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from accounts.models import User
from alerts import tasks
from alerts.models import Rule
from audit.models import Event
from isolation import context, jobs
from isolation.models import PeriodicJob
from tenants.models import Tenant
from tests.alerts.conftest import Level, MailServer, deliveries_in, notices_in
from tests.conftest import WorkerDatabase

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
class TestTheCommand:
    def test_sends_to_the_operators_where_nobody_is_named(
        self, operator: User, mail_server: MailServer
    ) -> None:
        call_command("test_alert", channel="email", message="Hello from the vendor")
        assert mail_server.recipients == ["olga@vendor.test"]
        body = mail_server.mails[0].get_body(("plain",))
        assert body is not None
        assert "Hello from the vendor" in body.get_content()

    def test_sends_to_whom_a_workspace_would_reach_and_records_it(
        self, acme: Tenant, mail_server: MailServer
    ) -> None:
        call_command("test_alert", channel="email", message="Hello", customer="acme-corp")
        assert mail_server.recipients == ["ada@acme.test"]
        with context.tenant_wide(acme.id):
            assert Event.objects.get(code="alerts.test_message_sent").facts == {
                "recipients": ["ada@acme.test"]
            }

    def test_sends_to_given_addresses_and_tells_of_each(
        self, operator: User, mail_server: MailServer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        mail_server.refuse["no@one.test"] = "550 No such user"
        with pytest.raises(CommandError, match="1 of 2 messages were not taken") as failure:
            call_command(
                "test_alert", channel="email", message="Hello", to=["a@b.test", "no@one.test"], json=True
            )
        assert failure.value.returncode == 1
        taken, refused = json.loads(capsys.readouterr().out)
        assert taken == {"recipient": "a@b.test", "error": ""}
        assert "550 No such user" in refused["error"]

    def test_writes_a_notice_by_the_in_app_channel(self, acme: Tenant) -> None:
        call_command("test_alert", channel="in_app", message="Hello", customer="acme-corp")
        assert [(n.title, n.text) for n in notices_in(acme)] == [("Test message", "Hello")]

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"channel": "pigeon"}, "“pigeon” is not a channel. Use one of: email, in_app."),
            ({"channel": "in_app"}, "name one with --customer"),
            ({"channel": "in_app", "to": ["a@b.test"]}, "Name the workspace with --customer instead"),
            ({"customer": "nobody"}, "There is no customer nobody"),
            ({"customer": "gamma-labs"}, "name an address with --to"),
            ({"message": "  "}, "The message is empty"),
        ],
    )
    def test_says_what_would_be_right(
        self, acme: Tenant, mail_server: MailServer, options: dict[str, object], sentence: str
    ) -> None:
        with pytest.raises(CommandError) as refusal:
            call_command("test_alert", **{"channel": "email", "message": "Hello", **options})
        assert refusal.value.returncode == 2
        assert sentence in str(refusal.value)
        assert mail_server.mails == []


def test_the_command_prints_the_mail_where_no_smtp_host_is_named(process_environment: dict[str, str]) -> None:
    environment = {name: value for name, value in process_environment.items() if name != "SMTP_HOST"}
    command = [
        sys.executable,
        "manage.py",
        "test_alert",
        "--channel",
        "email",
        "--message",
        "Pipeline health critical",
    ]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Pipeline health critical" in done.stdout
    assert "Mail to olga@vendor.test" in done.stdout


class TestTheTasks:
    def test_carry_a_message_from_the_rule_to_the_mail_server(
        self,
        committed: WorkerDatabase,
        acme: Tenant,
        level: Level,
        mail_server: MailServer,
        settings: LazySettings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(tasks.send, "delay", lambda **named: tasks.send(**named))  # no worker runs here
        with context.tenant_wide(acme.id):
            Rule.objects.create(tenant=acme, name="level", metric="tests.level", threshold=0.1)
        level.judge({acme.id: 0.5})
        tasks.deliver()
        tasks.deliver()
        assert mail_server.recipients == ["ada@acme.test"]
        assert len(notices_in(acme)) == 1
        assert {d.state for d in deliveries_in(acme)} == {"sent"}

    @pytest.mark.django_db
    def test_delivery_is_woken_by_a_new_message(self, acme: Tenant, level: Level) -> None:
        jobs.claim_due()
        assert PeriodicJob.objects.filter(code="alerts.deliver", due_at__gt=Now()).exists()
        with context.tenant_wide(acme.id):
            Rule.objects.create(tenant=acme, name="level", metric="tests.level", threshold=0.1)
        level.judge({acme.id: 0.5})
        assert not PeriodicJob.objects.filter(code="alerts.deliver", due_at__gt=Now()).exists()
