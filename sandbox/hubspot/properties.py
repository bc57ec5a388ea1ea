"""What each kind of record holds in a new portal: one line a property: name, type, field type, label.

``!`` behind the type: set by HubSpot; ``=``: calculated when it is read; ``~``: the portal's own.
"""

from collections.abc import Mapping, Sequence

Definition = dict[str, object]
"""A property as ``/crm/v3/properties`` shows it."""

_AUDIT = """
hs_object_id number! number Record ID
hs_created_by_user_id number! number Created by user ID
hs_merged_object_ids enumeration! checkbox Merged record IDs
hubspot_owner_id enumeration select Owner
hubspot_owner_assigneddate datetime! date Owner assigned date
"""

_DEALS = f"""
dealname string text Deal name
amount number number Amount
amount_in_home_currency number! calculation_equation Amount in company currency
deal_currency_code enumeration select Currency
closedate datetime date Close date
createdate datetime date Create date
hs_lastmodifieddate datetime! date Last modified date
dealstage enumeration radio Deal stage
pipeline enumeration select Pipeline
dealtype enumeration radio Deal type
description string textarea Deal description
hs_next_step string text Next step
hs_priority enumeration select Priority
hs_manual_forecast_category enumeration select Forecast category
hs_deal_stage_probability number! calculation_equation Deal probability
hs_forecast_amount number! calculation_equation Forecast amount
hs_v2_date_entered_current_stage datetime! calculation_equation Date entered current stage
hs_is_closed bool! calculation_read_time Is deal closed?
hs_is_closed_won bool! calculation_read_time Is closed won
closed_lost_reason string textarea Closed lost reason
closed_won_reason string textarea Closed won reason
num_associated_contacts number! calculation_rollup Number of associated contacts
num_notes number! calculation_rollup Number of sales activities
notes_last_contacted datetime! date Last contacted
notes_last_updated datetime! date Last activity date
notes_next_activity_date datetime! date Next activity date
hs_analytics_source enumeration! select Original source
{_AUDIT}
days_open number= calculation_equation Days open
company_industry string= calculation_rollup Industry of the primary company
region enumeration~ select Region
contract_value number~ number Contract value
renewal_date date~ date Renewal date
is_strategic bool~ booleancheckbox Is strategic
internal_notes string~ textarea Internal notes
push_count number~ number Times pushed
"""

_CONTACTS = f"""
email string text Email
firstname string text First name
lastname string text Last name
phone string phonenumber Phone number
mobilephone string phonenumber Mobile phone number
jobtitle string text Job title
company string text Company name
lifecyclestage enumeration radio Lifecycle stage
hs_lead_status enumeration radio Lead status
hs_analytics_source enumeration! select Original source
associatedcompanyid number number Primary associated company ID
createdate datetime! date Create date
lastmodifieddate datetime! date Last modified date
notes_last_contacted datetime! date Last contacted
notes_last_updated datetime! date Last activity date
num_associated_deals number! calculation_rollup Number of associated deals
{_AUDIT}
"""

_COMPANIES = f"""
name string text Company name
domain string text Company domain name
website string text Website URL
phone string phonenumber Phone number
industry enumeration select Industry
type enumeration radio Type
annualrevenue number number Annual revenue
numberofemployees number number Number of employees
address string text Street address
city string text City
state string text State/Region
zip string text Postal code
country string text Country/Region
lifecyclestage enumeration radio Lifecycle stage
createdate datetime! date Create date
hs_lastmodifieddate datetime! date Last modified date
num_associated_contacts number! calculation_rollup Number of associated contacts
num_associated_deals number! calculation_rollup Number of associated deals
notes_last_updated datetime! date Last activity date
{_AUDIT}
"""

_ENGAGEMENT = f"""
hs_timestamp datetime date Activity date
hs_createdate datetime! date Create date
hs_lastmodifieddate datetime! date Last modified date
{_AUDIT}
"""

LINES: dict[str, str] = {
    "deals": _DEALS,
    "contacts": _CONTACTS,
    "companies": _COMPANIES,
    "calls": f"""
hs_call_title string text Call title
hs_call_body string html Call notes
hs_call_duration number number Call duration
hs_call_direction enumeration select Call direction
hs_call_status enumeration select Call status
hs_call_disposition enumeration select Call outcome
{_ENGAGEMENT}""",
    "meetings": f"""
hs_meeting_title string text Meeting name
hs_meeting_body string html Meeting description
hs_meeting_start_time datetime date Meeting start time
hs_meeting_end_time datetime date Meeting end time
hs_meeting_outcome enumeration select Meeting outcome
hs_meeting_location string text Meeting location
{_ENGAGEMENT}""",
    "emails": f"""
hs_email_subject string text Email subject
hs_email_text string textarea Email body
hs_email_direction enumeration select Email direction
hs_email_status enumeration select Email send status
{_ENGAGEMENT}""",
    "notes": f"""
hs_note_body string html Note body
{_ENGAGEMENT}""",
    "tasks": f"""
hs_task_subject string text Task title
hs_task_body string html Task notes
hs_task_status enumeration select Task status
hs_task_priority enumeration select Priority
hs_task_type enumeration select Task type
hs_task_completion_date datetime! date Completed at
hs_task_is_completed number! calculation_equation Is completed
{_ENGAGEMENT}""",
}

