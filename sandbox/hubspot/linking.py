"""Associating records, and what that moves in them."""

from dataclasses import dataclass

from sandbox.hubspot.changes import Change, Record, Values
from sandbox.hubspot.errors import HubSpotError, invalid
from sandbox.hubspot.kinds import PRIMARY, UNLABELLED, Kind, associated_with, table_of
from sandbox.hubspot.moments import iso


@dataclass(frozen=True)
class Link:
    """Two records that are, or are to be, associated, with one of the labels."""

    kind: Kind
    other: Kind
    from_id: int
    to_id: int
    label: int = UNLABELLED

    def row(self) -> tuple[str, tuple[int, int, int]]:
        """The table, and its row."""
        table, is_left = table_of(self.kind, self.other)
        near, far = (self.from_id, self.to_id) if is_left else (self.to_id, self.from_id)
        return table, (near, far, self.label)


def link(change: Change, wanted: Link) -> None:
    """Associate two records; a labelled association is a plain one too. Raises: HubSpotError, if one is not live."""
    one, two = change.find(wanted.kind, wanted.from_id), change.find(wanted.other, wanted.to_id)
    table, (a, b, label) = wanted.row()
    if label == PRIMARY:
        _end_primary(change, wanted)
    before = change.connection.total_changes
    rows = [(a, b, UNLABELLED), (a, b, label)]
    change.connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)", rows)
    if change.connection.total_changes != before:
        _follow(change, wanted, one, two, removed=False)


def unlink(change: Change, wanted: Link, *, all_labels: bool) -> None:
    """End an association, or take one label from it. What is not there stays so."""
    table, (a, b, label) = wanted.row()
    sql = f"DELETE FROM {table} WHERE a = ? AND b = ?" + ("" if all_labels else f" AND label = {int(label)}")
    if change.connection.execute(sql, (a, b)).rowcount:
        one, two = _live(change, wanted.kind, wanted.from_id), _live(change, wanted.other, wanted.to_id)
        _follow(change, wanted, one, two, removed=True)


def merge(change: Change, kind: Kind, survivor: Record, loser: Record) -> None:
    """Merge two records. What those around them count is counted anew, which moves no stamp of theirs."""
    change.merge(kind, survivor, loser)
    for other in associated_with(kind):
        _recount(change, kind, survivor, other)
        for far_id in _far_ends(change, kind, survivor, other):
            if far := _live(change, other, far_id):
                _recount(change, other, far, kind)


def _recount(change: Change, kind: Kind, record: Record, other: Kind) -> None:
    values = _counted(change, kind, record, other)
    numbers = {name: value for name, value in values.items() if name.startswith("num_")}
    change.recount(kind, record, numbers)
    change.update(kind, record, {name: value for name, value in values.items() if name not in numbers})


def _far_ends(change: Change, kind: Kind, record: Record, other: Kind) -> list[int]:
    table, is_left = table_of(kind, other)
    near, far = ("a", "b") if is_left else ("b", "a")
    rows = change.connection.execute(f"SELECT DISTINCT {far} FROM {table} WHERE {near} = ?", (record.id,))
    return [number for (number,) in rows.fetchall()]


def label_of(change: Change, kind: Kind, other: Kind, category: str, type_id: int) -> int:
    """The label number of an association type. Raises: HubSpotError, if it is not one of the pair's."""
    for label, known in change.portal.catalogue.association_types(kind, other).items():
        if known.type_id == type_id and known.category == category:
            return label
    raise invalid(
        f"Invalid association type id {type_id} of {category} from {kind.type_id} to {other.type_id}"
    )


def _end_primary(change: Change, wanted: Link) -> None:
    """A record has one primary company: the former one becomes a plain one."""
    table, is_left = table_of(wanted.kind, wanted.other)
    child = wanted.from_id if is_left else wanted.to_id
    change.connection.execute(f"DELETE FROM {table} WHERE a = ? AND label = {PRIMARY}", (child,))


def _live(change: Change, kind: Kind, record_id: int) -> Record | None:
    try:
        return change.find(kind, record_id)
    except HubSpotError:
        return None


def _follow(change: Change, wanted: Link, one: Record | None, two: Record | None, *, removed: bool) -> None:
    """Work out again what counts associations; that moves the stamps of both sides as HubSpot moves them."""
    for kind, record, other in ((wanted.kind, one, wanted.other), (wanted.other, two, wanted.kind)):
        if record is not None and (values := _counted(change, kind, record, other)):
            change.update(kind, record, values)
    ids = wanted.from_id, wanted.to_id
    change.tell_association(wanted.kind, wanted.other, ids, removed=removed, primary=wanted.label == PRIMARY)


def _counted(change: Change, kind: Kind, record: Record, other: Kind) -> Values:
    if kind.is_engagement:
        return {}
    if other.is_engagement:
        return _activity(change, kind, record)
    name = f"num_associated_{other.name}"
    values: Values = {}
    if name in change.portal.catalogue.properties(kind):
        values[name] = str(_count(change, kind, record, other))
    if kind.name == "contacts" and other.name == "companies":
        values["associatedcompanyid"] = _primary_company(change, record)
    return values


def _count(change: Change, kind: Kind, record: Record, other: Kind) -> int:
    table, is_left = table_of(kind, other)
    sql = f"SELECT count(DISTINCT {'b' if is_left else 'a'}) FROM {table} WHERE {'a' if is_left else 'b'} = ?"
    return int(change.connection.execute(sql, (record.id,)).fetchone()[0])


def _primary_company(change: Change, record: Record) -> str | None:
    sql = f"SELECT b FROM contacts_companies WHERE a = ? AND label = {PRIMARY}"
    row = change.connection.execute(sql, (record.id,)).fetchone()
    return str(row[0]) if row else None


def _activity(change: Change, kind: Kind, record: Record) -> Values:
    """How many activities a record has, and when the latest past one was."""
    tables = ("calls", "meetings", "emails", "notes", "tasks")
    parts = (
        f"SELECT json_extract(e.properties, '$.hs_timestamp') AS moment FROM {name}_{kind.name} l JOIN {name} e ON e.id = l.a WHERE l.b = :id"
        for name in tables
    )
    sql = f"SELECT count(*), max(CASE WHEN moment <= :now THEN moment END) FROM ({' UNION ALL '.join(parts)})"
    number, latest = change.connection.execute(sql, {"id": record.id, "now": iso(change.now_ms)}).fetchone()
    values: Values = {"notes_last_updated": latest}
    return values | {"num_notes": str(number)} if kind.name == "deals" else values
