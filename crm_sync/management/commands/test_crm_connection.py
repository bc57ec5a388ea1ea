"""``manage.py test_crm_connection``: whether a CRM can be read, object by object, without reading it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from django.core.management.base import BaseCommand

from crm_sync.connectors import opener_of
from crm_sync.connectors.base import Allowance, ConnectorProblem, Source
from crm_sync.engine.execute import open_source
from crm_sync.failures import class_of, what_to_do
from crm_sync.models import Connection
from crm_sync.selectors import require_connection
from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError
from tenants.selectors import tenant_by_slug

ACTOR = Actor.system("test_crm_connection")
REFUSED, BAD_INPUT = 1, 2


@dataclass(frozen=True)
class Readable:
    """Whether an object can be read; ``note`` says what is missing of it."""

    object: str
    is_readable: bool
    note: str


@dataclass(frozen=True)
class Found:
    """What a test found out."""

    signed_in: str
    objects: list[Readable]
    calls_used: int | None
    calls_limit: int | None
    reserve_percent: int


class Command(BaseCommand):
    help = (
        "Sign in to a customer's CRM and see what may be read: rights on each object, missing scopes, calls left of the day. "
        "Nothing is read or changed. Exit codes: 0 all is well, 1 the CRM refused or could not be reached, 2 bad input."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Arguments."""
        parser.add_argument("--crm", required=True, help="salesforce or hubspot")
        parser.add_argument("--customer", required=True, help="the workspace, such as acme-corp")
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        try:
            connection = _connection(options["customer"], options["crm"])
            with closing(open_source(connection)) as source:
                found = _look(source, connection)
        except DomainError as error:
            self.stderr.write(error.message)
            sys.exit(BAD_INPUT)
        except ConnectorProblem as problem:
            self._tell_problem(problem, options["json"])
            sys.exit(REFUSED)
        self._tell(found, options["json"])

    def _tell_problem(self, problem: ConnectorProblem, as_json: bool) -> None:
        found, advice = class_of(problem.code), what_to_do(problem.code)
        document = {
            "error_code": problem.code,
            "error_class": found,
            "error": problem.sentence,
            "what_to_do": advice,
        }
        if as_json:
            self.stdout.write(json.dumps(document))
        else:
            self.stderr.write(f"{found.label if found else 'Refused'}: {problem.sentence} {advice}")

    def _tell(self, found: Found, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(asdict(found)))
            return
        self.stdout.write(found.signed_in)
        for each in found.objects:
            state = "readable" if each.is_readable else "NOT READABLE"
            self.stdout.write(f"  {each.object:<24} {state:<14} {each.note}".rstrip())
        self.stdout.write(_budget(found))


def _connection(customer: str, crm: str) -> Connection:
    opener_of(crm)
    tenant = tenant_by_slug(customer, reason="test a CRM connection", acting_user=ACTOR)
    with context.tenant_wide(tenant.id):
        return require_connection(tenant, crm)


def _look(source: Source, connection: Connection) -> Found:
    signed_in = source.check()
    objects = []
    for spec in source.objects():
        usable, note = source.usable(spec)
        objects.append(Readable(spec.name, usable is not None, note))
    allowance = source.allowance() or Allowance(0, 0)
    return Found(
        signed_in=signed_in,
        objects=objects,
        calls_used=allowance.used if allowance.limit else None,
        calls_limit=allowance.limit or None,
        reserve_percent=connection.reserve_percent,
    )


def _budget(found: Found) -> str:
    if found.calls_limit is None:
        return "The CRM did not say how many calls of the day are used."
    return f"{found.calls_used or 0:,} of {found.calls_limit:,} calls of the day are used; {found.reserve_percent} % are kept for others."
