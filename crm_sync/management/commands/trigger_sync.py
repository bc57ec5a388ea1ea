"""``manage.py trigger_sync``: one sync, in this process, with its progress."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from crm_sync.connectors import OBJECTS_READ, opener_of
from crm_sync.connectors.base import ObjectSpec
from crm_sync.engine.execute import execute
from crm_sync.engine.lease import claim
from crm_sync.engine.run import Listener
from crm_sync.failures import class_of, what_to_do
from crm_sync.models import Connection, RunKind, RunState, SyncObjectResult, SyncRun
from crm_sync.selectors import require_connection, results_of
from crm_sync.services.runs import sync_request
from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError
from tenants.models import Tenant
from tenants.selectors import tenant_by_slug

ACTOR = Actor.system("trigger_sync")
RUN_FAILED, BAD_INPUT = 1, 2
_COUNTERS = ("read", "inserted", "changed", "unchanged", "deleted", "rejected")
_OURS = timedelta(minutes=1)
_LOOK_EVERY_SECONDS = 1


class Command(BaseCommand):
    help = "Read a customer's CRM now. Exit codes: 0 done, 1 the run failed or was put off, 2 bad input."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Arguments."""
        parser.add_argument("--customer", required=True, help="the workspace, such as acme-corp")
        parser.add_argument("--source", required=True, help="the CRM: salesforce or hubspot")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--full", action="store_true", help="read everything, not only what changed")
        what.add_argument(
            "--check", action="store_true", help="compare the mirror with the CRM and mend what differs"
        )
        what.add_argument(
            "--refresh", action="store_true", help="read the fields anew whose changes no stamp shows"
        )
        parser.add_argument(
            "--json", action="store_true", help="print the run as one JSON document and nothing else"
        )
        parser.add_argument(
            "--no-wait",
            action="store_true",
            help="only queue the sync; a worker does it (default: do it here)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        try:
            tenant, connection = _connection(options["customer"], options["source"])
            run = self._run(tenant, connection, options)
        except DomainError as error:
            self.stderr.write(error.message)
            sys.exit(BAD_INPUT)
        self._tell(run, options["json"])
        if run.state not in {
            RunState.SUCCEEDED,
            *((RunState.QUEUED, RunState.RUNNING) if options["no_wait"] else ()),
        }:
            sys.exit(RUN_FAILED)

    def _run(self, tenant: Tenant, connection: Connection, options: dict[str, Any]) -> SyncRun:
        hold_back = timedelta(0) if options["no_wait"] else _OURS
        with context.tenant_wide(tenant.id):
            run = sync_request(
                connection=connection, kind=_kind(options), is_full=options["full"], acting_user=ACTOR,
                hold_back=hold_back,
            )  # fmt: skip
        if options["no_wait"]:
            return run
        lease = claim(tenant.id, run.id)
        if lease is None:
            self.stderr.write("A worker has a sync of this customer in hand already; waiting for it.")
        with Progressing(is_silent=options["json"]) as listener:
            return execute(lease, listener) if lease else _watch(run, connection.source, listener)

    def _tell(self, run: SyncRun, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(_document(run)))
            return
        counted = ", ".join(f"{getattr(run, f'rows_{name}'):,} {name}" for name in _COUNTERS)
        self.stdout.write(f"Sync {run.get_state_display().lower()}: {counted}.")
        if found := class_of(run.error_code):
            self.stderr.write(f"{found.label}: {run.error_message} {what_to_do(run.error_code)}")


def _kind(options: dict[str, Any]) -> RunKind:
    if options["check"]:
        return RunKind.CHECK
    return RunKind.REFRESH if options["refresh"] else RunKind.SYNC


def _connection(customer: str, source: str) -> tuple[Tenant, Connection]:
    opener_of(source)
    tenant = tenant_by_slug(customer, reason="trigger a sync", acting_user=ACTOR)
    with context.tenant_wide(tenant.id):
        return tenant, require_connection(tenant, source)


def _watch(run: SyncRun, source: str, listener: Listener) -> SyncRun:
    """Tell ``listener`` what a worker does with a run, until it is over."""
    specs = {spec.name: spec for spec in OBJECTS_READ[source]}
    told: dict[str, tuple[int, bool]] = {}
    while True:
        with context.tenant_wide(run.tenant_id):
            # The run first, so that the results of one that is over are all there.
            run = SyncRun.objects.get(pk=run.pk)
            results = results_of(run)
        for result in results:
            stand = (result.rows_read, result.is_done)
            if result.is_begun and told.get(result.object_name) != stand:
                told[result.object_name] = stand
                listener(result, specs[result.object_name])
        if not run.is_active:
            return run
        time.sleep(_LOOK_EVERY_SECONDS)


def _document(run: SyncRun) -> dict[str, Any]:
    with context.tenant_wide(run.tenant_id):
        results = SyncObjectResult.objects.filter(run=run).order_by("position")
        objects = [
            {"object": each.object_name, "note": each.note, "seconds": each.seconds, **_rows(each)}
            for each in results
        ]
    return {
        "run": str(run.id), "kind": run.kind, "state": run.state, "is_full": run.is_full, **_rows(run), "objects": objects,
        "error_code": run.error_code, "error_class": str(class_of(run.error_code) or ""), "error": run.error_message,
        "what_to_do": what_to_do(run.error_code),
    }  # fmt: skip


def _rows(counted: SyncRun | SyncObjectResult) -> dict[str, int]:
    return {f"rows_{name}": getattr(counted, f"rows_{name}") for name in _COUNTERS}


class Progressing:
    """A bar for each object on a terminal, a line for each where nobody watches."""

    def __init__(self, *, is_silent: bool) -> None:
        self._console = Console(stderr=True, quiet=is_silent)
        self._tasks: dict[str, TaskID] = {}
        columns = (
            TextColumn("{task.description:<16}"),
            BarColumn(),
            TextColumn("{task.fields[rows]:>10} rows"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(
            *columns, console=self._console, disable=is_silent or not self._console.is_terminal
        )

    def __enter__(self) -> Progressing:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def __call__(self, result: SyncObjectResult, spec: ObjectSpec) -> None:
        """Show how far an object is."""
        if not self._console.is_terminal:
            if result.is_done:
                self._console.print(f"{spec.label}: {result.rows_read:,} rows read")
            return
        task = self._tasks.get(spec.name)
        if task is None:
            task = self._tasks[spec.name] = self._progress.add_task(spec.label, total=None, rows="")
        total = result.rows_read if result.is_done else result.rows_expected
        self._progress.update(
            task, completed=result.rows_read, total=max(total or 0, 1), rows=f"{result.rows_read:,}"
        )
        if result.is_done:
            self._progress.update(task, completed=max(result.rows_read, 1))
