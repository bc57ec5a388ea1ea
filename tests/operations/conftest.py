"""Items in the queue of a workspace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from isolation import context
from isolation.actors import Actor
from operations.models import PriorityItem
from operations.scoring import score_open_items
from operations.services import NewItem, item_create
from tenants.models import Tenant

DESK = Actor.system("tests.operations")
NewItemMaker = Callable[..., PriorityItem]


@pytest.fixture
def put() -> NewItemMaker:
    """Put an item into a workspace's queue; ``age`` is how long ago it came."""

    def made(tenant: Tenant, *, age: timedelta = timedelta(0), **values: Any) -> PriorityItem:
        defaults: dict[str, Any] = {
            "kind": "complaint",
            "subject": "No refund yet",
            "message_snippet": "Call me on 98123 45678 or write to usha@example.com",
            "contact_name": "Usha K",
            "contact_mobile": "+91 9812345678",
            "contact_email": "usha@example.com",
            "intent_confidence": 0.8,
            "sentiment_urgency": 0.5,
        }
        item = NewItem(created_at=timezone.now() - age, **{**defaults, **values})
        with context.tenant_wide(tenant.id):
            return item_create(tenant_id=tenant.id, item=item, acting_user=DESK)

    return made


def score_all() -> int:
    with context.platform("score", DESK):
        return score_open_items()


def again(item: PriorityItem) -> PriorityItem:
    with context.tenant_wide(item.tenant_id):
        return PriorityItem.objects.get(pk=item.pk)
