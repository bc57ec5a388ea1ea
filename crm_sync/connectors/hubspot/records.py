"""HubSpot's records as typed values, and as the lines of CSV that the engine stages."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec

from crm_sync.connectors.base import Kind, ObjectSpec
from crm_sync.connectors.hubspot import objects


class Version(msgspec.Struct):
    """A value that a property had from a moment on."""

    value: str | None = None
    timestamp: str = ""


class Record(msgspec.Struct):
    """One record. Histories have the latest version first."""

    id: str
    properties: dict[str, str | None]
    createdAt: str = ""
    updatedAt: str = ""
    propertiesWithHistory: dict[str, list[Version]] | None = None

    def get(self, name: str) -> str:
        """A property's value, "" for none."""
        return self.properties.get(name) or ""


class Next(msgspec.Struct):
    """Where the next page begins."""

    after: str


class Paging(msgspec.Struct):
    """What follows a page."""

    next: Next | None = None


class Records(msgspec.Struct):
    """A page of records; ``total`` is a search's."""

    results: list[Record]
    paging: Paging | None = None
    total: int | None = None

    @property
    def after(self) -> str:
        """Where the next page begins; "" behind the last one."""
        return self.paging.next.after if self.paging and self.paging.next else ""


class Type(msgspec.Struct):
    """What an association is."""

    category: str = ""
    label: str | None = None

    @property
    def is_primary(self) -> bool:
        """Whether HubSpot itself calls it the primary one of its kind."""
        return self.category == "HUBSPOT_DEFINED" and self.label == "Primary"


class Link(msgspec.Struct):
    """A record at the other end of an association, with everything that it is to the first."""

    toObjectId: int | str
    associationTypes: list[Type] = []

    @property
    def to(self) -> str:
        """The other record's id."""
        return str(self.toObjectId)

    @property
    def is_primary(self) -> bool:
        """Whether it is the primary one."""
        return any(each.is_primary for each in self.associationTypes)

    @property
    def labels(self) -> str:
        """The labels that people gave it, in HubSpot's order."""
        return "; ".join(each.label for each in self.associationTypes if each.label and not each.is_primary)


Links = dict[str, list[Link]]
"""Associations by the id of the first record."""


@dataclass(frozen=True)
class Ties:
    """What records are associated with, by the other side's kind of object."""

    of: dict[str, Links] = field(default_factory=dict)

    def links(self, kind: str, record_id: str) -> list[Link]:
        """The associations of one record."""
        return self.of.get(kind, {}).get(record_id, [])


Value = Callable[[Record, Ties], str]


class Writer:
    """Records of one object as CSV in the order of ``spec.fields``."""

    def __init__(self, spec: ObjectSpec, zone: ZoneInfo, currency: str) -> None:
        self._names = spec.fields
        dates = {name for column in spec.columns if column.kind is Kind.DATE for name in column.fields}
        special: dict[str, Value] = {name: _local(name, zone) for name in dates}
        special |= {name: value for name, value in _SPECIAL.items() if name in self._names}
        # HubSpot tells both moments beside the properties too, where a record lacks the property.
        special[spec.stamp_field] = lambda record, _: record.get(spec.stamp_field) or record.updatedAt
        if spec.created_field in self._names:
            special[spec.created_field] = lambda record, _: record.get(spec.created_field) or record.createdAt
        if spec.currency_field:
            special[spec.currency_field] = _currency(spec.currency_field, currency)
        self._special = [(place, special[name]) for place, name in enumerate(self._names) if name in special]

    def row(self, record: Record, ties: Ties) -> list[str | None]:
        """The values of one record."""
        values = list(map(record.properties.get, self._names))
        for place, value in self._special:
            values[place] = value(record, ties)
        return values

    def csv(self, records: Iterable[Record], ties: Ties) -> bytes:
        """A header and a line for each record."""
        return lines(self._names, (self.row(record, ties) for record in records))


def lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """CSV as Bulk's: every value quoted, nothing is ""."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode(errors="replace")


# Values that are not a property's text as it comes


def _local(name: str, zone: ZoneInfo) -> Value:
    return lambda record, _: local_date(record.get(name), zone)


@lru_cache(maxsize=65_536)
def local_date(text: str, zone: ZoneInfo) -> str:
    """The day of a moment where the portal is: what HubSpot shows people. What is no moment stays as it came."""
    if "T" not in text:
        return text
    try:
        return datetime.fromisoformat(text).astimezone(zone).date().isoformat()
    except (ValueError, OverflowError):
        return text


def _currency(name: str, default: str) -> Value:
    return lambda record, _: record.get(name) or default


def _percent(record: Record, ties: Ties) -> str:
    """HubSpot's probability is from 0 to 1, with all the digits of a binary number."""
    text = record.get("hs_deal_stage_probability")
    try:
        return str(round(float(text) * 100)) if text else ""
    except (ValueError, OverflowError):
        return text


def _full_name(record: Record, ties: Ties) -> str:
    return " ".join(part for name in ("firstname", "lastname") if (part := record.get(name)))


def _note_text(record: Record, ties: Ties) -> str:
    return plain(record.get("hs_note_body"))


def plain(text: str) -> str:
    """HTML as one line of text."""
    return " ".join(html.unescape(re.sub(r"<[^<>]*>", " ", text)).split())


def _primary_company(record: Record, ties: Ties) -> str:
    links = ties.links(objects.COMPANIES, record.id)
    return next((link.to for link in links if link.is_primary), "")


def _deal_of_activity(record: Record, ties: Ties) -> str:
    return min((link.to for link in ties.links(objects.DEALS, record.id)), key=id_order, default="")


def id_order(record_id: str) -> tuple[int, str]:
    """Ids are numbers without leading zeros: shorter ones are lower."""
    return len(record_id), record_id


def _stage_since(record: Record, ties: Ties) -> str:
    versions = history(record).get("dealstage", [])
    return versions[0].timestamp if versions else ""


def _is_completed(record: Record, ties: Ties) -> str:
    text = record.get("hs_task_is_completed")
    return {"1": "true", "0": "false"}.get(text, text)


_SPECIAL: dict[str, Value] = {
    "hs_deal_stage_probability": _percent,
    "hs_task_is_completed": _is_completed,
    "hs_object_id": lambda record, _: record.id,
    objects.FULL_NAME: _full_name,
    objects.NOTE_TEXT: _note_text,
    objects.PRIMARY_COMPANY: _primary_company,
    objects.DEAL_OF_ACTIVITY: _deal_of_activity,
    objects.STAGE_SINCE: _stage_since,
}


def history(record: Record) -> dict[str, list[Version]]:
    """The versions of a record's properties, the latest first."""
    return record.propertiesWithHistory or {}
