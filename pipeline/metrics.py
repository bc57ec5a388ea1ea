"""What alert rules can watch in the pipeline."""

from __future__ import annotations

from alerts.registry import Metric, Unit, register
from pipeline.permissions import VIEW

STALE_SHARE = Metric(
    code="pipeline.stale_share",
    sentence="Share of open deals without recent activity",
    unit=Unit.RATIO,
    sql="""
        SELECT tenant_id, sum(stale_deals)::double precision / sum(deals) AS value
        FROM pipeline_pipelinesummary GROUP BY tenant_id HAVING sum(deals) > 0
    """,
    page="deals/?hygiene=stale",
    page_permission=VIEW,
)
BUILD_FAILURES = Metric(
    code="pipeline.build_failures",
    sentence="Builds that failed in the last 24 hours",
    unit=Unit.COUNT,
    sql="""
        SELECT tenant_id, count(*) FILTER (WHERE state = 'failed')::double precision AS value
        FROM pipeline_datasetbuild WHERE finished_at >= now() - interval '24 hours' GROUP BY tenant_id
    """,
    page="datasets/",
    page_permission=VIEW,
)
register(STALE_SHARE)
register(BUILD_FAILURES)
