"""One workspace's queue is nothing to another."""

from __future__ import annotations

import pytest
from django.db import connection, transaction

from isolation import context
from isolation.errors import ContextMissing
from operations.models import PriorityItem
from tenants.models import Tenant
from tests.operations.conftest import NewItemMaker, again

pytestmark = pytest.mark.django_db


def test_the_queue_is_not_read_outside_a_context(acme: Tenant, put: NewItemMaker) -> None:
    put(acme)
    with pytest.raises(ContextMissing), transaction.atomic():
        list(PriorityItem.objects.all())


def test_another_workspace_neither_sees_nor_changes_an_item(
    acme: Tenant, beta: Tenant, put: NewItemMaker
) -> None:
    item = put(acme)
    with context.tenant_wide(beta.id), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM operations_priorityitem")
        assert cursor.fetchone() == (0,)
        cursor.execute("UPDATE operations_priorityitem SET score = 100 WHERE id = %s", [item.id])
        assert cursor.rowcount == 0
    assert again(item).score == 0
