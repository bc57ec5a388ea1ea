"""What a connector is to the engine: objects with fields, pages of CSV, and two kinds of trouble. No protocol's words in here."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

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


class BudgetSpent(PassingProblem):
    """What the workspace lets us use of the CRM's daily calls is used up; the run goes on when there are some again."""


class Kind(StrEnum):
    """How a field's text becomes a column's value, and what makes it a bad one."""

    TEXT = "text"
    NAME = "name"  # the first of several fields that says anything
    DATE = "date"
    INSTANT = "instant"
    MONEY = "money"  # into minor units
    COUNT = "count"
    PERCENT = "percent"
    NUMBER = "number"
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
    key: str = ""  # what the field mapping calls it, where that is not its name

    @property
    def mapping_key(self) -> str:
        """The column in a workspace's field mapping."""
        return self.key or self.name


@dataclass(frozen=True)
class CustomField:
    """A CRM field without a column of ours: kept as ``custom[key]``, as a JSON number, boolean or text by its kind."""

    key: str
    field: str
    kind: Kind


@dataclass(frozen=True)
class FieldDescription:
    """A field as the CRM describes it. ``type`` is the CRM's own word; ``options`` are a picklist's active values.

    ``is_restricted``: the CRM itself takes no other values.
    """

    name: str
    label: str
    type: str
    kind: Kind
    is_nullable: bool = True
    is_custom: bool = False
    is_calculated: bool = False
    length: int = 0
    options: tuple[str, ...] = ()
    is_restricted: bool = False


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
    key: str = ""

    @property
    def mapping_key(self) -> str:
        """The reference in a workspace's field mapping: ``owner_id`` for the owner."""
        return self.key or f"{self.name}_id"

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
    ``deleted_field`` marks tombstones ("" where the object has none); ``currency_field`` names a row's currency;
    ``created_field`` tells the month that a row is compared in ("" where there is none). An object with a ``parent`` is never
    read by itself: its rows come with the pages of that object (``Page.children``). ``unstamped`` are fields whose changes move no
    stamp, beside those that the CRM describes as calculated. ``kept`` are keys of custom fields that the CRM no longer has: rows
    keep their last values.
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
    created_field: str = "CreatedDate"
    is_required: bool = False
    custom: tuple[CustomField, ...] = ()
    kept: tuple[str, ...] = ()
    parent: str = ""
    unstamped: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """Every CRM field to read, each once, in a fixed order."""
        own = [self.id_field, self.stamp_field, self.deleted_field, self.currency_field]
        wanted = [*own, *(r.field for r in self.references), *(f for c in self.columns for f in c.fields)]
        wanted += [custom.field for custom in self.custom]
        return tuple(dict.fromkeys(name for name in wanted if name))


@dataclass(frozen=True)
class ChildPage:
    """All rows of a child object (``ObjectSpec.parent``) that belong to these ``parents`` (their ids), as CSV: others are gone."""

    object_name: str
    parents: Sequence[str]
    content: bytes
    rows: int


@dataclass(frozen=True)
class Page:
    """A stretch of CSV: a header of the object's fields, then rows. ``after`` is the place behind it ("" at the end).

    ``rows`` is how many the CRM says there are, to notice a cut; ``rows_in_all`` is the whole of the extraction. ``gone`` are ids
    that the CRM no longer has. ``children`` are merged with the page, in its transaction. ``archived``, where it is given, is all that
    the CRM's list of archived rows holds now, to be remembered (``ArchivedRow``); ``watched`` are added to what is remembered: gone
    rows that may come back before that list is read. ``again`` are rows of other objects, as (object,
    id), that have to be read again because of what this page tells: they are noticed as if a webhook had named them.
    """

    chunks: Iterator[bytes]
    after: str
    rows: int | None = None
    rows_in_all: int | None = None
    gone: Sequence[str] = ()
    children: Sequence[ChildPage] = ()
    archived: Sequence[str] | None = None
    watched: Sequence[str] = ()
    again: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Allowance:
    """Calls that the CRM lets the organisation make a day."""

    used: int
    limit: int


def without_fields(spec: ObjectSpec, missing: set[str]) -> ObjectSpec:
    """The object as an organisation without these fields has it."""
    columns = (_without(column, missing) for column in spec.columns)
    return replace(
        spec,
        columns=tuple(column for column in columns if column is not None),
        references=tuple(r for r in spec.references if r.field not in missing),
        custom=tuple(custom for custom in spec.custom if custom.field not in missing),
        kept=(*spec.kept, *(custom.key for custom in spec.custom if custom.field in missing)),
        deleted_field="" if spec.deleted_field in missing else spec.deleted_field,
        currency_field="" if spec.currency_field in missing else spec.currency_field,
    )


def _without(column: Column, missing: set[str]) -> Column | None:
    left = tuple(name for name in column.fields if name not in missing)
    return replace(column, fields=left) if left else None


class Source(Protocol):
    """One CRM of one workspace, signed in to. Every method may raise ConfigurationProblem or PassingProblem."""

    def objects(self) -> tuple[ObjectSpec, ...]:
        """The objects in the order in which references resolve: what is pointed at comes first."""

    def describe(self, spec: ObjectSpec) -> Mapping[str, FieldDescription] | None:
        """The fields of an object that can be read, by name, in the CRM's order; None where the object cannot be read."""

    def foresee(self, wanted: Sequence[tuple[ObjectSpec, datetime]]) -> None:
        """Told before a run asks what changed in these objects since then: a CRM that can answer many questions at once may do so."""

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

    def named(self, spec: ObjectSpec, ids: Sequence[str]) -> Generator[Page]:
        """The rows of these ids as they are now. Ids that the CRM does not have are in ``Page.gone``."""

    def identities(self, spec: ObjectSpec) -> Generator[Page]:
        """Every live row as CSV of three fields, named in this order in the header: id, stamp, creation (where there is any).

        ``Page.again`` names rows that differ from the mirror though no stamp tells.
        """

    def sample(self, spec: ObjectSpec, fields: Sequence[str], rows: int) -> list[dict[str, str]]:
        """The newest rows as {field: text}, "" for nothing, of any fields of the object (``spec.fields`` need not be among them)."""

    def allowance(self) -> Allowance | None:
        """What the CRM said last about its daily limit."""

    def measured(self) -> Mapping[str, Any]:
        """What reading was measured to take so far (``engine.pace``), to be kept for the next run; empty where nothing is measured."""

    def check(self) -> str:
        """Sign in and look whether deals can be read; gives a sentence about what was found."""

    def close(self) -> None:
        """Let go of connections."""


class PlaceLost(PassingProblem):
    """The stored place is gone; the object must be opened anew."""
