"""Who acts. Every service takes an ``Actor``; every audit event names one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from uuid import UUID

from isolation import permissions
from isolation.errors import Forbidden

LOWEST_LEVEL = 99  # below every role: whoever holds none can give none


class ActorKind(StrEnum):
    """What sort of hand moved."""

    PERSON = "person"
    OPERATOR = "operator"
    SYSTEM = "system"


@dataclass(frozen=True)
class Shares:
    """Internal ids of what was shared with a member, beside the rows of visible owners; none twice, in any order.

    ``…_edit`` are those to change, among those to see; ``owner`` are owners whose names come with what they own.
    """

    deal: tuple[int, ...] = ()
    deal_edit: tuple[int, ...] = ()
    account: tuple[int, ...] = ()
    account_edit: tuple[int, ...] = ()
    contact: tuple[int, ...] = ()
    contact_edit: tuple[int, ...] = ()
    owner: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.deal or self.account)


NO_SHARES = Shares()


@dataclass(frozen=True)
class Actor:
    """An acting user with the rights that were judged when the request or job began.

    ``tenant_id`` is the workspace the rights hold in (None: operators and system jobs act in any). An operator with one is a
    visitor there, who holds the rights listed and no others (``rbac.breakglass``).
    ``owner_ids`` are the CRM owners whose rows the actor sees; None means the whole workspace. ``shares`` comes beside them.
    ``role`` is the member's base role; ``level`` the highest of all roles held (1 is the top), ``permissions`` their union,
    ``sight`` the widest: "own", "team" or "everything".
    """

    kind: ActorKind
    label: str
    user_id: UUID | None = None
    member_id: UUID | None = None
    tenant_id: int | None = None
    role: str = ""
    permissions: frozenset[str] = field(default_factory=frozenset)
    owner_ids: tuple[int, ...] | None = None
    level: int = LOWEST_LEVEL
    sight: str = "own"
    shares: Shares = NO_SHARES

    @classmethod
    def system(cls, job: str) -> Self:
        """The program itself, named after the job that runs."""
        return cls(kind=ActorKind.SYSTEM, label=job)

    @classmethod
    def operator(cls, *, user_id: UUID, email: str) -> Self:
        """One of the vendor's staff, acting on the platform."""
        return cls(kind=ActorKind.OPERATOR, label=email, user_id=user_id)

    @property
    def is_trusted_everywhere(self) -> bool:
        """Operators and system jobs are not bound to one workspace, unless an operator visits one."""
        return self.kind is not ActorKind.PERSON and self.tenant_id is None

    def may(self, code: str, tenant_id: int) -> bool:
        """Whether the actor holds ``code`` in that workspace. KeyError for a code that nobody registered."""
        permissions.get(code)
        if self.is_trusted_everywhere:
            return True
        return self.tenant_id == tenant_id and code in self.permissions


def require(acting_user: Actor, code: str, tenant_id: int) -> None:
    """Refuse unless ``acting_user`` holds ``code`` in the workspace. Raises: Forbidden."""
    if not acting_user.may(code, tenant_id):
        raise Forbidden(
            actor=acting_user.label,
            permission=code,
            meaning=permissions.get(code).sentence,
            acting_user=acting_user,
            tenant_id=tenant_id,
        )
