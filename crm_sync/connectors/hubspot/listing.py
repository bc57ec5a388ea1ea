"""Everything of an object: HubSpot's list from its beginning to its end, in several lanes where it is long."""

from __future__ import annotations

from collections.abc import Generator

from crm_sync import conf
from crm_sync.connectors.base import Page
from crm_sync.connectors.hubspot import lanes
from crm_sync.connectors.hubspot.client import Client
from crm_sync.connectors.hubspot.reading import Reader
from crm_sync.connectors.hubspot.records import Record

PREFIX = "list:"
PREFIXES = (PREFIX, lanes.PREFIX)


def begin(client: Client, reader: Reader) -> str:
    """The place of the first page: in lanes where the list is long and its places are ids."""
    first = lanes.boundary(client, reader, "") if conf.hubspot_threads() > 1 else ""
    if first and lanes.are_possible(reader.listed("")):
        return f"{lanes.PREFIX}0-{first};{first}-"
    return PREFIX


def pages(client: Client, reader: Reader, place: str, end: str) -> Generator[Page]:
    """Pages of about ``conf.hubspot_page_rows()`` records; behind the last one follows the place ``end``."""
    if place.startswith(lanes.PREFIX):
        yield from lanes.Lanes(client, reader, place).pages(end)
        return
    after, records = place.removeprefix(PREFIX), list[Record]()
    while True:
        answer = reader.listed(after)
        records += answer.results
        after = answer.after
        if len(records) >= conf.hubspot_page_rows() or not after:
            yield reader.page(
                records,
                reader.ties_of([record.id for record in records]),
                f"{PREFIX}{after}" if after else end,
            )
            records = []
        if not after:
            return
