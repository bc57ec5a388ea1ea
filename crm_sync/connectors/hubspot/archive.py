"""The list of archived records: what came onto it is gone, what left it was restored or is gone for good.

Archiving and restoring move no stamp, so no search shows them. The list holds 90 days and can only be read whole. Where it is
long, it is read when the number of live records is not what the mirror holds, and every few hours all the same.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

import msgspec

from crm_sync import conf
from crm_sync.connectors.base import ObjectSpec, Page
from crm_sync.connectors.hubspot.around import around
from crm_sync.connectors.hubspot.changes import fresh
from crm_sync.connectors.hubspot.client import Client
from crm_sync.connectors.hubspot.mirror import Mirror
from crm_sync.connectors.hubspot.objects import MERGED
from crm_sync.connectors.hubspot.reading import LISTED, Reader, chunked
from crm_sync.connectors.hubspot.records import Paging, Ties

PLACE = "archived"


class _Archived(msgspec.Struct):
    """An archived record and those that it had swallowed, which are on no list."""

    id: str
    properties: dict[str, str | None] = {}

    @property
    def ids(self) -> list[str]:
        return [self.id, *filter(None, (self.properties.get(MERGED) or "").split(";"))]


class _Ids(msgspec.Struct):
    results: list[_Archived]
    paging: Paging | None = None
    total: int | None = None


def pages(client: Client, reader: Reader, mirror: Mirror) -> Generator[Page]:
    """What the list of archived records tells; the last page of an object, whose ``archived`` is the list to remember."""
    spec, known = reader.spec, mirror.archived(reader.spec)
    if not _is_due(client, spec, mirror, len(known)):
        yield reader.page([], Ties(), "")
        return
    listed = set(_archived(client, spec))
    for chunk in chunked(sorted(known - listed), conf.hubspot_page_rows()):
        page = fresh(reader, mirror, chunk, PLACE)
        listed |= reader.still_archived(page.watched)
        yield page
    # Rows that lead to an archived record are behind the times, also where it came and went unseen.
    page = fresh(reader, mirror, [], "", mirror.held(spec, sorted(listed)))
    yield replace(page, archived=sorted(listed), again=around(reader, mirror, [], Ties(), sorted(listed)))


def _is_due(client: Client, spec: ObjectSpec, mirror: Mirror, known: int) -> bool:
    if known <= conf.hubspot_archive_rows() or mirror.is_archive_due(spec):
        return True
    answer = client.post(f"/crm/v3/objects/{spec.name}/search", _Ids, {"limit": 1, "properties": []})
    return answer.total != mirror.live(spec)


def _archived(client: Client, spec: ObjectSpec) -> Iterator[str]:
    after = ""
    while True:
        more = {"after": after} if after else {}
        answer = client.get(
            f"/crm/v3/objects/{spec.name}",
            _Ids,
            limit=str(LISTED),
            archived="true",
            properties=MERGED,
            **more,
        )
        yield from (each_id for each in answer.results for each_id in each.ids)
        after = answer.paging.next.after if answer.paging and answer.paging.next else ""
        if not after:
            return
