"""Odd but lawful data, on request: what has broken somebody's sync before. Equal stamps are made by ``restamp``."""

from collections.abc import Callable
from typing import Literal

import msgspec

from sandbox.hubspot.changes import Change, Values, changing
from sandbox.hubspot.kinds import Kind, kind_of
from sandbox.hubspot.portals import Portal
from sandbox.oddities import GAP_DAYS, GAP_HOURS, NAMES

_TITLES = {"deals": "dealname", "contacts": "lastname", "companies": "name", "calls": "hs_call_title", "notes": "hs_note_body",
           "meetings": "hs_meeting_title", "emails": "hs_email_subject", "tasks": "hs_task_subject"}  # fmt: skip
Oddness = Literal["names", "local_dates"]


class Oddity(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be odd, and in how many records; the first live ones of the kind are taken.

    ``names``: quotes, lines, emoji, NUL…; ``local_dates``: days and hours of clock changes in whatever date can be set.
    """

    kind: Oddness
    name: str = msgspec.field(name="object", default="deals")
    records: int = 10


def made_odd(portal: Portal, order: Oddity) -> list[str]:
    """Make records odd, which stamps them, and give their ids."""
    kind = kind_of(order.name)
    sql = f"SELECT id FROM {kind.name} WHERE archived_ms IS NULL ORDER BY id LIMIT ?"
    with changing(portal, "CRM_UI") as change:
        ids = [row[0] for row in change.connection.execute(sql, (order.records,)).fetchall()]
        for number, record_id in enumerate(ids):
            change.update(kind, change.find(kind, record_id), _MAKERS[order.kind](change, kind, number))
    return [str(record_id) for record_id in ids]


def _named(change: Change, kind: Kind, number: int) -> Values:
    return {_TITLES[kind.name]: NAMES[number % len(NAMES)]}


def _dated(change: Change, kind: Kind, number: int) -> Values:
    day, hour = GAP_DAYS[number % len(GAP_DAYS)], GAP_HOURS[number % len(GAP_HOURS)]
    return {
        name: day if definition["type"] == "date" else f"{day}T{hour}Z"
        for name, definition in change.portal.catalogue.properties(kind).items()
        if definition["type"] in {"date", "datetime"}
        and not _is_read_only(definition)
        and name not in kind.always
    }


def _is_read_only(definition: dict[str, object]) -> bool:
    metadata = definition["modificationMetadata"]
    return isinstance(metadata, dict) and bool(metadata["readOnlyValue"])


_MAKERS: dict[Oddness, Callable[[Change, Kind, int], Values]] = {"names": _named, "local_dates": _dated}
