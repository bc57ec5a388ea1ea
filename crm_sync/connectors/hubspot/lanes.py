"""A long list read in several places at once, so that HubSpot's limit of calls and not its distance decides how long that takes.

HubSpot's list is in order of the ids, and its places are ids. A search tells the id of every ten-thousandth record; between two of
those lies a lane, which one thread reads from its beginning to its end. Each page tells how far every lane is, so that a run whose
worker died goes on in all of them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from crm_sync import conf
from crm_sync.connectors.base import Page
from crm_sync.connectors.hubspot.client import Client
from crm_sync.connectors.hubspot.reading import Reader
from crm_sync.connectors.hubspot.records import Record, Records, id_order

PREFIX = "lanes:"
_LOOK_AROUND_SECONDS = 0.2
_LONGEST_GOODBYE_SECONDS = 5.0


@dataclass(eq=False)
class Lane:
    """The records behind the id ``after`` up to the id ``end`` ("" for no end)."""

    after: str
    end: str = ""

    def holds(self, record: Record) -> bool:
        """Whether a record is still to be read here."""
        is_before_end = not self.end or id_order(record.id) <= id_order(self.end)
        return is_before_end and id_order(self.after) < id_order(record.id)

    def ends_within(self, records: Sequence[Record]) -> bool:
        """Whether a stretch of the list reaches the lane's end."""
        return bool(self.end and records) and id_order(records[-1].id) >= id_order(self.end)


@dataclass(frozen=True)
class _Stretch:
    """A page of a lane, and the id up to which the lane is read then; None at its end."""

    lane: Lane
    page: Page
    onward: str | None


def boundary(client: Client, reader: Reader, after: str) -> str:
    """The id that stands ``conf.hubspot_lane_rows()`` records behind an id; "" where there are not so many."""
    rank = conf.hubspot_lane_rows() - 1
    conditions = [{"propertyName": "hs_object_id", "operator": "GT", "value": after or "0"}]
    body = {
        "filterGroups": [{"filters": conditions}], "properties": ["hs_object_id"], "limit": 1, "after": str(rank),
        "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
    }  # fmt: skip
    answer = client.post(f"/crm/v3/objects/{reader.spec.name}/search", Records, body)
    return answer.results[0].id if answer.results else ""


def are_possible(answer: Records) -> bool:
    """Whether the list keeps to the order of ids and its places are ids, as a stretch of it shows."""
    ids = [record.id for record in answer.results]
    is_ordered = ids == sorted(ids, key=id_order)
    return bool(ids) and is_ordered and answer.after in {ids[-1], str(int(ids[-1]) + 1)}


class Lanes:
    """All lanes of an object: those at work, and what is not divided yet."""

    def __init__(self, client: Client, reader: Reader, place: str) -> None:
        self._client = client
        self._reader = reader
        parts = [part.partition("-") for part in place.removeprefix(PREFIX).split(";")]
        self._begun = [Lane(after, end) for after, _, end in parts if end]
        self._rest = next((after for after, _, end in parts if not end), None)
        self._open = list(self._begun)
        self._choosing = threading.Lock()
        self._is_over = threading.Event()
        self._results: queue.Queue[_Stretch | BaseException | None] = queue.Queue(conf.hubspot_threads())

    def pages(self, end: str) -> Generator[Page]:
        """The pages as they come; behind the last one follows the place ``end``."""
        names = (f"hubspot-lane-{number}" for number in range(conf.hubspot_threads()))
        threads = [threading.Thread(target=self._work, name=name, daemon=True) for name in names]
        for thread in threads:
            thread.start()
        try:
            yield from self._merged(len(threads), end)
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join(_LONGEST_GOODBYE_SECONDS)

    def _merged(self, working: int, end: str) -> Iterator[Page]:
        while working:
            result = self._results.get()
            if result is None:
                working -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield replace(result.page, after=self._place_behind(result) or end)

    def _place_behind(self, stretch: _Stretch) -> str:
        """Where everything stands once that page is merged; "" when all is read."""
        with self._choosing:
            if stretch.onward is None:
                self._open.remove(stretch.lane)
            else:
                stretch.lane.after = stretch.onward
            parts = [f"{lane.after}-{lane.end}" for lane in self._open]
            if self._rest is not None:
                parts.append(f"{self._rest}-")
        return PREFIX + ";".join(parts) if parts else ""

    def _work(self) -> None:
        try:
            while not self._is_over.is_set() and (lane := self._next()):
                self._read(lane)
        except BaseException as error:  # noqa: BLE001 - it is raised again, where the pages are taken
            self._put(error)
        else:
            self._put(None)

    def _next(self) -> Lane | None:
        with self._choosing:
            if self._begun:
                return self._begun.pop(0)
            if self._rest is None:
                return None
            lane = Lane(self._rest, boundary(self._client, self._reader, self._rest))
            self._rest = lane.end or None
            self._open.append(lane)
            return lane

    def _read(self, lane: Lane) -> None:
        after, records = lane.after, list[Record]()
        while not self._is_over.is_set():
            answer = self._reader.listed(after)
            mine = [record for record in answer.results if lane.holds(record)]
            records += mine
            after = answer.after
            is_over = not after or lane.ends_within(answer.results)
            if is_over or len(records) >= conf.hubspot_page_rows():
                onward = None if is_over else records[-1].id
                page = self._reader.page(records, self._reader.ties_of([record.id for record in records]), "")
                self._put(_Stretch(lane, page, onward))
                records = []
            if is_over:
                return

    def _put(self, result: _Stretch | BaseException | None) -> None:
        while not self._is_over.is_set():
            try:
                self._results.put(result, timeout=_LOOK_AROUND_SECONDS)
            except queue.Full:
                continue
            return
