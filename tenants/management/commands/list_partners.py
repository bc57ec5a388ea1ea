from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from isolation import context
from isolation.actors import Actor
from tenants.commands import HubCommand
from tenants.partners import PartnerKey, partner_keys


class Command(HubCommand):
    help = "List the access keys of design partners; the keys themselves are kept nowhere."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="also list revoked keys")

    def run(self, options: dict[str, Any]) -> Any:
        with context.platform("list partners", Actor.system("command list_partners")):
            rows = [_row(one) for one in partner_keys(with_revoked=options["all"])]
        if not options["json"]:
            self._print(rows)
        return rows

    def _print(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            self.stdout.write("No access keys. Make a partner with `manage.py create_partner`.")
            return
        for row in rows:
            used = f"used {row['last_used_at']:%Y-%m-%d %H:%M}" if row["last_used_at"] else "never used"
            state = "revoked" if row["revoked_at"] else used
            self.stdout.write(f"{row['tenant']:<24} {row['email']:<32} {row['hint']:<34} {state}")


def _row(one: PartnerKey) -> dict[str, Any]:
    return {
        "tenant": one.tenant.slug,
        "name": one.tenant.name,
        "email": one.member.email,
        "hint": one.key.hint,
        "id": str(one.key.id),
        "created_at": one.key.created_at,
        "last_used_at": one.key.last_used_at,
        "revoked_at": one.key.revoked_at,
    }
