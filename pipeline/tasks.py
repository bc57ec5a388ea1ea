"""Wake-ups of the builds."""

from __future__ import annotations

import logging
from uuid import UUID

from django.db import transaction

from isolation.tasks import platform_task, tenant_steps_task
from pipeline.errors import BuildFailed
from pipeline.services import build_run, builds_claim, builds_queue_daily

logger = logging.getLogger(__name__)
AT_ONCE = 20


@platform_task(reason="queue and hand out builds of datasets", time_limit=120)
def builds() -> None:
    """Queue what a new day makes due and hand out what waits, in all workspaces."""
    builds_queue_daily()
    for claimed in builds_claim(at_most=AT_ONCE):
        hand_out = run_build.s(tenant_id=claimed.tenant_id, build_id=str(claimed.build_id)).delay
        transaction.on_commit(hand_out)


@tenant_steps_task(time_limit=15 * 60)
def run_build(*, tenant_id: int, build_id: str) -> None:
    """Carry out one claimed build; its failure is kept with it and tried again by the dispatcher."""
    try:
        build_run(tenant_id=tenant_id, build_id=UUID(build_id))
    except BuildFailed as failure:
        logger.warning("%s", failure.message)
