from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandParser

from isolation import context
from isolation.actors import Actor
from isolation.errors import InvalidInput
from tenants.commands import HubCommand
from tenants.partners import PartnerKey, partner_key_named, revoke


class Command(HubCommand):
    help = "Make a partner's access key useless at once and end the sessions of its owner."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", metavar="HINT_OR_ID", help="as `manage.py list_partners` shows it")
        parser.add_argument("--force", action="store_true", help="do not ask")

    def run(self, options: dict[str, Any]) -> Any:
        actor = Actor.system("command revoke_access_key")
        with context.platform("find an access key", actor):
            found = partner_key_named(options["key"])
        is_revoked = options["force"] or self._confirmed(found)
        if is_revoked:
            with context.platform("revoke an access key", actor):
                revoke(found, acting_user=actor)
        if not options["json"]:
            done = "does not work any more" if is_revoked else "stays as it is"
            self.stdout.write(f"The key {found.key.hint} of {found.member.email} {done}.")
        return {"id": str(found.key.id), "hint": found.key.hint, "revoked": is_revoked}

    def _confirmed(self, found: PartnerKey) -> bool:
        if not sys.stdin.isatty():
            raise InvalidInput(field="force", problem="Nobody is here to confirm it. Add --force.")
        question = f"Revoke the key {found.key.hint} of {found.member.email} ({found.tenant.name})? [y/N] "
        return input(question).strip().lower() in ("y", "yes")
