from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from accounts.selectors import user_by_email
from accounts.services import password_set
from isolation.actors import Actor
from isolation.errors import NotFound
from tenants.commands import HubCommand, asked_password


class Command(HubCommand):
    help = (
        "Give an account another password and end all its sessions, where no mail reaches the person. "
        "The password is asked for, or read from standard input."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)

    def run(self, options: dict[str, Any]) -> Any:
        user = user_by_email(options["email"])
        if user is None:
            raise NotFound(what=f"account of {options['email']}")
        password_set(
            user=user, password=asked_password(user), acting_user=Actor.system("command set_password")
        )
        if not options["json"]:
            self.stdout.write(f"{user.email} has a new password; every session is over.")
        return {"email": user.email, "id": user.id}
