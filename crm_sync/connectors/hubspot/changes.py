"""What changed, by search: in order of the stamp, and never by HubSpot's page numbers.

Those end at 10,000, and shift while records change. Instead each search begins at the last stamp of the one before: what is surely
complete below that stamp is taken, the rest is met again. Where more records share one millisecond than a search gives, they are
drained by their ids. Of what a search finds only that is read which the mirror lacks or has an older version of: searches show
changes late, so every run looks an hour back, and that costs a search and no reads.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from crm_sync import conf
from crm_sync.connectors.base import Page, PassingProblem
from crm_sync.connectors.hubspot.around import around
from crm_sync.connectors.hubspot.client import Client
from crm_sync.connectors.hubspot.mirror import Mirror
from crm_sync.connectors.hubspot.reading import Reader
from crm_sync.connectors.hubspot.records import Record, Records

PREFIX = "changes:"
_MOST = 200


@dataclass(frozen=True)
class Span:
    """Stamps from ``first`` to ``last``, both in milliseconds and both included."""

    first: int
    last: int

    @property
    def place(self) -> str:
        """As it is stored."""
        return f"{PREFIX}{self.first}:{self.last}"

    @classmethod
    def of(cls, place: str) -> Span:
        """From a stored place."""
        first, _, last = place.removeprefix(PREFIX).partition(":")
        return cls(int(first), int(last))


@dataclass(frozen=True)
class Found:
    """Records that a search found, and from which stamp on to search further; None at the end."""

    records: list[Record]
    onward: int | None


class Search:
    """Searches of one object by stamp."""

    def __init__(self, client: Client, name: str, stamp: str) -> None:
        self._client = client
        self._path = f"/crm/v3/objects/{name}/search"
        self._stamp = stamp

    def steps(self, span: Span) -> Iterator[Found]:
        """Everything of a span, some at a time."""
        first: int | None = span.first
        while first is not None:
            found = self._step(first, span.last)
            first = found.onward
            yield found

    def _step(self, first: int, last: int) -> Found:
        conditions = [self._condition("GTE", first), self._condition("LTE", last)]
        answer = self._search(conditions, self._stamp)
        records = answer.results
        if len(records) >= (answer.total or 0):
            return Found(records, None)
        _require_some(answer)
        latest = self._moment(records[-1])
        if latest == first:
            return Found(list(self._sharing(first)), first + 1)
        return Found([record for record in records if self._moment(record) < latest], latest)

    def _sharing(self, moment: int) -> Iterator[Record]:
        """All records of one millisecond, in order of their ids."""
        after = "0"
        while True:
            conditions = [
                self._condition("EQ", moment),
                {"propertyName": "hs_object_id", "operator": "GT", "value": after},
            ]
            answer = self._search(conditions, "hs_object_id")
            yield from answer.results
            if len(answer.results) >= (answer.total or 0):
                return
            _require_some(answer)
            after = answer.results[-1].id

    def _condition(self, operator: str, moment: int) -> dict[str, str]:
        return {"propertyName": self._stamp, "operator": operator, "value": str(moment)}

    def _search(self, conditions: Sequence[dict[str, str]], order: str) -> Records:
        body = {
            "filterGroups": [{"filters": list(conditions)}], "properties": [self._stamp], "limit": _MOST,
            "sorts": [{"propertyName": order, "direction": "ASCENDING"}],
        }  # fmt: skip
        return self._client.post(self._path, Records, body)

    def _moment(self, record: Record) -> int:
        return milliseconds(instant(record.get(self._stamp)))

    def stamp(self, record: Record) -> datetime:
        """When a record changed last, as far as searches know."""
        return instant(record.get(self._stamp))


def pages(client: Client, reader: Reader, mirror: Mirror, place: str, end: str) -> Generator[Page]:
    """What of a span the mirror does not have as it is now; behind the last page follows the place ``end``."""
    span, search = Span.of(place), Search(client, reader.spec.name, reader.spec.stamp_field)
    ids: dict[str, None] = {}
    for found in search.steps(span):
        ids |= dict.fromkeys(_news(search, reader, mirror, found.records))
        if found.onward is None:
            yield fresh(reader, mirror, list(ids), end)
        elif len(ids) >= conf.hubspot_page_rows():
            yield fresh(reader, mirror, list(ids), Span(found.onward, span.last).place)
            ids = {}


def fresh(reader: Reader, mirror: Mirror, ids: Sequence[str], after: str, gone: Sequence[str] = ()) -> Page:
    """A page of these records as they are now; those that are not there any more are gone, as are those of ``gone``."""
    records = reader.read(ids) if ids else []
    found = {record.id: record for record in records}
    ties = reader.ties_of(list(found))
    missing = [each for each in ids if each not in found]
    page = reader.page(records, ties, after, gone=[*gone, *missing])
    return replace(page, again=around(reader, mirror, records, ties, page.gone), watched=missing)


def _news(search: Search, reader: Reader, mirror: Mirror, records: Sequence[Record]) -> Iterator[str]:
    held = mirror.stamps(reader.spec, [record.id for record in records])
    for record in records:
        stamp = held.get(record.id)
        # The mirror may be ahead of a search that lags behind.
        if stamp is None or stamp < search.stamp(record):
            yield record.id


def _require_some(answer: Records) -> None:
    """Raises: PassingProblem, where HubSpot counts records and shows none: its index is behind itself."""
    if not answer.results:
        sentence = f"HubSpot's search counted {answer.total:,} records and gave none."
        raise PassingProblem("rows_missing", sentence)


def instant(text: str) -> datetime:
    """A moment as HubSpot writes it. Raises: PassingProblem for what is none."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError as error:
        raise PassingProblem("odd_answer", f"HubSpot gave “{text}” where a date was due.") from error


def milliseconds(moment: datetime) -> int:
    """A moment as milliseconds since 1970."""
    return round(moment.timestamp() * 1000)
