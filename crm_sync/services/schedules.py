"""Writes about how often a CRM is read and how much of its daily allowance that may take."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection as database
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from audit.services import record
from crm_sync import permissions
from crm_sync.errors import ScheduleOutOfBounds
from crm_sync.events import ReserveSet, ScheduleSet
from crm_sync.models import Connection, SyncSchedule
from crm_sync.schedules import BOUNDS
from crm_sync.waking import wake_dispatcher
from isolation.actors import Actor, require
from isolation.errors import InvalidInput
from tenants.models import Tenant, Tier

MOST_RESERVE_PERCENT = 90
_PULL_IN = f"""
    UPDATE crm_sync_syncschedule s
    SET every_minutes = greatest(b.least, least(s.every_minutes, b.most))
    FROM tenants_tenant w
    JOIN (VALUES {", ".join(f"('{tier.value}', {b.least}, {b.most})" for tier, b in BOUNDS.items())}) AS b (tier, least, most)
        ON b.tier = w.tier
    WHERE w.id = s.tenant_id AND s.every_minutes NOT BETWEEN b.least AND b.most
    RETURNING s.tenant_id, s.id::text, s.connection_id, s.every_minutes, s.is_paused
"""


@transaction.atomic
def sync_schedule_set(
    *, schedule: SyncSchedule, every_minutes: int, is_paused: bool, acting_user: Actor
) -> SyncSchedule:
    """Set how often a connection is synced, within what the tier allows. Raises: Forbidden, ScheduleOutOfBounds."""
    require(acting_user, permissions.EDIT, schedule.tenant_id)
    tier = Tier(Tenant.objects.get(pk=schedule.tenant_id).tier)
    bounds = BOUNDS[tier]
    if not bounds.allow(every_minutes):
        raise ScheduleOutOfBounds(tier=tier.label, allowed=bounds.sentence)
    sooner = Q(due_at__gt=Now() + timedelta(minutes=every_minutes))
    own = SyncSchedule.objects.filter(tenant_id=schedule.tenant_id, pk=schedule.pk)
    own.update(every_minutes=every_minutes, is_paused=is_paused)
    own.filter(sooner).update(due_at=Now() + timedelta(minutes=every_minutes))
    source = Connection.objects.get(pk=schedule.connection_id).source
    event = ScheduleSet(
        target_id=str(schedule.id), target_label=source, every_minutes=every_minutes, is_paused=is_paused
    )
    record(event, acting_user=acting_user, tenant_id=schedule.tenant_id)
    wake_dispatcher()
    schedule.refresh_from_db()
    return schedule


@transaction.atomic
def connection_reserve_set(*, connection: Connection, reserve_percent: int, acting_user: Actor) -> Connection:
    """Leave that share of the CRM's daily calls to the workspace's other programs. Raises: Forbidden, InvalidInput."""
    require(acting_user, permissions.EDIT, connection.tenant_id)
    if not 0 <= reserve_percent <= MOST_RESERVE_PERCENT:
        problem = f"Leave between 0 and {MOST_RESERVE_PERCENT} % to other programs, so that something is left for the sync."
        raise InvalidInput(field="reserve_percent", problem=problem)
    before = connection.reserve_percent
    if before == reserve_percent:
        return connection
    connection.reserve_percent = reserve_percent
    connection.save(update_fields=["reserve_percent"])
    event = ReserveSet(
        target_id=str(connection.id), target_label=connection.source, before=before, reserve_percent=reserve_percent
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    return connection


@transaction.atomic
def schedules_fit(*, acting_user: Actor) -> int:
    """Pull schedules into the bounds of tiers that changed; gives how many. Needs the platform context.

    Every door to a schedule keeps the bounds; a tier can change behind them.
    """
    with database.cursor() as cursor:
        cursor.execute(_PULL_IN)
        pulled = cursor.fetchall()
    for tenant_id, schedule_id, connection_id, every_minutes, is_paused in pulled:
        source = Connection.objects.get(tenant_id=tenant_id, pk=connection_id).source
        event = ScheduleSet(
            target_id=schedule_id, target_label=source, every_minutes=every_minutes, is_paused=is_paused
        )
        record(event, acting_user=acting_user, tenant_id=tenant_id)
    return len(pulled)
