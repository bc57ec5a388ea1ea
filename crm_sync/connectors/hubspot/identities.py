"""Ids and stamps of everything, to compare the mirror with; and what no stamp tells: who is associated with whom, as what."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from crm_sync.connectors.base import Page
from crm_sync.connectors.hubspot import objects
from crm_sync.connectors.hubspot.mirror import Mirror
from crm_sync.connectors.hubspot.reading import TIED, Reader
from crm_sync.connectors.hubspot.records import Link, Record, id_order, lines


def pages(reader: Reader, mirror: Mirror) -> Generator[Page]:
    """Every live record, as many a page as one question about associations takes."""
    after, records = "", list[Record]()
    while True:
        answer = reader.identities(after)
        records += answer.results
        after = answer.after
        if len(records) >= TIED or not after:
            yield _page(reader, mirror, records, after)
            records = []
        if not after:
            return


def _page(reader: Reader, mirror: Mirror, records: Sequence[Record], after: str) -> Page:
    header = reader.identity
    content = lines(header, ([record.id, *map(record.get, header[1:])] for record in records))
    page = Page(iter([content]), after=after, rows=len(records))
    ids = [record.id for record in records]
    return replace(page, again=[(reader.spec.name, each) for each in sorted(_strays(reader, mirror, ids))])


def _strays(reader: Reader, mirror: Mirror, ids: Sequence[str]) -> set[str]:
    """Records of which the mirror names others than they are associated with."""
    strays = set[str]()
    held = set(mirror.held(reader.spec, ids)) if reader.is_tied else set()
    for kind, links in reader.ties_of(ids).of.items() if held else ():
        tied = {
            (own, link.to, *_role(kind, link)) for own in held for link in _named(kind, links.get(own, []))
        }
        strays |= {own for own, *_ in tied ^ set(mirror.named_by(reader.spec, kind, ids))}
    return strays


def _named(kind: str, links: Sequence[Link]) -> Iterator[Link]:
    """Those that a row of the mirror names: all contacts of a deal, its primary company, the lowest deal of an activity."""
    if kind == objects.CONTACTS:
        yield from links
    elif kind == objects.COMPANIES:
        yield from [link for link in links if link.is_primary][:1]
    else:
        yield from sorted(links, key=lambda link: id_order(link.to))[:1]


def _role(kind: str, link: Link) -> tuple[str]:
    return (link.labels if kind == objects.CONTACTS else "",)
