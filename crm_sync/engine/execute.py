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
from crm_sync.connectors.base import ConfigurationProblem, ConnectorProblem, PassingProblem, Source
from crm_sync.connectors.salesforce.client import Credentials
from crm_sync.engine.lease import Lease, LeaseLost, Renewal
from crm_sync.engine.run import Listener, Run
from crm_sync.errors import ConnectionNotSetUp
from crm_sync.events import ConnectionNeedsAttention
from crm_sync.hooks import call_after_sync
from crm_sync.models import Connection, ConnectionState, RunState, SeenRow, SyncRun, TouchedDeal
from crm_sync.secrets import decrypt
from crm_sync.waking import wake_dispatcher
from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError

ACTOR = Actor.system("crm_sync.sync_run")
_FIRST_DELAY = timedelta(minutes=1)
_log = logging.getLogger(__name__)


def open_source(connection: Connection) -> Source:
    """The CRM behind a connection, not signed in yet. Raises: ConnectionNotSetUp, CannotDecrypt, SourceUnknown."""
    if not (connection.login_url and connection.client_id and connection.secret_encrypted):
        raise ConnectionNotSetUp(source=connection.source)
    credentials = Credentials(
        connection.login_url, connection.client_id, decrypt(connection.secret_encrypted)
    )
    return opener_of(connection.source)(credentials)


def execute(lease: Lease, listener: Listener) -> SyncRun:
    """Work on a run that was claimed until it is over or put off; gives it as it stands then.

    Raises only what nobody foresaw, after marking the run as failed; and what asks the process to end, after giving the run back.
    """
    with Renewal(lease), _ending(lease), _source(lease) as source:
        Run(lease, source, listener).sync_objects()
        call_after_sync(lease.tenant_id, _run(lease))
        _succeed(lease, source)
    return _run(lease)


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
    except (SoftTimeLimitExceeded, KeyboardInterrupt, SystemExit):
        is_unforeseen = False
        _give_back(lease)
        raise
    finally:
        if is_unforeseen:
            _fail(lease, "internal", "The program met an error of its own. Its operators find it in the log.")


def _succeed(lease: Lease, source: Source) -> None:
    with context.tenant_wide(lease.tenant_id):
        _end(lease, state=RunState.SUCCEEDED, error_code="", error_message="")
        allowance = source.allowance()
        calls = {"api_calls_used": allowance.used, "api_calls_limit": allowance.limit} if allowance else {}
        for leftovers in (
            SeenRow,
            TouchedDeal,
        ):  # of runs before this one, which nobody will ask about any more
            leftovers.objects.filter(tenant_id=lease.tenant_id).exclude(run_id=lease.run_id).delete()
        _connection(lease).update(
            state=ConnectionState.ACTIVE, error_code="", error_message="", last_synced_at=Now(), **calls
        )


def _need_attention(lease: Lease, problem: ConfigurationProblem) -> None:
    with context.tenant_wide(lease.tenant_id):
        _fail(lease, problem.code, problem.sentence)
        _connection(lease).update(
            state=ConnectionState.NEEDS_ATTENTION, error_code=problem.code, error_message=problem.sentence
        )
        connection = _connection(lease).get()
        event = ConnectionNeedsAttention(
            target_id=str(connection.id), target_label=connection.source, problem=problem.sentence
        )
        record(event, acting_user=ACTOR)


def _put_off(lease: Lease, problem: PassingProblem) -> None:
    with context.tenant_wide(lease.tenant_id):
        run = SyncRun.objects.get(pk=lease.run_id)
        if run.attempts + 1 >= conf.attempts():
            _fail(lease, problem.code, problem.sentence)
            return
        delay = max(_FIRST_DELAY * 2**run.attempts, timedelta(seconds=problem.retry_after_seconds or 0))
        _requeue(lease, ready_at=Now() + delay, attempts=F("attempts") + 1, **_told(problem))


def _told(problem: ConnectorProblem) -> dict[str, str]:
    return {"error_code": problem.code, "error_message": problem.sentence}


def _give_back(lease: Lease) -> None:
    with context.tenant_wide(lease.tenant_id):
        _requeue(lease, ready_at=Now())


def _fail(lease: Lease, code: str, sentence: str) -> None:
    with context.tenant_wide(lease.tenant_id):
        _end(lease, state=RunState.FAILED, error_code=code, error_message=sentence)


def _end(lease: Lease, **values: object) -> None:
    _let_go(lease, finished_at=Now(), **values)


def _requeue(lease: Lease, **values: object) -> None:
    _let_go(lease, state=RunState.QUEUED, **values)


def _let_go(lease: Lease, **values: object) -> None:
    if SyncRun.objects.filter(lease.held()).update(lease_token=None, lease_until=None, **values):
        wake_dispatcher()  # a run that waited for a free place, or this one, may begin


def _connection(lease: Lease) -> QuerySet[Connection]:
    return Connection.objects.filter(
        tenant_id=lease.tenant_id, pk__in=SyncRun.objects.filter(pk=lease.run_id).values("connection_id")
    )