OPTIONS: dict[str, Sequence[str]] = {
    "dealtype": ("newbusiness", "existingbusiness"),
    "deal_currency_code": ("USD", "EUR", "GBP"),
    "hs_priority": ("low", "medium", "high"),
    "hs_manual_forecast_category": ("OMIT", "PIPELINE", "BEST_CASE", "COMMIT", "CLOSED"),
    "hs_analytics_source": ("ORGANIC_SEARCH", "REFERRALS", "PAID_SEARCH", "OFFLINE", "DIRECT_TRAFFIC", "OTHER_CAMPAIGNS"),
    "region": ("North America", "EMEA", "APAC", "LATAM"),
    "lifecyclestage": ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"),
    "hs_lead_status": ("NEW", "OPEN", "IN_PROGRESS", "CONNECTED", "UNQUALIFIED"),
    "industry": ("MACHINERY", "HOSPITAL_HEALTH_CARE", "FINANCIAL_SERVICES", "RETAIL", "COMPUTER_SOFTWARE",
                 "LOGISTICS_AND_SUPPLY_CHAIN", "OIL_ENERGY", "EDUCATION_MANAGEMENT"),
    "type": ("PROSPECT", "PARTNER", "RESELLER", "VENDOR", "OTHER"),
    "hs_call_direction": ("INBOUND", "OUTBOUND"),
    "hs_call_status": ("COMPLETED", "NO_ANSWER", "BUSY", "QUEUED"),
    "hs_call_disposition": ("f240bbac-87c9-4f6e-bf70-924b57d47db7", "73a0d17f-1163-4015-bdd5-ec830791da20"),
    "hs_meeting_outcome": ("SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED"),
    "hs_email_direction": ("EMAIL", "INCOMING_EMAIL", "FORWARDED_EMAIL"),
    "hs_email_status": ("SENT", "SENDING", "SCHEDULED", "BOUNCED", "FAILED"),
    "hs_task_status": ("NOT_STARTED", "IN_PROGRESS", "WAITING", "COMPLETED", "DEFERRED"),
    "hs_task_priority": ("NONE", "LOW", "MEDIUM", "HIGH"),
    "hs_task_type": ("TODO", "CALL", "EMAIL"),
}  # fmt: skip

CALCULATED: dict[tuple[str, str], str] = {
    ("deals", "days_open"): """
        CASE json_extract(r.properties, '$.hs_is_closed')
            WHEN 'true' THEN NULL
            ELSE CAST((:now - r.created_ms) / 86400000 AS TEXT)
        END""",
    ("deals", "company_industry"): """
        (SELECT json_extract(c.properties, '$.industry')
         FROM deals_companies a
         JOIN companies c ON c.id = a.b AND c.archived_ms IS NULL
         WHERE a.a = r.id AND a.label = 1
         LIMIT 1)""",
}
"""Properties that are worked out when they are read, as SQL over a row ``r``: they move without the record's stamp."""


def standard(created_at: str) -> dict[str, list[Definition]]:
    """The definitions of a new portal, by kind."""
    return {
        name: [_from_line(line, created_at) for line in lines.split("\n") if line]
        for name, lines in LINES.items()
    }


def _from_line(line: str, created_at: str) -> Definition:
    name, kind, field_type, label = line.split(" ", 3)
    flag = kind[-1] if kind[-1] in "!=~" else ""
    return definition(
        {"name": name, "label": label, "type": kind.removesuffix(flag), "fieldType": field_type,
         "options": [option(value, place) for place, value in enumerate(OPTIONS.get(name, ()))]},
        created_at, calculated=flag == "=", read_only=flag in {"!", "="}, own=flag in {"=", "~"},
    )  # fmt: skip


def option(value: str, place: int) -> Definition:
    """One of the values that an enumeration takes."""
    label = value.replace("_", " ").capitalize() if value.isupper() or "_" in value else value
    return {"label": label, "value": value, "displayOrder": place, "hidden": False}


def definition(
    given: Mapping[str, object],
    created_at: str,
    *,
    calculated: bool = False,
    read_only: bool = False,
    own: bool = True,
) -> Definition:
    """The whole definition behind what someone gave of it."""
    metadata = {"archivable": own, "readOnlyDefinition": not own, "readOnlyValue": read_only or calculated}
    return {
        "updatedAt": created_at, "createdAt": created_at, "name": "", "label": given.get("name", ""), "type": "string",
        "fieldType": "text", "description": "", "groupName": "information", "options": [], "displayOrder": -1,
        "calculated": calculated, "externalOptions": given.get("name") == "hubspot_owner_id", "archived": False,
        "hasUniqueValue": False, "hidden": False, "hubspotDefined": not own, "modificationMetadata": metadata,
        "formField": False, "dataSensitivity": "non_sensitive", **given,
    }  # fmt: skip
