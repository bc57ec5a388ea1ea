"""Records as the API shows them, from the rows that they are kept in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from sandbox.hubspot.kinds import Kind, kind_of, table_of
from sandbox.hubspot.moments import iso
from sandbox.hubspot.portals import Portal
from sandbox.hubspot.store import properties_of

Shown = dict[str, object]
ARCHIVED_FOR_MS = 90 * 86_400_000
_MOST_ASSOCIATIONS = 500


@dataclass(frozen=True)
class Wanted:
    """What of a kind's records is to be shown. Names that the portal does not know are left out, as HubSpot leaves them out."""

    kind: Kind
    names: tuple[str, ...]
    history: tuple[str, ...] = ()
    calculated: tuple[str, ...] = ()

    @classmethod
    def of(cls, portal: Portal, kind: Kind, names: Sequence[str], history: Sequence[str] = ()) -> "Wanted":
        """The properties that were asked for, or those that come when none were."""
        known = portal.catalogue.properties(kind)
        chosen = (*names, *history, *kind.always) if names or history else kind.shown
        kept = tuple(dict.fromkeys(name for name in chosen if name in known))
        told = tuple(dict.fromkeys(name for name in history if name in known))
        return cls(kind, kept, told, tuple(name for name in kept if portal.catalogue.calculated(kind, name)))

    def columns(self, portal: Portal) -> str:
        """What to select of a row ``r``: id, archived_ms, properties, history, and each calculated property."""
        history = "r.history" if self.history else "NULL"
        worked_out = (portal.catalogue.calculated(self.kind, name) or "NULL" for name in self.calculated)
        return ", ".join(("r.id", "r.archived_ms", "r.properties", history, *worked_out))

    def shown(self, row: Sequence[Any]) -> Shown:
        """A record, from a row of ``columns``."""
        values: dict[str, str | None] = properties_of(row[2])
        if self.calculated:
            values |= dict(zip(self.calculated, row[4:], strict=True))
        get = values.get
        record: Shown = {
            "id": str(row[0]), "properties": {name: get(name) for name in self.names},
            "createdAt": values[self.kind.created], "updatedAt": values[self.kind.modified], "archived": row[1] is not None,
        }  # fmt: skip
        if row[1] is not None:
            record["archivedAt"] = iso(row[1])
        if self.history:
            record["propertiesWithHistory"] = self._histories(values, row[3])
        return record

    def _histories(self, values: Mapping[str, str | None], kept: str | None) -> dict[str, list[Shown]]:
        """The versions of each property, the latest first; what has no history of its own has had one value from the start."""
        versions: dict[str, list[tuple[str | int, str | None]]] = msgspec.json.decode(kept) if kept else {}
        created = values[self.kind.created] or ""
        found = {}
        for name in self.history:
            past = versions.get(name) or ([(created, values[name])] if values.get(name) is not None else [])
            found[name] = [_version(moment, value) for moment, value in past]
        return found


def _version(moment: str | int, value: str | None) -> Shown:
    stamp = iso(moment) if isinstance(moment, int) else moment
    return {"value": value or "", "timestamp": stamp, "sourceType": "CRM_UI", "sourceId": "userId:11629000"}


def live_or_archived(portal: Portal, *, archived: bool) -> tuple[str, dict[str, int]]:
    """The condition on a row ``r`` that lets live records through, or those archived within the last ninety days."""
    parameters = {"now": portal.now_ms(), "floor": portal.now_ms() - ARCHIVED_FOR_MS}
    return ("r.archived_ms > :floor" if archived else "r.archived_ms IS NULL"), parameters


def records_by(
    portal: Portal, wanted: Wanted, keys: Sequence[str], id_property: str | None, *, archived: bool
) -> dict[str, Shown]:
    """Records by the key that they were asked for with: their id, or the value of another property."""
    condition, parameters = live_or_archived(portal, archived=archived)
    if id_property is None or id_property == "hs_object_id":
        key, wanted_keys = "r.id", [int(text) for text in keys if text.isdecimal() and len(text) < 19]
        listed: Sequence[object] = wanted_keys
    else:
        key, listed = f"json_extract(r.properties, '$.{id_property}')", list(keys)
    sql = f"""
        SELECT {wanted.columns(portal)}, {key}
        FROM {wanted.kind.name} r
        WHERE {key} IN (SELECT value FROM json_each(:keys)) AND {condition}
        ORDER BY r.id
    """
    rows = portal.store.rows(sql, parameters | {"keys": msgspec.json.encode(listed).decode()})
    return {str(row[-1]): wanted.shown(row[:-1]) for row in rows}


def add_associations(portal: Portal, kind: Kind, records: Sequence[Shown], others: Iterable[str]) -> None:
    """Show in each record what of other kinds it is associated with."""
    ids = [int(str(record["id"])) for record in records]
    for text in others:
        other = kind_of(text)
        types = portal.catalogue.association_types(kind, other)
        found = linked(portal, kind, other, ids)
        for record, record_id in zip(records, ids, strict=True):
            if links := found.get(record_id):
                shown: list[Shown] = [
                    {"id": str(to), "type": types[label].name} for to, label in links if label in types
                ]
                parts = record.setdefault("associations", {})
                assert isinstance(parts, dict)
                parts[other.name] = _paged(shown)


def _paged(shown: list[Shown]) -> Shown:
    if len(shown) <= _MOST_ASSOCIATIONS:
        return {"results": shown}
    after = str(shown[_MOST_ASSOCIATIONS]["id"])
    return {
        "results": shown[:_MOST_ASSOCIATIONS],
        "paging": {"next": {"after": after, "link": f"?after={after}"}},
    }


def linked(portal: Portal, kind: Kind, other: Kind, ids: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    """The live records of ``other`` that records of ``kind`` are associated with, as (id, label), by id and in order."""
    table, is_left = table_of(kind, other)
    near, far = ("a", "b") if is_left else ("b", "a")
    sql = f"""
        SELECT l.{near}, l.{far}, l.label
        FROM {table} l
        JOIN {other.name} o ON o.id = l.{far} AND o.archived_ms IS NULL
        WHERE l.{near} IN (SELECT value FROM json_each(?))
        ORDER BY l.{near}, l.{far}, l.label
    """
    found: dict[int, list[tuple[int, int]]] = {}
    for here, there, label in portal.store.rows(sql, (msgspec.json.encode(ids).decode(),)):
        found.setdefault(here, []).append((there, label))
    return found
