"""Send a message through an alert channel now, to see whether it arrives.

Without --to and --customer the platform's operators get it. Exit codes: 0 all taken, 1 some or all not taken, 2 refused.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alerts.trial import Outcome, channel_of, send_trial
from isolation.actors import Actor
from isolation.errors import DomainError
from tenants.models import Tenant
from tenants.selectors import tenant_by_slug

ACTOR = Actor.system("manage.test_alert")


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--channel", required=True, help="email or in_app")
        parser.add_argument("--message", required=True, help="what the reader sees")
        parser.add_argument(
            "--customer", default="", metavar="SLUG", help="the workspace whose recipients get it"
        )
        parser.add_argument(
            "--to", action="append", default=[], metavar="ADDRESS", help="instead of those; may be repeated"
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            outcomes = self._send(options)
        except DomainError as error:
            raise CommandError(error.message, returncode=2) from error
        self._show(outcomes, as_json=options["json"])
        failed = sum(bool(outcome.error) for outcome in outcomes)
        if failed:
            raise CommandError(f"{failed} of {len(outcomes)} messages were not taken.", returncode=1)

    def _send(self, options: dict[str, Any]) -> list[Outcome]:
        channel = channel_of(options["channel"])
        return send_trial(
            channel=channel,
            text=options["message"],
            tenant=self._tenant(options["customer"]),
            to=options["to"],
            acting_user=ACTOR,
        )

    def _tenant(self, slug: str) -> Tenant | None:
        return tenant_by_slug(slug, reason="send a test alert", acting_user=ACTOR) if slug else None

    def _show(self, outcomes: list[Outcome], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps([asdict(outcome) for outcome in outcomes], indent=2))
            return
        for outcome in outcomes:
            self.stdout.write(f"{outcome.recipient}: {outcome.error or 'taken'}")
