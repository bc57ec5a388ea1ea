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
register(
    Metric(
        code="crm_sync.contract_violations",
        sentence="Ways in which the CRM breaks the field mapping's contract",
        unit=Unit.COUNT,
        sql="""
            SELECT c.tenant_id, count(v.id)::double precision AS value
            FROM crm_sync_connection c
            LEFT JOIN crm_sync_contractviolation v
                ON v.tenant_id = c.tenant_id AND v.connection_id = c.id AND v.resolved_at IS NULL
            WHERE c.state <> 'new'
            GROUP BY c.tenant_id
        """,
        page="settings/crm/",
        page_permission="crm.view",
    )
)
