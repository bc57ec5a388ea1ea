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
    """Claim messages that are due and hand them to workers; a message lost on the way is due again after its lease."""
    claims = delivery.claim_due()
    for some in delivery.in_hands(claims):
        transaction.on_commit(partial(_hand_out, some))
    if len(claims) == delivery.BATCH:
        with context.shared_tables():
            jobs.wake(evaluation.DELIVERY_JOB)


def _hand_out(claims: list[delivery.Claim]) -> None:
    send.delay(
        tenant_id=claims[0].tenant_id,
        channel=claims[0].channel,
        messages=[(str(claim.delivery_id), claim.tries) for claim in claims],
    )


@tenant_steps_task(time_limit=90)
def send(*, tenant_id: int, channel: str, messages: list[tuple[str, int]]) -> None:
    """Send some messages in turn; the lease of each outlives the time limit, so nobody else sends it meanwhile."""
    claims = [delivery.Claim(tenant_id, channel, UUID(pk), tries) for pk, tries in messages]
    delivery.send_in_turn(claims)


# Writing a message wakes the delivery; its own rhythm is for what has to be tried again.
jobs.register(Periodic(evaluation.JOB, evaluate, every=timedelta(minutes=5)))
jobs.register(
    Periodic(evaluation.DELIVERY_JOB, deliver, every=timedelta(seconds=30), lease=timedelta(minutes=2))
)
