"""Who works on a run. A lease is renewed from a thread with a connection of its own, so that a long merge does not look like a death."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from crm_sync import conf
from crm_sync.models import RunState, SyncRun
from isolation import context


class LeaseLost(Exception):
    """Another worker took the run: whatever is not committed yet must not be."""


@dataclass(frozen=True)
class Lease:
    """The right to work on a run."""

    tenant_id: int
    run_id: UUID
    token: UUID

    def held(self) -> Q:
        """The run, provided that it is still ours."""
        return Q(tenant_id=self.tenant_id, pk=self.run_id, lease_token=self.token, state=RunState.RUNNING)


def _until() -> CombinedExpression:
    return Now() + timedelta(seconds=conf.lease_seconds())


def claim(tenant_id: int, run_id: UUID) -> Lease | None:
    """Take a run that is queued or whose worker fell silent; None, if somebody has it or it is over."""
    lease = Lease(tenant_id, run_id, uuid4())
    free = Q(state=RunState.QUEUED) | Q(state=RunState.RUNNING, lease_until__lt=Now())
    with context.tenant_wide(tenant_id):
        taken = SyncRun.objects.filter(free, tenant_id=tenant_id, pk=run_id).update(
            state=RunState.RUNNING, lease_token=lease.token, lease_until=_until()
        )
        SyncRun.objects.filter(lease.held(), started_at=None).update(started_at=Now())
    return lease if taken else None


class Renewal:
    """Keeps a lease alive while its body runs."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="crm-lease", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def _renew(self) -> None:
        try:
            while not self._is_over.wait(conf.lease_seconds() / 3):
                with context.tenant_wide(self._lease.tenant_id):
                    if not SyncRun.objects.filter(self._lease.held()).update(lease_until=_until()):
                        return
        finally:
            connection.close()
