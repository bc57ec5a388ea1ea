from __future__ import annotations

from typing import Any

from django.db.models import Count, Q

from isolation import context
from isolation.actors import Actor
from tenants.commands import HubCommand
from tenants.models import Member, Tenant


class Command(HubCommand):
    help = "List every workspace with its tier, CRM, time zone and members."

    def run(self, options: dict[str, Any]) -> Any:
        with context.platform("list customers", Actor.system("command list_customers")):
            counted = Member.objects.values("tenant_id").annotate(
                active=Count("id", filter=Q(is_active=True))
            )
            members = dict(counted.values_list("tenant_id", "active"))
            rows = [_row(tenant, members.get(tenant.id, 0)) for tenant in Tenant.objects.order_by("slug")]
        if not options["json"]:
            self._print(rows)
        return rows

    def _print(self, rows: list[dict[str, Any]]) -> None:
        if not rows:
            self.stdout.write("No workspaces yet. Make one with `manage.py provision_workspace`.")
            return
        widths = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]}
        for row in [{key: key.upper() for key in widths}, *rows]:
            self.stdout.write("  ".join(f"{row[key]!s:<{width}}" for key, width in widths.items()).rstrip())


def _row(tenant: Tenant, members: int) -> dict[str, Any]:
    return {
        "customer_id": tenant.slug,
        "name": tenant.name,
        "kind": tenant.kind,
        "tier": tenant.tier,
        "crm": tenant.crm,
        "timezone": tenant.timezone,
        "members": members,
        "active": tenant.is_active,
    }
