from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from isolation.actors import Actor
from isolation.errors import InvalidInput
from tenants.commands import HubCommand
from tenants.provisioning import Request, Resource, plan, provision, request_checked, require_free


class Command(HubCommand):
    help = "Make a customer's workspace: tenant, groups, settings, datasets, schedules, alert rules and its file in configs/."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, help="the customer's name, for example “Acme Corp”")
        parser.add_argument("--tier", required=True, help="starter, growth or enterprise")
        parser.add_argument("--crm", required=True, help="salesforce or hubspot")
        parser.add_argument("--timezone", default="UTC", help="an IANA time zone (default: UTC)")
        parser.add_argument(
            "--dry-run", action="store_true", help="print what would be made and write nothing"
        )
        parser.add_argument("--output", type=Path, help="also write the result as JSON to this file")

    def run(self, options: dict[str, Any]) -> Any:
        request = request_checked(
            customer=options["customer"],
            tier=options["tier"],
            crm=options["crm"],
            timezone=options["timezone"],
        )
        _require_writable(options["output"])
        actor = Actor.system("command provision_workspace")
        require_free(request, acting_user=actor)
        resources = plan(request)
        if not options["dry_run"]:
            provision(request, acting_user=actor)
        result = _result(request, resources, is_dry_run=options["dry_run"])
        if options["output"] and not options["dry_run"]:
            options["output"].write_text(json.dumps(result, indent=2) + "\n")
        if not options["json"]:
            self._print(request, resources, is_dry_run=options["dry_run"])
        return result

    def _print(self, request: Request, resources: list[Resource], *, is_dry_run: bool) -> None:
        verb = "Would make" if is_dry_run else "Made"
        self.stdout.write(f"{verb} the workspace {request.slug}: {len(resources)} resources")
        width = max(len(resource.kind) for resource in resources)
        for resource in resources:
            self.stdout.write(f"  {resource.kind:<{width}}  {resource.name}  {resource.detail}".rstrip())


def _result(request: Request, resources: list[Resource], *, is_dry_run: bool) -> dict[str, Any]:
    return {
        "customer_id": request.slug,
        "customer_name": request.name,
        "tier": request.tier,
        "crm": request.crm,
        "timezone": request.timezone,
        "dry_run": is_dry_run,
        "resources": [asdict(resource) for resource in resources],
    }


def _require_writable(output: Path | None) -> None:
    if output is not None and not output.absolute().parent.is_dir():
        raise InvalidInput(
            field="output",
            problem=f"--output: there is no directory {output.absolute().parent}. Make it first.",
        )
