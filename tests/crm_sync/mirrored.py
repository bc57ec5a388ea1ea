"""What the mirror must hold, worked out row by row in Python from the sandbox's own rows, and what it does hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from crm_sync.models import Account, Activity, Contact, ContactRole, Opportunity, Owner, Stage, StageChange
from isolation.models import MirrorModel
from tests.crm_sync import comparing
from tests.crm_sync.comparing import Rows, assert_holds
from tests.crm_sync.conftest import Crm

Row = Mapping[str, str]


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _whole(text: str) -> int | None:
    return int(Decimal(text).to_integral_value(ROUND_HALF_UP)) if text else None


def _cents(text: str) -> int | None:
    return _whole(str(Decimal(text) * 100)) if text else None


class Expected:
    """The mirror of an organisation, from snapshots of its live rows."""

    def __init__(self, crm: Crm) -> None:
        names = (
            "OpportunityStage",
            "User",
            "Account",
            "Contact",
            "Opportunity",
            "OpportunityContactRole",
            "OpportunityHistory",
            "Task",
            "Event",
        )
        self._rows = {name: {row["Id"]: row for row in crm.client.snapshot(name)} for name in names}

    def all(self) -> dict[type[MirrorModel], Rows]:
        return {
            Stage: self._of("OpportunityStage", self._stage),
            Owner: self._of("User", self._owner),
            Account: self._of("Account", self._account),
            Contact: self._of("Contact", self._contact),
            Opportunity: self._of("Opportunity", self._deal),
            ContactRole: self._of("OpportunityContactRole", self._role),
            StageChange: self._of("OpportunityHistory", self._change),
            Activity: {**self._of("Task", self._task), **self._of("Event", self._event)},
        }

    def _of(self, name: str, make: Callable[[Row], dict[str, Any]]) -> Rows:
        return {
            key: {"modified_at": _instant(row["SystemModstamp"]), **make(row)}
            for key, row in self._rows[name].items()
        }

    def _known(self, name: str, key: str) -> str | None:
        """The external id that an internal id must lead to."""
        return key if key in self._rows[name] else None

    def _owned(self, row: Row) -> dict[str, Any]:
        return {"owner_external_id": row["OwnerId"], "owner_id": self._known("User", row["OwnerId"])}

    def _about_deal(self, key: str) -> dict[str, Any]:
        deal = self._rows["Opportunity"].get(key)
        owner = self._known("User", deal["OwnerId"]) if deal else None
        return {
            "opportunity_external_id": key,
            "opportunity_id": key if deal else None,
            "deal_owner_id": owner,
        }

    def _stage(self, row: Row) -> dict[str, Any]:
        return {
            "name": row["MasterLabel"], "pipeline": "", "pipeline_external_id": "", "position": _whole(row["SortOrder"]),
            "probability_percent": _whole(row["DefaultProbability"]), "forecast_category": row["ForecastCategoryName"],
            "is_active": row["IsActive"] == "true", "is_closed": row["IsClosed"] == "true", "is_won": row["IsWon"] == "true",
        }  # fmt: skip

    def _owner(self, row: Row) -> dict[str, Any]:
        return {
            "name": row["Name"], "email": row["Email"], "is_active": row["IsActive"] == "true",
            "manager_external_id": row["ManagerId"],
        }  # fmt: skip

    def _account(self, row: Row) -> dict[str, Any]:
        return {
            "name": row["Name"], "industry": row["Industry"], "website": row["Website"], "country": row["BillingCountry"],
            "employees": _whole(row["NumberOfEmployees"]), "created_at": _instant(row["CreatedDate"]), **self._owned(row),
        }  # fmt: skip

    def _contact(self, row: Row) -> dict[str, Any]:
        return {
            "name": row["Name"], "title": row["Title"], "email": row["Email"], "phone": row["Phone"], **self._owned(row),
            "account_external_id": row["AccountId"], "account_id": self._known("Account", row["AccountId"]),
        }  # fmt: skip

    def _deal(self, row: Row) -> dict[str, Any]:
        account = self._rows["Account"].get(row["AccountId"])
        return {
            "name": row["Name"], "pipeline": "", "stage": row["StageName"], "stage_external_id": "", "stage_id": None, "amount_minor": _cents(row["Amount"]), "currency": "USD",
            "probability_percent": _whole(row["Probability"]), "close_on": _day(row["CloseDate"]),
            "is_closed": row["IsClosed"] == "true", "is_won": row["IsWon"] == "true", "kind": row["Type"],
            "lead_source": row["LeadSource"], "next_step": row["NextStep"], "forecast_category": row["ForecastCategoryName"],
            "created_at": _instant(row["CreatedDate"]), "stage_changed_at": _instant(row["LastStageChangeDate"]),
            "last_activity_on": _day(row["LastActivityDate"]), "account_external_id": row["AccountId"],
            "account_id": row["AccountId"] if account else None, "account_name": account["Name"] if account else "",
            **self._owned(row),
        }  # fmt: skip

    def _role(self, row: Row) -> dict[str, Any]:
        return {
            "role": row["Role"], "is_primary": row["IsPrimary"] == "true", "contact_external_id": row["ContactId"],
            "contact_id": self._known("Contact", row["ContactId"]), **self._about_deal(row["OpportunityId"]),
        }  # fmt: skip

    def _change(self, row: Row) -> dict[str, Any]:
        return {
            "stage": row["StageName"], "stage_external_id": "", "stage_id": None, "amount_minor": _cents(row["Amount"]), "close_on": _day(row["CloseDate"]),
            "probability_percent": _whole(row["Probability"]), "changed_at": _instant(row["CreatedDate"]),
            "changed_by_external_id": row["CreatedById"], **self._about_deal(row["OpportunityId"]),
        }  # fmt: skip

    def _task(self, row: Row) -> dict[str, Any]:
        return {
            **self._event(row),
            "kind": "task",
            "status": row["Status"],
            "is_closed": row["IsClosed"] == "true",
        }

    def _event(self, row: Row) -> dict[str, Any]:
        return {
            "kind": "event", "subject": row["Subject"], "status": "", "is_closed": False, "happens_on": _day(row["ActivityDate"]),
            "owner_external_id": row["OwnerId"], **self._about_deal(row["WhatId"]),
        }  # fmt: skip


def mirror(crm: Crm) -> dict[type[MirrorModel], Rows]:
    """Everything that the mirror holds of the organisation."""
    return comparing.mirror(crm.tenant, "salesforce")


def assert_equal(crm: Crm) -> None:
    """The mirror equals the organisation, row for row and column for column."""
    assert_holds(Expected(crm).all(), crm.tenant, "salesforce")
