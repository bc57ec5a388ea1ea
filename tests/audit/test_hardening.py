"""Nothing is too long to be recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from audit.models import Event, PlatformEntry
from audit.services import record
from isolation import context
from operations.events import ItemReviewed
from tenants.models import Tenant
from tests.cast import PLANTER

pytestmark = pytest.mark.django_db


def test_a_long_address_is_not_there_instead_of_breaking_the_page(
    operator: User, client_of: Callable[[Any], Client]
) -> None:
    client, slug = client_of(operator), "a" * 400
    assert client.get(f"/platform/workspaces/{slug}/").status_code == 404


def test_a_long_reason_is_cut(db: None) -> None:
    with context.platform("r" * 400, PLANTER):
        entry = PlatformEntry.objects.get(reason__startswith="rrr")
    assert entry.reason == "r" * 299 + "…"


def test_long_labels_are_cut(acme: Tenant) -> None:
    with context.tenant_wide(acme.id):
        event = ItemReviewed(target_id="x" * 81, target_label="y" * 255, kind="refund")
        record(event, acting_user=PLANTER)
        written = Event.objects.get(code="operations.item_reviewed")
    assert written.target_id == "x" * 79 + "…"
    assert written.target_label == "y" * 253 + "…"
