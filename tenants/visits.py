"""When each member opened the workspace last. Accounts know when somebody signed in anywhere; no workspace may learn that."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django.db import connection
from django.utils import timezone

from isolation import context
from tenants.selectors import Membership

# Whoever has the member's row locked is changing something that matters more: the visit is noted with the next page then.
_NOTE = """
    UPDATE tenants_member SET last_seen_on = %(today)s
    WHERE tenant_id = %(tenant)s
      AND id = (SELECT id FROM tenants_member WHERE tenant_id = %(tenant)s AND id = %(member)s FOR NO KEY UPDATE SKIP LOCKED)
"""


def visit_note(membership: Membership) -> None:
    """Note that the member is here today, by the workspace's calendar: one write a day. Opens a tenant-wide context for it."""
    tenant, member = membership.tenant, membership.member
    today = _today(tenant.timezone)
    if member.last_seen_on is not None and member.last_seen_on >= today:
        return
    values: dict[str, Any] = {"today": today, "tenant": tenant.id, "member": member.id}
    with context.tenant_wide(tenant.id), connection.cursor() as cursor:
        cursor.execute(_NOTE, values)


def _today(zone: str) -> date:
    return timezone.now().astimezone(ZoneInfo(zone)).date()
