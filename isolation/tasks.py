"""Celery tasks that know whose data they touch. A bare ``shared_task`` fails the system checks.

Redis only carries "wake up": a task names its tenant, does one idempotent piece and can be killed anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, ParamSpec, TypeVar

from celery import Task, shared_task

from isolation import context
from isolation.actors import Actor

P = ParamSpec("P")
R = TypeVar("R")
MINUTE = 60
DEFAULT_TIME_LIMIT = 10 * MINUTE


class WalledTask(Task):  # type: ignore[type-arg]  # celery's Task is not subscriptable at run time
    """Base of every task of this project; ``scope`` says which context its body runs in."""

    scope: ClassVar[str] = ""
    reason: str = ""
    acks_late = True
    reject_on_worker_lost = True


class TenantTask(WalledTask):
    """Takes ``tenant_id`` by keyword and runs inside that tenant's context, in one transaction."""

    abstract = True
    scope = "tenant"

    def __call__(self, *args: Any, tenant_id: int, **kwargs: Any) -> Any:
        with context.tenant_wide(tenant_id):
            return super().__call__(*args, tenant_id=tenant_id, **kwargs)


class TenantStepsTask(WalledTask):
    """Takes ``tenant_id`` by keyword and opens a tenant context for each step itself: for work longer than one transaction."""

    abstract = True
    scope = "tenant-steps"

    def __call__(self, *args: Any, tenant_id: int, **kwargs: Any) -> Any:
        return super().__call__(*args, tenant_id=tenant_id, **kwargs)


class PlatformTask(WalledTask):
    """Set-based work over all tenants, in the platform context, with the reason given to the decorator."""

    abstract = True
    scope = "platform"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with context.platform(self.reason, Actor.system(self.name)):
            return super().__call__(*args, **kwargs)


class SharedTablesTask(WalledTask):
    """Touches no tenant's table: heartbeats and the dispatcher."""

    abstract = True
    scope = "shared"


def _decorator(base: type[WalledTask], time_limit: int, **options: Any) -> Callable[[Callable[P, R]], Any]:
    return shared_task(base=base, time_limit=time_limit, soft_time_limit=time_limit - 10, **options)


def tenant_task(*, time_limit: int = DEFAULT_TIME_LIMIT, **options: Any) -> Callable[[Callable[P, R]], Any]:
    """A task of one tenant in one transaction; seconds of hard time limit."""
    return _decorator(TenantTask, time_limit, **options)


def tenant_steps_task(
    *, time_limit: int = DEFAULT_TIME_LIMIT, **options: Any
) -> Callable[[Callable[P, R]], Any]:
    """A task of one tenant that commits in steps and opens its own contexts."""
    return _decorator(TenantStepsTask, time_limit, **options)


def platform_task(
    *, reason: str, time_limit: int = DEFAULT_TIME_LIMIT, **options: Any
) -> Callable[[Callable[P, R]], Any]:
    """A set-based task over all tenants; ``reason`` is audited at every run."""
    return _decorator(PlatformTask, time_limit, reason=reason, **options)


def shared_tables_task(*, time_limit: int = MINUTE, **options: Any) -> Callable[[Callable[P, R]], Any]:
    """A task that touches no tenant's table."""
    return _decorator(SharedTablesTask, time_limit, **options)
