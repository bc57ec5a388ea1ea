"""What one workspace does, another neither sees nor suffers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from alerts.models import Alert, BlockedRecipient, Channel, Delivery, Notice, NoticeMark, Rule
from isolation import context
from isolation.errors import ContextMissing
from tenants.models import Tenant
from tests.alerts.conftest import Level, alerts_in

pytestmark = pytest.mark.django_db

MODELS = (Rule, Alert, Channel, BlockedRecipient, Delivery, Notice, NoticeMark)


@pytest.fixture
def alert(acme: Tenant, level: Level, watch: Callable[..., Rule]) -> Alert:
    watch(acme)
    level.judge({acme.id: 0.5})
    return alerts_in(acme)[0]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_table_is_not_read_outside_a_context(alert: Alert, model: type[Rule]) -> None:
    with pytest.raises(ContextMissing), transaction.atomic():
        list(model.objects.all())


def test_another_workspace_sees_none_of_it_even_in_raw_sql(alert: Alert, beta: Tenant) -> None:
    with context.tenant_wide(beta.id), connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM alerts_alert), (SELECT count(*) FROM alerts_delivery)")
        assert cursor.fetchone() == (0, 0)
        cursor.execute("UPDATE alerts_rule SET threshold = 0 WHERE id = %s", [alert.rule_id])
        assert cursor.rowcount == 0


def test_another_workspace_cannot_point_at_it(alert: Alert, beta: Tenant) -> None:
    with pytest.raises(IntegrityError), transaction.atomic(), context.tenant_wide(beta.id):
        Delivery.objects.create(
            tenant=beta, alert_id=alert.id, kind="opened", round=1, channel="email", recipient="x@y.test"
        )
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_another_workspace_cannot_write_into_it(alert: Alert, acme: Tenant, beta: Tenant) -> None:
    with pytest.raises(ProgrammingError), transaction.atomic(), context.tenant_wide(beta.id):
        Notice.objects.create(tenant=acme, key="k", severity="info", title="x", text="x")


def test_the_same_rule_name_may_stand_in_both(beta: Tenant, watch: Callable[..., Rule], alert: Alert) -> None:
    assert watch(beta).name == alert.rule_name
