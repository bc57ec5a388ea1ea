"""The evidence of a review as a file: every item with what was held, the decision, the reason, who and when."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from audit.services import record
from isolation.actors import Actor, require
from pages.sheets import csv_lines
from rbac.events import ReviewExported
from rbac.models_review import ReviewCampaign, ReviewItem
from rbac.permissions import ACCESS_REVIEW
from rbac.review import sources
from tenants.models import Tenant

HEADS = (
    "id", "person", "email", "roles", "last_seen_on", "kind", "held", "level", "rights", "since", "until", "given_by",
    "given_because", "decision", "reason", "decided_at", "decided_by", "outcome",
)  # fmt: skip
HOW = "SHA-256 of “items” as JSON with sorted keys, separators “,” and “:”, not escaped, in UTF-8"


@dataclass(frozen=True)
class Evidence:
    """What leaves: the campaign, a row an item by the names of ``HEADS`` (instants in ISO 8601, UTC), the rows' checksum."""

    campaign: dict[str, Any]
    items: list[dict[str, Any]]
    sha256: str

    def document(self) -> str:
        """The evidence as one JSON document."""
        body = {"campaign": self.campaign, "items": self.items, "sha256": self.sha256, "sha256_of": HOW}
        return json.dumps(body, indent=2, ensure_ascii=False) + "\n"

    def rows(self) -> list[list[Any]]:
        """The items as lines of a sheet."""
        return [[_cell(item[head]) for head in HEADS] for item in self.items]

    def sheet(self) -> str:
        """The whole sheet as text."""
        return "".join(csv_lines(HEADS, self.rows()))


@transaction.atomic
def review_export(*, tenant: Tenant, campaign: ReviewCampaign, form: str, acting_user: Actor) -> Evidence:
    """The evidence of ``campaign`` for a file of that ``form`` (CSV, JSON). Needs the tenant-wide context. Raises: Forbidden."""
    require(acting_user, ACCESS_REVIEW, tenant.id)
    found = ReviewItem.objects.filter(tenant_id=tenant.id, campaign=campaign)
    items = [_plain(_row(item)) for item in found.order_by("email", "member_id", "place", "id")]
    evidence = Evidence(_plain(_facts(tenant, campaign)), items, checksum(items))
    event = ReviewExported(
        target_id=str(campaign.id), target_label=campaign.name, form=form, items=len(items), sha256=evidence.sha256
    )  # fmt: skip
    record(event, acting_user=acting_user, tenant_id=tenant.id)
    return evidence


def checksum(items: list[dict[str, Any]]) -> str:
    """As ``HOW`` says: anybody can make it from the file again."""
    text = json.dumps(items, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _facts(tenant: Tenant, campaign: ReviewCampaign) -> dict[str, Any]:
    names = ("id", "name", "quarter", "started_at", "started_by", "due_on", "closed_at", "closed_by")
    return {
        "workspace": tenant.slug,
        "timezone": tenant.timezone,
        **{name: getattr(campaign, name) for name in names},
    }


def _row(item: ReviewItem) -> dict[str, Any]:
    held, source = item.snapshot["held"], sources.find(item.source)
    values = (
        item.id, item.name, item.email, item.snapshot["person"]["roles"], item.last_seen_on,
        source.label if source else item.source, item.label, item.level, held["rights"], held["since"], held["until"],
        held["by"], held["reason"], item.decision or "undecided", item.reason, item.decided_at, item.decided_by, item.outcome,
    )  # fmt: skip
    other = {one["label"]: one["value"] for one in item.snapshot["person"]["facts"]}
    return {**dict(zip(HEADS, values, strict=True)), "also_known": other}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """The same with nothing but what JSON has."""
    plain: dict[str, Any] = json.loads(json.dumps(values, cls=DjangoJSONEncoder))
    return plain


def _cell(value: Any) -> Any:
    return ", ".join(value) if isinstance(value, list) else value
