"""Put the items of a CSV file into a workspace's priority queue.

Rows that cannot be used are listed with line, field and reason; the others are imported together or not at all.
Exit codes: 0 all rows, 1 some rows refused, 2 nothing imported.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError
from operations.services import NewItem, items_import
from operations.sheet import RejectedRow, read_items
from tenants.models import Tenant
from tenants.selectors import tenant_by_slug

ACTOR = Actor.system("manage.import_priority_items")


class Command(BaseCommand):
    help = __doc__ or ""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE.csv")
        parser.add_argument("--customer", required=True, metavar="SLUG", help="the workspace")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = tenant_by_slug(options["customer"], reason="import priority items", acting_user=ACTOR)
            imported, rejected = self._import(tenant, options["file"])
        except DomainError as error:
            raise CommandError(error.message, returncode=2) from error
        except OSError as error:
            raise CommandError(
                f"{options['file']} cannot be read: {error.strerror}.", returncode=2
            ) from error
        for row in rejected:
            self.stderr.write(f"line {row.line}, {row.field}: {row.problem}")
        self.stdout.write(f"{imported} items imported, {len(rejected)} rows refused.")
        if rejected:
            raise CommandError("Mend the refused rows and import them in a file of their own.", returncode=1)

    def _import(self, tenant: Tenant, path: Path) -> tuple[int, list[RejectedRow]]:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = list(read_items(lines))
        items = [row for row in rows if isinstance(row, NewItem)]
        rejected = [row for row in rows if isinstance(row, RejectedRow)]
        if not items:
            return 0, rejected
        with context.tenant_wide(tenant.id):
            imported = items_import(
                tenant_id=tenant.id, items=items, rejected=len(rejected), acting_user=ACTOR
            )
        return imported, rejected
