"""Odd but lawful data, on request: what has broken somebody's sync before."""

from collections.abc import Callable
from typing import Literal

import msgspec

from sandbox.changes import Values, set_values, sobject_of, stamps_of, writing
from sandbox.orgs import Org
from sandbox.schema import SObject

NAMES = (
    'O\'Brien & "Sons", Ltd; = 1\\2',
    "two\nlines\r\nthree\ttabs",
    "🚀 Ünïcödé – 漢字 𝔘𝔫𝔦 👩‍👩‍👧 שלום",
    "  spaces around  ",
    "=HYPERLINK(1)",
    "NULL",
    "nul\0inside",
    "%s {} ${x} '; DROP TABLE deals; --",
    "\\N",
    "é" * 255,
)
# The hours that clocks skip or repeat in New York, Berlin, São Paulo (formerly) and Lord Howe, and the ends of what is a date.
GAP_DAYS = (
    "2026-03-08",
    "2026-11-01",
    "2026-03-29",
    "2026-10-25",
    "2018-11-04",
    "2026-10-04",
    "2024-02-29",
    "9999-12-31",
    "1900-01-01",
)
GAP_HOURS = (
    "02:30:00",
    "01:30:00",
    "01:30:00",
    "01:30:00",
    "03:30:00",
    "15:30:00",
    "23:59:59",
    "23:59:59",
    "00:00:00",
)
Kind = Literal["equal_stamps", "names", "local_dates"]


class Oddity(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be odd, and in how many records; the first ones of the object are taken.

    ``equal_stamps``: all changed in one second; ``names``: quotes, lines, emoji, NUL…; ``local_dates``: days and hours of clock changes.
    """

    kind: Kind
    name: str = msgspec.field(name="object", default="Opportunity")
    records: int = 10


def make_odd(org: Org, order: Oddity, *, user_id: str) -> list[str]:
    """Make records odd, which stamps them, and give their ids."""
    sobject = sobject_of(org, order.name, everything=True)
    living = "WHERE \"IsDeleted\" IS NOT 'true'" if sobject.has_recycle_bin else ""
    sql = f'SELECT "Id" FROM "{sobject.name}" {living} ORDER BY _row LIMIT ?'
    with writing(org, user_id) as write:
        ids = [record_id for (record_id,) in write.run(sql, (order.records,))]
        stamps = stamps_of(write, sobject)
        for number, record_id in enumerate(ids):
            set_values(write, sobject, record_id, _MAKERS[order.kind](sobject, number) | stamps)
    return ids


def _same(sobject: SObject, number: int) -> Values:
    return {}


def _named(sobject: SObject, number: int) -> Values:
    title = next(
        (each for each in ("Name", "Subject", "MasterLabel", "LastName") if each in sobject.columns), None
    )
    return {title: NAMES[number % len(NAMES)]} if title else {}


def _dated(sobject: SObject, number: int) -> Values:
    day, hour = GAP_DAYS[number % len(GAP_DAYS)], GAP_HOURS[number % len(GAP_DAYS)]
    return {
        field.name: day if field.type == "date" else f"{day}T{hour}.000Z"
        for field in sobject.fields.values()
        if field.type in {"date", "datetime"} and field.is_stored and not field.is_read_only
    }


_MAKERS: dict[Kind, Callable[[SObject, int], Values]] = {
    "equal_stamps": _same,
    "names": _named,
    "local_dates": _dated,
}
