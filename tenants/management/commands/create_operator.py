from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser
from django.core.validators import validate_email

from accounts.services import user_create
from isolation.actors import Actor
from isolation.errors import InvalidInput
from tenants.commands import HubCommand, asked_password


class Command(HubCommand):
    help = "Make an account for one of the vendor's operators. The password is asked for, or read from standard input."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--name", default="")

    def run(self, options: dict[str, Any]) -> Any:
        email = options["email"]
        _check(email)
        password = asked_password()
        actor = Actor.system("command create_operator")
        user = user_create(
            email=email, name=options["name"], password=password, is_operator=True, acting_user=actor
        )
        if not options["json"]:
            self.stdout.write(f"{user.email} is an operator and signs in at /accounts/login/.")
        return {"email": user.email, "id": user.id}


def _check(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError as error:
        problem = f"“{email}” is not an e-mail address. Give one like olga@example.com."
        raise InvalidInput(field="email", problem=problem) from error
