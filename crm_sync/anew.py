"""Having objects read from their beginning, while a run may be at work on them. Nothing of the mirror is deleted first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from crm_sync.models import (
    ACTIVE_STATES,
    ArchivedRow,
    Connection,
    NoticedRow,
    RunState,
    SyncCursor,
    SyncObjectResult,
    SyncRun,
)
from crm_sync.waking import wake_dispatcher


def read_anew(connection: Connection, names: Sequence[str]) -> None:
    """Have these objects read from their beginning.

    A run at work is taken from its worker, whose next commit fails: what it reads is not what is wanted any more. It begins these
    objects again; a first load stays one, because what points at its rows is linked at its end.
    """
    if not names:
        return
    results = _taken_back(connection).filter(object_name__in=names)
    results.update(place="", is_done=False)
    results.filter(is_first_load=False).update(is_begun=False)
    SyncCursor.objects.filter(**_own(connection), object_name__in=names).delete()
    wake_dispatcher()


def read_other_account(connection: Connection) -> None:
    """The connection leads to another organisation or portal from now on: places, lists and notices of the old one mean nothing.

    Everything is read, and the rows of the old one leave the mirror because no run meets them any more.
    """
    _taken_back(connection).update(place="", is_done=False, is_begun=False)
    SyncCursor.objects.filter(**_own(connection)).delete()
    NoticedRow.objects.filter(tenant_id=connection.tenant_id, connection_id=connection.pk).delete()
    ArchivedRow.objects.filter(tenant_id=connection.tenant_id, source=connection.source).delete()
    wake_dispatcher()


def _taken_back(connection: Connection) -> QuerySet[SyncObjectResult]:
    """What the connection's run has done so far; the run is taken from its worker."""
    runs = SyncRun.objects.filter(**_own(connection), state__in=ACTIVE_STATES)
    runs.update(state=RunState.QUEUED, lease_token=None, lease_until=None, ready_at=Now())
    results: QuerySet[SyncObjectResult] = SyncObjectResult.objects.filter(
        tenant_id=connection.tenant_id, run__in=runs.values("pk")
    )
    return results


def _own(connection: Connection) -> dict[str, Any]:
    return {"tenant_id": connection.tenant_id, "connection": connection}
