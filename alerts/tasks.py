"""The wake-ups of this room; what they find to do is in the database."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import transaction

from alerts import delivery, evaluation
from isolation import context, jobs
from isolation.jobs import Periodic
from isolation.tasks import platform_task, tenant_steps_task


@platform_task(reason="evaluate alert rules", time_limit=240)
def evaluate() -> None:
    """Judge the rules of every workspace and write the messages that follow."""
    evaluation.evaluate_here()


@platform_task(reason="hand out alert messages", time_limit=60)
def deliver() -> None:
    """Claim messages that are due and hand each to a worker; a message lost on the way is due again after its lease."""
    claims = delivery.claim_due()
    for claim in claims:
        transaction.on_commit(partial(_hand_out, claim))
    if len(claims) == delivery.BATCH:
        with context.shared_tables():
            jobs.wake(evaluation.DELIVERY_JOB)


def _hand_out(claim: delivery.Claim) -> None:
    send.delay(tenant_id=claim.tenant_id, delivery_id=str(claim.delivery_id), attempt=claim.attempt)


@tenant_steps_task(time_limit=90)
def send(*, tenant_id: int, delivery_id: str, attempt: int) -> None:
    """Send one message; the lease outlives the time limit, so nobody else sends it meanwhile."""
    delivery.send(delivery.Claim(tenant_id, UUID(delivery_id), attempt))


# Writing a message wakes the delivery; its own rhythm is for what has to be tried again.
jobs.register(Periodic(evaluation.JOB, evaluate, every=timedelta(minutes=5)))
jobs.register(
    Periodic(evaluation.DELIVERY_JOB, deliver, every=timedelta(seconds=30), lease=timedelta(minutes=2))
)
