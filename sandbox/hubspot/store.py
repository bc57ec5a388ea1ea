"""The SQLite file behind a portal: a table for each kind of record, one for each pair of kinds that may be associated.

A record's properties are kept as the JSON object that answers show; beside them stand only the columns that lists and searches
go by. Milliseconds, because that is HubSpot's grain.
"""

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from sandbox.database import Database, DatabaseWriter
from sandbox.hubspot.kinds import KINDS, PAIRS

Parameters = Sequence[Any] | Mapping[str, Any]
_BESIDE_THE_RECORDS = """
CREATE TABLE owner (id INTEGER PRIMARY KEY, archived INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE pipeline (kind TEXT, id TEXT, place INTEGER, archived INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE property (kind TEXT, name TEXT, archived INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE label (number INTEGER PRIMARY KEY, left TEXT, right TEXT, left_type INTEGER, right_type INTEGER,
                    left_label TEXT, right_label TEXT, name TEXT);
CREATE TABLE lagging (seq INTEGER PRIMARY KEY, kind TEXT, id INTEGER, until_ms INTEGER, created_ms INTEGER,
                      updated_ms INTEGER, properties TEXT);
CREATE TABLE gone (kind TEXT, id INTEGER, merged_into INTEGER, PRIMARY KEY (kind, id));
CREATE TABLE grants (token TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE INDEX lagging_record ON lagging (kind, until_ms, id);
"""
_RECORDS = """
CREATE TABLE {name} (id INTEGER PRIMARY KEY, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
                     archived_ms INTEGER, properties TEXT NOT NULL, history TEXT)
"""
_ASSOCIATIONS = (
    "CREATE TABLE {name} (a INTEGER, b INTEGER, label INTEGER, PRIMARY KEY (a, b, label)) WITHOUT ROWID"
)
RECORD_MARKS = "(?, ?, ?, ?, ?, ?)"

encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(dict[str, str | None])


def compact(values: Mapping[str, str | None]) -> str:
    """A new record's properties as JSON; those without a value are left out."""
    return encode({name: value for name, value in values.items() if value is not None}).decode()


def properties_of(text: str) -> dict[str, str | None]:
    """A record's properties from their JSON."""
    return _decoder.decode(text)


class PortalWriter(DatabaseWriter):
    """Fills the file of a new portal."""

    def make_tables(self) -> None:
        """All tables, still empty."""
        statements = [*_BESIDE_THE_RECORDS.split(";\n"), *(_RECORDS.format(name=name) for name in KINDS)]
        statements += [_ASSOCIATIONS.format(name=f"{left}_{right}") for left, right in PAIRS]
        for statement in filter(str.strip, statements):
            self.run(statement)

    def add(self, table: str, rows: Iterable[Sequence[Any]], columns: int) -> None:
        """Add rows of so many columns to a table."""
        self._connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})", rows)

    def index(self) -> None:
        """What lists and searches go by; made last, because that is quicker."""
        for name in KINDS:
            self.run(f"CREATE INDEX {name}_updated ON {name} (updated_ms, id) WHERE archived_ms IS NULL")
            self.run(
                f"CREATE INDEX {name}_archived ON {name} (id, archived_ms) WHERE archived_ms IS NOT NULL"
            )
        for left, right in PAIRS:
            self.run(f"CREATE INDEX {left}_{right}_back ON {left}_{right} (b, a, label)")
        self.run("CREATE INDEX contacts_email ON contacts (json_extract(properties, '$.email'))")


class PortalStore(Database):
    """The finished file of a portal."""

    def _object_names(self) -> list[str]:
        return []  # what a portal's tables are is known; they do not describe themselves as an organisation's do

    def _open(self) -> sqlite3.Connection:
        connection = super()._open()
        connection.create_function("has_token", 2, _has_token, deterministic=True)
        return connection

    def rows(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """All rows of a reading statement."""
        return self.reader.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> tuple[Any, ...] | None:
        """The first row of a reading statement."""
        found: tuple[Any, ...] | None = self.reader.execute(sql, parameters).fetchone()
        return found


def _has_token(value: str | None, pattern: str) -> bool:
    """Whether one of a value's words is ``pattern``, in which ``*`` stands for any letters."""
    if value is None:
        return False
    wanted = re.escape(pattern.lower()).replace(r"\*", r"\S*")
    return re.search(rf"(?<!\w){wanted}(?!\w)", value.lower()) is not None
