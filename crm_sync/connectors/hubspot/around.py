"""What else has to be read again: archiving, restoring and merging a record move no stamp of the records that it is associated with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from crm_sync.connectors.base import ConfigurationProblem, ObjectSpec
from crm_sync.connectors.hubspot import objects
from crm_sync.connectors.hubspot.mirror import Mirror
from crm_sync.connectors.hubspot.reading import Reader
from crm_sync.connectors.hubspot.records import Links, Record, Ties

# Objects whose rows name the records of the first.
_NAMED_BY: Mapping[str, tuple[str, ...]] = {
    objects.COMPANIES: (objects.DEALS,),
    objects.CONTACTS: (objects.DEALS,),
    objects.DEALS: objects.ACTIVITIES,
}
_SPECS = {spec.name: spec for spec in objects.OBJECTS}


def around(
    reader: Reader, mirror: Mirror, records: Sequence[Record], ties: Ties, gone: Sequence[str]
) -> list[tuple[str, str]]:
    """The rows, as (object, id), of which the mirror may not know as much as these records and those that are gone tell."""
    found = [
        *_behind(reader, mirror, [record.id for record in records]),
        *_missed(reader.spec, mirror, [record.id for record in records], ties),
        *_went(reader.spec, mirror, gone),
    ]
    return list(dict.fromkeys(found))


def _behind(reader: Reader, mirror: Mirror, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Rows that are associated with these records, and do not say so in the mirror.

    Asked for records that the mirror held all the time too: one that was archived and restored between two looks at the archive was
    on no list, but what was read meanwhile was read without it.
    """
    for kind in _NAMED_BY.get(reader.spec.name, ()) if ids else ():
        links = _ties(reader, kind, ids)
        yield from ((kind, each) for each in mirror.behind(reader.spec, _SPECS[kind], links))


def _ties(reader: Reader, kind: str, ids: Sequence[str]) -> Links:
    try:
        return reader.ties(kind, ids)
    except ConfigurationProblem as problem:
        if problem.code == "scope_missing":  # then the mirror has none of that kind
            return {}
        raise


def _missed(spec: ObjectSpec, mirror: Mirror, ids: Sequence[str], ties: Ties) -> Iterator[tuple[str, str]]:
    """Records that the mirror's rows name and these no longer do: parted, or archived a moment ago and perhaps back in another."""
    for kind, links in ties.of.items() if ids else ():
        named = mirror.named_by(spec, kind, ids)
        missed = {far for own, far, _ in named if far not in {link.to for link in links.get(own, ())}}
        yield from ((kind, each) for each in mirror.held(_SPECS[kind], sorted(missed)))


def _went(spec: ObjectSpec, mirror: Mirror, gone: Sequence[str]) -> Iterator[tuple[str, str]]:
    if not gone:
        return
    if spec.name == objects.DEALS:
        yield from mirror.activities_of(gone)
    elif spec.name in _NAMED_BY:
        yield from ((objects.DEALS, each) for each in mirror.deals_with(spec, gone))
