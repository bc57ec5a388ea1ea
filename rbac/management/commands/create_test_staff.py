from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from isolation.actors import Actor
from isolation.errors import InvalidInput
from rbac.roles import role_named
from rbac.trial_staff import TrialMember, trial_staff_create
from tenants.commands import HubCommand
from tenants.models import RoleCode
from tenants.selectors import tenant_by_slug

DEFAULT = "super_admin,agent,viewer"
ACTOR = Actor.system("command create_test_staff")


class Command(HubCommand):
    help = (
        "Make a member per role in a workspace, to try the roles with. Each password is made up, printed this once and kept "
        "hashed. Who is there already stays as they are. Refused where the settings are a server's."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, metavar="SLUG", help="the workspace")
        parser.add_argument(
            "--roles",
            default=DEFAULT,
            metavar="ROLE,ROLE",
            help=f"codes or names of roles, with commas between (default: {DEFAULT})",
        )
        parser.add_argument(
            "--reset-passwords", action="store_true", help="give those who are there already a new password"
        )

    def run(self, options: dict[str, Any]) -> Any:
        roles = _roles(options["roles"])
        tenant = tenant_by_slug(options["customer"], reason="make test staff", acting_user=ACTOR)
        staff = trial_staff_create(
            tenant=tenant, roles=roles, resets_passwords=options["reset_passwords"], acting_user=ACTOR
        )
        if not options["json"]:
            self._print(tenant.name, staff)
        return {"customer": tenant.slug, "staff": [asdict(one) for one in staff]}

    def _print(self, name: str, staff: list[TrialMember]) -> None:
        made = sum(one.is_new for one in staff)
        self.stdout.write(f"{name}: {made} made, {len(staff) - made} there already")
        width = max(len(one.email) for one in staff)
        for one in staff:
            self.stdout.write(f"  {one.email:<{width}}  {one.role.label:<12}  {_told(one)}")
        if any(one.password for one in staff):
            self.stdout.write("The passwords are shown this once. Sign in at /accounts/login/.")


def _roles(text: str) -> list[RoleCode]:
    named = [part for part in text.split(",") if part.strip()]
    if not named:
        raise InvalidInput(field="roles", problem=f"--roles names no role. Give some, such as {DEFAULT}.")
    return [role_named(part, field="roles") for part in named]


def _told(one: TrialMember) -> str:
    told = f"password {one.password}" if one.password else "is there, with the password of before"
    if one.is_active:
        return told
    return f"{told}; deactivated: let them in again on the page People"
