"""``manage.py explain_access --customer acme-corp --deal 006… (--member EMAIL | --all) [--at 2026-03-03T12:00] [--json]``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder

from isolation import context
from isolation.actors import Actor
from isolation.errors import DomainError, InvalidInput
from pipeline.access.answers import Everybody, Verdict, everybody, member_asked, verdict
from pipeline.selectors import deal_named
from tenants.models import Tenant
from tenants.selectors import tenant_by_slug

ACTOR = Actor.system("manage.py explain_access")
SEES, DOES_NOT_SEE, REFUSED = 0, 1, 2


class Command(BaseCommand):
    help = (
        "Tell whether a member sees a deal and why, or everybody who does; now or at a moment of the past. "
        "Exit codes: 0 sees it (with --all: somebody does), 1 does not, 2 refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Arguments."""
        parser.add_argument("--customer", required=True, help="the workspace's slug, such as acme-corp")
        parser.add_argument("--deal", required=True, help="the deal's id in the CRM")
        who = parser.add_mutually_exclusive_group(required=True)
        who.add_argument("--member", help="e-mail address or id of the member")
        who.add_argument("--all", action="store_true", help="everybody who sees it")
        parser.add_argument(
            "--at",
            default="",
            help="a moment like 2026-03-03T12:00, in the workspace's time zone unless it carries an offset",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        try:
            found = _found(options["customer"], options["deal"], options["member"], options["at"])
        except DomainError as refusal:
            self.stderr.write(refusal.message)
            sys.exit(REFUSED)
        document = _document(found)
        text = json.dumps(document, cls=DjangoJSONEncoder) if options["json"] else "\n".join(_lines(found))
        self.stdout.write(text)
        if not document["sees"]:
            sys.exit(DOES_NOT_SEE)


def _found(customer: str, deal: str, member: str | None, at: str) -> Verdict | Everybody:
    tenant = tenant_by_slug(customer, reason="explain who sees a deal", acting_user=ACTOR)
    instant = _instant(at, tenant)
    with context.tenant_wide(tenant.id):
        named = deal_named(tenant.id, deal.replace("\x00", " "))
        if member is None:
            return everybody(named, instant)
        return verdict(named, member_asked(tenant, member), instant)


def _instant(text: str, tenant: Tenant) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        problem = f"--at {text[:40]} is no moment. Write it as 2026-03-03T12:00."
        raise InvalidInput(field="at", problem=problem) from None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(tenant.timezone))


def _document(found: Verdict | Everybody) -> dict[str, Any]:
    if isinstance(found, Everybody):
        seen = [{"member": one.member.email, "reasons": one.reasons} for one in found.seen]
        return {"at": found.at, "sees": bool(seen), "seen_by": seen, "remark": found.remark}
    return {
        "at": found.at, "sees": found.sees, "may_edit": found.may_edit, "member": found.member.email,
        "sentence": found.sentence, "reasons": found.reasons, "missing": found.missing,
    }  # fmt: skip


def _lines(found: Verdict | Everybody) -> list[str]:
    if isinstance(found, Verdict):
        said = [*found.reasons, *found.missing]
        return [found.sentence, *(f"  {one}" for one in said)]
    if not found.seen:
        return [found.remark or "Nobody sees it."]
    return [f"{one.member.email}: {' '.join(one.reasons)}" for one in found.seen]
