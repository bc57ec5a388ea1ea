"""``manage.py check_build_status --hours 24 [--customer acme-corp] [--json]``: did the syncs and builds of the last hours go well?"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from crm_sync.failures import FailureClass
from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError, InvalidInput
from pipeline.status import Status, statuses
from tenants.models import Tenant
from tenants.selectors import tenant_by_slug

ACTOR = Actor.system("manage.py check_build_status")
SOME_FAILED, BAD_INPUT = 1, 2
MOST_HOURS = 24 * 90


class Command(BaseCommand):
    help = (
        "Tell how the CRM syncs and dataset builds of the last hours went, workspace by workspace, and what to do about those "
        "that failed. Exit codes: 0 none failed, 1 some failed, 2 bad input."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Arguments."""
        parser.add_argument("--hours", type=int, default=24, help="how far to look back (default: 24)")
        parser.add_argument("--customer", help="one workspace, such as acme-corp (default: all active ones)")
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        try:
            found = _found(options["hours"], options["customer"])
        except DomainError as error:
            self.stderr.write(error.message)
            sys.exit(BAD_INPUT)
        if options["json"]:
            document = {"hours": options["hours"], "workspaces": [asdict(status) for status in found]}
            self.stdout.write(json.dumps(document, cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(map(_told, found)) or "There is no active workspace.")
        if any(status.failures for status in found):
            sys.exit(SOME_FAILED)


def _found(hours: int, customer: str | None) -> list[Status]:
    if not 1 <= hours <= MOST_HOURS:
        raise InvalidInput(
            field="hours", problem=f"--hours {hours} is not a span to look back. Use 1 to {MOST_HOURS}."
        )
    wanted = [tenant_by_slug(customer, reason="check build status", acting_user=ACTOR)] if customer else None
    with context.platform("check build status", ACTOR):
        tenants = wanted or list(Tenant.objects.filter(is_active=True).order_by("slug"))
        return statuses(tenants, timezone.now() - timedelta(hours=hours))


def _told(status: Status) -> str:
    lines = [f"{status.customer}: syncs {_counted(status.syncs)}; builds {_counted(status.builds)}"]
    for failure in status.failures:
        label = FailureClass(failure.error_class).label
        lines.append(f"  FAILED {failure.times}x {failure.kind} {failure.what}, {label}: {failure.error}")
        lines.append(f"    {failure.what_to_do}")
    return "\n".join(lines)


def _counted(by_state: dict[str, int]) -> str:
    return ", ".join(f"{times} {state}" for state, times in sorted(by_state.items())) or "none"
