"""Query results that take more than one page: where their rows lie, kept in a file, to be read page by page."""

import secrets
import threading
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from sandbox.errors import ApiError
from sandbox.ids import make_id
from sandbox.orgs import Org
from sandbox.soql import Plan

_MOST_OPEN = 200
_LIFE = timedelta(days=2)


@dataclass
class Cursor:
    """A result set: its rows were chosen when the query ran; their values are read with each page."""

    id: str
    org: Org
    plan: Plan
    path: Path
    batch_size: int
    opened_at: datetime
    total: int = 0

    def rows(self, start: int) -> list[int]:
        """The places of the rows of the page that starts at ``start``."""
        places = array("q")
        with self.path.open("rb") as file:
            file.seek(start * places.itemsize)
            places.frombytes(file.read(self.batch_size * places.itemsize))
        return places.tolist()


class Cursors:
    """The open cursors of a server; the oldest close when there are too many."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._open: dict[str, Cursor] = {}
        self._lock = threading.Lock()

    def start(self, org: Org, plan: Plan, batch_size: int, pieces: Iterable[list[int]]) -> Cursor:
        """Note a result set whose rows lie at ``pieces``."""
        cursor_id = make_id("0r8", org.organisation_id[3:6], secrets.randbelow(62**8))
        cursor = Cursor(cursor_id, org, plan, self._spool / f"{cursor_id}.rows", batch_size, org.clock.now())
        with cursor.path.open("wb") as file:
            for piece in pieces:
                file.write(array("q", piece).tobytes())
                cursor.total += len(piece)
        with self._lock:
            self._open[cursor_id] = cursor
            while len(self._open) > _MOST_OPEN:
                self._open.pop(next(iter(self._open))).path.unlink(missing_ok=True)
        return cursor

    def find(self, locator: str, org: Org) -> tuple[Cursor, int]:
        """The cursor of ``ID-START`` and where to go on. Raises: ApiError INVALID_QUERY_LOCATOR."""
        cursor_id, _, start = locator.rpartition("-")
        cursor = self._open.get(cursor_id)
        is_open = cursor is not None and org.clock.now() < cursor.opened_at + _LIFE
        if cursor is None or not is_open or cursor.org is not org or not start.isdigit():
            raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return cursor, int(start)
