from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from isolation.actors import Actor
from operations.readiness import Piece, readiness_of
from tenants.commands import HubCommand
from tenants.selectors import tenant_by_slug

SOME_MISSING = 1


class Command(HubCommand):
    help = (
        "Count what the desk of a workspace needs: staff, roles, permissions, mappings, alert rules, configuration, queue; and "
        "say what to do about what is missing. Exit codes: 0 all there, 1 something is missing, 2 bad input."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, metavar="SLUG", help="the workspace")

    def run(self, options: dict[str, Any]) -> Any:
        actor = Actor.system("command check_ops_data")
        tenant = tenant_by_slug(options["customer"], reason="check the desk's data", acting_user=actor)
        pieces = readiness_of(tenant)
        missing = sum(piece.is_missing for piece in pieces)
        result = {"customer": tenant.slug, "missing": missing, "pieces": [_fields(piece) for piece in pieces]}
        if not options["json"]:
            self._print(tenant.name, pieces)
        if not missing:
            return result
        if options["json"]:
            self.stdout.write(json.dumps(result, indent=2))
        sys.exit(SOME_MISSING)

    def _print(self, name: str, pieces: list[Piece]) -> None:
        self.stdout.write(
            f"{name}: {sum(not piece.is_missing for piece in pieces)} of {len(pieces)} are there"
        )
        for piece in pieces:
            state = "MISSING" if piece.is_missing else "ok"
            self.stdout.write(f"  {piece.name:<14}  {piece.count:>6}  {state:<7}  {piece.detail}".rstrip())
            if piece.is_missing:
                self.stdout.write(f"    {piece.what_to_do}")


def _fields(piece: Piece) -> dict[str, Any]:
    state = "missing" if piece.is_missing else "ok"
    return asdict(piece) | {"state": state, "what_to_do": piece.what_to_do if piece.is_missing else ""}
