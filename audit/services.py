"""Writing the log: always in the transaction of the change that it records."""

from __future__ import annotations

from contextlib import nullcontext

from django.db import connection
from django.db.models import CharField, Model

from audit.events import ContextKeysRotated
from audit.models import Event, EventColumns, PlatformEntry, PlatformEvent
from audit.registry import AuditEvent
from isolation import context
from isolation.actors import Actor
from isolation.signing import Rotation


def record(event: AuditEvent, *, acting_user: Actor, tenant_id: int | None = None) -> None:
    """Record ``event`` in the workspace ``tenant_id`` (default: the context's), in the running transaction.

    Raises: ValueError, if no workspace is known; use ``record_platform`` for what happens outside all of them.
    """
    tenant_id = tenant_id if tenant_id is not None else context.current_tenant_id()
    if tenant_id is None:
        raise ValueError(f"{event.code} needs a workspace: pass tenant_id or record it with record_platform.")
    Event(tenant_id=tenant_id, **_columns(event, acting_user)).save(force_insert=True)


def record_platform(event: AuditEvent, *, acting_user: Actor) -> None:
    """Record ``event`` in the platform's own log, in the running transaction. No other contexts than these two reach it."""
    is_platform = context.current().role is context.Role.PLATFORM
    with nullcontext() if is_platform else context.accounts():
        PlatformEvent(**_columns(event, acting_user)).save(force_insert=True)


def record_platform_entry(reason: str, acting_user: Actor) -> None:
    """Note that ``acting_user`` entered the platform context; registered as its observer."""
    entry = PlatformEntry(
        reason=_fitted(PlatformEntry, "reason", reason),
        actor_kind=acting_user.kind,
        actor_id=acting_user.user_id,
        actor_label=_fitted(PlatformEntry, "actor_label", acting_user.label),
    )
    entry.save(force_insert=True)


def record_key_rotation(rotation: Rotation) -> None:
    """Note that the database accepts other keys than before; registered as the observer of rotations.

    Its own transaction: the keys are stored by the tables' owner, who has no way into the log.
    """
    if PlatformEvent._meta.db_table not in connection.introspection.table_names():
        return  # the migration that makes the keys' table runs before the one that makes the log
    event = ContextKeysRotated(
        count_added=len(rotation.added), count_dropped=len(rotation.dropped),
        added=list(rotation.added), kept=list(rotation.kept), dropped=list(rotation.dropped),
    )  # fmt: skip
    record_platform(event, acting_user=Actor.system("keys of contexts"))


def _columns(event: AuditEvent, acting_user: Actor) -> dict[str, object]:
    return {
        "code": event.code,
        "actor_kind": acting_user.kind,
        "actor_id": acting_user.user_id,
        "actor_label": _fitted(EventColumns, "actor_label", acting_user.label),
        "target_kind": event.target_kind,
        "target_id": _fitted(EventColumns, "target_id", event.target_id),
        "target_label": _fitted(EventColumns, "target_label", event.target_label),
        "facts": event.facts(),
    }


def _fitted(model: type[Model], name: str, text: str) -> str:
    """``text`` as long as its column: a long name must not keep something from being recorded."""
    column = model._meta.get_field(name)
    longest = column.max_length if isinstance(column, CharField) else None
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"
