"""What is read from HubSpot, and into which columns: one declaration an object, in the order in which references resolve.

Fields are HubSpot's properties. Those below ``DERIVED`` are worked out by the connector, because HubSpot keeps them elsewhere than
in properties: in associations, in the history, or in several properties at once.
"""

from __future__ import annotations

from crm_sync.connectors.base import Column, FieldDescription, Kind, ObjectSpec, Reference
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

OWNERS, STAGES, ROLES, HISTORY = "owners", "stages", "deal_contacts", "deal_history"
DEALS, CONTACTS, COMPANIES = "deals", "contacts", "companies"
ACTIVITIES = ("calls", "meetings", "emails", "notes", "tasks")

# Fields that are no properties.
FULL_NAME, NOTE_TEXT = "full_name", "note_text"
PRIMARY_COMPANY, STAGE_SINCE = "primary_company_id", "dealstage_since"
DEAL_OF_ACTIVITY = "associated_deal_id"
# Behind each, the properties that it is worked out from.
DERIVED: dict[str, tuple[str, ...]] = {
    FULL_NAME: ("firstname", "lastname"),
    NOTE_TEXT: ("hs_note_body",),
    PRIMARY_COMPANY: (),
    STAGE_SINCE: (),
    DEAL_OF_ACTIVITY: (),
}
LABELS = {
    FULL_NAME: "Full name",
    NOTE_TEXT: "Note without formatting",
    PRIMARY_COMPANY: "Primary company (association)",
    STAGE_SINCE: "In this stage since (history)",
    DEAL_OF_ACTIVITY: "Deal (association, the lowest id)",
}
DERIVED_OF: dict[str, tuple[str, ...]] = {
    DEALS: (PRIMARY_COMPANY, STAGE_SINCE),
    CONTACTS: (FULL_NAME,),
    "notes": (NOTE_TEXT, DEAL_OF_ACTIVITY),
    **{name: (DEAL_OF_ACTIVITY,) for name in ACTIVITIES if name != "notes"},
}
HISTORY_OF = ("dealstage", "amount", "closedate")
MERGED = "hs_merged_object_ids"  # the ids of records that one has swallowed, with semicolons

_STAMP = "hs_lastmodifieddate"
_OWNER = Reference("owner", "hubspot_owner_id", Owner)


def _text(name: str, field: str) -> Column:
    return Column(name, Kind.TEXT, (field,))


def _column(name: str, kind: Kind, field: str, *, required: bool = False) -> Column:
    return Column(name, kind, (field,), required)


def _deal(field: str) -> Reference:
    return Reference("opportunity", field, Opportunity, copies={"deal_owner_id": "owner_id"})


