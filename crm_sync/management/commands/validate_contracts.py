"""``manage.py validate_contracts``: a customer's CRM fields and values against what the field mapping expects."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any, NoReturn

from django.core.management.base import BaseCommand

from crm_sync.errors import ConnectionNotSetUp, ConnectionRefused
from crm_sync.mapping.checking import Checked, contract_check
from crm_sync.models import ContractViolation, ViolationKind
from crm_sync.selectors import connections_of, require_connection
from crm_sync.shown.contract import WHAT_TO_DO, rows_told
from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError
from tenants.models import Tenant
from tenants.selectors import tenant_by_slug

ACTOR = Actor.system("validate_contracts")
VIOLATIONS, BAD_INPUT, UNREACHABLE = 1, 2, 3


class Command(BaseCommand):
    help = (
        "Ask a customer's CRM for its fields and tell what does not keep to the field mapping's contract. "
        "Exit codes: 0 nothing, 1 violations, 2 bad input, 3 the CRM could not be asked."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Arguments."""
        parser.add_argument("--customer", required=True, help="the workspace, such as acme-corp")
        parser.add_argument(
            "--source", default="", help="one CRM, such as salesforce (default: all that are set up)"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        try:
            tenant = tenant_by_slug(options["customer"], reason="validate contracts", acting_user=ACTOR)
            sources = _sources(tenant, options["source"])
            checked = {
                source: contract_check(tenant_id=tenant.id, source=source, acting_user=ACTOR)
                for source in sources
            }
        except ConnectionRefused as error:
            self._end(error, UNREACHABLE)
        except DomainError as error:
            self._end(error, BAD_INPUT)
        self._tell(checked, as_json=options["json"])
        if any(each.violations for each in checked.values()):
            sys.exit(VIOLATIONS)

    def _end(self, error: DomainError, code: int) -> NoReturn:
        self.stderr.write(error.message)
        sys.exit(code)

    def _tell(self, checked: dict[str, Checked], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({source: _document(each) for source, each in checked.items()}))
            return
        for source, each in checked.items():
            self.stdout.write(
                f"{source}: {each.objects} objects compared, {len(each.violations)} open violations."
            )
            for violation in each.violations:
                self.stdout.write(_line(violation))


def _sources(tenant: Tenant, source: str) -> list[str]:
    with context.tenant_wide(tenant.id):
        if source:
            return [require_connection(tenant, source).source]
        set_up = [each.source for each in connections_of(tenant.id) if each.state != "new"]
        if not set_up:
            raise ConnectionNotSetUp(source="CRM")
        return set_up


def _line(violation: ContractViolation) -> str:
    kind = ViolationKind(violation.kind)
    where = f"{violation.object_name}.{violation.field}" if violation.field else violation.object_name
    examples = f" ({', '.join(violation.examples)})" if violation.examples else ""
    return (
        f"  {where}: {kind.label.lower()}; expected {violation.expected}, found {violation.found or 'nothing'}; "
        f"{rows_told(violation)}{examples}. {WHAT_TO_DO[kind]}"
    )


def _document(checked: Checked) -> dict[str, Any]:
    return {"objects": checked.objects, "violations": [_violation(each) for each in checked.violations]}


def _violation(violation: ContractViolation) -> dict[str, Any]:
    return {
        "object": violation.object_name, "field": violation.field, "kind": violation.kind, "expected": violation.expected,
        "found": violation.found, "rows": violation.rows, "examples": violation.examples,
        "since": violation.detected_at.isoformat(), "what_to_do": WHAT_TO_DO[ViolationKind(violation.kind)],
    }  # fmt: skip
