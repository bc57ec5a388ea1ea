"""The query address: for changes that are too few to be worth a Bulk job."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crm_sync.connectors.base import Page, PassingProblem
from crm_sync.connectors.salesforce.client import Client

# Cursors are not kept: what is little is read again from its beginning.
PLACE = "rest"


def _address(with_deleted: bool) -> str:
    return "queryAll" if with_deleted else "query"


def count(client: Client, query: str, *, with_deleted: bool) -> int:
    """How many rows a query would give."""
    counting = "SELECT COUNT() " + query[query.index("FROM ") :]
    answer = client.json("GET", _address(with_deleted), params={"q": counting})
    return int(answer["totalSize"])


def page(client: Client, query: str, fields: Sequence[str], *, with_deleted: bool) -> Page:
    """All rows of a query as one page."""
    first = client.json("GET", _address(with_deleted), params={"q": query})
    total = int(first["totalSize"])
    return Page(chunks=_csv(client, first, fields, total), after="", rows=total, rows_in_all=total)


def _csv(client: Client, first: Mapping[str, Any], fields: Sequence[str], total: int) -> Iterator[bytes]:
    yield _lines([fields])
    answer: Mapping[str, Any] = first
    rows = 0
    while True:
        records = answer["records"]
        rows += len(records)
        yield _lines([[_text(record.get(name)) for name in fields] for record in records])
        if answer["done"]:
            break
        answer = client.json("GET", answer["nextRecordsUrl"])
    if rows != total:
        raise PassingProblem("rows_missing", f"Salesforce announced {total:,} rows and sent {rows:,}.")


def _lines(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _text(value: object) -> str:
    """A JSON value as Bulk's CSV writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
