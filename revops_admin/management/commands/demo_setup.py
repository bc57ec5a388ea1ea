from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from revops_admin.demo.access import ensure_access
from revops_admin.demo.people import ORGANISATIONS
from revops_admin.demo.setup import Demo, set_up, workspace_of


class Command(BaseCommand):
    help = "Provision the demo, run its first sync, and write demo.json. Safe to run again; quick when all is there."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--home", type=Path, required=True, help="where demo.json is written")
        parser.add_argument(
            "--sandbox-url", default=settings.SANDBOX_URL, help="where the sandbox CRM answers"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        demo = Demo.remembered(
            options["home"], web_url=settings.WEB_URL, sandbox_url=options["sandbox_url"].rstrip("/")
        )
        waiting = set_up(demo)
        demo.write()
        for tenant in waiting:
            self.stdout.write(f"First sync of {tenant.name} …")
            call_command("trigger_sync", customer=tenant.slug, source=tenant.crm)
        if acme := workspace_of(ORGANISATIONS[0]):
            ensure_access(acme)
