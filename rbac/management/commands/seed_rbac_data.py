from __future__ import annotations

from dataclasses import asdict
from typing import Any

from isolation.actors import Actor
from rbac.catalogue import Counts, Seeding, catalogue_seed
from tenants.commands import HubCommand

_NAMES = {
    "desk_roles": "desk roles",
    "desk_permissions": "desk permissions",
    "desk_mappings": "desk mappings",
    "roles": "all roles",
    "permissions": "all permissions",
    "mappings": "all mappings",
}


class Command(HubCommand):
    help = (
        "Write the built-in roles, the permissions and which role holds which to the tables that reports read, and count them. "
        "Safe to run again: where nothing differs, nothing is written."
    )

    def run(self, options: dict[str, Any]) -> Any:
        done = catalogue_seed(acting_user=Actor.system("command seed_rbac_data"))
        if not options["json"]:
            self._print(done)
        return asdict(done)

    def _print(self, done: Seeding) -> None:
        self.stdout.write(f"{'':<16}  before  after")
        for name, before, after in _lines(done.before, done.after):
            self.stdout.write(f"{name:<16}  {before:>6}  {after:>5}")
        if done.has_written:
            told = f"{done.added} rows added, {done.changed} changed, {done.removed} removed."
        else:
            told = "Nothing was written: the tables say what the program says."
        self.stdout.write(told)


def _lines(before: Counts, after: Counts) -> list[tuple[str, int, int]]:
    return [(name, getattr(before, field), getattr(after, field)) for field, name in _NAMES.items()]
