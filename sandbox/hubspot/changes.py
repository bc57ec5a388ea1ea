"""Writing to a portal: what a record's change sets off, and when its stamp moves."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

import msgspec

from sandbox.hubspot.errors import invalid, no_such_object
from sandbox.hubspot.kinds import Kind, associated_with, table_of
from sandbox.hubspot.moments import iso, milliseconds_of
from sandbox.hubspot.pipelines import long_number
from sandbox.hubspot.portals import Portal
from sandbox.hubspot.reading import ARCHIVED_FOR_MS
from sandbox.hubspot.store import encode, properties_of
from sandbox.hubspot.webhooks import Event

Values = dict[str, str | None]
_FIRST_NEW_ID = 90_000_000_000
_TAKE_OVER = """
    INSERT OR IGNORE INTO {table} ({near}, {far}, label)
    SELECT ?1, {far}, label
    FROM {table} t
    WHERE {near} = ?2 AND NOT (label = 1 AND '{near}' = 'a' AND EXISTS (SELECT 1 FROM {table} WHERE a = ?1 AND label = 1))
"""


@dataclass
class Record:
    """A record as it is kept."""

    id: int
    created_ms: int
    updated_ms: int
    archived_ms: int | None
    values: Values
    history: dict[str, list[tuple[int | str, str | None]]]


@dataclass
class Change:
    """A transaction on a portal. ``source`` says who makes it, as webhooks tell it."""

    portal: Portal
    connection: sqlite3.Connection
    source: str
    now_ms: int
    events: list[Event] = field(default_factory=list)

    def find(self, kind: Kind, record_id: int | str, *, archived: bool = False) -> Record:
        """A record that is live, or with ``archived`` one that can still be restored. Raises: HubSpotError."""
        sql = f"SELECT * FROM {kind.name} WHERE id = ?"
        text = str(record_id)
        row = (
            self.connection.execute(sql, (int(text),)).fetchone()
            if text.isdecimal() and len(text) < 19
            else None
        )
        if (
            row is None
            or (row[3] is not None) != archived
            or (archived and row[3] <= self.now_ms - ARCHIVED_FOR_MS)
        ):
            raise no_such_object()
        history = msgspec.json.decode(row[5]) if row[5] else {}
        return Record(row[0], row[1], row[2], row[3], properties_of(row[4]), history)

    def create(self, kind: Kind, values: Values) -> int:
        """Add a record and give its id."""
        number = self._next_id()
        stamp = iso(self.now_ms)
        made: Values = {kind.created: stamp, kind.modified: stamp, "hs_object_id": str(number)}
        if kind.name == "deals":
            made["pipeline"] = "default"
        record = Record(number, self.now_ms, self.now_ms, None, {}, {})
        self._lag(kind, record, was_live=False)
        made |= values
        self._take_over(kind, record, made | self._derived(kind, {}, made) | values)
        self._save(kind, record)
        self._tell(kind, "creation", number)
        self._tell_values(kind, number, values)
        return number

    def update(self, kind: Kind, record: Record, values: Values) -> None:
        """Change a record and move its stamp; nothing moves where nothing changes. Stamps given by hand win."""
        wanted = self._derived(kind, record.values, values) | values
        changed = {
            name: value for name, value in wanted.items() if (record.values.get(name) or "") != (value or "")
        }
        if not changed:
            return
        self._lag(kind, record)
        stamped: Values = {kind.modified: iso(self.now_ms)}
        self._take_over(kind, record, stamped | changed)
        self._save(kind, record)
        self._tell_values(kind, record.id, changed)

    def recount(self, kind: Kind, record: Record, values: Values) -> None:
        """Change what HubSpot counts, without moving the stamp."""
        record.values |= values
        self._save(kind, record)

    def archive(self, kind: Kind, record: Record) -> None:
        """Take a record out of lists and searches. Its stamp does not move."""
        self._lag(kind, record)
        self._set_archived(kind, record, self.now_ms)
        self._tell(kind, "deletion", record.id)

    def restore(self, kind: Kind, record: Record) -> None:
        """Bring an archived record back. Its stamp does not move."""
        self._lag(kind, record, was_live=False)
        self._set_archived(kind, record, None)
        self._tell(kind, "restore", record.id)

    def forget(self, kind: Kind, record: Record, *, merged_into: int | None = None) -> None:
        """Take a record away without trace, its associations too."""
        self._lag(kind, record)
        for table, near, _ in _tables_of(kind):
            self.connection.execute(f"DELETE FROM {table} WHERE {near} = ?", (record.id,))
        self.connection.execute(f"DELETE FROM {kind.name} WHERE id = ?", (record.id,))
        self.connection.execute(
            "INSERT OR REPLACE INTO gone VALUES (?, ?, ?)", (kind.name, record.id, merged_into)
        )
        if merged_into is None:
            self._tell(kind, "privacyDeletion", record.id)

    def merge(self, kind: Kind, survivor: Record, loser: Record) -> None:
        """Let a record take over another's values that it lacks, and its associations; the other vanishes."""
        for table, near, far in _tables_of(kind):
            self.connection.execute(
                _TAKE_OVER.format(table=table, near=near, far=far), (survivor.id, loser.id)
            )
        # What the loser had swallowed is the survivor's now, as in the real one's list of a contact's merged ids.
        swallowed = [*_swallowed_by(survivor), *_swallowed_by(loser), str(loser.id)]
        taken: Values = {
            name: value for name, value in loser.values.items() if value and not survivor.values.get(name)
        }
        self.update(kind, survivor, taken | {"hs_merged_object_ids": ";".join(swallowed)})
        self.forget(kind, loser, merged_into=survivor.id)
        self._tell(kind, "merge", survivor.id, primaryObjectId=survivor.id, mergedObjectIds=[loser.id],
                   newObjectId=None, numberOfPropertiesMoved=len(taken))  # fmt: skip

    def _next_id(self) -> int:
        sql = (
            "INSERT INTO _meta VALUES ('created', '1') ON CONFLICT (key) "
            "DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value"
        )
        return _FIRST_NEW_ID + int(self.connection.execute(sql).fetchone()[0]) * 7

    def _take_over(self, kind: Kind, record: Record, values: Values) -> None:
        for name, value in values.items():
            first = record.values.get(name)
            past = record.history.setdefault(name, [(record.created_ms, first)] if first else [])
            past.insert(0, (self.now_ms, value or None))
        record.values |= {name: value or None for name, value in values.items()}
        record.updated_ms = _moment(record.values[kind.modified], self.now_ms)
        record.created_ms = _moment(record.values[kind.created], self.now_ms)

    def _save(self, kind: Kind, record: Record) -> None:
        values, history = encode(record.values).decode(), encode(record.history).decode()
        row = (record.id, record.created_ms, record.updated_ms, record.archived_ms, values, history)
        self.connection.execute(f"INSERT OR REPLACE INTO {kind.name} VALUES (?, ?, ?, ?, ?, ?)", row)

    def _set_archived(self, kind: Kind, record: Record, moment: int | None) -> None:
        record.archived_ms = moment
        self.connection.execute(f"UPDATE {kind.name} SET archived_ms = ? WHERE id = ?", (moment, record.id))

    def _lag(self, kind: Kind, record: Record, *, was_live: bool = True) -> None:
        """Keep what searches go on showing while the index lags behind this change."""
        switches = self.portal.switches
        if switches.search_lag_seconds <= 0:
            return
        seconds = switches.search_lag_seconds
        if switches.search_lag_seed is not None:
            draw = Random(f"{switches.search_lag_seed}:{kind.name}:{record.id}:{self.now_ms}")  # noqa: S311 - not a secret
            seconds *= draw.random()
        before = encode(record.values).decode() if was_live else None
        sql = "INSERT INTO lagging (kind, id, until_ms, created_ms, updated_ms, properties) VALUES (?, ?, ?, ?, ?, ?)"
        until = self.now_ms + round(seconds * 1000)
        self.connection.execute(
            sql, (kind.name, record.id, until, record.created_ms, record.updated_ms, before)
        )

    def _derived(self, kind: Kind, before: Values, values: Values) -> Values:
        """What HubSpot works out from the values that are set."""
        derived: Values = {}
        if "hubspot_owner_id" in values:
            derived["hubspot_owner_assigneddate"] = iso(self.now_ms) if values["hubspot_owner_id"] else None
        if kind.name == "deals":
            derived |= self._derived_of_deal(before, values)
        if kind.name == "tasks" and "hs_task_status" in values:
            is_done = values["hs_task_status"] == "COMPLETED"
            derived |= {"hs_task_is_completed": "1" if is_done else "0",
                        "hs_task_completion_date": iso(self.now_ms) if is_done else None}  # fmt: skip
        return derived

    def _derived_of_deal(self, before: Values, values: Values) -> Values:
        if not {"dealstage", "pipeline", "amount"} & values.keys():
            return {}
        after = before | values
        derived: Values = {"amount_in_home_currency": after.get("amount")}
        if after.get("dealstage") != before.get("dealstage"):
            derived["hs_v2_date_entered_current_stage"] = iso(self.now_ms)
        stage = self.portal.catalogue.stage_metadata(after.get("pipeline"), after.get("dealstage"))
        if stage is None:
            return derived
        probability, amount = _number(stage.get("probability")), _number(after.get("amount"))
        is_closed = stage.get("isClosed") == "true"
        derived |= {
            "hs_is_closed": "true" if is_closed else "false", "hs_is_closed_won": "true" if is_closed and probability == 1 else "false",
            "hs_deal_stage_probability": None if probability is None else long_number(probability),
            "hs_forecast_amount": None if amount is None or probability is None else long_number(amount * probability),
        }  # fmt: skip
        return derived

    def _tell(self, kind: Kind, happening: str, object_id: int, **more: object) -> None:
        self.events.append({
            "subscriptionType": f"{kind.singular}.{happening}", "objectTypeId": kind.type_id, "objectId": object_id,
            "occurredAt": self.now_ms, "changeSource": self.source, **more,
        })  # fmt: skip

    def _tell_values(self, kind: Kind, object_id: int, values: Mapping[str, str | None]) -> None:
        for name, value in values.items():
            self._tell(kind, "propertyChange", object_id, propertyName=name, propertyValue=value or "")

    def tell_association(
        self, kind: Kind, other: Kind, ids: tuple[int, int], *, removed: bool, primary: bool
    ) -> None:
        """An association made or ended, seen from either side."""
        for one, two, (from_id, to_id) in ((kind, other, ids), (other, kind, (ids[1], ids[0]))):
            self._tell(one, "associationChange", from_id, fromObjectId=from_id, toObjectId=to_id,
                       associationType=f"{one.singular}_TO_{two.singular}".upper(), associationRemoved=removed,
                       isPrimaryAssociation=primary)  # fmt: skip
            del self.events[-1]["objectId"]


