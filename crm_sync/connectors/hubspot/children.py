"""What comes with deals: their contacts with labels, and how stage, amount and close date went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from crm_sync.connectors.base import ChildPage, ObjectSpec
from crm_sync.connectors.hubspot import objects
from crm_sync.connectors.hubspot.records import (
    Link,
    Record,
    Ties,
    Version,
    history,
    lines,
    local_date,
)

_Row = Mapping[str, str]


def children_of(
    specs: Mapping[str, ObjectSpec], deals: Sequence[Record], ties: Ties, zone: ZoneInfo, currency: str
) -> list[ChildPage]:
    """All contacts and all history of some deals."""
    parents = [deal.id for deal in deals]
    roles = [row for deal in deals for row in _roles(deal, ties.links(objects.CONTACTS, deal.id))]
    changes = [row for deal in deals for row in _changes(deal, zone, currency)]
    return [
        _page(specs[objects.ROLES], parents, roles),
        _page(specs[objects.HISTORY], parents, changes),
    ]


def _page(spec: ObjectSpec, parents: Sequence[str], rows: Sequence[_Row]) -> ChildPage:
    content = lines(spec.fields, ([row.get(name, "") for name in spec.fields] for row in rows))
    return ChildPage(spec.name, parents, content, len(rows))


def _roles(deal: Record, links: Sequence[Link]) -> Iterator[_Row]:
    # An association has no stamp; the deal's creation stands for it, so that a change of the deal is none of its contacts.
    since = deal.get("createdate")
    for link in links:
        yield {
            "id": f"{deal.id}-{link.to}", "since": since, "deal_id": deal.id, "contact_id": link.to,
            "labels": link.labels, "primary": "true" if link.is_primary else "false",
        }  # fmt: skip


def _changes(deal: Record, zone: ZoneInfo, currency: str) -> Iterator[_Row]:
    """A row for each moment at which any of the three changed, with all three as they were from then on."""
    versions = history(deal)
    now = dict.fromkeys(objects.HISTORY_OF, "")
    for moment, changed in sorted(_by_moment(versions).items()):
        now |= changed
        yield {
            "id": f"{deal.id}-{_digits(moment)}", "deal_id": deal.id, "timestamp": moment, "dealstage": now["dealstage"],
            "amount": now["amount"], "closedate": local_date(now["closedate"], zone),
            "currency": deal.get("deal_currency_code") or currency,
        }  # fmt: skip


def _by_moment(versions: Mapping[str, Sequence[Version]]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name in objects.HISTORY_OF:
        for version in reversed(versions.get(name, [])):
            found.setdefault(_padded(version.timestamp), {})[name] = version.value or ""
    return found


def _padded(moment: str) -> str:
    """A moment with its milliseconds written out, which HubSpot leaves out where they are zero: so that text sorts as time does."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    return f"{whole}.{fraction.ljust(3, '0')}Z"


def _digits(moment: str) -> str:
    return "".join(filter(str.isdigit, moment))
