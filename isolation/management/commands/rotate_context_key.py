"""``manage.py rotate_context_key``: have the database accept the keys that the settings stand for now."""

from __future__ import annotations

import dataclasses
import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError

from isolation import signing

ABOUT = """\
Store in the database the keys that contexts are signed with, and drop the others: those of SECRET_KEY and
SECRET_KEY_FALLBACKS are accepted afterwards. `migrate --database owner` does the same. Run it with the new key first and
the old one in SECRET_KEY_FALLBACKS, restart everything, and run it again without the old one. It needs DATABASE_OWNER_URL.
Exit codes: 0 done, 1 the database did not let it."""


class Command(BaseCommand):
    help = ABOUT

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Arguments."""
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Store, and say what changed."""
        try:
            rotation = signing.keys_store(using="owner")
        except (OperationalError, ProgrammingError) as error:
            reason = str(error).strip().splitlines()[0]
            raise CommandError(
                f"The keys were not stored: {reason}. This takes the tables' owner: set DATABASE_OWNER_URL."
            ) from error
        if options["json"]:
            self.stdout.write(json.dumps(dataclasses.asdict(rotation)))
        else:
            self._tell(rotation)

    def _tell(self, rotation: signing.Rotation) -> None:
        signs = signing.current_key().id
        for word, ids in dataclasses.asdict(rotation).items():
            for key_id in ids:
                self.stdout.write(f"{word:<8}{key_id}{'  signs from now on' if key_id == signs else ''}")
