"""What the project's commands share: one exit code for refusals, one way to print JSON."""

from __future__ import annotations

import getpass
import json
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from isolation import refusals
from isolation.errors import DomainError, InvalidInput

BAD_INPUT = 2


def asked_password(user: User | None = None) -> str:
    """A password, typed or from standard input, that ``user`` may have. Raises: InvalidInput."""
    given = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    try:
        validate_password(given, user)
    except ValidationError as error:
        raise InvalidInput(field="password", problem=" ".join(error.messages)) from error
    return given


class HubCommand(BaseCommand):
    """A command whose refusals are one sentence on standard error and exit code 2.

    Subclasses implement ``run(options)`` and may return something for ``--json`` to print.
    """

    has_json = True
    requires_system_checks: list[str] = []  # Django reads it from the class

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--json``, then the command's own."""
        if self.has_json:
            parser.add_argument("--json", action="store_true", help="print JSON instead of text")
        self.arguments(parser)

    def arguments(self, parser: CommandParser) -> None:
        """The command's own arguments."""

    def run(self, options: dict[str, Any]) -> Any:
        """Do it; print text unless ``options["json"]``; return what JSON should show."""
        raise NotImplementedError(type(self).__name__)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = self.run(options)
        except DomainError as refusal:
            refusals.tell(refusal)
            self._refuse(refusal, as_json=bool(options.get("json")))
        else:
            if options.get("json"):
                self.stdout.write(json.dumps(result, indent=2, default=str))

    def _refuse(self, refusal: DomainError, *, as_json: bool) -> None:
        if as_json:
            body = {"error": {"code": refusal.code, "field": refusal.field, "message": refusal.message}}
            self.stdout.write(json.dumps(body, indent=2))
            sys.exit(BAD_INPUT)
        raise CommandError(refusal.message, returncode=BAD_INPUT)
