"""Salesforce as the engine sees it: Bulk jobs for much, the query address for little."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_sync import conf
from crm_sync.connectors.base import Allowance, Column, ConfigurationProblem, ObjectSpec, Page, PassingProblem
from crm_sync.connectors.salesforce import bulk, rest
from crm_sync.connectors.salesforce.client import Client, Credentials
from crm_sync.connectors.salesforce.objects import OBJECTS

DELETIONS_KEPT = timedelta(days=15)
# Salesforce ignores the seconds of a span's ends, so a span must be longer than a minute to hold anything.
COVERAGE_SPAN = timedelta(minutes=3)
_ALWAYS_THERE = {"Id", "SystemModstamp"}


class SalesforceSource:
    """A ``connectors.base.Source`` for one organisation."""

    def __init__(self, credentials: Credentials) -> None:
        self._client = Client(credentials)

    def objects(self) -> tuple[ObjectSpec, ...]:
        """See ``Source``."""
        return OBJECTS

    def usable(self, spec: ObjectSpec) -> tuple[ObjectSpec | None, str]:
        """See ``Source``. Raises: ConfigurationProblem, if what no sync can do without is missing."""
        fields = self._fields_of(spec)
        if fields is None:
            if spec.is_required:
                sentence = (
                    f"The integration user may not read {spec.name}. Give it read access to that object."
                )
                raise ConfigurationProblem("object_missing", sentence)
            return None, f"This organisation has no {spec.name}, or the integration user may not read it."
        missing = [name for name in spec.fields if name not in fields]
        if lost := _ALWAYS_THERE & set(missing):
            raise ConfigurationProblem(
                "field_missing", f"{spec.name} has no field {', '.join(sorted(lost))}."
            )
        shown = [name for name in missing if name != spec.currency_field]
        note = (
            f"Without {', '.join(shown)}: this organisation has no such field, or hides it." if shown else ""
        )
        return without_fields(spec, set(missing)), note

    def _fields_of(self, spec: ObjectSpec) -> set[str] | None:
        try:
            answer = self._client.json("GET", f"sobjects/{spec.name}/describe")
        except ConfigurationProblem as problem:
            if problem.code == "not_found":
                return None
            raise
        return {field["name"] for field in answer["fields"]}

    def covered_until(self, spec: ObjectSpec) -> datetime:
        """See ``Source``. ``latestDateCovered`` falls back to the start of any long transaction: Salesforce's own safe mark."""
        now = self._client.now()
        start = now - COVERAGE_SPAN
        try:
            answer = self._changes(spec, "updated", start, now)
        except (
            ConfigurationProblem
        ):  # not every object keeps a list of changes; then the deals' is the nearest there is
            answer = self._changes(OBJECTS[3], "updated", start, now)
        return min(_moment(answer["latestDateCovered"]), now)

    def _changes(self, spec: ObjectSpec, which: str, start: datetime, end: datetime) -> Any:
        span = {"start": start.isoformat(timespec="seconds"), "end": end.isoformat(timespec="seconds")}
        return self._client.json("GET", f"sobjects/{spec.name}/{which}/", params=span)

    def deleted_since(self, spec: ObjectSpec, since: datetime) -> list[str] | None:
        """See ``Source``: Salesforce forgets deletions after 15 days, and lists 600,000 at most."""
        end = self._client.now() + timedelta(minutes=1)
        if since < end - DELETIONS_KEPT:
            return None
        if not spec.deleted_field:
            return []
        try:
            answer = self._changes(spec, "deleted", min(since, end - COVERAGE_SPAN), end)
        except ConfigurationProblem as problem:
            # Too many, or too long ago by Salesforce's own clock. An object without such a list has tombstones all the same.
            return None if problem.code in {"exceeded_id_limit", "invalid_replication_date"} else []
        return [row["id"] for row in answer["deletedRecords"]]

    def open(self, spec: ObjectSpec, since: datetime | None) -> str:
        """See ``Source``: little that changed comes by the query address, everything else as a Bulk job."""
        query = soql(spec, since)
        with_deleted = since is not None and bool(spec.deleted_field)
        if since is not None:
            count = rest.count(self._client, query, with_deleted=with_deleted)
            if count <= conf.rest_rows():
                return rest.PLACE
        return bulk.start(self._client, query, with_deleted=with_deleted)

    def pages(self, spec: ObjectSpec, since: datetime | None, place: str) -> Generator[Page]:
        """See ``Source``."""
        if place == rest.PLACE:
            with_deleted = since is not None and bool(spec.deleted_field)
            yield rest.page(self._client, soql(spec, since), spec.fields, with_deleted=with_deleted)
        else:
            yield from bulk.pages(self._client, place, conf.bulk_page_rows())

    def allowance(self) -> Allowance | None:
        """See ``Source``."""
        return self._client.allowance

    def check(self) -> str:
        """Sign in and read one description; gives a sentence that says what was found. Raises: ConnectorProblem."""
        self.usable(OBJECTS[0])
        spec, note = self.usable(OBJECTS[3])
        left = self._client.allowance
        calls = f" {left.used:,} of {left.limit:,} calls are used today." if left else ""
        return f"Signed in, and deals can be read.{calls} {note}".strip() if spec else note

    def close(self) -> None:
        """See ``Source``."""
        self._client.close()


def soql(spec: ObjectSpec, since: datetime | None) -> str:
    """The query for everything, or for what changed from ``since`` on. ``>=``: equal stamps are common, ``>`` loses rows."""
    query = f"SELECT {', '.join(spec.fields)} FROM {spec.name}"
    if since is None:
        return query
    return f"{query} WHERE {spec.stamp_field} >= {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def without_fields(spec: ObjectSpec, missing: set[str]) -> ObjectSpec:
    """The object as an organisation without these fields has it."""
    columns = (_without(column, missing) for column in spec.columns)
    return replace(
        spec,
        columns=tuple(column for column in columns if column is not None),
        references=tuple(r for r in spec.references if r.field not in missing),
        deleted_field="" if spec.deleted_field in missing else spec.deleted_field,
        currency_field="" if spec.currency_field in missing else spec.currency_field,
    )


def _without(column: Column, missing: set[str]) -> Column | None:
    left = tuple(name for name in column.fields if name not in missing)
    return replace(column, fields=left) if left else None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise PassingProblem("odd_answer", f"Salesforce gave “{text}” where a date was due.") from error
