"""What is due at night, by the clock of each workspace: reading anew the fields that no stamp speaks of, and comparing with the CRM.

A run that failed is not asked for again before the next night: each night has one request.
"""

from __future__ import annotations

from django.db import connection

from crm_sync import conf

# Past midnight's own jobs, and over before people come to work.
REFRESH_HOUR, CHECK_HOUR, MORNING_HOUR = 2, 3, 6
_QUEUE = """
    INSERT INTO crm_sync_syncrun (id, tenant_id, connection_id, trigger, kind, is_full, state, requested_by, attempts,
        touches_everything, rows_read, rows_inserted, rows_changed, rows_unchanged, rows_deleted, rows_rejected,
        error_code, error_message)
    SELECT gen_random_uuid(), c.tenant_id, c.id, 'schedule', '{kind}', false, 'queued', 'schedule', 0,
        false, 0, 0, 0, 0, 0, 0, '', ''
    FROM crm_sync_connection c
    JOIN tenants_tenant w ON w.id = c.tenant_id AND w.is_active
    JOIN crm_sync_syncschedule s ON s.tenant_id = c.tenant_id AND s.connection_id = c.id AND NOT s.is_paused
    CROSS JOIN LATERAL (SELECT statement_timestamp() AT TIME ZONE w.timezone AS now) AS local
    WHERE c.state = 'active' AND c.last_synced_at IS NOT NULL AND {is_due}
    ON CONFLICT (tenant_id, connection_id) WHERE state IN ('queued', 'running') DO NOTHING
"""
_LAST = """(SELECT max(r.requested_at) FROM crm_sync_syncrun r
        WHERE r.tenant_id = c.tenant_id AND r.connection_id = c.id AND r.kind = '{kind}')"""
# One night is one date by the clock of the workspace. HubSpot stamps what it calculates; mapped fields of either say so themselves.
_REFRESH_IS_DUE = f"""extract(hour FROM local.now) BETWEEN {REFRESH_HOUR} AND {MORNING_HOUR - 1}
    AND coalesce(({_LAST.format(kind="refresh")} AT TIME ZONE w.timezone)::date < local.now::date, true)
    AND (c.source = 'salesforce' OR (
        SELECT jsonb_path_exists(m.contract, '$.*.*.is_calculated ? (@ == true)') FROM crm_sync_fieldmap m
        WHERE m.tenant_id = c.tenant_id AND m.connection_id = c.id ORDER BY m.version DESC LIMIT 1))"""
_CHECK_IS_DUE = f"""extract(hour FROM local.now) BETWEEN {CHECK_HOUR} AND {MORNING_HOUR - 1}
    AND %(days)s > 0 AND c.created_at < statement_timestamp() - make_interval(days => %(days)s)
    AND coalesce(greatest(c.checked_at, {_LAST.format(kind="check")})
        < statement_timestamp() - make_interval(days => %(days)s) + interval '4 hours', true)"""


def queue_nightly() -> None:
    """Queue what is due and whose connection has no run at work. Needs the platform context."""
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE.format(kind="refresh", is_due=_REFRESH_IS_DUE))
        cursor.execute(_QUEUE.format(kind="check", is_due=_CHECK_IS_DUE), {"days": conf.check_days()})
