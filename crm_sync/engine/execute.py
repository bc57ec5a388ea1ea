"""How a run ends: well, put off, given back, or failed with a sentence that says what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from celery.exceptions import SoftTimeLimitExceeded
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from audit.services import record
from crm_sync import conf
from crm_sync.connectors import opener_of
from crm_sync.connectors.base import (
    BudgetSpent,
    ConfigurationProblem,
    ConnectorProblem,
    PassingProblem,
    Source,
)
from crm_sync.engine.check import Check
from crm_sync.engine.lease import Lease, LeaseLost, Renewal
from crm_sync.engine.refresh import Refresh
from crm_sync.engine.run import Listener, Run
from crm_sync.engine.turn import TurnOver
from crm_sync.events import ConnectionNeedsAttention
from crm_sync.hooks import call_after_sync
from crm_sync.models import (
    ACTIVE_STATES,
    Connection,
    ConnectionState,
    RunKind,
    RunState,
    SeenRow,
    SyncRun,
    TouchedDeal,
)
from crm_sync.waking import wake_dispatcher
from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError

ACTOR = Actor.system("crm_sync.sync_run")
_FIRST_DELAY = timedelta(minutes=1)
# A run without budget looks again after this at the latest: the CRM's window may have room before it said so.
_BUDGET_DELAY, _LONGEST_BUDGET_DELAY = timedelta(minutes=15), timedelta(hours=1)
_log = logging.getLogger(__name__)


def open_source(connection: Connection) -> Source:
    """The CRM behind a connection, not signed in yet. Raises: ConnectionNotSetUp, CannotDecrypt, SourceUnknown."""
    return opener_of(connection.source)(connection)


def execute(lease: Lease, listener: Listener) -> SyncRun:
    """Work on a run that was claimed until it is over or put off; gives it as it stands then.

    Raises only what nobody foresaw, after marking the run as failed; and what asks the process to end, after giving the run back.
    """
    with Renewal(lease), _ending(lease), _source(lease) as source:
        _work(lease, source, listener)
        _take_over(lease)
        call_after_sync(lease.tenant_id, _run(lease))
        _succeed(lease)
    return _run(lease)


def _work(lease: Lease, source: Source, listener: Listener) -> None:
    """What a run of its kind does; all of them read the rows that were named meanwhile."""
    match _run(lease).kind:
        case RunKind.REFRESH:
            refresh = Refresh(lease, source, listener)
            refresh.refresh_objects()
            refresh.read_notices()
        case RunKind.CHECK:
            check = Check(lease, source, listener)
            check.compare_objects()
            check.read_notices()
            check.finish()
        case RunKind.NOTICE:
            Run(lease, source, listener).read_notices()
        case _:
            run = Run(lease, source, listener)
            run.sync_objects()
            run.read_notices()


def _run(lease: Lease) -> SyncRun:
    with context.tenant_wide(lease.tenant_id):
        run: SyncRun = SyncRun.objects.select_related("connection").get(pk=lease.run_id)
    return run


@contextmanager
def _source(lease: Lease) -> Iterator[Source]:
    try:
        source = open_source(_run(lease).connection)
    except DomainError as error:
        raise ConfigurationProblem(error.code, error.message) from error
    try:
        yield source
    finally:
        source.close()
        _note_source(lease, source)


@contextmanager
def _ending(lease: Lease) -> Iterator[None]:
    is_unforeseen = True
    try:
        yield
        is_unforeseen = False
    except ConfigurationProblem as problem:
        is_unforeseen = False
        _need_attention(lease, problem)
    except PassingProblem as problem:
        is_unforeseen = False
        _put_off(lease, problem)
    except LeaseLost:
        is_unforeseen = False
        _log.warning("run %s went to another worker", lease.run_id)
    except TurnOver:
        is_unforeseen = False
        _give_back(lease)
    except (SoftTimeLimitExceeded, KeyboardInterrupt, SystemExit):
        is_unforeseen = False
        _give_back(lease)
        raise
    finally:
        if is_unforeseen:
            _fail(lease, "internal", "The program met an error of its own. Its operators find it in the log.")


def _note_source(lease: Lease, source: Source) -> None:
    """However the run ends: how much of the CRM's day is left, and how quick it was."""
    news: dict[str, object] = {}
    if allowance := source.allowance():
        news |= {
            "api_calls_used": allowance.used,
            "api_calls_limit": allowance.limit,
            "api_calls_seen_at": Now(),
        }
    if pace := source.measured():
        news["pace"] = pace
    if news:
        with context.tenant_wide(lease.tenant_id):
            _connection(lease).update(**news)


