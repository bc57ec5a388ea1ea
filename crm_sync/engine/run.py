"""A run from its claim to its end: object by object, page by page, each committed together with where to go on from."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol

from django.db.models import F

from crm_sync import conf
from crm_sync.connectors.base import ObjectSpec, Page, PassingProblem, PlaceLost, Source
from crm_sync.engine import batch, links, remove
from crm_sync.engine.batch import Counts
from crm_sync.engine.feed import Feed
from crm_sync.engine.lease import Lease, LeaseLost
from crm_sync.engine.scope import Scope
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
        with context.tenant_wide(lease.tenant_id):
            self._run = SyncRun.objects.get(pk=lease.run_id)
            self._connection = Connection.objects.get(pk=self._run.connection_id)
            self._currency = Tenant.objects.get(pk=lease.tenant_id).currency

    def sync_objects(self) -> None:
        """Bring every object's mirror up to date. Raises: ConfigurationProblem, PassingProblem, LeaseLost.

        All objects are opened before the first is loaded: the CRM prepares its answers while others are merged.
        """
        specs = enumerate(self._source.objects())
        objects = [(spec, self._result(spec, position)) for position, spec in specs]
        for work in (self._prepare, self._sync):
            for spec, result in objects:
                if not result.is_done:
                    self._patiently(work, spec, result)

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
        if not result.is_begun:
            self._begin(self._scope(usable), result, note)
        if not result.place:
            self._open(self._scope(usable), result)
        return None

    def _usable(self, spec: ObjectSpec) -> tuple[ObjectSpec | None, str]:
        if spec.name not in self._known:
            self._known[spec.name] = self._source.usable(spec)
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
            family=self._source.objects(),
        )

    @contextmanager
    def _step(self) -> Iterator[None]:
        """A transaction of this workspace that commits only while the run is ours."""
        with context.tenant_wide(self._lease.tenant_id):
            yield
            if SyncRun.objects.select_for_update().filter(self._lease.held()).first() is None:
                raise LeaseLost

    def _skip(self, spec: ObjectSpec, result: SyncObjectResult, note: str) -> None:
        with self._step():
            _save(result, is_begun=True, is_done=True, note=note)
        self._listener(result, spec)

    def _begin(self, scope: Scope, result: SyncObjectResult, note: str) -> None:
        """Decide what to read, and remove what the CRM lists as deleted; both are remembered before the first page."""
        covered_until = self._source.covered_until(scope.spec)  # first: what goes after it is the next run's
        since = self._since(scope.spec)
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
            _save(
                result,
                is_begun=True,
                since=since,
                covered_until=covered_until,
                is_first_load=is_first_load,
                note=note,
            )

    def _since(self, spec: ObjectSpec) -> datetime | None:
        if self._run.is_full:
            return None
        with context.tenant_wide(self._lease.tenant_id):
            cursor = SyncCursor.objects.filter(connection=self._connection, object_name=spec.name).first()
        return cursor.watermark if cursor else None

    def _open(self, scope: Scope, result: SyncObjectResult) -> None:
        place = self._source.open(scope.spec, result.since)
        with self._step():
            _save(result, place=place)

    def _close(self, result: SyncObjectResult) -> None:
        with self._step():
            _save(result, place="")

    def _load(self, scope: Scope, page: Page, result: SyncObjectResult, started: float) -> None:
        """A page and where to go on from, in one transaction; with the last page the watermark."""
        with self._step():
            counts = batch.load(scope, page, result)
            if not page.after:
                counts = self._finish(scope, result, counts)
            self._count(result, counts)
            _save(
                result,
                place=page.after,
                is_done=not page.after,
                rows_expected=page.rows_in_all,
                seconds=result.seconds + time.monotonic() - started,
            )
        self._listener(result, scope.spec)

    def _finish(self, scope: Scope, result: SyncObjectResult, counts: Counts) -> Counts:
        if result.is_first_load:
            links.link_everything(scope)
        elif result.since is None:
            removed = remove.unseen(scope)
            counts = Counts(**{**vars(counts), "deleted": counts.deleted + removed})
        if result.rows_inserted + counts.inserted > ANALYZE_FROM_ROWS:
            # Without fresh statistics whatever reads the new rows next may be planned for an empty table.
            scope.run("SELECT crm_sync_analyze(%(table)s)", table=scope.table)
        SyncCursor.objects.update_or_create(
            tenant_id=self._lease.tenant_id,
            connection=self._connection,
            object_name=scope.spec.name,
            # A long transaction in the CRM may set the safe mark back; what was safe to skip then still is.
            defaults={"watermark": max(filter(None, (result.covered_until, result.since)))},
        )
        return counts

    def _count(self, result: SyncObjectResult, counts: Counts) -> None:
        more = {f"rows_{name}": getattr(counts, name) for name in Counts.names()}
        SyncRun.objects.filter(pk=self._run.pk).update(
            **{name: F(name) + value for name, value in more.items()}
        )
        _save(result, **{name: getattr(result, name) + value for name, value in more.items()})


def _save(result: SyncObjectResult, **values: object) -> None:
    for name, value in values.items():
        setattr(result, name, value)
    result.save(update_fields=list(values))


def _pause(problem: PassingProblem, failures: int) -> float:
    asked = problem.retry_after_seconds or 0.0
    grown = conf.first_pause_seconds() * 2.0 ** (failures - 1)
    return max(asked, min(LONGEST_PAUSE_SECONDS, grown) * random.uniform(0.5, 1))  # noqa: S311 - spreads load, guards nothing
