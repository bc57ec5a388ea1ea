"""The result of a Bulk job, page by page: straight from the line, or several pages at once where the line is slower than the database.

Pages that are fetched ahead go to temporary files and are handed on in their turn. Memory stays flat, and so does the disk: no more
pages are on their way than are waited for.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from tempfile import TemporaryFile
from typing import IO, Self
from urllib.parse import parse_qs, urlsplit

import msgspec
from django.db import connection

from crm_sync import http
from crm_sync.connectors.base import ConfigurationProblem, Page, PassingProblem
from crm_sync.connectors.salesforce.bulk import Place, require_all, result_of, said_of
from crm_sync.connectors.salesforce.client import Client
from crm_sync.engine.pace import Pace, Stopwatch

# Salesforce gives five addresses at a time.
AT_ONCE = 5
# A run takes in 20,000 to 40,000 rows a second on two cores: a line that gives less than this is what the run waits for. Measured with
# 961,000 rows and two seconds of waiting a page: pages of 20,000 took 111 s one by one and 64 s beside each other; with pages of
# 100,000 the database had hidden the waiting already, and fetching beside each other cost a twentieth.
DATABASE_ROWS_PER_SECOND = 20_000


class _ResultPage(msgspec.Struct):
    resultUrl: str


class _Listed(msgspec.Struct):
    """Salesforce's list of result pages: some, and where there are more."""

    resultPages: list[_ResultPage]
    nextRecordsUrl: str | None = None
    done: bool = True


@dataclass(frozen=True)
class _Download:
    file: IO[bytes]
    rows: int | None


class _NobodyWaits(Exception):
    """The reader has gone; raised inside a download's thread only."""


@dataclass(frozen=True)
class Results:
    """The result of one job, which is complete."""

    client: Client
    pace: Pace
    rows_in_all: int
    page_rows: int

    def pages(self, place: Place) -> Generator[Page]:
        """The pages from a place on, each to be read to its end before the next.

        Raises: PlaceLost for a job that is forgotten, or gives fewer rows than it announced.
        """
        while True:
            watch = Stopwatch()
            rows, after = yield from self._streamed(place, watch)
            self.pace.note_bulk(rows, watch.seconds)
            if not after.locator:
                return
            is_slow = rows < watch.seconds * DATABASE_ROWS_PER_SECOND
            if is_slow and (listed := self._listed(after)):
                yield from self._abreast(after, listed)
                return
            place = after

    def _streamed(self, place: Place, watch: Stopwatch) -> Generator[Page, None, tuple[int, Place]]:
        """One page, straight from the line; gives its rows and the place behind it."""
        with watch.running():
            opened = result_of(self.client, place, self.page_rows)
            response = opened.__enter__()
        try:
            rows, after = said_of(response, place)
            require_all(after, self.rows_in_all)
            yield self._page(watch.waits_for(http.chunks(response)), rows, after)
        finally:
            opened.__exit__(None, None, None)
        return rows or 0, after

    def _page(self, chunks: Iterator[bytes], rows: int | None, after: Place) -> Page:
        return Page(chunks, str(after) if after.locator else "", rows, self.rows_in_all)

    def _listed(self, place: Place) -> _Listed | None:
        """The pages from a place on; None where Salesforce has no such list, or has forgotten the job (reading on will tell)."""
        params = {"locator": place.locator, "maxRecords": str(self.page_rows)}
        try:
            answer = self.client.json("GET", f"jobs/query/{place.job_id}/resultPages", params=params)
            return msgspec.convert(answer, _Listed)
        except ConfigurationProblem:
            return None
        except msgspec.ValidationError as error:
            raise PassingProblem(
                "odd_answer", f"Salesforce listed pages in an unknown way ({error})."
            ) from error

    def _locators(self, job_id: str, listed: _Listed | None) -> Iterator[str]:
        while listed is not None:
            yield from (_locator_in(page.resultUrl) for page in listed.resultPages)
            more = "" if listed.done else _locator_in(listed.nextRecordsUrl or "")
            listed = self._listed(Place(job_id, None, more)) if more else None

    def _abreast(self, place: Place, listed: _Listed) -> Generator[Page]:
        """The pages of a list, fetched beside each other and handed on in their order."""
        locators = self._locators(place.job_id, listed)
        with _Ahead(self.client, place.job_id, self.page_rows, locators) as ahead:
            while ahead:
                watch = Stopwatch()
                with watch.running():
                    download, locator = ahead.take()
                place = place.after(download.rows, locator)
                with download.file as file:
                    require_all(place, self.rows_in_all)
                    yield self._page(_chunks(file), download.rows, place)
                self.pace.note_bulk(download.rows or 0, watch.seconds)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(http.CHUNK_BYTES):
        yield chunk


class _Ahead:
    """Pages of one job on their way, AT_ONCE of them."""

    def __init__(self, client: Client, job_id: str, page_rows: int, locators: Iterator[str]) -> None:
        self._client = client
        self._place = Place(job_id)
        self._page_rows = page_rows
        self._locators = locators
        self._has_left = threading.Event()
        self._pool = ThreadPoolExecutor(AT_ONCE, "crm-page")
        self._coming: deque[tuple[str, Future[_Download]]] = deque()

    def __enter__(self) -> Self:
        self._top_up()
        return self

    def __exit__(self, *error: object) -> None:
        """A download that waits for the network ends when its client is closed, a moment later."""
        self._has_left.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for _, future in self._coming:
            future.add_done_callback(_throw_away)

    def __bool__(self) -> bool:
        return bool(self._coming)

    def take(self) -> tuple[_Download, str]:
        """The next page, waited for, and the locator of the one behind it ("" at the end). Raises: what its download raised."""
        _, future = self._coming.popleft()
        download = future.result()
        self._top_up()
        return download, self._coming[0][0] if self._coming else ""

    def _top_up(self) -> None:
        while len(self._coming) < AT_ONCE and (locator := next(self._locators, "")):
            place = replace(self._place, locator=locator)
            self._coming.append((locator, self._pool.submit(self._download, place)))

    def _download(self, place: Place) -> _Download:
        file = TemporaryFile()  # noqa: SIM115 - whoever reads it closes it
        try:
            with result_of(self._client, place, self._page_rows) as response:
                for chunk in http.chunks(response):
                    self._require_reader()
                    file.write(chunk)
                rows, _ = said_of(response, place)
        except BaseException:
            file.close()
            raise
        finally:
            connection.close()  # a thread that renewed the sign-in has one of its own
        file.seek(0)
        return _Download(file, rows)

    def _require_reader(self) -> None:
        if self._has_left.is_set():
            raise _NobodyWaits


def _throw_away(future: Future[_Download]) -> None:
    if not future.cancelled() and future.exception() is None:
        future.result().file.close()


def _locator_in(url: str) -> str:
    """The locator that an address of a result names."""
    return parse_qs(urlsplit(url).query).get("locator", [""])[0]