def _take_over(lease: Lease) -> None:
    """Runs that failed since the last success told nobody of what they had merged: where one read everything, this one tells of everything."""
    with context.tenant_wide(lease.tenant_id):
        runs = SyncRun.objects.filter(tenant_id=lease.tenant_id)
        told = runs.filter(state=RunState.SUCCEEDED).order_by("-finished_at").first()
        untold = runs.filter(state=RunState.FAILED, touches_everything=True)
        if (untold.filter(finished_at__gt=told.started_at) if told else untold).exists():
            runs.filter(lease.held()).update(touches_everything=True)


@contextmanager
def _letting_go(lease: Lease) -> Iterator[None]:
    """A transaction that lets go of the run. The dispatcher is woken last: who asks for a run locks its connection first too."""
    with context.tenant_wide(lease.tenant_id):
        yield
        wake_dispatcher()  # a run that waited for a free place, or this one, may begin


def _succeed(lease: Lease) -> None:
    with _letting_go(lease):
        _end(lease, state=RunState.SUCCEEDED, error_code="", error_message="")
        _forget_leftovers(lease)
        news: dict[str, object] = {"state": ConnectionState.ACTIVE, "error_code": "", "error_message": ""}
        if _run(lease).kind == RunKind.SYNC:
            news["last_synced_at"] = Now()
        _connection(lease).exclude(state=ConnectionState.NEW).update(**news)


def _forget_leftovers(lease: Lease) -> None:
    """What runs before this one noted, and nobody will ask about any more; another CRM's run may be at work beside this one."""
    own = SyncRun.objects.filter(tenant_id=lease.tenant_id, state__in=ACTIVE_STATES)
    for leftovers in (SeenRow, TouchedDeal):
        rows = leftovers.objects.filter(tenant_id=lease.tenant_id).exclude(run_id=lease.run_id)
        rows.exclude(run_id__in=own.values("pk")).delete()


def _need_attention(lease: Lease, problem: ConfigurationProblem) -> None:
    with _letting_go(lease):
        _end(lease, state=RunState.FAILED, **_told(problem))
        # A connection that was disconnected while the run was at work is not set up, and wants nothing mended.
        _connection(lease).exclude(state=ConnectionState.NEW).update(
            state=ConnectionState.NEEDS_ATTENTION, error_code=problem.code, error_message=problem.sentence
        )
        connection = _connection(lease).get()
        event = ConnectionNeedsAttention(
            target_id=str(connection.id), target_label=connection.source, problem=problem.sentence
        )
        record(event, acting_user=ACTOR)


def _put_off(lease: Lease, problem: PassingProblem) -> None:
    with _letting_go(lease):
        if isinstance(problem, BudgetSpent):
            _requeue(lease, ready_at=Now() + _budget_delay(problem), **_told(problem))
            return
        run = SyncRun.objects.get(pk=lease.run_id)
        if run.attempts + 1 >= conf.attempts():
            _end(lease, state=RunState.FAILED, **_told(problem))
            return
        delay = max(_FIRST_DELAY * 2**run.attempts, timedelta(seconds=problem.retry_after_seconds or 0))
        _requeue(lease, ready_at=Now() + delay, attempts=F("attempts") + 1, **_told(problem))


def _budget_delay(problem: BudgetSpent) -> timedelta:
    """No attempt is counted: a day's limit ends no run, however often it is met."""
    asked = problem.retry_after_seconds
    return (
        _BUDGET_DELAY
        if asked is None
        else min(max(_FIRST_DELAY, timedelta(seconds=asked)), _LONGEST_BUDGET_DELAY)
    )


def _told(problem: ConnectorProblem) -> dict[str, str]:
    return {"error_code": problem.code, "error_message": problem.sentence}


def _give_back(lease: Lease) -> None:
    with _letting_go(lease):
        _requeue(lease, ready_at=Now())


def _fail(lease: Lease, code: str, sentence: str) -> None:
    with _letting_go(lease):
        _end(lease, state=RunState.FAILED, error_code=code, error_message=sentence)


def _end(lease: Lease, **values: object) -> None:
    _let_go(lease, finished_at=Now(), **values)


def _requeue(lease: Lease, **values: object) -> None:
    _let_go(lease, state=RunState.QUEUED, **values)


def _let_go(lease: Lease, **values: object) -> None:
    SyncRun.objects.filter(lease.held()).update(lease_token=None, lease_until=None, **values)


def _connection(lease: Lease) -> QuerySet[Connection]:
    return Connection.objects.filter(
        tenant_id=lease.tenant_id, pk__in=SyncRun.objects.filter(pk=lease.run_id).values("connection_id")
    )
