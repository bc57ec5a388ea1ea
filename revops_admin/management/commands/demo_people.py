from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from revops_admin.demo.people import sandbox_organisations


class Command(BaseCommand):
    help = "Write who the demo's sandbox organisations consist of: people-*.csv and sandbox-orgs.txt. Needs no database."
    requires_system_checks: list[str] = []  # Django reads it from the class

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--home", type=Path, required=True, help="the directory to write to")

    def handle(self, *args: Any, **options: Any) -> None:
        home: Path = options["home"]
        home.mkdir(parents=True, exist_ok=True)
        (home / "sandbox-orgs.txt").write_text("\n".join(sandbox_organisations(home)) + "\n")
