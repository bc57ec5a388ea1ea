from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from revops_admin.demo.people import sandbox_arguments


class Command(BaseCommand):
    help = "Write who the demo's CRMs consist of: people-*.csv and sandbox.txt. Needs no database."
    requires_system_checks: list[str] = []  # Django reads it from the class

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--home", type=Path, required=True, help="the directory to write to")

    def handle(self, *args: Any, **options: Any) -> None:
        home: Path = options["home"]
        home.mkdir(parents=True, exist_ok=True)
        (home / "sandbox.txt").write_text("\n".join(sandbox_arguments(home)) + "\n")
