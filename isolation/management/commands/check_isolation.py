"""Read the database's catalogue back and say whether the wall between workspaces holds.

Prints every tenant table with its policies, keys, unique constraints, owner and rights; the functions that run with their
owner's rights; the roles; and, last, every finding in one sentence that says what to do. No tenant's row is read.
Exit codes: 0 nothing is off, 1 something is (with --fail-level error: only errors count, warnings are still printed),
2 the arguments cannot be used.
"""

from __future__ import annotations

import json
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError

from isolation.proof import Level, Report, examine_database
from isolation.proof.tables import described


class Command(BaseCommand):
    help = __doc__ or ""
    requires_system_checks: list[str] = []  # Django reads it from the class

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs
        )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
        parser.add_argument("--brief", action="store_true", help="print the findings alone")
        parser.add_argument(
            "--database",
            default="default",
            choices=sorted(settings.DATABASES),
            help="as whom to read (default: %(default)s)",
        )
        parser.add_argument(
            "--fail-level", default=Level.WARNING.value, choices=[level.value for level in Level],
            help="from which level on to exit with 1 (default: %(default)s)",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            report = examine_database(options["database"])
        except OperationalError as error:
            raise CommandError(f"The database does not answer: {error}", returncode=1) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), indent=2))
        else:
            self._print(report, is_brief=options["brief"])
        self._exit(report, Level(options["fail_level"]))

    def _print(self, report: Report, *, is_brief: bool) -> None:
        if not is_brief:
            self._facts(report)
        for finding in report.findings:
            self.stdout.write(f"{finding.level.value.upper()} {finding.kind}  {finding}")
        counts = f"{len(report.walled)} tables of tenants on {report.server}, read as {report.read_as}"
        verdict = "The wall holds" if report.holds else "The wall does NOT hold"
        self.stdout.write(f"{verdict}: {counts}, {len(report.findings)} findings.")

    def _facts(self, report: Report) -> None:
        for table in report.walled:
            self.stdout.write(table.name)
            for term, value in described(table).items():
                lines = value if isinstance(value, list) else [value]
                for line in lines:
                    self.stdout.write(f"    {term}: {line}")
        for function in report.functions:
            callers = ", ".join(function.callers) or "its owner alone"
            self.stdout.write(
                f"{function.name}: runs as {function.owner}, search_path {function.search_path}, for {callers}"
            )
        for role in report.roles:
            attributes, taken = ", ".join(role.attributes) or "none", ", ".join(role.may_take) or "none"
            self.stdout.write(f"role {role.name}: attributes {attributes}; may take {taken}")
        for accepted in report.accepted:
            self.stdout.write(
                f"ACCEPTED {accepted.finding.kind}  {accepted.finding} Accepted: {accepted.reason}."
            )

    def _exit(self, report: Report, level: Level) -> None:
        counted = report.findings if level is Level.WARNING else report.of_level(Level.ERROR)
        if counted:
            raise CommandError(f"{len(counted)} findings; each line says what to do.", returncode=1)
