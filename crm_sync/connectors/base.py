"""What a connector is to the engine: objects with fields, pages of CSV, and two kinds of trouble. No protocol's words in here."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from isolation.models import MirrorModel


class ConnectorProblem(Exception):
    """Something that keeps a run from going on. ``sentence`` is for the person who set the connection up."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class ConfigurationProblem(ConnectorProblem):
    """A person must act: trying again changes nothing."""


class PassingProblem(ConnectorProblem):
    """Trying again may help; ``retry_after_seconds`` is how long the CRM asked to be left alone."""

    def __init__(self, code: str, sentence: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(code, sentence)
        self.retry_after_seconds = retry_after_seconds


class Kind(StrEnum):
    """How a field's text becomes a column's value, and what makes it a bad one."""

    TEXT = "text"
    NAME = "name"  # the first of several fields that says anything
    DATE = "date"
    INSTANT = "instant"
    MONEY = "money"  # into minor units
    COUNT = "count"
    PERCENT = "percent"
    FLAG = "flag"


@dataclass(frozen=True)
class Column:
    """A column of the mirror and the CRM field (for a NAME: fields) that fills it.

    ``is_required``: a row without a value is kept aside.
    """

    name: str
    kind: Kind
    fields: tuple[str, ...]
    is_required: bool = False


@dataclass(frozen=True)
class Reference:
    """A field that names a row of another object: ``<name>_external_id`` as given, ``<name>_id`` as resolved in the mirror.

    ``copies`` maps columns of this table to columns of the other one that they repeat. ``must_resolve``: a value that
    the mirror does not hold makes the row a bad one; ``is_required``: so does no value.
    """

    name: str
    field: str
    to: type[MirrorModel]
    copies: Mapping[str, str] = dataclasses.field(default_factory=dict)
    must_resolve: bool = False
    is_required: bool = False

    @property
    def external(self) -> str:
        """The column with the CRM's id."""
        return f"{self.name}_external_id"

    @property
    def internal(self) -> str:
        """The column with the mirror's id."""
        return f"{self.name}_id"


@dataclass(frozen=True)
class ObjectSpec:
    """One object of a CRM and the mirror table that it fills.

    ``constants`` are columns with one value for the whole object; they tell two objects of one table apart.
    ``deleted_field`` marks tombstones ("" where the object has none); ``currency_field`` names a row's currency.
    """

    name: str
    label: str
    model: type[MirrorModel]
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()
    constants: Mapping[str, str] = dataclasses.field(default_factory=dict)
    id_field: str = "Id"
    stamp_field: str = "SystemModstamp"
    deleted_field: str = "IsDeleted"
    currency_field: str = ""
    is_required: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """Every CRM field to read, each once, in a fixed order."""
        own = [self.id_field, self.stamp_field, self.deleted_field, self.currency_field]
        wanted = [*own, *(r.field for r in self.references), *(f for c in self.columns for f in c.fields)]
        return tuple(dict.fromkeys(name for name in wanted if name))


@dataclass(frozen=True)
class Page:
    """A stretch of CSV: a header of the object's fields, then rows. ``after`` is the place behind it ("" at the end).

    ``rows`` is how many the CRM says there are, to notice a cut; ``rows_in_all`` is the whole of the extraction.
    """

    chunks: Iterator[bytes]
    after: str
    rows: int | None = None
    rows_in_all: int | None = None


@dataclass(frozen=True)
class Allowance:
    """Calls that the CRM lets the organisation make a day."""

    used: int
    limit: int


class Source(Protocol):
    """One CRM of one workspace, signed in to. Every method may raise ConfigurationProblem or PassingProblem."""

    def objects(self) -> tuple[ObjectSpec, ...]:
        """The objects in the order in which references resolve: what is pointed at comes first."""

    def usable(self, spec: ObjectSpec) -> tuple[ObjectSpec | None, str]:
        """The object without the fields that this organisation lacks (None: lacks all of it), and a note that says so."""

    def covered_until(self, spec: ObjectSpec) -> datetime:
        """Up to when everything that changed can be read now: the next watermark."""

    def deleted_since(self, spec: ObjectSpec, since: datetime) -> list[str] | None:
        """Ids of the rows that were deleted from then on, some of which may be back since.

        None: no longer known; only a read from the beginning finds out.
        """

    def open(self, spec: ObjectSpec, since: datetime | None) -> str:
        """Begin to read everything (None) or what changed; gives the place of the first page, to be stored."""

    def pages(self, spec: ObjectSpec, since: datetime | None, place: str) -> Generator[Page]:
        """The pages from a place on. Raises: PlaceLost, if the CRM no longer knows the place."""

    def allowance(self) -> Allowance | None:
        """What the CRM said last about its daily limit."""

    def check(self) -> str:
        """Sign in and look whether deals can be read; gives a sentence about what was found."""

    def close(self) -> None:
        """Let go of connections."""


class PlaceLost(PassingProblem):
    """The stored place is gone; the object must be opened anew."""
