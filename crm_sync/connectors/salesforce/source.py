"""Salesforce as the engine sees it: Bulk jobs for much, the query address for little."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import Any

from crm_sync import conf
from crm_sync.connectors.base import (
    Allowance,
    ConfigurationProblem,
    FieldDescription,
    ObjectSpec,
    Page,
    PassingProblem,
    without_fields,
)
from crm_sync.connectors.salesforce import describe, rest
from crm_sync.connectors.salesforce.bulk import Jobs, Place
from crm_sync.connectors.salesforce.client import Client
from crm_sync.connectors.salesforce.foresight import Foresight, Question
from crm_sync.connectors.salesforce.objects import DEALS, OBJECTS, USER
from crm_sync.connectors.salesforce.results import Results
from crm_sync.connectors.salesforce.signing_in import Credentials
from crm_sync.engine.pace import MOST_ROWS_TO_CHOOSE, Pace, Stopwatch
from crm_sync.errors import ConnectionNotSetUp
from crm_sync.models import Connection, SignIn
from crm_sync.secrets import decrypt
from crm_sync.tokens import Shelf

DELETIONS_KEPT = timedelta(days=15)
# Salesforce ignores the seconds of a span's ends, so a span must be longer than a minute to hold anything.
COVERAGE_SPAN = timedelta(minutes=3)
_ALWAYS_THERE = {"Id", "SystemModstamp"}
_SHARE_OF_CALLS = 20
_IDS_A_CALL = 400  # 18 characters each and four around them: an address may have 16,384


def open_salesforce(connection: Connection) -> SalesforceSource:
    """The organisation behind a connection. Raises: ConnectionNotSetUp, CannotDecrypt."""
    is_consent = connection.sign_in == SignIn.OAUTH
    if not (connection.login_url and connection.client_id and (is_consent or connection.secret_encrypted)):
        raise ConnectionNotSetUp(source=connection.source)
    secret = decrypt(connection.secret_encrypted) if connection.secret_encrypted else ""
    return SalesforceSource(
        Credentials(connection.login_url, connection.client_id, secret),
        shelf=Shelf(connection) if is_consent else None,
        reserve_percent=connection.reserve_percent,
        pace=connection.pace,
    )


class SalesforceSource:
    """A ``connectors.base.Source`` for one organisation."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        shelf: Shelf | None = None,
        reserve_percent: int = 0,
        pace: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._client = Client(credentials, shelf=shelf, reserve_percent=reserve_percent)
        self._pace = Pace.of(pace, rest.ROWS_A_CALL)
        self._jobs = Jobs(self._client, self._pace)
        self._foresight = Foresight(self._client)
        self._described: dict[str, Mapping[str, FieldDescription] | None] = {}
        self._first_pages: dict[str, rest.Answer] = {}

    def objects(self) -> tuple[ObjectSpec, ...]:
        """See ``Source``."""
        return OBJECTS

    def foresee(self, wanted: Sequence[tuple[ObjectSpec, datetime]]) -> None:
        """See ``Source``. How far is covered is asked for first, and what changed only then: nothing falls between."""
        specs = [spec for spec, _ in wanted]
        self._foresight.ask(
            {("describe", spec.name): _description(spec) for spec in specs}
            | {("updated", spec.name): self._coverage(spec) for spec in specs}
        )
        changed = [(usable, since) for spec, since in wanted if (usable := self.usable(spec)[0]) is not None]
        self._foresight.ask(
            {
                ("deleted", spec.name): self._deletions(spec, since)
                for spec, since in changed
                if spec.deleted_field
            }
            | {
                ("changed", spec.name): rest.question(soql(spec, since), _with_deleted(spec))
                for spec, since in changed
            }
        )

    def _asked(self, what: str, spec: ObjectSpec, question: Question) -> Any:
        """The answer that was foreseen, or else one asked for now."""
        if self._foresight.has((what, spec.name)):
            return self._foresight.take((what, spec.name))
        path, params = question
        watch = Stopwatch()
        with watch.running():
            answer = self._client.json("GET", path, params=dict(params))
        if what == "updated":  # which hardly says anything: so long takes a call
            self._pace.note_call(watch.seconds)
        return answer

    def usable(self, spec: ObjectSpec) -> tuple[ObjectSpec | None, str]:
        """See ``Source``. Raises: ConfigurationProblem, if what no sync can do without is missing."""
        fields = self.describe(spec)
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

    def describe(self, spec: ObjectSpec) -> Mapping[str, FieldDescription] | None:
        """See ``Source``. Asked once: a source lives as long as one run."""
        if spec.name not in self._described:
            self._described[spec.name] = self._describe(spec)
        return self._described[spec.name]

    def _describe(self, spec: ObjectSpec) -> Mapping[str, FieldDescription] | None:
        try:
            answer = self._asked("describe", spec, _description(spec))
        except ConfigurationProblem as problem:
            if problem.code == "not_found":
                return None
            raise
        return describe.fields_of(answer)

    def covered_until(self, spec: ObjectSpec) -> datetime:
        """See ``Source``. ``latestDateCovered`` falls back to the start of any long transaction: Salesforce's own safe mark."""
        try:
            answer = self._asked("updated", spec, self._coverage(spec))
        except (
            ConfigurationProblem
        ):  # not every object keeps a list of changes; then the deals' is the nearest there is
            answer = self._client.json("GET", self._coverage(DEALS)[0], params=dict(self._coverage(DEALS)[1]))
        return min(_moment(answer["latestDateCovered"]), self._client.now())

    def _coverage(self, spec: ObjectSpec) -> Question:
        now = self._client.now()
        return _changes(spec, "updated", now - COVERAGE_SPAN, now)

    def _deletions(self, spec: ObjectSpec, since: datetime) -> Question:
        end = self._client.now() + timedelta(minutes=1)
        return _changes(spec, "deleted", min(since, end - COVERAGE_SPAN), end)

    def deleted_since(self, spec: ObjectSpec, since: datetime) -> list[str] | None:
        """See ``Source``: Salesforce forgets deletions after 15 days, and lists 600,000 at most."""
        if since < self._client.now() + timedelta(minutes=1) - DELETIONS_KEPT:
            return None
        if not spec.deleted_field:
            return []
        try:
            answer = self._asked("deleted", spec, self._deletions(spec, since))
        except ConfigurationProblem as problem:
            # Too many, or too long ago by Salesforce's own clock. An object without such a list has tombstones all the same.
            return None if problem.code in {"exceeded_id_limit", "invalid_replication_date"} else []
        return [row["id"] for row in answer["deletedRecords"]]

    def open(self, spec: ObjectSpec, since: datetime | None) -> str:
        """See ``Source``: what changed comes by whichever way is quicker for so many rows, everything as a Bulk job."""
        query = soql(spec, since)
        if since is None:
            return self._ordered(query, with_deleted=False)
        if self._changed_rows(spec, query) <= self._rest_rows():
            return rest.PLACE
        self._first_pages.pop(spec.name, None)
        return self._ordered(query, with_deleted=_with_deleted(spec))

    def _changed_rows(self, spec: ObjectSpec, query: str) -> int:
        """How many rows changed: the first page of them says it, where it is there already."""
        if not self._foresight.has(("changed", spec.name)):
            return rest.count(self._client, query, self._pace, with_deleted=_with_deleted(spec))
        page = self._first_pages[spec.name] = rest.first_of(self._foresight.take(("changed", spec.name)))
        return page.totalSize

    def _rest_rows(self) -> int:
        """Up to how many rows come by the query address, as measured; no more than there are calls for."""
        measured = self._pace.threshold_rows
        rows = conf.rest_rows() if measured is None else min(measured, MOST_ROWS_TO_CHOOSE)
        usable = self._client.budget.usable
        return rows if usable is None else min(rows, usable // _SHARE_OF_CALLS * rest.ROWS_A_CALL)

    def _ordered(self, query: str, *, with_deleted: bool) -> str:
        try:
            return self._jobs.start(query, with_deleted=with_deleted)
        except ConfigurationProblem as problem:
            if problem.code != "invalidentity":
                raise
            return rest.PLACE  # not every object can be had in bulk; those that cannot are small

    def pages(self, spec: ObjectSpec, since: datetime | None, place: str) -> Generator[Page]:
        """See ``Source``."""
        with_deleted = since is not None and _with_deleted(spec)
        first = self._first_pages.pop(spec.name, None)
        if place == rest.PLACE and first is not None:
            yield rest.page_from(self._client, first, spec.fields, self._pace)
        else:
            yield from self._pages(soql(spec, since), spec.fields, place, with_deleted=with_deleted)

    def _pages(self, query: str, fields: Sequence[str], place: str, *, with_deleted: bool) -> Generator[Page]:
        if place == rest.PLACE:
            yield rest.page(self._client, query, fields, self._pace, with_deleted=with_deleted)
            return
        at = Place.of(place)
        rows = self._jobs.wait(at.job_id)
        yield from Results(self._client, self._pace, rows, conf.bulk_page_rows()).pages(at)

    def named(self, spec: ObjectSpec, ids: Sequence[str]) -> Generator[Page]:
        """See ``Source``. As many ids a call as fit into its address."""
        for chunk in batched(ids, _IDS_A_CALL):
            chosen = ", ".join(f"'{name}'" for name in chunk if name.isalnum())
            query = f"SELECT {', '.join(spec.fields)} FROM {spec.name} WHERE {spec.id_field} IN ({chosen})"
            yield rest.named(self._client, query, spec.fields, chunk, with_deleted=_with_deleted(spec))

    def identities(self, spec: ObjectSpec) -> Generator[Page]:
        """See ``Source``."""
        fields = [name for name in (spec.id_field, spec.stamp_field, spec.created_field) if name]
        query = f"SELECT {', '.join(fields)} FROM {spec.name}"
        place = self._ordered(query, with_deleted=False)
        yield from self._pages(query, fields, place, with_deleted=False)

    def sample(self, spec: ObjectSpec, fields: Sequence[str], rows: int) -> list[dict[str, str]]:
        """See ``Source``."""
        query = f"SELECT {', '.join(fields)} FROM {spec.name} ORDER BY {spec.stamp_field} DESC LIMIT {rows}"
        return rest.rows(self._client, query, fields)

    def allowance(self) -> Allowance | None:
        """See ``Source``."""
        return self._client.budget.allowance

    def measured(self) -> Mapping[str, Any]:
        """See ``Source``."""
        return self._pace.measures

    def check(self) -> str:
        """Sign in and read one description; gives a sentence that says what was found. Raises: ConnectorProblem."""
        self._client.budget.is_lifted = True
        self.usable(USER)
        spec, note = self.usable(DEALS)
        left = self._client.budget.allowance
        calls = f" {left.used:,} of {left.limit:,} calls are used today." if left else ""
        return f"Signed in, and deals can be read.{calls} {note}".strip() if spec else note

    def close(self) -> None:
        """See ``Source``."""
        self._client.close()


def _description(spec: ObjectSpec) -> Question:
    return f"sobjects/{spec.name}/describe", {}


def _changes(spec: ObjectSpec, which: str, start: datetime, end: datetime) -> Question:
    span = {"start": start.isoformat(timespec="seconds"), "end": end.isoformat(timespec="seconds")}
    return f"sobjects/{spec.name}/{which}/", span


def _with_deleted(spec: ObjectSpec) -> bool:
    """Whether what changed is asked for together with what was deleted: where the object has tombstones."""
    return bool(spec.deleted_field)


def batched(ids: Sequence[str], size: int) -> Iterator[list[str]]:
    """The ids, ``size`` at a time."""
    left = iter(ids)
    while chunk := list(islice(left, size)):
        yield chunk


def soql(spec: ObjectSpec, since: datetime | None) -> str:
    """The query for everything, or for what changed from ``since`` on. ``>=``: equal stamps are common, ``>`` loses rows."""
    query = f"SELECT {', '.join(spec.fields)} FROM {spec.name}"
    if since is None:
        return query
    return f"{query} WHERE {spec.stamp_field} >= {since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise PassingProblem("odd_answer", f"Salesforce gave “{text}” where a date was due.") from error
