"""The SQLite file behind an organisation: a table for each object, every value as text.

Text, because a data directory is served as given: a bad date or amount must survive storage. NULL is Salesforce's null.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from sandbox.schema import STANDARD, Field, Schema, SObject, unknown_object

_BESIDE_THE_OBJECTS = """
CREATE TABLE _meta (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE _gone (object TEXT, id TEXT, deleted_at TEXT);
CREATE TABLE _refresh_token (token TEXT PRIMARY KEY, user_id TEXT, scope TEXT, family TEXT, is_spent INTEGER);
CREATE TABLE _field (
    object TEXT, name TEXT, definition TEXT, is_removed INTEGER DEFAULT 0, is_hidden INTEGER DEFAULT 0, PRIMARY KEY (object, name)
);
CREATE TABLE _object (
    name TEXT PRIMARY KEY, is_hidden INTEGER DEFAULT 0, is_replicated INTEGER DEFAULT 1, is_in_bulk INTEGER DEFAULT 1
);
"""
_HOLDS_NUL = "holds NUL"


class DatabaseWriter:
    """Fills a new file. Nothing is at ``path`` before ``finish``, so that a killed build is never mistaken for a whole one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._building = path.with_name(f".{path.name}.{os.getpid()}")
        _remove_leftovers(path)
        self._connection = sqlite3.connect(self._building, isolation_level=None)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 8192;"
        )
        self._connection.executescript(_BESIDE_THE_OBJECTS)
        self._connection.execute("BEGIN")
        self._objects: list[SObject] = []

    def add_object(self, sobject: SObject) -> None:
        """Make the table of an object."""
        columns = ", ".join(f'"{name}"' for name in sobject.columns)
        self._connection.execute(f'CREATE TABLE "{sobject.name}" (_row INTEGER PRIMARY KEY, {columns})')
        self._objects.append(sobject)

    def define(self, name: str, field: Field) -> None:
        """Note what a column is, or add a formula: for a field of an object that is not a standard one."""
        definition = msgspec.json.encode(field).decode()
        self.run(
            "INSERT INTO _field (object, name, definition) VALUES (?, ?, ?)", (name, field.name, definition)
        )

    def note_nul(self) -> None:
        """Say that some text holds the character NUL, which the fast way to write CSV stops at."""
        self.run("INSERT OR IGNORE INTO _meta VALUES (?, '1')", (_HOLDS_NUL,))

    def insert(self, sobject: SObject, columns: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
        """Add rows whose values follow ``columns``."""
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" * len(columns))
        self._connection.executemany(f'INSERT INTO "{sobject.name}" ({names}) VALUES ({marks})', rows)

    def run(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Any further statement that the filling needs."""
        self._connection.execute(sql, parameters)

    def finish(self, meta: Mapping[str, str]) -> None:
        """Index, note what this file is, and put it in its place."""
        self._connection.executemany("INSERT INTO _meta VALUES (?, ?)", meta.items())
        for sobject in self._objects:
            for column in ("Id", "SystemModstamp"):
                if column in sobject.fields:
                    self._connection.execute(
                        f'CREATE INDEX "{sobject.name}_{column}" ON "{sobject.name}" ("{column}")'
                    )
        self._connection.execute("COMMIT")
        self._connection.close()
        self._building.replace(self._path)

    def abandon(self) -> None:
        """Leave no trace of a build that failed."""
        self._connection.close()
        self._building.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Builds of this file whose process is gone: it was killed, or this process has its number now."""
    for left in path.parent.glob(f".{path.name}.*"):
        pid = int(left.suffix[1:])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            left.unlink(missing_ok=True)
    path.with_name(f".{path.name}.{os.getpid()}").unlink(missing_ok=True)


class Database:
    """A finished file: a reading connection for each thread, and one writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._writer = self._open()
        self._writer.execute("PRAGMA journal_mode = WAL")
        self.schema = self._read_schema()
        self.holds_nul = self.meta(_HOLDS_NUL) is not None

    @property
    def objects(self) -> Mapping[str, SObject]:
        """All objects by name, with what is hidden from the integration user."""
        return self.schema.objects

    def schema_changed(self) -> None:
        """Read the notes on fields and objects again."""
        with self._lock:
            self.schema = self._read_schema()

    def note_nul(self, connection: sqlite3.Connection) -> None:
        """Say, in a writing transaction, that some text now holds the character NUL."""
        connection.execute("INSERT OR IGNORE INTO _meta VALUES (?, '1')", (_HOLDS_NUL,))
        self.holds_nul = True

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=60)
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _object_names(self) -> list[str]:
        tables = self._writer.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")
        return [name for (name,) in tables if not name.startswith(("_", "sqlite_"))]

    def _read_schema(self) -> Schema:
        objects = {name: self._object(name) for name in self._object_names()}
        rows = self._writer.execute("SELECT object, name FROM _field WHERE is_hidden OR is_removed")
        hidden = {(object_name, name) for object_name, name in rows}
        unseen = {name for (name,) in self._writer.execute("SELECT name FROM _object WHERE is_hidden")}
        visible = {
            name: sobject.with_fields(
                {each: field for each, field in sobject.fields.items() if (name, each) not in hidden}
            )
            for name, sobject in objects.items()
            if name not in unseen
        }
        return Schema(objects, visible)

    def _object(self, name: str) -> SObject:
        columns = [row[1] for row in self._writer.execute(f'PRAGMA table_info("{name}")') if row[1] != "_row"]
        known = STANDARD.get(name, unknown_object(name)).with_columns(columns)
        fields = dict(known.fields)
        sql = "SELECT name, definition, is_removed FROM _field WHERE object = ? ORDER BY rowid"
        for field_name, definition, is_removed in self._writer.execute(sql, (name,)):
            if is_removed:
                fields.pop(field_name, None)
            elif definition is not None:
                fields[field_name] = msgspec.json.decode(definition, type=Field)
        sql = "SELECT is_replicated, is_in_bulk FROM _object WHERE name = ?"
        is_replicated, is_in_bulk = self._writer.execute(sql, (name,)).fetchone() or (1, 1)
        return replace(known, fields=fields, is_replicated=bool(is_replicated), is_in_bulk=bool(is_in_bulk))

    @property
    def reader(self) -> sqlite3.Connection:
        """This thread's connection, for reading only."""
        found: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if found is None:
            found = self._local.connection = self._open()
            found.execute("PRAGMA query_only = ON")
        return found

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of the block, or on an exception none of it."""
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    @contextmanager
    def bytes_reader(self) -> Iterator[sqlite3.Connection]:
        """A reading connection of one's own that gives text as UTF-8 bytes and sees one moment of the data throughout."""
        connection = self._open()
        connection.text_factory = bytes
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.close()

    def meta(self, key: str) -> str | None:
        """A note made when the file was built."""
        row = self.reader.execute("SELECT value FROM _meta WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def count(self, name: str) -> int:
        """Rows of an object, deleted ones included."""
        (rows,) = self.reader.execute(f'SELECT count(*) FROM "{name}"').fetchone()
        return int(rows)
