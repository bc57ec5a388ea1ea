"""The one place that sets database context.

The program's login has no right on any table of tenants or accounts. A context takes one of six roles for one transaction and
names what that role may see; both end with the transaction, so a pooled connection carries nothing over. What is named is signed
for the role, this connection and now, because settings alone would stop a forgotten filter but not injected SQL.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import astuple, dataclass
from enum import StrEnum
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from isolation import signing
from isolation.actors import NO_SHARES, Actor, Shares

# How long a signed context may wait for its transaction, or clocks may differ. A transaction that has begun goes on.
VALID_SECONDS = 60
# Temporary tables are looked for last: one that injected SQL left behind would else be read, and run, as the next context's role.
SET_CONTEXT = (
    "SELECT set_config('search_path', 'public, pg_temp', true), set_config('revops.context', %s, true), "
    "set_config('revops.signature', %s, true), set_config('role', %s, true)"
)


class Role(StrEnum):
    """The database role that a context takes. ``NONE`` is the bare login: what belongs to no tenant and tells of nobody."""

    TENANT_MEMBER = "tenant_member"
    TENANT_SHARED = "tenant_shared"
    TENANT_WIDE = "tenant_wide"
    PLATFORM = "platform"
    PERSON = "person"
    ACCOUNTS = "accounts"
    NONE = "none"


@dataclass(frozen=True)
class Context:
    """What the policies read. Fields that a role does not use are empty."""

    role: Role
    tenant_id: int | None = None
    owner_ids: tuple[int, ...] = ()
    user_id: UUID | None = None
    reason: str = ""
    shares: Shares = NO_SHARES

    def fields(self, backend_pid: int, valid_until: int) -> tuple[str, ...]:
        """What is signed, in the order that the database reads; ``valid_until`` is in microseconds of the epoch."""
        return (
            self.role.value,
            str(backend_pid),
            str(valid_until),
            "" if self.tenant_id is None else str(self.tenant_id),
            ";".join(map(_array, self._visible())),
            str(self.user_id or ""),
            self.reason,
        )

    def _visible(self) -> tuple[tuple[int, ...], ...]:
        shared = astuple(self.shares) if self.role is Role.TENANT_SHARED else ()
        return (self.owner_ids, *shared)


def _array(ids: tuple[int, ...]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"


_NOWHERE = Context(role=Role.NONE)
_PEOPLE = Context(role=Role.ACCOUNTS)
_current: ContextVar[Context] = ContextVar("revops_context", default=_NOWHERE)

PlatformObserver = Callable[[str, Actor], None]
_platform_observers: list[PlatformObserver] = []


def on_platform_entry(observer: PlatformObserver) -> None:
    """Call ``observer(reason, actor)`` inside every platform context, before its body: that is how entries are audited."""
    _platform_observers.append(observer)


def current() -> Context:
    """The context in force in this thread or task; its role is ``NONE`` outside all of them."""
    return _current.get()


def current_tenant_id() -> int | None:
    """The workspace of the context in force, if it has one."""
    return _current.get().tenant_id


def _apply(context: Context) -> None:
    # set_config('role', …, true) is SET LOCAL ROLE; the whole context is one round trip.
    signature = ("", "")
    if context.role is not Role.NONE:
        signature = signing.signed(context.fields(*_validity()))
    with connection.cursor() as cursor:
        cursor.execute(SET_CONTEXT, [*signature, context.role.value])


def _validity() -> tuple[int, int]:
    """Backend's process id, and the microsecond of the epoch up to which its transaction may have begun."""
    if not settings.DATABASE_IS_POOLED:
        return connection.connection.info.backend_pid, time.time_ns() // 1000 + VALID_SECONDS * 1_000_000
    # Whom a pooler answers for is known only inside the transaction; as that asks anyway, the context fits no other one.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), (extract(epoch FROM now()) * 1000000)::bigint")
        pid, began = cursor.fetchone() or (0, 0)
    return pid, began


@contextmanager
def _enter(context: Context) -> Iterator[Context]:
    outer, is_outermost = _current.get(), not connection.in_atomic_block
    with transaction.atomic():
        if context != outer:
            _apply(context)
        token = _current.set(context)
        try:
            yield context
        finally:
            _current.reset(token)
        # SET LOCAL outlives RELEASE SAVEPOINT, so what was found is put back; an end of transaction undoes it by itself.
        if not (context == outer or is_outermost or connection.needs_rollback):
            _apply(outer)


def tenant_wide(tenant_id: int) -> AbstractContextManager[Context]:
    """See and change the rows of one workspace."""
    return _enter(Context(role=Role.TENANT_WIDE, tenant_id=tenant_id))


def tenant_member(tenant_id: int, owner_ids: Iterable[int]) -> AbstractContextManager[Context]:
    """See and change the rows of one workspace that belong to these CRM owners."""
    return _enter(Context(role=Role.TENANT_MEMBER, tenant_id=tenant_id, owner_ids=tuple(owner_ids)))


def tenant_shared(
    tenant_id: int, owner_ids: Iterable[int], shares: Shares
) -> AbstractContextManager[Context]:
    """See the rows of one workspace that belong to these CRM owners or were shared; change the former, and what may be edited."""
    return _enter(
        Context(role=Role.TENANT_SHARED, tenant_id=tenant_id, owner_ids=tuple(owner_ids), shares=shares)
    )


def person(user_id: UUID) -> AbstractContextManager[Context]:
    """See one person's own memberships, in every workspace, and nothing else."""
    return _enter(Context(role=Role.PERSON, user_id=user_id))


def accounts() -> AbstractContextManager[Context]:
    """Reach what belongs to people, not to tenants: accounts, sessions, access keys. Inside itself it is no savepoint."""
    return nullcontext(current()) if current() == _PEOPLE else _enter(_PEOPLE)


def shared_tables() -> AbstractContextManager[Context]:
    """Step out of the context for a moment, inside its transaction, to reach what belongs to nobody: jobs, heartbeats, catalogue."""
    return _enter(_NOWHERE)


@contextmanager
def platform(reason: str, acting_user: Actor) -> Iterator[Context]:
    """See and change the rows of all workspaces; ``reason`` and who are recorded on entry. Raises: ValueError, PermissionError."""
    if not reason.strip():
        raise ValueError("A platform context needs a reason.")
    if not acting_user.is_trusted_everywhere:
        raise PermissionError(
            f"{acting_user.label} is a workspace member and cannot enter the platform context."
        )
    with _enter(Context(role=Role.PLATFORM, reason=reason)) as context:
        for observer in _platform_observers:
            observer(reason, acting_user)
        yield context


def of_actor(acting_user: Actor, tenant_id: int) -> AbstractContextManager[Context]:
    """The context that fits what this actor may see in that workspace."""
    if acting_user.owner_ids is None:
        return tenant_wide(tenant_id)
    if acting_user.shares:
        return tenant_shared(tenant_id, acting_user.owner_ids, acting_user.shares)
    return tenant_member(tenant_id, acting_user.owner_ids)
