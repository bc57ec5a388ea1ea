"""Messages inside the product: one notice for the whole workspace, with a read mark for each member."""

from __future__ import annotations

from typing import ClassVar

from alerts.channels.base import Message, register
from alerts.models import DeliveryKind, Notice

WHOLE_WORKSPACE = "workspace"


class InApp:
    """Writes a notice; the key keeps a second try from writing a second one."""

    code: ClassVar[str] = "in_app"
    label: ClassVar[str] = "In the app"
    kinds: ClassVar[frozenset[DeliveryKind]] = frozenset(DeliveryKind)
    recipients_sql: ClassVar[str] = (
        f"SELECT id AS tenant_id, '{WHOLE_WORKSPACE}' AS recipient FROM tenants_tenant"
    )
    is_local: ClassVar[bool] = True

    def send(self, message: Message, recipient: str) -> None:
        """Write the notice; ``recipient`` is always the whole workspace."""
        notice = Notice(
            tenant_id=message.tenant_id,
            key=message.key,
            audience=message.audience,
            severity=message.severity,
            title=message.title,
            text=message.sentence,
            path=message.path,
        )
        Notice.objects.bulk_create([notice], ignore_conflicts=True)


register(InApp())
