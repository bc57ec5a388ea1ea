"""Reading ahead: while the database merges one page, a thread fetches the next, and stops at a bound that keeps memory flat."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from types import TracebackType

from django.db import connection

from crm_sync.connectors.base import Page

# Chunks are at most a quarter of a megabyte: 16 MB in flight.
_CHUNKS_AHEAD = 64
_LOOK_AROUND_SECONDS = 0.2
_LONGEST_GOODBYE_SECONDS = 5.0


class _EndOfPage:
    """Behind the last chunk of a page."""


class _EndOfFeed:
    """Behind the last page."""


_Item = Page | bytes | _EndOfPage | _EndOfFeed | BaseException


class _Stopped(Exception):
    """The reader has gone; raised inside the thread only."""


class Feed:
    """The pages of an iterator, fetched ahead by a thread. Pages are read in order, each to its end."""

    def __init__(self, pages: Generator[Page]) -> None:
        self._pages = pages
        self._queue: queue.Queue[_Item] = queue.Queue(_CHUNKS_AHEAD)
        self._has_stopped = threading.Event()
        self._thread = threading.Thread(target=self._fetch, name="crm-feed", daemon=True)

    def __enter__(self) -> Iterator[Page]:
        self._thread.start()
        return self._read()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._has_stopped.set()
        # A thread that waits for the network ends when its client is closed, a moment later.
        self._thread.join(_LONGEST_GOODBYE_SECONDS)

    def _fetch(self) -> None:
        try:
            with suppress(_Stopped), closing(self._pages):
                self._put(self._fetch_all())
        finally:
            connection.close()  # a thread that renewed a sign-in has one of its own

    def _fetch_all(self) -> _Item:
        """Hand over all pages; gives what stands behind them: the end, or what went wrong."""
        try:
            for page in self._pages:
                self._put(page)
                for chunk in page.chunks:
                    self._put(chunk)
                self._put(_EndOfPage())
        except _Stopped:
            raise
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the reader's thread
            return error
        return _EndOfFeed()

    def _put(self, item: _Item) -> None:
        while not self._has_stopped.is_set():
            try:
                self._queue.put(item, timeout=_LOOK_AROUND_SECONDS)
            except queue.Full:
                continue
            return
        raise _Stopped

    def _read(self) -> Iterator[Page]:
        while True:
            item = self._get()
            if isinstance(item, _EndOfFeed):
                return
            if isinstance(item, Page):
                yield replace(item, chunks=self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        while isinstance(item := self._get(), bytes):
            yield item

    def _get(self) -> _Item:
        item = self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item
