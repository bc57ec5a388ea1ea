"""A run from its claim to its end: object by object, page by page, each committed together with where to go on from."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from django.db.models import F

from crm_sync import conf
from crm_sync.connectors.base import ChildPage, ObjectSpec, Page, PassingProblem, PlaceLost, Source
from crm_sync.engine import archived, batch, contract, links, notices, remove
from crm_sync.engine.batch import Counts
from crm_sync.engine.feed import Feed
from crm_sync.engine.lease import Lease, LeaseLost
from crm_sync.engine.scope import Scope
from crm_sync.mapping.applied import Descriptions
from crm_sync.mapping.versions import begin_versions, in_force
from crm_sync.models import Connection, SyncCursor, SyncObjectResult, SyncRun
from isolation import context
from tenants.models import Tenant

LONGEST_PAUSE_SECONDS = 60.0
ANALYZE_FROM_ROWS = 1_000


Work = Callable[[ObjectSpec, SyncObjectResult], None]


class Listener(Protocol):
    """Hears how a run gets on."""

    def __call__(self, result: SyncObjectResult, spec: ObjectSpec) -> None:
        """Called after each commit of an object."""


class Run:
    """One run in the hands of this worker."""

    def __init__(self, lease: Lease, source: Source, listener: Listener) -> None:
        self._lease = lease
        self._source = source
        self._listener = listener
        self._known: dict[str, tuple[ObjectSpec | None, str]] = {}
        self._described: dict[str, Descriptions | None] = {}
        self._results: dict[str, SyncObjectResult] = {}
        with context.tenant_wide(lease.tenant_id):
            self._run = SyncRun.objects.get(pk=lease.run_id)
            self._connection = Connection.objects.get(pk=self._run.connection_id)
            self._currency = Tenant.objects.get(pk=lease.tenant_id).currency
            self._mapping = in_force(self._connection)
        self._objects = tuple(self._mapping.apply(spec) for spec in source.objects())

    def sync_objects(self) -> None:
        """Bring every object's mirror up to date. Raises: ConfigurationProblem, PassingProblem, LeaseLost.

        All objects are opened before the first is loaded: the CRM prepares its answers while others are merged.
        """
        objects = [(spec, self._result(spec, place)) for place, spec in enumerate(self._objects)]
        self._results = {result.object_name: result for _, result in objects}
        self._foresee(objects)
        self._each(self._prepare, objects)
        self._note_contract()
        self._each(self._sync, objects)

    def _foresee(self, objects: Sequence[tuple[ObjectSpec, SyncObjectResult]]) -> None:
        fresh = (spec for spec, result in objects if not (result.is_begun or spec.parent))
        with suppress(PassingProblem):  # whatever passes is met again, and then with patience
            self._source.foresee(
                [(spec, since) for spec in fresh if (since := self._since(spec)) is not None]
            )

    def _each(self, work: Work, objects: Sequence[tuple[ObjectSpec, SyncObjectResult]]) -> None:
        for spec, result in objects:
            if not (result.is_done or spec.parent):
                self._patiently(work, spec, result)

    def _note_contract(self) -> None:
        """Compare the fields with what the mapping expects; where nothing was known of them, this is what is expected."""
        seen = [spec for spec in self._objects if spec.name in self._described]
        with self._step():
            for spec in seen:
                expected = self._mapping.contract.get(spec.name, {})
                contract.note_fields(self._scope(spec), expected, self._described[spec.name])
            if not self._mapping.is_stored:
                found = {
                    spec.name: contract.contract_of(spec, self._described[spec.name] or {}) for spec in seen
                }
                begin_versions(self._connection, found)

    def _settle_contract(self) -> None:
        """Count what values break the contract by now."""
        with self._step():
            if contract.has_any(self._connection):
                for spec in self._objects:
                    if spec.parent or self._described.get(spec.name) is not None:
                        contract.settle(self._scope(spec))

    def _result(self, spec: ObjectSpec, position: int) -> SyncObjectResult:
        result: SyncObjectResult
        with self._step():
            result, _ = SyncObjectResult.objects.get_or_create(
                tenant_id=self._lease.tenant_id,
                run=self._run,
                object_name=spec.name,
                defaults={"position": position},
            )
        return result

    def _patiently(self, work: Work, spec: ObjectSpec, result: SyncObjectResult) -> None:
        """Try again after what passes; a try that got further than the last one does not count."""
        failures, place = 0, result.place
        while True:
            try:
                return work(spec, result)
            except PassingProblem as problem:
                failures = 1 if result.place != place else failures + 1
                place = result.place
                pause = _pause(problem, failures)
                if failures >= conf.tries() or pause > LONGEST_PAUSE_SECONDS:
                    raise
                time.sleep(pause)

    def _prepare(self, spec: ObjectSpec, result: SyncObjectResult) -> None:
        """Begin and open an object, unless a run before this one did."""
        usable, note = self._usable(spec)
        if usable is None:
            return self._skip(spec, result, note)
        absent = sorted({*spec.fields} - {*usable.fields})
        if result.is_begun and result.absent != absent:
            self._begin_again(result, absent)
        if not result.is_begun:
            self._begin(self._scope(usable), result, note, absent)
        if not result.place:
            self._open(self._scope(usable), result)
        return None

    def _usable(self, spec: ObjectSpec) -> tuple[ObjectSpec | None, str]:
        if spec.name not in self._known:
            self._known[spec.name] = self._source.usable(spec)
            self._described[spec.name] = self._source.describe(spec)
        return self._known[spec.name]

    def _sync(self, spec: ObjectSpec, result: SyncObjectResult) -> None:
        """Load an object from where it stands to its end."""
        self._prepare(spec, result)
        usable, _ = self._usable(spec)
        assert usable is not None  # what is not usable is done by now
        scope, started = self._scope(usable), time.monotonic()
        try:
            with Feed(self._source.pages(usable, result.since, result.place)) as pages:
                for page in pages:
                    self._load(scope, page, result, started)
                    started = time.monotonic()
        except PlaceLost:
            self._close(result)
            raise

    def _scope(self, spec: ObjectSpec) -> Scope:
        return Scope(
            tenant_id=self._lease.tenant_id,
            source=self._connection.source,
            currency=self._currency,
            connection_id=self._connection.id,
            run_id=self._lease.run_id,
            spec=spec,
            family=self._objects,
            options=contract.restricted(
                self._mapping.contract.get(spec.name, {}), self._described.get(spec.name)
            ),
        )

    @contextmanager
    def _step(self) -> Iterator[None]:
        """A transaction of this workspace that commits only while the run is ours."""
        with context.tenant_wide(self._lease.tenant_id):
            yield
            if SyncRun.objects.select_for_update(no_key=True).filter(self._lease.held()).first() is None:
                raise LeaseLost

    def _skip(self, spec: ObjectSpec, result: SyncObjectResult, note: str) -> None:
        with self._step():
            save(result, is_begun=True, is_done=True, note=note)
            for child in self._objects:
                if child.parent == spec.name:
                    save(self._results[child.name], is_begun=True, is_done=True, note=note)
        self._listener(result, spec)

    def _begin_again(self, result: SyncObjectResult, absent: Sequence[str]) -> None:
        """The CRM shows other fields than when the object was begun: what was read lacks some, and what was ordered has others.

        A first load stays one, because what points at its rows is linked at its end.
        """
        with self._step():
            save(result, place="", absent=absent, is_begun=result.is_first_load)

    def _begin(self, scope: Scope, result: SyncObjectResult, note: str, absent: Sequence[str]) -> None:
        """Decide what to read, and remove what the CRM lists as deleted; both are remembered before the first page."""
        covered_until = self._source.covered_until(scope.spec)  # first: what goes after it is the next run's
        since = self._since(scope.spec, absent)
        gone: list[str] = []
        if since is not None:
            listed = self._source.deleted_since(scope.spec, since)
            since, gone = (None, []) if listed is None else (since, listed)
        with self._step():
            is_first_load = since is None and not scope.scalar(
                f"SELECT EXISTS (SELECT FROM {scope.table} t WHERE {scope.own_rows})"
            )
            if since is None:
                SyncRun.objects.filter(pk=self._run.pk).update(touches_everything=True)
                self._run.touches_everything = True
            self._count(result, Counts(deleted=remove.listed(scope, gone)))
            save(
                result,
                is_begun=True,
                since=since,
                covered_until=covered_until,
                is_first_load=is_first_load,
                note=note,
                absent=absent,
            )

    def _since(self, spec: ObjectSpec, absent: Sequence[str] | None = None) -> datetime | None:
        """From when on changes are read; None for everything, which is also what a field asks for that was not shown before.

        ``absent`` is None as long as nobody has looked which fields are shown.
        """
        if self._run.is_full:
            return None
        with context.tenant_wide(self._lease.tenant_id):
            cursor = SyncCursor.objects.filter(connection=self._connection, object_name=spec.name).first()
        if cursor is None or (absent is not None and not {*cursor.absent} <= {*absent}):
            return None
        return cursor.watermark  # type: ignore[no-any-return]  # untyped: the manager hides it

    def _open(self, scope: Scope, result: SyncObjectResult) -> None:
        place = self._source.open(scope.spec, result.since)
        with self._step():
            save(result, place=place)

    def _close(self, result: SyncObjectResult) -> None:
        with self._step():
            save(result, place="")

    def _load(self, scope: Scope, page: Page, result: SyncObjectResult, started: float) -> None:
        """A page and where to go on from, in one transaction; with the last page the watermark."""
        with self._step():
            counts = batch.load(scope, page, result)
            archived.remember(scope, page)
            notices.note(self._connection, page.again)
            for child in page.children:
                self._load_children(scope, child, result)
            if not page.after:
                counts = self._finish(scope, result, counts)
            self._count(result, counts)
            save(
                result,
                place=page.after,
                is_done=not page.after,
                rows_expected=page.rows_in_all,
                seconds=result.seconds + time.monotonic() - started,
            )
        self._listener(result, scope.spec)

    def read_notices(self) -> None:
        """Read the rows that were named and that no run has read since, object by object: what is pointed at comes first."""
        places = {spec.name: place for place, spec in enumerate(self._objects)}
        with context.tenant_wide(self._lease.tenant_id):
            unknown = set(notices.objects_named(self._connection)) - places.keys()
        for spec in self._objects:
            while read := self._read_waiting(spec, places):
                self._listener(read, spec)
        with self._step():
            for name in unknown:
                notices.forget(self._connection, name)
        self._settle_contract()

    def _read_waiting(self, spec: ObjectSpec, places: Mapping[str, int]) -> SyncObjectResult | None:
        """Read some named rows of an object; gives its result, or None where none wait any more."""
        with context.tenant_wide(self._lease.tenant_id):
            named = notices.waiting(self._connection, spec.name)
        if not named:
            return None
        usable, note = self._usable(spec)
        for each in (spec, *(child for child in self._objects if child.parent == spec.name)):
            self._results.setdefault(each.name, self._result(each, places[each.name]))
        result = self._results[spec.name]
        if usable is None or spec.parent:
            with self._step():
                notices.forget(self._connection, spec.name)
                save(result, is_begun=True, is_done=True, note=note)
            return None
        self._load_named(self._scope(usable), [external_id for external_id, _ in named], result)
        with self._step():
            notices.done(self._connection, spec.name, named)
        return result

    def _load_named(self, scope: Scope, ids: Sequence[str], result: SyncObjectResult) -> None:
        # Whatever the object itself was read from: these rows are merged as changes.
        as_changes = copy(result)
        as_changes.since, as_changes.is_first_load = datetime.now(UTC), False
        with Feed(self._source.named(scope.spec, ids)) as pages:
            for page in pages:
                with self._step():
                    counts = batch.load(scope, page, as_changes)
                    archived.remember(scope, page)
                    notices.note(self._connection, page.again)
                    for child in page.children:
                        self._load_children(scope, child, as_changes)
                    self._count(result, counts)
                    save(result, is_begun=True, is_done=True, note=as_changes.note)

    def _load_children(self, scope: Scope, child: ChildPage, result: SyncObjectResult) -> None:
        spec = next(each for each in scope.family if each.name == child.object_name)
        counts = batch.load_children(replace(scope, spec=spec, options={}), child, result)
        self._count(self._results[spec.name], counts)

    def _finish(self, scope: Scope, result: SyncObjectResult, counts: Counts) -> Counts:
        if result.is_first_load:
            links.link_everything(scope)
        elif result.since is None:
            removed = remove.unseen(scope)
            counts = Counts(**{**vars(counts), "deleted": counts.deleted + removed})
        if result.rows_inserted + counts.inserted > ANALYZE_FROM_ROWS:
            # Without fresh statistics whatever reads the new rows next may be planned for an empty table.
            scope.run("SELECT crm_sync_analyze(%(table)s)", table=scope.table)
        self._end_children(scope, result)
        SyncCursor.objects.update_or_create(
            tenant_id=self._lease.tenant_id,
            connection=self._connection,
            object_name=scope.spec.name,
            # A long transaction in the CRM may set the safe mark back; what was safe to skip then still is.
            defaults={
                "watermark": max(filter(None, (result.covered_until, result.since))),
                "absent": result.absent,
            },
        )
        return counts

    def _end_children(self, scope: Scope, result: SyncObjectResult) -> None:
        for spec in scope.family:
            if spec.parent == scope.spec.name:
                save(self._results[spec.name], is_begun=True, is_done=True, since=result.since)

    def _count(self, result: SyncObjectResult, counts: Counts) -> None:
        more = {f"rows_{name}": getattr(counts, name) for name in Counts.names()}
        SyncRun.objects.filter(pk=self._run.pk).update(
            **{name: F(name) + value for name, value in more.items()}
        )
        save(result, **{name: getattr(result, name) + value for name, value in more.items()})


def save(result: SyncObjectResult, **values: object) -> None:
    """Set some columns of a result, here and in the database."""
    for name, value in values.items():
        setattr(result, name, value)
    result.save(update_fields=list(values))


def _pause(problem: PassingProblem, failures: int) -> float:
    asked = problem.retry_after_seconds or 0.0
    grown = conf.first_pause_seconds() * 2.0 ** (failures - 1)
    return max(asked, min(LONGEST_PAUSE_SECONDS, grown) * random.uniform(0.5, 1))  # noqa: S311 - spreads load, guards nothing
