"""Reads that pages, navigation and the API share. Everybody in a workspace sees all its alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from alerts.channels.base import all_channels
from alerts.models import Alert, Audience, Channel, Delivery, Notice, NoticeMark, Rule
from alerts.permissions import EDIT
from isolation.actors import Actor
from tenants.models import Member


def open_alert_count(tenant_id: int) -> int:
    """How many alerts are open: the badge in the navigation."""
    return Alert.objects.filter(tenant_id=tenant_id, closed_at=None).count()


def open_alerts(tenant_id: int) -> QuerySet[Alert]:
    """The open alerts, newest first."""
    return alerts_of(tenant_id).filter(closed_at=None)


def alerts_of(tenant_id: int) -> QuerySet[Alert]:
    """All alerts, newest first; ``opened_at`` and ``id`` are the keyset."""
    return Alert.objects.filter(tenant_id=tenant_id).order_by("-opened_at", "-id")


def rules_of(tenant_id: int) -> QuerySet[Rule]:
    """The rules by name."""
    return Rule.objects.filter(tenant_id=tenant_id).order_by("name")


def deliveries_of(alert: Alert) -> QuerySet[Delivery]:
    """Every message of an alert, oldest first."""
    return Delivery.objects.filter(tenant_id=alert.tenant_id, alert=alert).order_by(
        "created_at", "channel", "recipient"
    )


def notices_for(actor: Actor, tenant_id: int) -> QuerySet[Notice]:
    """The notices that this actor may read, newest first."""
    notices = Notice.objects.filter(tenant_id=tenant_id).order_by("-at", "-id")
    return notices if actor.may(EDIT, tenant_id) else notices.filter(audience=Audience.EVERYONE)


def seen_until(member: Member | None) -> datetime | None:
    """Up to when the member has read the notices; who is no member keeps no mark, and has nothing new."""
    if member is None:
        return timezone.now()
    return (
        NoticeMark.objects.filter(tenant_id=member.tenant_id, member=member)
        .values_list("seen_at", flat=True)
        .first()
    )


def unread_notice_count(actor: Actor, member: Member | None) -> int:
    """How many notices the member has not read; none for who is no member."""
    if member is None:
        return 0
    notices, seen = notices_for(actor, member.tenant_id), seen_until(member)
    return (notices if seen is None else notices.filter(at__gt=seen)).count()


@dataclass(frozen=True)
class ChannelStatus:
    """A channel of a workspace and the recipients it would reach now."""

    channel: Channel
    label: str
    recipients: tuple[str, ...]


def channels_of(tenant_id: int) -> list[ChannelStatus]:
    """The workspace's channels with their recipients. Needs a context that sees the workspace."""
    kinds = all_channels()
    rows = Channel.objects.filter(tenant_id=tenant_id, kind__in=kinds).order_by("kind")
    return [
        ChannelStatus(row, kinds[row.kind].label, tuple(recipients_of(row.kind, tenant_id))) for row in rows
    ]


def recipients_of(channel: str, tenant_id: int) -> list[str]:
    """Whom a channel reaches in a workspace, blocked recipients included."""
    with connection.cursor() as cursor:
        sql = all_channels()[channel].recipients_sql.replace("%", "%%")
        cursor.execute(
            f"SELECT recipient FROM ({sql}) r WHERE tenant_id = %s ORDER BY recipient", [tenant_id]
        )
        return [row[0] for row in cursor.fetchall()]
