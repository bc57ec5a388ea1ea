"""What else has to be read again: associations that begin or end with a record move no stamp of the records at their other ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from crm_sync.connectors.base import ConfigurationProblem, ObjectSpec
from crm_sync.connectors.hubspot import objects
from crm_sync.connectors.hubspot.mirror import Mirror
from crm_sync.connectors.hubspot.reading import Reader
from crm_sync.connectors.hubspot.records import Link, Record

_OTHER_ENDS: Mapping[str, tuple[str, ...]] = {
    objects.COMPANIES: (objects.DEALS,),
    objects.CONTACTS: (objects.DEALS,),
    objects.DEALS: objects.ACTIVITIES,
}
_SPECS = {spec.name: spec for spec in objects.OBJECTS}


def around(
    reader: Reader, mirror: Mirror, records: Sequence[Record], gone: Sequence[str]
) -> list[tuple[str, str]]:
    """The rows, as (object, id), whose associations are others than the mirror holds because these records came, merged or went."""
    others = _OTHER_ENDS.get(reader.spec.name)
    if others is None:
        return []
    return list(dict.fromkeys([*_came(reader, mirror, records, others), *_went(reader.spec, mirror, gone)]))


def _came(
    reader: Reader, mirror: Mirror, records: Sequence[Record], others: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Only rows that the mirror holds: others will be read with their associations when they come."""
    held = set(mirror.held(reader.spec, [record.id for record in records])) if records else set()
    ids = [record.id for record in records if record.id not in held or record.get(objects.MERGED)]
    for kind in others if ids else ():
        linked = {link.to for links in _ties(reader, kind, ids).values() for link in links}
        yield from ((kind, each) for each in sorted(mirror.held(_SPECS[kind], sorted(linked))))


def _ties(reader: Reader, kind: str, ids: Sequence[str]) -> Mapping[str, Sequence[Link]]:
    try:
        return reader.ties(kind, ids)
    except ConfigurationProblem as problem:
        if problem.code == "scope_missing":  # then the mirror has none of that kind
            return {}
        raise


def _went(spec: ObjectSpec, mirror: Mirror, gone: Sequence[str]) -> Iterator[tuple[str, str]]:
    if not gone:
        return
    if spec.name == objects.DEALS:
        yield from mirror.activities_of(gone)
    else:
        yield from ((objects.DEALS, each) for each in mirror.deals_with(spec, gone))
