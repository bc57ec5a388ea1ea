"""From a number over its limit to one alert and one message a channel and recipient."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts import registry
from alerts.channels.base import all_channels
from alerts.evaluation import evaluate
from alerts.models import Channel, Rule
from alerts.provisioning import STANDARD_RULES
from alerts.registry import Metric, Unit
from alerts.services import alert_acknowledge
from isolation import context
from isolation.actors import Actor
from rbac.selectors import actor_of
from tenants.models import Member, Tenant
from tenants.selectors import settings_of
from tenants.services import settings_save
from tests.alerts.conftest import EVALUATOR, LEVEL, Level, alerts_in, deliveries_in
from tests.conftest import WorkerDatabase

Watch = Callable[..., Rule]


def _rule(rule: Rule) -> Rule:
    with context.tenant_wide(rule.tenant_id):
        return Rule.objects.get(pk=rule.pk)


def _minutes_later(rule: Rule, minutes: int) -> None:
    """As if the last messages had left that long ago."""
    with context.tenant_wide(rule.tenant_id):
        Rule.objects.filter(pk=rule.pk).update(last_fired_at=timezone.now() - timedelta(minutes=minutes))


@pytest.mark.django_db
class TestAProvisionedWorkspace:
    def test_watches_stale_deals_late_syncs_and_access_reviews(self, acme: Tenant) -> None:
        with context.tenant_wide(acme.id):
            rules = {
                r.name: (r.metric, r.threshold, r.severity, r.cooldown_minutes) for r in Rule.objects.all()
            }
        assert rules == {
            "stale_pipeline": ("pipeline.stale_share", 0.1, "warning", 60),
            "sync_delay": ("crm_sync.sync_delay_minutes", 60.0, "warning", 60),
            "access_review_due": ("rbac.reviews_due_soon", 0.0, "info", 10_080),
            "access_review_overdue": ("rbac.reviews_overdue", 0.0, "warning", 1_440),
        }

    def test_has_every_channel_switched_on(self, acme: Tenant) -> None:
        with context.tenant_wide(acme.id):
            assert set(Channel.objects.filter(is_enabled=True).values_list("kind", flat=True)) == set(
                all_channels()
            )

    @pytest.mark.parametrize("rule", STANDARD_RULES, ids=lambda rule: rule.name)
    def test_has_no_rule_that_nothing_measures(self, rule: Any) -> None:
        assert rule.metric in registry.all_metrics()

    @pytest.mark.parametrize("metric", registry.all_metrics().values(), ids=lambda metric: metric.code)
    def test_every_metric_gives_at_most_one_number_a_workspace(self, metric: Metric) -> None:
        with context.platform("try a metric", EVALUATOR), connection.cursor() as cursor:
            cursor.execute(
                f"SELECT tenant_id::bigint, value::float8, count(*) OVER (PARTITION BY tenant_id) FROM ({metric.sql}) m"
            )
            assert [column.name for column in cursor.description or []][:2] == ["tenant_id", "value"]
            assert all(row[2] == 1 for row in cursor.fetchall())


@pytest.mark.django_db
class TestARuleThatFires:
    def test_opens_one_alert_with_one_message_a_channel_and_recipient(
        self, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        watch(acme)
        level.judge({acme.id: 0.14})
        (alert,) = alerts_in(acme)
        assert alert.sentence == "Share of tests that fail is 14 %, above the limit of 10 %."
        assert [(d.channel, d.recipient, d.kind) for d in deliveries_in(acme)] == [
            ("email", "ada@acme.test", "opened"),
            ("in_app", "workspace", "opened"),
        ]

    def test_says_nothing_more_within_its_cooldown(self, acme: Tenant, level: Level, watch: Watch) -> None:
        watch(acme)
        for _ in range(3):
            level.judge({acme.id: 0.14})
        assert len(alerts_in(acme)) == 1
        assert len(deliveries_in(acme)) == 2

    def test_reminds_after_its_cooldown_of_the_same_alert(
        self, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        rule = watch(acme, cooldown_minutes=60)
        level.judge({acme.id: 0.14})
        _minutes_later(rule, 61)
        level.judge({acme.id: 0.2})
        assert len(alerts_in(acme)) == 1
        reminders = [d for d in deliveries_in(acme) if d.kind == "reminder"]
        assert [(d.channel, d.value) for d in reminders] == [("email", 0.2), ("in_app", 0.2)]

    def test_does_not_remind_of_what_somebody_took_on(
        self, acme: Tenant, admin: Member, level: Level, watch: Watch
    ) -> None:
        rule = watch(acme)
        level.judge({acme.id: 0.14})
        with context.tenant_wide(acme.id):
            alert_acknowledge(alert=alerts_in(acme)[0], acting_user=actor_of(admin))
        _minutes_later(rule, 61)
        level.judge({acme.id: 0.14})
        assert [d.kind for d in deliveries_in(acme)] == ["opened", "opened"]

    def test_closes_its_alert_when_the_number_is_back_and_says_so_in_the_app(
        self, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        watch(acme)
        level.judge({acme.id: 0.14})
        level.judge({acme.id: 0.05})
        (alert,) = alerts_in(acme)
        assert not alert.is_open
        assert alert.closed_value == 0.05
        assert [d.channel for d in deliveries_in(acme) if d.kind == "closed"] == ["in_app"]

    def test_closes_its_alert_when_nothing_is_left_to_measure(
        self, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        watch(acme)
        level.judge({acme.id: 0.14})
        level.judge({})
        assert not alerts_in(acme)[0].is_open

    def test_that_swings_around_its_limit_sends_no_mail_at_every_swing(
        self, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        watch(acme)
        for value in (0.14, 0.05, 0.14, 0.05, 0.14):
            level.judge({acme.id: value})
        assert [alert.is_open for alert in alerts_in(acme)].count(True) == 1
        assert len([d for d in deliveries_in(acme) if d.channel == "email"]) == 1

    def test_tells_of_a_quick_second_alert_once_the_cooldown_is_over(
        self, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        rule = watch(acme)
        for value in (0.14, 0.05, 0.14):
            level.judge({acme.id: value})
        _minutes_later(rule, 61)
        level.judge({acme.id: 0.14})
        mails = [d for d in deliveries_in(acme) if d.channel == "email"]
        assert [d.kind for d in mails] == ["opened", "opened"]
        assert len({d.alert_id for d in mails}) == 2

    def test_keeps_what_it_said_when_the_rule_changes_later(
        self, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        rule = watch(acme)
        level.judge({acme.id: 0.14})
        with context.tenant_wide(acme.id):
            Rule.objects.filter(pk=rule.pk).update(threshold=0.12, severity="critical")
        level.judge({acme.id: 0.14})
        assert alerts_in(acme)[0].severity == "warning"
        assert alerts_in(acme)[0].threshold == 0.1

    def test_may_watch_for_too_little(self, acme: Tenant, level: Level, watch: Watch) -> None:
        watch(acme, comparison="below", threshold=0.5)
        level.judge({acme.id: 0.4})
        assert alerts_in(acme)[0].sentence == "Share of tests that fail is 40 %, below the limit of 50 %."


@pytest.mark.django_db
class TestARuleThatRests:
    def test_because_the_number_is_exactly_at_the_limit(
        self, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        rule = watch(acme)
        level.judge({acme.id: 0.1})
        assert alerts_in(acme) == []
        assert _rule(rule).last_value == 0.1

    def test_because_it_is_switched_off(self, acme: Tenant, level: Level, watch: Watch) -> None:
        watch(acme, is_enabled=False)
        level.judge({acme.id: 0.9})
        assert alerts_in(acme) == []

    def test_because_its_workspace_is_not_active(self, acme: Tenant, level: Level, watch: Watch) -> None:
        watch(acme)
        with context.platform("switch a workspace off", EVALUATOR):
            Tenant.objects.filter(pk=acme.pk).update(is_active=False)
        level.judge({acme.id: 0.9})
        assert alerts_in(acme) == []


@pytest.mark.django_db
class TestEvaluatingAllWorkspaces:
    def test_never_mixes_them_up(self, acme: Tenant, beta: Tenant, level: Level, watch: Watch) -> None:
        watch(acme)
        watch(beta)
        level.judge({acme.id: 0.05, beta.id: 0.5})
        assert alerts_in(acme) == []
        assert len(alerts_in(beta)) == 1
        assert {d.recipient for d in deliveries_in(beta)} == {"stan@beta.test", "workspace"}

    def test_takes_no_more_statements_for_more_workspaces(
        self, acme: Tenant, beta: Tenant, level: Level, watch: Watch
    ) -> None:
        watch(acme)
        with CaptureQueriesContext(connection) as one:
            level.judge({acme.id: 0.5})
        watch(beta)
        watch(beta, name="second")
        with CaptureQueriesContext(connection) as more:
            level.judge({beta.id: 0.5, acme.id: 0.5})
        assert len(more) == len(one)

    def test_survives_a_metric_that_cannot_be_measured(
        self, acme: Tenant, level: Level, watch: Watch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken = Metric("tests.broken", "Broken", Unit.COUNT, "SELECT 1/0 AS tenant_id, 1.0 AS value")
        monkeypatch.setitem(registry._registry, broken.code, broken)
        watch(acme)
        watch(acme, name="broken", metric=broken.code)
        done = level.judge({acme.id: 0.5})
        assert "tests.broken" in done.failed
        assert [alert.rule_name for alert in alerts_in(acme)] == ["level"]


@pytest.mark.django_db
class TestMailRecipients:
    def test_are_the_addresses_in_the_settings_where_there_are_any(
        self, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        watch(acme)
        with context.tenant_wide(acme.id):
            data = settings_of(acme.id).model_dump() | {
                "alert_email_recipients": ["Ops@acme.test", "ops@acme.test", "cfo@acme.test"]
            }
            settings_save(tenant=acme, data=data, acting_user=EVALUATOR)
        level.judge({acme.id: 0.5})
        mails = sorted(d.recipient for d in deliveries_in(acme) if d.channel == "email")
        assert mails == ["cfo@acme.test", "ops@acme.test"]

    def test_are_else_the_admins_who_are_still_there(
        self, acme: Tenant, admin: Member, level: Level, watch: Watch
    ) -> None:
        watch(acme)
        with context.tenant_wide(acme.id):
            Member.objects.filter(pk=admin.pk).update(is_active=False)
        level.judge({acme.id: 0.5})
        assert [d.channel for d in deliveries_in(acme)] == ["in_app"]

    def test_get_nothing_while_the_channel_is_off(self, acme: Tenant, level: Level, watch: Watch) -> None:
        watch(acme)
        with context.tenant_wide(acme.id):
            Channel.objects.filter(kind="email").update(is_enabled=False)
        level.judge({acme.id: 0.5})
        assert [d.channel for d in deliveries_in(acme)] == ["in_app"]


class TestTwoEvaluatorsAtOnce:
    def test_open_one_alert_and_write_each_message_once(
        self, committed: WorkerDatabase, acme: Tenant, level: Level, watch: Watch
    ) -> None:
        watch(acme)
        level.set({acme.id: 0.5})
        start, errors = threading.Barrier(4), []

        def run() -> None:
            try:
                start.wait(timeout=10)
                evaluate(Actor.system("tests.thread"))
            except Exception as error:  # noqa: BLE001  # a thread's failure must reach the test
                errors.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)
        assert errors == []
        assert len(alerts_in(acme)) == 1
        assert len(deliveries_in(acme)) == 2


@pytest.mark.django_db
def test_the_test_metric_is_gone_after_each_test() -> None:
    assert LEVEL not in registry.all_metrics()
