"""The dispatcher, the run of one workspace, and what tidies up. All are wake-ups: what is due and who has it, the database says."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from django.db import transaction

from crm_sync import pruning
from crm_sync.connectors import OPENERS
from crm_sync.connectors.base import ObjectSpec
from crm_sync.dispatch import hand_out, queue_due
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.engine.notices import queue_noticed
from crm_sync.engine.turn import Turn, others_wait
from crm_sync.models import SyncObjectResult
from crm_sync.nightly import queue_nightly
from crm_sync.services.removal import mirror_rows_remove, mirrors_left_behind
from crm_sync.services.schedules import schedules_fit
from isolation.actors import Actor
from isolation.tasks import MINUTE, platform_task, tenant_steps_task

DISPATCHER = Actor.system("crm_sync.dispatch")


@platform_task(reason="hand out the syncs that are due")
def dispatch() -> None:
    """Queue what the schedules make due, and hand queued and abandoned runs to workers."""
    schedules_fit(acting_user=DISPATCHER)
    queue_due()
    queue_noticed()
    queue_nightly()
    for tenant_id, run_id in hand_out():
        transaction.on_commit(partial(sync_run.delay, tenant_id=tenant_id, run_id=str(run_id)))


@tenant_steps_task(time_limit=25 * MINUTE)
def sync_run(*, tenant_id: int, run_id: str) -> None:
    """Work on one run, if nobody else does; it goes on where the last worker stopped.

    While others wait, its place is given on at once instead of at the next tick, which may be longer away than a run takes.
    """
    lease = claim(tenant_id, UUID(run_id))
    if lease is not None:
        execute(lease, _InTurn())
        if others_wait():
            dispatch.delay()


class _InTurn:
    """Ends the run's turn between two pages. How far it is, the pages ask the database."""

    def __init__(self) -> None:
        self._turn = Turn()

    def __call__(self, result: SyncObjectResult, spec: ObjectSpec) -> None:
        """After a commit. Raises: TurnOver."""
        self._turn.require()


@platform_task(reason="find what removed CRM connections left behind")
def removals() -> None:
    """Have the mirrors removed whose connection is gone."""
    for tenant_id, source in mirrors_left_behind(OPENERS):
        transaction.on_commit(partial(mirror_forget.delay, tenant_id=tenant_id, source=source))


@tenant_steps_task(time_limit=15 * MINUTE)
def mirror_forget(*, tenant_id: int, source: str) -> None:
    """Remove the mirror of a CRM that the workspace is no longer connected with."""
    mirror_rows_remove(tenant_id, source)


@platform_task(reason="throw away old sync runs and violations that are over")
def prune() -> None:
    """Keep the history of syncs from growing for ever."""
    pruning.prune()
