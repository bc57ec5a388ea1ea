"""The datasets of a new workspace."""

from __future__ import annotations

from isolation.actors import Actor
from pipeline.datasets import all_datasets
from tenants.models import Tenant
from tenants.provisioning import Request, Resource, Step, register_step


def _plan(request: Request) -> list[Resource]:
    datasets = [Resource("dataset", dataset.path, dataset.sentence) for dataset in all_datasets().values()]
    return [
        *datasets,
        Resource("schedule", "daily-analytics", "every dataset, when the workspace's day begins"),
    ]


def _apply(tenant: Tenant, request: Request, acting_user: Actor) -> None:
    """Nothing to insert: every dataset's tables hold all workspaces, and the dispatcher queues builds once deals are there."""


register_step(Step("pipeline.datasets", _plan, _apply))