_OWNERS = ObjectSpec(
    name=OWNERS,
    label="owners",
    model=Owner,
    columns=(
        Column("name", Kind.NAME, ("name", "email")),
        _text("email", "email"),
        _column("is_active", Kind.FLAG, "active"),
    ),
    id_field="id",
    stamp_field="updatedAt",
    deleted_field="",
    created_field="",
    is_required=True,
)
_STAGES = ObjectSpec(
    name=STAGES,
    label="deal stages",
    model=Stage,
    columns=(
        Column("name", Kind.NAME, ("label",)),
        _text("pipeline", "pipeline"),
        _text("pipeline_external_id", "pipeline_id"),
        _column("position", Kind.COUNT, "position"),
        _column("probability_percent", Kind.PERCENT, "probability"),
        _column("is_active", Kind.FLAG, "active"),
        _column("is_closed", Kind.FLAG, "closed"),
        _column("is_won", Kind.FLAG, "won"),
    ),
    id_field="id",
    stamp_field="updatedAt",
    deleted_field="",
    created_field="",
    is_required=True,
)
_COMPANIES = ObjectSpec(
    name=COMPANIES,
    label="companies",
    model=Account,
    columns=(
        Column("name", Kind.NAME, ("name", "domain")),
        _text("industry", "industry"),
        _text("website", "website"),
        _text("country", "country"),
        _column("employees", Kind.COUNT, "numberofemployees"),
        _column("created_at", Kind.INSTANT, "createdate"),
    ),
    references=(_OWNER,),
    id_field="hs_object_id",
    stamp_field=_STAMP,
    deleted_field="",
    created_field="createdate",
)
_CONTACTS = ObjectSpec(
    name=CONTACTS,
    label="contacts",
    model=Contact,
    columns=(
        Column("name", Kind.NAME, (FULL_NAME, "email")),
        _text("title", "jobtitle"),
        _text("email", "email"),
        _text("phone", "phone"),
    ),
    # HubSpot keeps the primary company of a contact in a property: no association needs to be read for it.
    references=(_OWNER, Reference("account", "associatedcompanyid", Account)),
    id_field="hs_object_id",
    stamp_field="lastmodifieddate",
    deleted_field="",
    created_field="createdate",
)
_DEALS = ObjectSpec(
    name=DEALS,
    label="deals",
    model=Opportunity,
    columns=(
        Column("name", Kind.NAME, ("dealname",)),
        _column("amount_minor", Kind.MONEY, "amount"),
        _column("probability_percent", Kind.PERCENT, "hs_deal_stage_probability"),
        _column("close_on", Kind.DATE, "closedate"),
        _text("kind", "dealtype"),
        _text("lead_source", "hs_analytics_source"),
        _text("next_step", "hs_next_step"),
        _text("forecast_category", "hs_manual_forecast_category"),
        _column("created_at", Kind.INSTANT, "createdate", required=True),
        _column("stage_changed_at", Kind.INSTANT, STAGE_SINCE),
        _column("last_activity_on", Kind.DATE, "notes_last_updated"),
    ),
    references=(
        _OWNER,
        Reference("account", PRIMARY_COMPANY, Account, copies={"account_name": "name"}),
        Reference(
            "stage", "dealstage", Stage,
            copies={"stage": "name", "pipeline": "pipeline", "is_closed": "is_closed", "is_won": "is_won"},
        ),
    ),
    id_field="hs_object_id",
    stamp_field=_STAMP,
    deleted_field="",
    currency_field="deal_currency_code",
    created_field="createdate",
    is_required=True,
    unstamped=(PRIMARY_COMPANY,),
)  # fmt: skip
_ROLES = ObjectSpec(
    name=ROLES,
    label="contacts of deals",
    model=ContactRole,
    columns=(_text("role", "labels"), _column("is_primary", Kind.FLAG, "primary")),
    references=(_deal("deal_id"), Reference("contact", "contact_id", Contact)),
    id_field="id",
    stamp_field="since",
    deleted_field="",
    created_field="",
    parent=DEALS,
)
_HISTORY = ObjectSpec(
    name=HISTORY,
    label="stage history",
    model=StageChange,
    columns=(
        _column("amount_minor", Kind.MONEY, "amount"),
        _column("close_on", Kind.DATE, "closedate"),
        _column("changed_at", Kind.INSTANT, "timestamp", required=True),
    ),
    references=(
        _deal("deal_id"),
        Reference(
            "stage", "dealstage", Stage,
            copies={"stage": "name", "probability_percent": "probability_percent"},
        ),
    ),
    id_field="id",
    stamp_field="timestamp",
    deleted_field="",
    currency_field="currency",
    created_field="",
    parent=DEALS,
)  # fmt: skip


def _activity(name: str, *columns: Column) -> ObjectSpec:
    return ObjectSpec(
        name=name,
        label=name,
        model=Activity,
        columns=(
            *columns,
            _column("happens_on", Kind.DATE, "hs_timestamp"),
            _text("owner_external_id", "hubspot_owner_id"),
        ),
        references=(_deal(DEAL_OF_ACTIVITY),),
        constants={"kind": name.removesuffix("s")},
        id_field="hs_object_id",
        stamp_field=_STAMP,
        deleted_field="",
        created_field="hs_createdate",
        unstamped=(DEAL_OF_ACTIVITY,),
    )


_CALLS = _activity("calls", _text("subject", "hs_call_title"), _text("status", "hs_call_status"))
_MEETINGS = _activity("meetings", _text("subject", "hs_meeting_title"), _text("status", "hs_meeting_outcome"))
_EMAILS = _activity("emails", _text("subject", "hs_email_subject"), _text("status", "hs_email_status"))
_NOTES = _activity("notes", _text("subject", NOTE_TEXT))
_TASKS = _activity(
    "tasks",
    _text("subject", "hs_task_subject"),
    _text("status", "hs_task_status"),
    _column("is_closed", Kind.FLAG, "hs_task_is_completed"),
)

OBJECTS: tuple[ObjectSpec, ...] = (
    _OWNERS, _STAGES, _COMPANIES, _CONTACTS, _DEALS, _ROLES, _HISTORY, _CALLS, _MEETINGS, _EMAILS, _NOTES, _TASKS,
)  # fmt: skip


def described_by_us(spec: ObjectSpec) -> dict[str, FieldDescription]:
    """The fields of an object that HubSpot has no properties for: all its own fields, in their columns' kinds."""
    kinds = {field: column.kind for column in spec.columns for field in column.fields}
    return {name: FieldDescription(name, name, "text", kinds.get(name, Kind.TEXT)) for name in spec.fields}


def described_derived(spec: ObjectSpec) -> dict[str, FieldDescription]:
    """The fields of an object that the connector works out."""
    instants = {STAGE_SINCE}
    return {
        name: FieldDescription(
            name,
            LABELS[name],
            "datetime" if name in instants else "text",
            Kind.INSTANT if name in instants else Kind.TEXT,
        )
        for name in DERIVED_OF.get(spec.name, ())
    }
