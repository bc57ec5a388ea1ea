"""The query address: for changes that are too few to be worth a Bulk job."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from crm_sync.connectors.base import Page, PassingProblem
from crm_sync.connectors.salesforce.client import Client
from crm_sync.connectors.salesforce.foresight import Question
from crm_sync.engine.pace import Pace, Stopwatch

# Cursors are not kept: what is little is read again from its beginning.
PLACE = "rest"
ROWS_A_CALL = 2_000


class Answer(msgspec.Struct):
    """A page of a query, its names the protocol's."""

    totalSize: int
    done: bool
    records: list[dict[str, Any]]
    nextRecordsUrl: str = ""


def first_of(answer: object) -> Answer:
    """An answer that was foreseen. Raises: PassingProblem, where it is none."""
    try:
        return msgspec.convert(answer, Answer)
    except msgspec.ValidationError as error:
        raise PassingProblem(
            "odd_answer", f"Salesforce answered a query in an unknown way ({error})."
        ) from error


def question(query: str, with_deleted: bool) -> Question:
    """The address and the parameters of a query."""
    return ("queryAll" if with_deleted else "query"), {"q": query}


def _asked(client: Client, query: str, *, with_deleted: bool) -> Answer:
    path, params = question(query, with_deleted)
    return first_of(client.json("GET", path, params=dict(params)))


def count(client: Client, query: str, pace: Pace, *, with_deleted: bool) -> int:
    """How many rows a query would give."""
    counting, watch = "SELECT COUNT() " + query[query.index("FROM ") :], Stopwatch()
    with watch.running():
        answer = _asked(client, counting, with_deleted=with_deleted)
    pace.note_call(watch.seconds)
    return answer.totalSize


def page(client: Client, query: str, fields: Sequence[str], pace: Pace, *, with_deleted: bool) -> Page:
    """All rows of a query as one page."""
    watch = Stopwatch()
    with watch.running():
        first = _asked(client, query, with_deleted=with_deleted)
    return _page(client, first, fields, watch, pace, measured=first.totalSize)


def page_from(client: Client, first: Answer, fields: Sequence[str], pace: Pace) -> Page:
    """All rows of a query whose first page is there already; what is measured is the way of the others."""
    return _page(client, first, fields, Stopwatch(), pace, measured=first.totalSize - len(first.records))


def _page(
    client: Client, first: Answer, fields: Sequence[str], watch: Stopwatch, pace: Pace, *, measured: int
) -> Page:
    chunks = _measured(_csv(client, first, fields, watch), measured, watch, pace)
    return Page(chunks=chunks, after="", rows=first.totalSize, rows_in_all=first.totalSize)


def named(
    client: Client, query: str, fields: Sequence[str], ids: Sequence[str], *, with_deleted: bool
) -> Page:
    """The rows of a query for these ids, which fit into one answer; the ids that it does not have are gone."""
    answer = _asked(client, query, with_deleted=with_deleted)
    records = answer.records
    if not answer.done or len(records) != answer.totalSize:
        raise PassingProblem(
            "rows_missing", f"Salesforce announced {answer.totalSize} rows and sent {len(records)}."
        )
    rows = [fields, *([_text(record.get(name)) for name in fields] for record in records)]
    gone = set(ids) - {record["Id"] for record in records}
    return Page(chunks=iter([_lines(rows)]), after="", rows=len(records), gone=sorted(gone))


def _measured(chunks: Iterator[bytes], rows: int, watch: Stopwatch, pace: Pace) -> Iterator[bytes]:
    yield from chunks
    if rows:
        pace.note_rest(rows, watch.seconds)


def rows(client: Client, query: str, fields: Sequence[str]) -> list[dict[str, str]]:
    """The first rows of a query as {field: text}."""
    answer = _asked(client, query, with_deleted=False)
    return [{name: _text(record.get(name)) for name in fields} for record in answer.records]


def _csv(client: Client, first: Answer, fields: Sequence[str], watch: Stopwatch) -> Iterator[bytes]:
    yield _lines([fields])
    answer, rows = first, 0
    while True:
        rows += len(answer.records)
        yield _lines([[_text(record.get(name)) for name in fields] for record in answer.records])
        if answer.done:
            break
        with watch.running():
            answer = first_of(client.json("GET", answer.nextRecordsUrl))
    if rows != first.totalSize:
        raise PassingProblem(
            "rows_missing", f"Salesforce announced {first.totalSize:,} rows and sent {rows:,}."
        )


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
