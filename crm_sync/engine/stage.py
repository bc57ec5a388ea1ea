"""A page of CSV, as it came, into a temporary table of text: the one way into the database that keeps up with the line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db import connection
from psycopg import DataError as BadData

from crm_sync.connectors.base import PassingProblem
from crm_sync.engine.scope import Scope
from crm_sync.engine.sql import MERGED, NEW, STAGE, quoted


class Cleaned:
    """Chunks without NUL characters: people manage to paste them into a CRM, and PostgreSQL's text cannot hold them.

    The rows are kept; ``removed`` is how many characters were not.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.removed = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            found = chunk.count(b"\0")
            self.removed += found
            yield chunk.replace(b"\0", b"") if found else chunk


def create(scope: Scope) -> None:
    """The empty stage. It belongs to the transaction, so that nothing of one workspace is left for the next."""
    columns = ", ".join(f"{quoted(name)} text" for name in scope.spec.fields)
    scope.run(f"CREATE TEMPORARY TABLE {STAGE} ({columns}) ON COMMIT DROP")


def drop(scope: Scope) -> None:
    """Make room for the next page of the same transaction."""
    for table in (STAGE, NEW, MERGED):
        scope.run(f"DROP TABLE IF EXISTS {table}")


def fill(scope: Scope, chunks: Iterable[bytes], rows: int | None) -> int:
    """COPY a page into the stage; gives its number of rows. Raises: PassingProblem, if it is cut or not what was asked for."""
    columns = ", ".join(quoted(name) for name in scope.spec.fields)
    # A quoted "" is CSV's empty string and the CRMs' null: hence FORCE_NULL. HEADER MATCH notices columns in another order.
    sql = f"COPY {STAGE} ({columns}) FROM STDIN (FORMAT csv, HEADER MATCH, FORCE_NULL ({columns}), ENCODING 'UTF8')"
    try:
        with connection.cursor() as cursor:
            with cursor.copy(sql) as copy:
                for chunk in chunks:
                    copy.write(chunk)
            copied = int(cursor.rowcount)
    except BadData as error:
        sentence = f"The CRM sent a page of {scope.spec.label} that is not proper CSV ({error.diag.message_primary})."
        raise PassingProblem("page_unreadable", sentence) from error
    if rows is not None and copied != rows:
        raise PassingProblem(
            "page_cut", f"The CRM announced {rows:,} {scope.spec.label} and sent {copied:,}."
        )
    return copied


def drop_repeated(scope: Scope) -> int:
    """Keep only the newest of the rows that share an id; gives how many were dropped."""
    own_id, stamp = quoted(scope.spec.id_field), quoted(scope.spec.stamp_field)
    if not scope.scalar(f"SELECT count(*) > count(DISTINCT {own_id}) FROM {STAGE}"):
        return 0
    return scope.run(
        f"DELETE FROM {STAGE} s USING {STAGE} newer WHERE newer.{own_id} = s.{own_id} "
        f"AND (newer.{stamp}::timestamptz, newer.ctid) > (s.{stamp}::timestamptz, s.ctid)"
    )
