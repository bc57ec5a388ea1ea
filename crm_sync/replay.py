"""Trying rows again that were kept aside: they are read anew from the CRM, so that what is used is what is true now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.fields.json import KT

from audit.services import record
from crm_sync import permissions
from crm_sync.connectors import OBJECTS_READ
from crm_sync.engine import notices
from crm_sync.engine.remove import parent_of
from crm_sync.events import RejectedRowsReplayed
from crm_sync.models import Connection, RejectedRow, RunKind, SyncRun
from crm_sync.selectors import active_run, rejected_of
from crm_sync.services.runs import sync_request
from isolation.actors import Actor, require


@dataclass(frozen=True)
class Replay:
    """How many rows are tried again, how many cannot be (they have no id to ask for), and the run that does it."""

    rows: int
    nameless: int
    run: SyncRun | None


@transaction.atomic
def rejected_replay(
    *, connection: Connection, object_name: str = "", ids: Sequence[str] = (), acting_user: Actor
) -> Replay:
    """Have rows that were kept aside read again: all, those of an object, or those of these ids.

    Good ones are merged, bad ones stay aside with what is wrong now, and what the CRM no longer has is forgotten. While another
    run is under way they wait for its end. Raises: Forbidden, ConnectorMissing, ConnectionNotSetUp.
    """
    require(acting_user, permissions.SYNC, connection.tenant_id)
    wanted = rejected_of(connection)
    if object_name:
        wanted = wanted.filter(object_name=object_name)
    if ids:
        wanted = wanted.filter(external_id__in=ids)
    named = _named(connection, wanted)
    nameless = wanted.count() - len(named)
    if not named:
        return Replay(0, nameless, None)
    notices.note(connection, sorted(set(named)))
    event = RejectedRowsReplayed(
        target_id=str(connection.id), target_label=connection.source, rows=len(named), object_name=object_name
    )
    record(event, acting_user=acting_user, tenant_id=connection.tenant_id)
    return Replay(len(named), nameless, _run(connection, acting_user))


def _named(connection: Connection, rows: QuerySet[RejectedRow]) -> list[tuple[str, str]]:
    """What to ask the CRM for, as (object, id) of each row. A row of a child object comes again with its parent.

    A row whose id itself is bad cannot be asked for.
    """
    family = OBJECTS_READ[connection.source]
    found: list[tuple[str, str]] = []
    for spec in family:
        own = rows.filter(object_name=spec.name).exclude(field=spec.id_field)
        if not spec.parent:
            found += own.values_list("object_name", "external_id")
            continue
        parents = own.values_list(KT(f"raw__{parent_of(spec, family).field}"), flat=True)
        found += [(spec.parent, parent) for parent in parents if parent]
    return found


def _run(connection: Connection, acting_user: Actor) -> SyncRun | None:
    """The run that reads them; one that is under way is not disturbed, and the dispatcher sends the next one after it."""
    active = active_run(connection)
    if active is not None and active.kind != RunKind.NOTICE:
        return None
    return sync_request(connection=connection, is_full=False, kind=RunKind.NOTICE, acting_user=acting_user)
