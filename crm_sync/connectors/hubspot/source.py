"""HubSpot as the engine sees it: lists for everything, searches for changes, the archive for what vanished."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crm_sync import conf
from crm_sync.anew import read_other_account
from crm_sync.connectors.base import (
    Allowance,
    ConfigurationProblem,
    FieldDescription,
    ObjectSpec,
    Page,
    PlaceLost,
    without_fields,
)
from crm_sync.connectors.hubspot import archive, changes, describe, identities, listing, objects, settings
from crm_sync.connectors.hubspot.client import Access, Client
from crm_sync.connectors.hubspot.mirror import Mirror
from crm_sync.connectors.hubspot.reading import Reader, chunked, properties_of
from crm_sync.connectors.hubspot.records import Records, Ties, Writer, lines
from crm_sync.errors import ConnectionNotSetUp
from crm_sync.models import Connection
from crm_sync.secrets import decrypt
from isolation import context

# HubSpot forgets archived records after 90 days.
ARCHIVE_KEPT = timedelta(days=89)
_FEW = {objects.OWNERS, objects.STAGES}
# Their properties may be read without it.
_WITH_A_SCOPE_OF_THEIR_OWN = {"emails"}
_OURS = {*_FEW, objects.ROLES, objects.HISTORY}


def open_hubspot(connection: Connection) -> HubSpotSource:
    """The portal behind a connection. Raises: ConnectionNotSetUp, CannotDecrypt."""
    if not connection.secret_encrypted:
        raise ConnectionNotSetUp(source=connection.source)
    return HubSpotSource(connection, decrypt(connection.secret_encrypted))


class HubSpotSource:
    """A ``connectors.base.Source`` for one portal."""

    def __init__(self, connection: Connection, token: str) -> None:
        access = Access(connection.login_url, token, connection.portal_id, connection.reserve_percent)
        self._connection = connection
        self._client = Client(access)
        self._mirror = Mirror(connection.tenant_id, connection.source)
        self._described: dict[str, Mapping[str, FieldDescription] | None] = {}

    def objects(self) -> tuple[ObjectSpec, ...]:
        """See ``Source``."""
        return objects.OBJECTS

    def describe(self, spec: ObjectSpec) -> Mapping[str, FieldDescription] | None:
        """See ``Source``."""
        if spec.name in _OURS:
            return objects.described_by_us(spec)
        if spec.name not in self._described:
            self._described[spec.name] = self._properties(spec)
        return self._described[spec.name]

    def _properties(self, spec: ObjectSpec) -> Mapping[str, FieldDescription] | None:
        try:
            found = describe.properties(self._client, spec.name)
            if spec.name in _WITH_A_SCOPE_OF_THEIR_OWN:
                self._listed(spec, [spec.stamp_field], "", limit=1)
        except ConfigurationProblem as problem:
            if problem.code in {"scope_missing", "not_found"} and not spec.is_required:
                return None
            raise
        return {**found, **objects.described_derived(spec)}

    def foresee(self, wanted: Sequence[tuple[ObjectSpec, datetime]]) -> None:
        """See ``Source``: HubSpot answers one question a call."""

    def usable(self, spec: ObjectSpec) -> tuple[ObjectSpec | None, str]:
        """See ``Source``. Raises: ConfigurationProblem, if what no sync can do without is missing."""
        fields = self.describe(spec)
        if fields is None:
            return (
                None,
                f"The private app may not read {spec.label}. Add the scope to it, if they are wanted.",
            )
        missing = {name for name in spec.fields if name not in fields}
        if lost := missing & {spec.id_field, spec.stamp_field}:
            raise ConfigurationProblem(
                "field_missing", f"{spec.label} have no property {', '.join(sorted(lost))}."
            )
        shown = [name for name in spec.fields if name in missing and name != spec.currency_field]
        note = f"Without {', '.join(shown)}: this portal has no such property." if shown else ""
        return without_fields(spec, missing), note

    def covered_until(self, spec: ObjectSpec) -> datetime:
        """See ``Source``: searches show a change up to an hour late, so what is younger is looked for again."""
        self._remember_account()
        lag = timedelta(0) if spec.name in _FEW else timedelta(seconds=conf.hubspot_lag_seconds())
        return self._client.now() - lag

    def deleted_since(self, spec: ObjectSpec, since: datetime) -> list[str] | None:
        """See ``Source``: what was archived is found behind the changes; after 90 days nobody knows."""
        if spec.name not in _FEW and since < self._client.now() - ARCHIVE_KEPT:
            return None
        return []

    def open(self, spec: ObjectSpec, since: datetime | None) -> str:
        """See ``Source``."""
        if spec.name in _FEW:
            return settings.PLACE
        if since is None:
            return listing.begin(self._client, self._reader(spec))
        until = self._client.now() + timedelta(minutes=1)
        return changes.Span(changes.milliseconds(since), changes.milliseconds(until)).place

    def pages(self, spec: ObjectSpec, since: datetime | None, place: str) -> Generator[Page]:
        """See ``Source``."""
        if spec.name in _FEW:
            yield settings.page(self._client, spec, self._mirror.held(spec))
            return
        reader = self._reader(spec)
        if place.startswith(listing.PREFIXES):
            yield from listing.pages(self._client, reader, place, archive.PLACE)
        elif place.startswith(changes.PREFIX):
            yield from changes.pages(self._client, reader, self._mirror, place, archive.PLACE)
        elif place != archive.PLACE:
            raise PlaceLost("place_lost", f"“{place}” is no place in HubSpot's {spec.label}.")
        yield from archive.pages(self._client, reader, self._mirror)

    def named(self, spec: ObjectSpec, ids: Sequence[str]) -> Generator[Page]:
        """See ``Source``."""
        if spec.name in _FEW:
            yield settings.page(self._client, spec, [])
            return
        reader = self._reader(spec)
        for chunk in chunked(ids, conf.hubspot_page_rows()):
            yield changes.fresh(reader, self._mirror, [each for each in chunk if each.isdecimal()], "")

    def identities(self, spec: ObjectSpec) -> Generator[Page]:
        """See ``Source``."""
        if spec.name in _FEW:
            rows = [(row["id"], row[spec.stamp_field]) for row in settings.rows_of(self._client, spec)]
            content = lines([spec.id_field, spec.stamp_field], rows)
            yield Page(iter([content]), after="", rows=len(rows), rows_in_all=len(rows))
            return
        yield from identities.pages(self._reader(spec), self._mirror)

    def _listed(self, spec: ObjectSpec, properties: Sequence[str], after: str, limit: int = 100) -> Records:
        more = {"after": after} if after else {}
        return self._client.get(
            f"/crm/v3/objects/{spec.name}", Records, limit=str(limit), properties=",".join(properties), **more
        )

    def sample(self, spec: ObjectSpec, fields: Sequence[str], rows: int) -> list[dict[str, str]]:
        """See ``Source``."""
        if spec.name in _OURS:
            return self._sample_of_few(spec, fields, rows)
        body = {
            "properties": [*properties_of(spec), *fields], "limit": min(rows, 200),
            "sorts": [{"propertyName": spec.stamp_field, "direction": "DESCENDING"}],
        }  # fmt: skip
        found = self._client.post(f"/crm/v3/objects/{spec.name}/search", Records, body).results
        account = self._client.account
        writer = Writer(spec, account.zone, account.companyCurrency)
        shown = [dict(zip(spec.fields, writer.row(record, Ties()), strict=True)) for record in found]
        return [
            {name: (known[name] if name in known else record.get(name)) or "" for name in fields}
            for record, known in zip(found, shown, strict=True)
        ]

    def _sample_of_few(self, spec: ObjectSpec, fields: Sequence[str], rows: int) -> list[dict[str, str]]:
        if spec.name not in _FEW:
            return []
        found = list(settings.rows_of(self._client, spec))[:rows]
        return [{name: row.get(name, "") for name in fields} for row in found]

    def allowance(self) -> Allowance | None:
        """See ``Source``."""
        return self._client.allowance

    def measured(self) -> Mapping[str, Any]:
        """See ``Source``: nothing here is chosen by pace."""
        return {}

    def check(self) -> str:
        """Sign in and read what every sync needs; gives a sentence that says what was found. Raises: ConnectorProblem."""
        self._remember_account()
        deals = next(spec for spec in objects.OBJECTS if spec.name == objects.DEALS)
        next(settings.rows_of(self._client, objects.OBJECTS[0]), None)
        _, note = self.usable(deals)
        self._listed(deals, [deals.stamp_field], "")
        left = self._client.allowance
        calls = f" {left.used:,} of {left.limit:,} calls are used today." if left else ""
        return f"Signed in to portal {self._client.account.portalId}, and deals can be read.{calls} {note}".strip()

    def close(self) -> None:
        """See ``Source``."""
        self._client.close()

    def _reader(self, spec: ObjectSpec) -> Reader:
        self._remember_account()
        return Reader(self._client, spec, self.objects())

    def _remember_account(self) -> None:
        """Keep which portal it is, so that its limits are shared from the first call of the next run on.

        A token of another portal than before has everything read again, by a run that is taken from its worker for that.
        """
        account, connection = self._client.account, self._connection
        is_other = connection.portal_id not in {"", str(account.portalId)}
        found = {
            "portal_id": str(account.portalId),
            "account_label": f"Portal {account.portalId}"
            + (f" ({account.uiDomain})" if account.uiDomain else ""),
        }
        if all(getattr(connection, name) == value for name, value in found.items()):
            return
        with context.tenant_wide(connection.tenant_id):
            Connection.objects.filter(tenant_id=connection.tenant_id, pk=connection.pk).update(**found)
            if is_other:
                read_other_account(connection)
        for name, value in found.items():
            setattr(connection, name, value)
