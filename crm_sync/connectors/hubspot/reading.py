"""Reading records with everything that belongs to them, in as few calls as HubSpot allows, and making pages of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

import msgspec

from crm_sync.connectors.base import ChildPage, ObjectSpec, Page
from crm_sync.connectors.hubspot import objects
from crm_sync.connectors.hubspot.children import children_of
from crm_sync.connectors.hubspot.client import Client
from crm_sync.connectors.hubspot.records import Link, Links, Paging, Record, Records, Ties, Writer, id_order

LISTED, LISTED_WITH_HISTORY, BATCH, TIED = 100, 50, 100, 1000
LONGEST_LIST = 12_000  # characters of property names; an address may have 16,000 in all


class _TiesOf(msgspec.Struct):
    """The associations of one record, or the first of them."""

    from_: dict[str, str | int] = msgspec.field(name="from")
    to: list[Link] = []
    paging: Paging | None = None


class _AllTies(msgspec.Struct):
    results: list[_TiesOf] = []


class Reader:
    """Reads one object of a portal."""

    def __init__(self, client: Client, spec: ObjectSpec, family: Sequence[ObjectSpec]) -> None:
        self._client = client
        self.spec = spec
        account = client.account
        self._zone, self._currency = account.zone, account.companyCurrency
        # An object without references is one narrowed to a few fields: nothing comes with it.
        children = (each for each in family if each.parent == spec.name) if spec.references else ()
        self._children = {each.name: each for each in children}
        self._writer = Writer(spec, self._zone, self._currency)
        self.limit = LISTED_WITH_HISTORY if self._history else LISTED
        self.properties = properties_of(spec)

    @property
    def _history(self) -> bool:
        return bool(self._children) or objects.STAGE_SINCE in self.spec.fields

    def listed(self, after: str) -> Records:
        """A stretch of the list of live records, in HubSpot's order, which is that of their ids."""
        names = ",".join(self.properties)
        if len(quote(names)) > LONGEST_LIST:
            return self._listed_by_ids(after)
        params = {"limit": str(self.limit), "properties": names}
        if self._history:
            params["propertiesWithHistory"] = ",".join(objects.HISTORY_OF)
        return self._list(after, params)

    def _list(self, after: str, params: dict[str, str]) -> Records:
        more = {"after": after} if after else {}
        return self._client.get(f"/crm/v3/objects/{self.spec.name}", Records, **params, **more)

    def _listed_by_ids(self, after: str) -> Records:
        """The same where there are more properties than an address can name: a batch names them in its body."""
        answer = self._list(after, {"limit": str(LISTED), "properties": "hs_object_id"})
        return Records(self.read([record.id for record in answer.results]), answer.paging)

    def read(self, ids: Sequence[str]) -> list[Record]:
        """The live ones of these records, as they are now."""
        size = LISTED_WITH_HISTORY if self._history else BATCH
        return sorted(
            (record for chunk in chunked(ids, size) for record in self._batch(chunk)),
            key=lambda record: id_order(record.id),
        )

    def _batch(self, ids: Sequence[str]) -> list[Record]:
        body: dict[str, object] = {"inputs": _inputs(ids), "properties": self.properties}
        if self._history:
            body["propertiesWithHistory"] = list(objects.HISTORY_OF)
        return self._client.post(f"/crm/v3/objects/{self.spec.name}/batch/read", Records, body).results

    def still_archived(self, ids: Sequence[str]) -> set[str]:
        """Which of these records can be restored."""
        path = f"/crm/v3/objects/{self.spec.name}/batch/read?archived=true"
        bodies = ({"inputs": _inputs(chunk), "properties": []} for chunk in chunked(ids, BATCH))
        return {record.id for body in bodies for record in self._client.post(path, Records, body).results}

    @property
    def identity(self) -> list[str]:
        """Id, stamp and, where there is any, creation."""
        spec = self.spec
        return [name for name in (spec.id_field, spec.stamp_field, spec.created_field) if name]

    def identities(self, after: str) -> Records:
        """A stretch of the list of live records with their ``identity`` alone."""
        return self._list(after, {"limit": str(LISTED), "properties": ",".join(self.identity)})

    @property
    def is_tied(self) -> bool:
        """Whether rows of this object name others by associations."""
        return any(self._tied_to())

    def ties_of(self, ids: Sequence[str]) -> Ties:
        """What records are associated with, of all that their rows name."""
        return Ties({kind: self.ties(kind, ids) for kind in self._tied_to()})

    def page(
        self,
        records: Sequence[Record],
        ties: Ties,
        after: str,
        *,
        rows_in_all: int | None = None,
        gone: Iterable[str] = (),
    ) -> Page:
        """Records with what they are associated with, as a page of the engine; one that another swallowed meanwhile is gone."""
        merged = [loser for record in records for loser in record.get(objects.MERGED).split(";") if loser]
        records = [record for record in records if record.id not in set(merged)] if merged else records
        return Page(
            chunks=iter([self._writer.csv(records, ties)]),
            after=after,
            rows=len(records),
            rows_in_all=rows_in_all,
            gone=[*gone, *merged],
            children=self._children_of(records, ties),
        )

    def _children_of(self, records: Sequence[Record], ties: Ties) -> list[ChildPage]:
        if not (self._children and records):
            return []
        return children_of(self._children, records, ties, self._zone, self._currency)

    def _tied_to(self) -> Iterator[str]:
        if objects.PRIMARY_COMPANY in self.spec.fields:
            yield objects.COMPANIES
        if self._children:
            yield objects.CONTACTS
        if objects.DEAL_OF_ACTIVITY in self.spec.fields:
            yield objects.DEALS

    def ties(self, kind: str, ids: Sequence[str]) -> Links:
        """What records are associated with among the objects of a kind."""
        found: Links = {}
        inputs = _inputs(ids)
        path = f"/crm/v4/associations/{self.spec.name}/{kind}/batch/read"
        while inputs:
            now, inputs = inputs[:TIED], inputs[TIED:]
            for each in self._client.post(path, _AllTies, {"inputs": now}).results:
                own_id = str(each.from_["id"])
                found.setdefault(own_id, []).extend(each.to)
                if each.paging and each.paging.next:
                    inputs.append({"id": own_id, "after": each.paging.next.after})
        return found


def _inputs(ids: Iterable[str]) -> list[dict[str, str]]:
    return [{"id": each} for each in ids]


def properties_of(spec: ObjectSpec) -> list[str]:
    """The properties to ask for: those of the fields, those behind fields that are worked out, and which records were swallowed."""
    wanted = [name for field in spec.fields for name in objects.DERIVED.get(field, (field,))]
    return list(dict.fromkeys([*wanted, objects.MERGED]))


def chunked(ids: Sequence[str], size: int) -> Iterator[list[str]]:
    """The ids, ``size`` at a time."""
    for start in range(0, len(ids), size):
        yield list(ids[start : start + size])
