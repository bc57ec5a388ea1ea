from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from accounts.selectors import user_by_email
from isolation import context
from isolation.actors import Actor
from isolation.errors import InvalidInput
from pages.templatetags.formats import local_time
from rbac.breakglass.selectors import own_stays_in_force
from rbac.breakglass.services import Stay, break_glass_end, break_glass_start
from rbac.models_breakglass import BreakGlass
from tenants.commands import HubCommand
from tenants.models import Tenant
from tenants.selectors import tenant_by_slug

_STAYS = {"0.25": Stay.QUARTER, "1": Stay.HOUR, "4": Stay.SHIFT}


class Command(HubCommand):
    help = (
        "Let one of the vendor's staff read a workspace's data for a while, or end that. The workspace's admins get a mail, "
        "every page that is opened is on record, and nothing can be changed that way."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, help="the workspace, for example acme-corp")
        parser.add_argument("--as", required=True, dest="operator", help="the operator's e-mail address")
        parser.add_argument(
            "--reason", default="", help="why, in at least 15 characters; the customer reads it"
        )
        parser.add_argument("--hours", default="0.25", help="0.25 (default), 1 or 4")
        parser.add_argument("--ticket", default="", help="such as SUP-1234")
        parser.add_argument("--end", action="store_true", help="end the access that is in force")

    def run(self, options: dict[str, Any]) -> Any:
        actor = _operator(options["operator"])
        tenant = tenant_by_slug(options["customer"], reason="command break_glass", acting_user=actor)
        with context.platform(f"command break_glass: data of {tenant.slug}", actor):
            stay = _ended(tenant, actor) if options["end"] else _begun(tenant, options, actor)
        if not options["json"]:
            self.stdout.write(_words(stay, tenant))
        return {
            "id": stay.id, "tenant": tenant.slug, "operator": stay.operator_label, "reason": stay.reason, "ticket": stay.ticket,
            "started_at": stay.started_at, "until": stay.until, "ended_at": stay.ended_at,
        }  # fmt: skip


def _operator(email: str) -> Actor:
    user = user_by_email(email)
    if user is None or not (user.is_operator and user.is_active):
        problem = (
            f"“{email}” is no active account of the vendor's staff. `manage.py create_operator` makes one."
        )
        raise InvalidInput(field="as", problem=problem)
    return user.as_operator()


def _begun(tenant: Tenant, options: dict[str, Any], actor: Actor) -> BreakGlass:
    stay = _STAYS.get(options["hours"])
    if stay is None:
        problem = f"“{options['hours']}” is no length of a stay. Use one of: {', '.join(_STAYS)} (hours)."
        raise InvalidInput(field="hours", problem=problem)
    return break_glass_start(
        tenant=tenant, reason=options["reason"], stay=stay, ticket=options["ticket"], acting_user=actor
    )


def _ended(tenant: Tenant, actor: Actor) -> BreakGlass:
    assert actor.user_id is not None
    stay = own_stays_in_force(actor.user_id).filter(tenant=tenant).first()
    if stay is None:
        problem = f"{actor.label} is not in the data of {tenant.name}, so there is nothing to end."
        raise InvalidInput(field="end", problem=problem)
    return break_glass_end(stay=stay, acting_user=actor)


def _words(stay: BreakGlass, tenant: Tenant) -> str:
    if stay.ended_at is not None:
        return f"{stay.operator_label} cannot read the data of {tenant.name} any more."
    until = f"{local_time(stay.until, tenant.timezone)}, {tenant.timezone}"
    return f"{stay.operator_label} can read the data of {tenant.name} until {until}: /w/{tenant.slug}/"
