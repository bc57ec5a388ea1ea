from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser
from django.utils import timezone

from isolation import context
from isolation.actors import Actor
from isolation.errors import InvalidInput, NotFound
from rbac.models_review import ReviewCampaign, ReviewDecision, ReviewItem
from rbac.review.evidence import Evidence, review_export
from rbac.review.selectors import campaigns_of, is_overdue
from rbac.review.services import review_decide, review_start
from tenants.commands import HubCommand
from tenants.models import Tenant
from tenants.selectors import tenant_by_slug

ACTOR = Actor.system("command access_review")


class Command(HubCommand):
    help = (
        "Show a workspace's access reviews, start one, write the evidence of the newest to a file (.csv or .json), or decide about "
        "a line that nobody there may decide."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--customer", required=True, help="the workspace, for example acme-corp")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--status", action="store_true", help="list the reviews (default)")
        what.add_argument("--start", action="store_true", help="start a review now")
        what.add_argument("--export", type=Path, metavar="FILE", help="write the newest review's evidence")
        what.add_argument(
            "--decide", metavar="ITEM", help="decide about the item of that id, with --decision and --reason"
        )
        parser.add_argument("--decision", default="", help="keep or revoke")
        parser.add_argument("--reason", default="", help="why, in a few words")

    def run(self, options: dict[str, Any]) -> Any:
        tenant = tenant_by_slug(options["customer"], reason="access review", acting_user=ACTOR)
        with context.tenant_wide(tenant.id):
            if options["start"]:
                return self._start(tenant, options)
            if options["decide"]:
                return self._decide(tenant, options)
            if options["export"]:
                return self._export(tenant, options)
            return self._status(tenant, options)

    def _start(self, tenant: Tenant, options: dict[str, Any]) -> Any:
        started = review_start(tenant=tenant, acting_user=ACTOR)
        return self._told(tenant, campaigns_of(tenant.id).filter(pk=started.id), options)

    def _status(self, tenant: Tenant, options: dict[str, Any]) -> Any:
        found = campaigns_of(tenant.id).order_by("-started_at", "-id")
        if not found and not options["json"]:
            self.stdout.write(
                "No review yet. One begins by itself with each quarter; --start begins one now."
            )
        return self._told(tenant, found, options)

    def _told(self, tenant: Tenant, campaigns: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
        rows = [_row(tenant, campaign) for campaign in campaigns]
        if not options["json"]:
            for row in rows:
                decided = f"{row['items'] - row['undecided']} of {row['items']} decided"
                self.stdout.write(f"{row['name']}: {row['state']}, {decided}, due {row['due_on']}")
        return rows

    def _decide(self, tenant: Tenant, options: dict[str, Any]) -> Any:
        item = _item(tenant, options["decide"])
        decided = review_decide(
            item=item, decision=_decision(options["decision"]), reason=options["reason"], acting_user=ACTOR
        )
        if not options["json"]:
            self.stdout.write(
                f"{decided}: {ReviewDecision(decided.decision).label.lower()}. {decided.outcome}."
            )
        return {"id": decided.id, "decision": decided.decision, "outcome": decided.outcome}

    def _export(self, tenant: Tenant, options: dict[str, Any]) -> Any:
        path: Path = options["export"]
        campaign = ReviewCampaign.objects.filter(tenant_id=tenant.id).order_by("-started_at", "-id").first()
        if campaign is None:
            raise NotFound(what="access review to export")
        found = review_export(
            tenant=tenant, campaign=campaign, form=path.suffix.lstrip(".").upper(), acting_user=ACTOR
        )
        _write(path, found)
        if not options["json"]:
            self.stdout.write(f"{len(found.items)} rows of {campaign.name} in {path}, SHA-256 {found.sha256}")
        return {"file": path, "review": campaign.name, "items": len(found.items), "sha256": found.sha256}


def _row(tenant: Tenant, campaign: Any) -> dict[str, Any]:
    late = is_overdue(campaign, tenant, timezone.now())
    state = "complete" if campaign.closed_at else "overdue" if late else "running"
    names = ("id", "name", "quarter", "started_at", "due_on", "closed_at", "items", "undecided")
    return {"state": state, **{name: getattr(campaign, name) for name in names}}


def _item(tenant: Tenant, text: str) -> ReviewItem:
    try:
        found: ReviewItem | None = ReviewItem.objects.filter(tenant_id=tenant.id, pk=UUID(text)).first()
    except ValueError as error:
        problem = f"“{text}” is not the id of an item. The ids are in the evidence: --export FILE.json."
        raise InvalidInput(field="decide", problem=problem) from error
    if found is None:
        raise NotFound(what="item of that id in this workspace's reviews")
    return found


def _decision(text: str) -> ReviewDecision:
    if text not in (ReviewDecision.KEEP, ReviewDecision.REVOKE):
        raise InvalidInput(field="decision", problem="Give --decision keep or --decision revoke.")
    return ReviewDecision(text)


def _write(path: Path, found: Evidence) -> None:
    kinds = {".csv": found.sheet, ".json": found.document}
    if path.suffix not in kinds:
        raise InvalidInput(
            field="export", problem=f"“{path}” is no file of evidence. End its name with .csv or .json."
        )
    try:
        path.write_text(kinds[path.suffix](), encoding="utf-8")
    except OSError as error:
        raise InvalidInput(field="export", problem=f"{path} cannot be written: {error.strerror}.") from error
