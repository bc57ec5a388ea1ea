"""Who sees personal data unmasked, and the record of it.

Values reach a page, a file or the API only through a ``Redactor``, and one that leaves them unmasked exists only inside ``reading``
or after ``streaming``: both write the event. Afterwards it refuses to work, so nothing unmasked gets out without its record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from django.http import HttpRequest

from audit.services import record
from isolation.actors import Actor
from rbac.events import PersonalDataRead
from rbac.redaction import masks

NAMED_AT_MOST = 1000
"""Rows that one event names; it counts the others."""
_LONGEST_FILTERS = 300
_PAGING = ("page", "cursor")

_registry: dict[str, PersonalData] = {}


@dataclass(frozen=True)
class PersonalData:
    """One kind of personal data: what the log calls it, and the rights that show it unmasked, all of them needed."""

    name: str
    permissions: frozenset[str]

    def seen_by(self, actor: Actor, tenant_id: int) -> bool:
        """Whether ``actor`` reads it unmasked: the one place that judges."""
        return all(actor.may(code, tenant_id) for code in self.permissions)


def register(name: str, permission: str) -> PersonalData:
    """Declare a kind of personal data that ``permission`` shows. Raises: ValueError for a name that has another one."""
    kind = PersonalData(name, frozenset({permission}))
    if _registry.setdefault(name, kind) != kind:
        raise ValueError(f"Personal data {name!r} is registered twice with different rights.")
    return kind


def of_any_kind(name: str) -> PersonalData:
    """What may hold personal data of every registered kind, such as texts in the log: whoever sees all of them sees it."""
    return PersonalData(name, frozenset().union(*(kind.permissions for kind in _registry.values())))


@dataclass(frozen=True)
class Door:
    """Through what personal data leaves: a route's name, the method, and the filters, in which numbers and addresses are masked."""

    name: str
    filters: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> Self:
        """The door that this request came through."""
        match = request.resolver_match
        asked = [
            f"{name}={value}"
            for name, values in request.GET.lists()
            for value in values
            if value and name not in _PAGING
        ]
        return cls(
            match.view_name if match else request.path, masks.text(", ".join(asked))[:_LONGEST_FILTERS]
        )


class Redactor:
    """What one reader may see of one kind of personal data. Values go through it on their way out; empty ones stay empty."""

    def __init__(self, *, is_masking: bool) -> None:
        self.is_masking = is_masking
        self._is_open = True
        self._row = ""
        self._shown: dict[str, None] = {}

    def row(self, key: object) -> Self:
        """Say to which row the next values belong: the record names it if one of them is shown unmasked."""
        self._row = str(key)
        return self

    def phone(self, value: str) -> str:
        """A telephone number."""
        return self._out(value, masks.phone(value))

    def email(self, value: str) -> str:
        """An e-mail address."""
        return self._out(value, masks.email(value))

    def text(self, value: str) -> str:
        """A text in which numbers and addresses may stand."""
        return self._out(value, masks.text(value))

    def _out(self, value: str, masked: str) -> str:
        if not self._is_open:
            raise RuntimeError("Personal data was asked for after the record of its reading was written.")
        if self.is_masking:
            return masked
        if masked != value:
            self._note()
        return value

    def _note(self) -> None:
        self._shown[self._row] = None

    def shown(self) -> list[str]:
        """The rows of which something was shown that masking would have hidden."""
        return list(self._shown)

    def close(self) -> None:
        """Let nothing more through."""
        self._is_open = False


class StreamRedactor(Redactor):
    """Of a stream, whose record was written before: it keeps no count, however many rows there are."""

    def _note(self) -> None:
        pass


@contextmanager
def reading(kind: PersonalData, *, acting_user: Actor, tenant_id: int, door: Door) -> Iterator[Redactor]:
    """A redactor for what an answer shows; at the end one event tells of the rows that were shown unmasked, if any were.

    The event is written in the transaction of the answer: where it cannot be written, there is no answer.
    """
    redactor = Redactor(is_masking=not kind.seen_by(acting_user, tenant_id))
    try:
        yield redactor
    finally:
        redactor.close()
    if rows := redactor.shown():
        record(_event(kind, door, rows), acting_user=acting_user, tenant_id=tenant_id)


def streaming(
    kind: PersonalData, *, acting_user: Actor, tenant_id: int, door: Door, rows: Sequence[str] | None = None
) -> Redactor:
    """A redactor for a file that is written after the view has returned. To be called in the view, inside its transaction.

    The event is on record before the first row leaves and tells what was asked for (``rows``, or all that the filters let
    through), so a stream that is cut hides nothing.
    """
    is_masking = not kind.seen_by(acting_user, tenant_id)
    if not is_masking and (rows is None or rows):
        record(_event(kind, door, rows), acting_user=acting_user, tenant_id=tenant_id)
    return StreamRedactor(is_masking=is_masking)


def _event(kind: PersonalData, door: Door, rows: Sequence[str] | None) -> PersonalDataRead:
    if rows is None:
        count, extent = None, "everything that fits"
    else:
        count, extent = len(rows), "1 row" if len(rows) == 1 else f"{len(rows):,} rows"
    return PersonalDataRead(
        data=kind.name, door=door.name, extent=extent, rows=count, filters=door.filters,
        items=list(rows or ())[:NAMED_AT_MOST],
    )  # fmt: skip
