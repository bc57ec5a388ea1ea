"""What the mirror must hold, worked out record by record from what the portal itself shows, and what it does hold."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from crm_sync.models import (
    Account,
    Activity,
    Contact,
    ContactRole,
    Opportunity,
    Owner,
    Stage,
    StageChange,
)
from isolation.models import MirrorModel
from tests.crm_sync.comparing import Rows, assert_holds
from tests.crm_sync.hubspot.conftest import Hub

ZONE = ZoneInfo("America/New_York")
ACTIVITIES = {
    "calls": ("call", "hs_call_title", "hs_call_status"),
    "meetings": ("meeting", "hs_meeting_title", "hs_meeting_outcome"),
    "emails": ("email", "hs_email_subject", "hs_email_status"),
    "notes": ("note", "hs_note_body", ""),
    "tasks": ("task", "hs_task_subject", "hs_task_status"),
}
KINDS = ("companies", "contacts", "deals", *ACTIVITIES)
Json = Mapping[str, Any]


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _day(text: str | None) -> date | None:
    return datetime.fromisoformat(text).astimezone(ZONE).date() if text else None


def _cents(text: str | None) -> int | None:
    return int((Decimal(text) * 100).to_integral_value(ROUND_HALF_UP)) if text else None


def _percent(text: str | None) -> int | None:
    return int((Decimal(text) * 100).to_integral_value(ROUND_HALF_UP)) if text else None


class Expected:
    """The mirror of a portal, from everything that it shows now."""

    def __init__(self, hub: Hub) -> None:
        portal = hub.portal
        self._records = {kind: {each["id"]: each for each in portal.snapshot(kind)} for kind in KINDS}
        self._histories = _histories(hub)
        archived = [
            portal.get("/crm/v3/owners", limit=500, archived=flag).json()["results"]
            for flag in ("false", "true")
        ]
        self._owners = {each["id"]: each for listed in archived for each in listed}
        pipelines = portal.get("/crm/v3/pipelines/deals").json()["results"]
        self._stages = {
            stage["id"]: self._stage(pipeline, stage)
            for pipeline in pipelines
            for stage in pipeline["stages"]
        }

    def all(self) -> dict[type[MirrorModel], Rows]:
        return {
            Owner: {key: self._owner(each) for key, each in self._owners.items()},
            Stage: self._stages,
            Account: self._of("companies", self._company),
            Contact: self._of("contacts", self._contact, "lastmodifieddate"),
            Opportunity: self._of("deals", self._deal),
            ContactRole: dict(self._roles()),
            StageChange: dict(self._changes()),
            Activity: {key: row for kind in ACTIVITIES for key, row in self._activities(kind).items()},
        }

    def _of(
        self, kind: str, make: Callable[[str, Json], dict[str, Any]], stamp: str = "hs_lastmodifieddate"
    ) -> Rows:
        return {
            key: {"modified_at": _instant(each["properties"][stamp]), **make(key, each["properties"])}
            for key, each in self._records[kind].items()
        }

    def _known(self, kind: str, key: str | None) -> str | None:
        return key if key and key in self._records[kind] else None

    def _owned(self, values: Json) -> dict[str, Any]:
        owner = values.get("hubspot_owner_id") or ""
        return {"owner_external_id": owner, "owner_id": owner if owner in self._owners else None}

    def _owner(self, owner: Json) -> dict[str, Any]:
        return {
            "modified_at": _instant(owner["updatedAt"]), "name": f"{owner['firstName']} {owner['lastName']}",
            "email": owner["email"], "is_active": not owner["archived"], "manager_external_id": "",
        }  # fmt: skip

    def _stage(self, pipeline: Json, stage: Json) -> dict[str, Any]:
        is_closed, probability = (
            stage["metadata"]["isClosed"] == "true",
            _percent(stage["metadata"]["probability"]),
        )
        return {
            "modified_at": _instant(stage["updatedAt"]), "name": stage["label"], "pipeline": pipeline["label"],
            "pipeline_external_id": pipeline["id"], "position": stage["displayOrder"], "probability_percent": probability,
            "forecast_category": "", "is_active": True, "is_closed": is_closed, "is_won": is_closed and probability == 100,
        }  # fmt: skip

    def _company(self, key: str, values: Json) -> dict[str, Any]:
        return {
            "name": values["name"] or values["domain"] or key, "industry": values["industry"] or "",
            "website": values["website"] or "", "country": values["country"] or "",
            "employees": int(values["numberofemployees"]) if values["numberofemployees"] else None,
            "created_at": _instant(values["createdate"]), **self._owned(values),
        }  # fmt: skip

    def _contact(self, key: str, values: Json) -> dict[str, Any]:
        name = " ".join(filter(None, (values["firstname"], values["lastname"])))
        account = values["associatedcompanyid"] or ""
        return {
            "name": name or values["email"] or key, "title": values["jobtitle"] or "", "email": values["email"] or "",
            "phone": values["phone"] or "", "account_external_id": account, "account_id": self._known("companies", account),
            **self._owned(values),
        }  # fmt: skip

    def _primary_company(self, key: str) -> str:
        links = self._records["deals"][key].get("associations", {}).get("companies", [])
        return next((link["id"] for link in links if "Primary" in link["labels"]), "")

    def _deal(self, key: str, values: Json) -> dict[str, Any]:
        account, stage = self._primary_company(key), self._stages.get(values["dealstage"] or "")
        moves = self._histories[key].get("dealstage", [])
        return {
            "name": values["dealname"] or key, "amount_minor": _cents(values["amount"]),
            "currency": values["deal_currency_code"] or "USD", "probability_percent": _percent(values["hs_deal_stage_probability"]),
            "close_on": _day(values["closedate"]), "kind": values["dealtype"] or "", "lead_source": values["hs_analytics_source"] or "",
            "next_step": values["hs_next_step"] or "", "forecast_category": values["hs_manual_forecast_category"] or "",
            "created_at": _instant(values["createdate"]), "stage_changed_at": _instant(moves[0]["timestamp"]) if moves else None,
            "last_activity_on": _day(values["notes_last_updated"]), "account_external_id": account,
            "account_id": account or None, "account_name": self._account_name(account),
            "stage_external_id": values["dealstage"] or "", "stage_id": values["dealstage"] if stage else None,
            "stage": stage["name"] if stage else "", "pipeline": stage["pipeline"] if stage else "",
            "is_closed": bool(stage and stage["is_closed"]), "is_won": bool(stage and stage["is_won"]), **self._owned(values),
        }  # fmt: skip

    def _account_name(self, key: str) -> str:
        values = self._records["companies"][key]["properties"] if key else None
        return (values["name"] or values["domain"] or key) if values else ""

    def _about_deal(self, key: str) -> dict[str, Any]:
        deal = self._records["deals"].get(key)
        owner = self._owned(deal["properties"])["owner_id"] if deal else None
        return {
            "opportunity_external_id": key,
            "opportunity_id": key if deal else None,
            "deal_owner_id": owner,
        }

    def _roles(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (f"{key}-{link['id']}", {
                "modified_at": _instant(deal["properties"]["createdate"]), "contact_external_id": link["id"], "contact_id": link["id"],
                "role": "; ".join(link["labels"]), "is_primary": False, **self._about_deal(key),
            })
            for key, deal in self._records["deals"].items()
            for link in deal.get("associations", {}).get("contacts", [])
        ]  # fmt: skip

    def _changes(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (f"{key}-{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03}", self._change(key, moment))
            for key in self._records["deals"]
            for moment in _moments(self._histories[key])
        ]

    def _change(self, key: str, moment: datetime) -> dict[str, Any]:
        then = {name: _as_of(versions, moment) for name, versions in self._histories[key].items()}
        stage = self._stages.get(then.get("dealstage") or "")
        return {
            "modified_at": moment, "changed_at": moment, "changed_by_external_id": "", "amount_minor": _cents(then.get("amount")),
            "close_on": _day(then.get("closedate")), "stage_external_id": then.get("dealstage") or "",
            "stage_id": then["dealstage"] if stage else None, "stage": stage["name"] if stage else "",
            "probability_percent": stage["probability_percent"] if stage else None, **self._about_deal(key),
        }  # fmt: skip

    def _activities(self, kind: str) -> Rows:
        return self._of(kind, lambda key, values: self._activity(kind, key, values))

    def _activity(self, kind: str, key: str, values: Json) -> dict[str, Any]:
        name, subject, status = ACTIVITIES[kind]
        deals = sorted(
            int(link["id"]) for link in self._records[kind][key].get("associations", {}).get("deals", [])
        )
        text = values[subject] or ""
        return {
            "kind": name, "subject": _plain(text) if kind == "notes" else text, "status": (values[status] if status else "") or "",
            "happens_on": _day(values["hs_timestamp"]), "is_closed": values.get("hs_task_is_completed") == "1",
            "owner_external_id": values["hubspot_owner_id"] or "", **self._about_deal(str(deals[0]) if deals else ""),
        }  # fmt: skip


def _plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def _histories(hub: Hub) -> dict[str, dict[str, list[Json]]]:
    found: dict[str, dict[str, list[Json]]] = {}
    after = "0"
    while after:
        page = hub.portal.get(
            "/crm/v3/objects/deals", limit=50, after=after, propertiesWithHistory="dealstage,amount,closedate"
        ).json()
        found |= {each["id"]: each["propertiesWithHistory"] for each in page["results"]}
        after = page.get("paging", {}).get("next", {}).get("after", "")
    return found


def _moments(history: Mapping[str, list[Json]]) -> list[datetime]:
    found = {_instant(version["timestamp"]) for versions in history.values() for version in versions}
    return sorted(filter(None, found))


def _as_of(versions: list[Json], moment: datetime) -> str:
    for version in versions:
        since = _instant(version["timestamp"])
        if since is not None and since <= moment:
            return str(version["value"] or "")
    return ""


def assert_equal(hub: Hub) -> None:
    """The mirror equals the portal, row for row and column for column."""
    assert_holds(Expected(hub).all(), hub.tenant, "hubspot")
