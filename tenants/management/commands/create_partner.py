from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from isolation.actors import Actor
from tenants.commands import HubCommand
from tenants.models import Crm, TenantKind, Tier
from tenants.partners import partner_create
from tenants.provisioning import request_checked


class Command(HubCommand):
    help = "Make a design partner's workspace, the partner's account and an access key, which is printed this once."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="the partner's company, for example “Gamma Labs”")
        parser.add_argument("--email", required=True, help="the e-mail address of the person")
        parser.add_argument("--person", default="", help="the person's name")
        parser.add_argument("--tier", default=Tier.STARTER, help="starter (default), growth or enterprise")
        parser.add_argument("--crm", default=Crm.SALESFORCE, help="salesforce (default) or hubspot")
        parser.add_argument("--timezone", default="UTC", help="an IANA time zone (default: UTC)")

    def run(self, options: dict[str, Any]) -> Any:
        request = request_checked(
            customer=options["name"], tier=options["tier"], crm=options["crm"],
            timezone=options["timezone"], kind=TenantKind.PARTNER,
        )  # fmt: skip
        made = partner_create(
            request=request,
            email=options["email"],
            person=options["person"],
            acting_user=Actor.system("command create_partner"),
        )
        if not options["json"]:
            self.stdout.write(f"Made the workspace {made.tenant.slug} for {made.member.email}.")
            self.stdout.write(f"Access key: {made.secret}")
            self.stdout.write("It is shown this once. Hand it over by a way that you trust.")
        return {
            "tenant": made.tenant.slug,
            "email": made.member.email,
            "access_key": made.secret,
            "hint": made.key.hint,
            "id": str(made.key.id),
        }
