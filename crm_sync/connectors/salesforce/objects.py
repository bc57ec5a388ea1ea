"""What is read from Salesforce, and into which columns: one declaration an object, in the order in which references resolve."""

from __future__ import annotations

from crm_sync.connectors.base import Column, Kind, ObjectSpec, Reference
from crm_sync.models import Account, Activity, Contact, ContactRole, Opportunity, Owner, Stage, StageChange

OWNER = Reference("owner", "OwnerId", Owner, must_resolve=True)
ACCOUNT = Reference("account", "AccountId", Account)


def _deal(field: str) -> Reference:
    return Reference("opportunity", field, Opportunity, copies={"deal_owner_id": "owner_id"})


def _text(name: str, field: str, *, required: bool = False) -> Column:
    return Column(name, Kind.TEXT, (field,), required)


def _column(name: str, kind: Kind, field: str, *, required: bool = False) -> Column:
    return Column(name, kind, (field,), required)


STAGES = ObjectSpec(
    name="OpportunityStage",
    label="stages",
    model=Stage,
    columns=(
        Column("name", Kind.NAME, ("MasterLabel", "ApiName")),
        _column("position", Kind.COUNT, "SortOrder"),
        _column("probability_percent", Kind.PERCENT, "DefaultProbability"),
        _text("forecast_category", "ForecastCategoryName"),
        _column("is_active", Kind.FLAG, "IsActive"),
        _column("is_closed", Kind.FLAG, "IsClosed"),
        _column("is_won", Kind.FLAG, "IsWon"),
    ),
    deleted_field="",
)
USER = ObjectSpec(
    name="User",
    label="users",
    model=Owner,
    columns=(
        Column("name", Kind.NAME, ("Name", "LastName", "Email")),
        _text("email", "Email"),
        _column("is_active", Kind.FLAG, "IsActive"),
        _text("manager_external_id", "ManagerId"),
    ),
    deleted_field="",
    is_required=True,
)
ACCOUNTS = ObjectSpec(
    name="Account",
    label="accounts",
    model=Account,
    columns=(
        Column("name", Kind.NAME, ("Name",)),
        _text("industry", "Industry"),
        _text("website", "Website"),
        _text("country", "BillingCountry"),
        _column("employees", Kind.COUNT, "NumberOfEmployees"),
        _column("created_at", Kind.INSTANT, "CreatedDate"),
    ),
    references=(OWNER,),
)
CONTACTS = ObjectSpec(
    name="Contact",
    label="contacts",
    model=Contact,
    columns=(
        Column("name", Kind.NAME, ("Name", "LastName", "Email")),
        _text("title", "Title"),
        _text("email", "Email"),
        _text("phone", "Phone"),
    ),
    references=(OWNER, ACCOUNT),
)
DEALS = ObjectSpec(
    name="Opportunity",
    label="deals",
    model=Opportunity,
    columns=(
        _text("name", "Name", required=True),
        _text("stage", "StageName", required=True),
        _column("amount_minor", Kind.MONEY, "Amount"),
        _column("probability_percent", Kind.PERCENT, "Probability"),
        _column("close_on", Kind.DATE, "CloseDate"),
        _column("is_closed", Kind.FLAG, "IsClosed"),
        _column("is_won", Kind.FLAG, "IsWon"),
        _text("kind", "Type"),
        _text("lead_source", "LeadSource"),
        _text("next_step", "NextStep"),
        _text("forecast_category", "ForecastCategoryName"),
        _column("created_at", Kind.INSTANT, "CreatedDate", required=True),
        _column("stage_changed_at", Kind.INSTANT, "LastStageChangeDate"),
        _column("last_activity_on", Kind.DATE, "LastActivityDate"),
    ),
    references=(
        Reference("owner", "OwnerId", Owner, must_resolve=True, is_required=True),
        Reference("account", "AccountId", Account, copies={"account_name": "name"}),
    ),
    currency_field="CurrencyIsoCode",
    is_required=True,
    # Salesforce moves it without a stamp when an activity is done.
    unstamped=("LastActivityDate",),
)
CONTACT_ROLES = ObjectSpec(
    name="OpportunityContactRole",
    label="contact roles",
    model=ContactRole,
    columns=(_text("role", "Role"), _column("is_primary", Kind.FLAG, "IsPrimary")),
    references=(_deal("OpportunityId"), Reference("contact", "ContactId", Contact)),
)
STAGE_CHANGES = ObjectSpec(
    name="OpportunityHistory",
    label="stage history",
    model=StageChange,
    columns=(
        _text("stage", "StageName"),
        _column("amount_minor", Kind.MONEY, "Amount"),
        _column("close_on", Kind.DATE, "CloseDate"),
        _column("probability_percent", Kind.PERCENT, "Probability"),
        _column("changed_at", Kind.INSTANT, "CreatedDate", required=True),
        _text("changed_by_external_id", "CreatedById"),
    ),
    references=(_deal("OpportunityId"),),
    currency_field="CurrencyIsoCode",
)
TASKS = ObjectSpec(
    name="Task",
    label="tasks",
    model=Activity,
    columns=(
        _text("subject", "Subject"),
        _text("status", "Status"),
        _column("happens_on", Kind.DATE, "ActivityDate"),
        _column("is_closed", Kind.FLAG, "IsClosed"),
        _text("owner_external_id", "OwnerId"),
    ),
    references=(_deal("WhatId"),),
    constants={"kind": "task"},
)
EVENTS = ObjectSpec(
    name="Event",
    label="events",
    model=Activity,
    columns=(
        _text("subject", "Subject"),
        _column("happens_on", Kind.DATE, "ActivityDate"),
        _text("owner_external_id", "OwnerId"),
    ),
    references=(_deal("WhatId"),),
    constants={"kind": "event"},
)

OBJECTS: tuple[ObjectSpec, ...] = (
    STAGES, USER, ACCOUNTS, CONTACTS, DEALS, CONTACT_ROLES, STAGE_CHANGES, TASKS, EVENTS,
)  # fmt: skip
