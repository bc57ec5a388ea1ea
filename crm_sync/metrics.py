from __future__ import annotations

from alerts.registry import Metric, Unit, register

# A workspace that never synced counts from when its connection was set up; one that waits for credentials does not count.
register(
    Metric(
        code="crm_sync.sync_delay_minutes",
        sentence="Time since the CRM was last read completely",
        unit=Unit.MINUTES,
        sql="""
            SELECT c.tenant_id, max(extract(epoch FROM now() - coalesce(c.last_synced_at, c.created_at)) / 60) AS value
            FROM crm_sync_connection c
            WHERE c.state <> 'new'
            GROUP BY c.tenant_id
        """,
    )
)
