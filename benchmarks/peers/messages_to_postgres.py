"""A destination for Airbyte's messages: batches of raw JSON by COPY, each merged on Id into a typed table.

Written here after what Airbyte's own destination for PostgreSQL does, which is a Java program in a container.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from uuid import uuid4

import psycopg

from benchmarks.peers.fields import DATES, FIELDS, FLAGS, INSTANTS, NUMBERS

BATCH_ROWS = 50_000
_RAW = """
    CREATE SCHEMA IF NOT EXISTS peer;
    CREATE TABLE peer.raw (_airbyte_raw_id uuid, _airbyte_extracted_at timestamptz, _airbyte_data jsonb)
"""


def type_of(field: str) -> str:
    """The type of a field's column."""
    kinds = {DATES: "date", INSTANTS: "timestamptz", NUMBERS: "numeric", FLAGS: "boolean"}
    return next((kind for fields, kind in kinds.items() if field in fields), "text")


def merge_sql() -> str:
    """The newest raw row of each Id, typed, into the table of deals."""
    typed = ", ".join(f"(_airbyte_data ->> '{name}')::{type_of(name)}" for name in FIELDS)
    names = ", ".join(f'"{name}"' for name in FIELDS)
    changes = ", ".join(f'"{name}" = excluded."{name}"' for name in FIELDS if name != "Id")
    return f"""
        INSERT INTO peer.opportunity ({names})
        SELECT DISTINCT ON (_airbyte_data ->> 'Id') {typed}
        FROM peer.raw
        ORDER BY _airbyte_data ->> 'Id', _airbyte_extracted_at DESC
        ON CONFLICT ("Id") DO UPDATE SET {changes}
    """


def batches(lines: Iterable[str]) -> Iterator[list[dict[str, object]]]:
    """The records of the messages, some at a time."""
    found = (message["record"] for message in map(json.loads, lines) if message["type"] == "RECORD")
    while batch := list(islice(found, BATCH_ROWS)):
        yield batch


def rows() -> int:
    """How many deals there are."""
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"]) as connection:
        counted = connection.execute("SELECT count(*) FROM peer.opportunity").fetchone()
    assert counted is not None
    return int(counted[0])


def main() -> None:
    """Load what stands on standard input."""
    columns = ", ".join(f'"{name}" {type_of(name)}' for name in FIELDS)
    with psycopg.connect(os.environ["DATABASE_ADMIN_URL"]) as connection, connection.cursor() as cursor:
        cursor.execute(f'{_RAW}; CREATE TABLE peer.opportunity ({columns}, PRIMARY KEY ("Id"))')
        for batch in batches(sys.stdin):
            with cursor.copy(
                "COPY peer.raw (_airbyte_raw_id, _airbyte_extracted_at, _airbyte_data) FROM STDIN"
            ) as copy:
                for record in batch:
                    copy.write_row((uuid4(), "now", json.dumps(record["data"])))
            cursor.execute(merge_sql())
            cursor.execute("TRUNCATE peer.raw")
            connection.commit()


if __name__ == "__main__":
    main()