@contextmanager
def changing(portal: Portal, source: str = "INTEGRATION") -> Iterator[Change]:
    """A transaction on a portal; what it did is told to webhooks once it is kept."""
    with portal.store.writing() as connection:
        change = Change(portal, connection, source, portal.now_ms())
        yield change
    portal.webhooks.send(change.events)


def _tables_of(kind: Kind) -> list[tuple[str, str, str]]:
    """The association tables that hold a kind, with its column and the other one."""
    return [
        (table, "a", "b") if is_left else (table, "b", "a")
        for table, is_left in (table_of(kind, other) for other in associated_with(kind))
    ]


def _swallowed_by(record: Record) -> list[str]:
    return [each for each in (record.values.get("hs_merged_object_ids") or "").split(";") if each]


def _moment(text: str | None, default: int) -> int:
    found = milliseconds_of(text) if text else None
    return default if found is None else found


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def stored(portal: Portal, kind: Kind, properties: Mapping[str, object]) -> Values:
    """Values as they are kept, whatever they are; only names that the portal does not have are refused."""
    known = portal.catalogue.properties(kind)
    unknown = [name for name in properties if name not in known]
    if unknown:
        raise invalid(f'Property "{unknown[0]}" does not exist')
    return {name: text_of(value) for name, value in properties.items()}


def text_of(value: object) -> str | None:
    """A JSON value as HubSpot keeps it: as text."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def ids_of(texts: Sequence[object]) -> list[str]:
    """Ids as text, each once, in order."""
    return list(dict.fromkeys(str(text) for text in texts))
