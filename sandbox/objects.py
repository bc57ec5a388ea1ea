"""What each standard object holds: one line a field: name, type, and what it refers to or may be.

``*`` behind a type: required when a record is created; ``!``: set by the server. The choice and the types follow Salesforce's object
reference, cut down to the fields that sales operations read. ``=`` behind a type: a formula, which is all that follows.
"""

STAGES: dict[str, tuple[int, str, str]] = {
    "Qualification": (10, "Pipeline", "Pipeline"),
    "Discovery": (20, "Pipeline", "Pipeline"),
    "Demo/POC": (40, "Pipeline", "Pipeline"),
    "Proposal": (60, "BestCase", "Best Case"),
    "Negotiation": (80, "Forecast", "Commit"),
    "Closed Won": (100, "Closed", "Closed"),
    "Closed Lost": (0, "Omitted", "Omitted"),
}
"""Probability in per cent, ForecastCategory and ForecastCategoryName of each stage, in the order of the sale."""

LEAD_SOURCES = ("Web", "Referral", "Partner", "Outbound", "Event", "Inbound Call")
DEAL_TYPES = ("New Business", "Expansion", "Renewal")
INDUSTRIES = (
    "Manufacturing",
    "Healthcare",
    "Finance",
    "Retail",
    "Technology",
    "Logistics",
    "Energy",
    "Education",
)
ROLES_ON_A_DEAL = ("Decision Maker", "Economic Buyer", "Influencer", "Technical Buyer", "Business User")

_AUDIT = """
CreatedDate datetime!
CreatedById reference! User
LastModifiedDate datetime!
LastModifiedById reference! User
SystemModstamp datetime!
IsDeleted boolean!
"""

_ADDRESS = """
BillingStreet textarea BillingAddress
BillingCity string BillingAddress
BillingState string BillingAddress
BillingPostalCode string BillingAddress
BillingCountry string BillingAddress
BillingAddress address!
"""

_USER_ROLE = """
Id id!
Name string*
ParentRoleId reference UserRole
DeveloperName string
LastModifiedDate datetime!
SystemModstamp datetime!
"""

_USER = """
Id id!
Username string*
FirstName string
LastName string*
Name string!
Email email*
Title string
Department string
Division string
Alias string
IsActive boolean
UserType picklist Standard
UserRoleId reference UserRole
ManagerId reference User
ProfileId reference Profile
TimeZoneSidKey picklist America/Los_Angeles|America/New_York|Europe/London|Asia/Kolkata
CreatedDate datetime!
LastModifiedDate datetime!
SystemModstamp datetime!
"""

_OPPORTUNITY_STAGE = """
Id id!
MasterLabel string*
ApiName string
IsActive boolean
SortOrder int
IsClosed boolean
IsWon boolean
ForecastCategory picklist Omitted|Pipeline|BestCase|Forecast|Closed
ForecastCategoryName picklist Omitted|Pipeline|Best Case|Commit|Closed
DefaultProbability percent
Description string
CreatedById reference! User
CreatedDate datetime!
LastModifiedById reference! User
LastModifiedDate datetime!
SystemModstamp datetime!
"""

_ACCOUNT = f"""
Id id!
MasterRecordId reference! Account
Name string*
Type picklist Prospect|Customer|Partner
Industry picklist {"|".join(INDUSTRIES)}
AnnualRevenue currency
NumberOfEmployees int
OwnerId reference User
ParentId reference Account
Website url
Phone phone{_ADDRESS}LastActivityDate date!{_AUDIT}"""

_CONTACT = f"""
Id id!
MasterRecordId reference! Contact
AccountId reference Account
FirstName string
LastName string*
Name string!
Email email
Phone phone
Title string
Department string
LeadSource picklist {"|".join(LEAD_SOURCES)}
OwnerId reference User{_AUDIT}"""

_OPPORTUNITY = f"""
Id id!
Name string*
AccountId reference Account
OwnerId reference User
StageName picklist* {"|".join(STAGES)}
Amount currency
Probability percent
ExpectedRevenue currency!
CloseDate date*
Type picklist {"|".join(DEAL_TYPES)}
LeadSource picklist {"|".join(LEAD_SOURCES)}
NextStep string
Description textarea
ForecastCategory picklist! Omitted|Pipeline|BestCase|Forecast|Closed
ForecastCategoryName picklist Omitted|Pipeline|Best Case|Commit|Closed
IsClosed boolean!
IsWon boolean!
PushCount int!
LastActivityDate date!
LastStageChangeDate datetime!{_AUDIT}"""

_OPPORTUNITY_CONTACT_ROLE = f"""
Id id!
OpportunityId reference* Opportunity
ContactId reference* Contact
Role picklist {"|".join(ROLES_ON_A_DEAL)}
IsPrimary boolean{_AUDIT}"""

_OPPORTUNITY_HISTORY = f"""
Id id!
OpportunityId reference! Opportunity
StageName picklist! {"|".join(STAGES)}
Amount currency!
PrevAmount currency!
CloseDate date!
PrevCloseDate date!
Probability percent!
ExpectedRevenue currency!
ForecastCategory picklist! Omitted|Pipeline|BestCase|Forecast|Closed
CreatedDate datetime!
CreatedById reference! User
SystemModstamp datetime!
IsDeleted boolean!
"""

_TASK = f"""
Id id!
Subject combobox
WhoId reference Contact
WhatId reference Opportunity
AccountId reference! Account
OwnerId reference User
Status picklist Not Started|In Progress|Completed|Waiting on someone else|Deferred
Priority picklist High|Normal|Low
ActivityDate date
IsClosed boolean!
TaskSubtype picklist Task|Email|Call
Description textarea
CompletedDateTime datetime!{_AUDIT}"""

_EVENT = f"""
Id id!
Subject combobox
WhoId reference Contact
WhatId reference Opportunity
AccountId reference! Account
OwnerId reference User
Location string
StartDateTime datetime*
EndDateTime datetime
DurationInMinutes int
ActivityDate date
ActivityDateTime datetime
IsAllDayEvent boolean
Description textarea{_AUDIT}"""

_OPPORTUNITY_FIELD_HISTORY = """
Id id!
OpportunityId reference! Opportunity
Field picklist! StageName|Amount|CloseDate|Owner|created
DataType picklist! DynamicEnum|Currency|DateOnly|EntityId|Text
OldValue anyType!
NewValue anyType!
CreatedDate datetime!
CreatedById reference! User
IsDeleted boolean!
"""

DECLARATIONS: dict[str, tuple[str, str]] = {
    "UserRole": ("00E", _USER_ROLE),
    "User": ("005", _USER),
    "OpportunityStage": ("01J", _OPPORTUNITY_STAGE),
    "Account": ("001", _ACCOUNT),
    "Contact": ("003", _CONTACT),
    "Opportunity": ("006", _OPPORTUNITY),
    "OpportunityContactRole": ("00K", _OPPORTUNITY_CONTACT_ROLE),
    "OpportunityHistory": ("008", _OPPORTUNITY_HISTORY),
    "OpportunityFieldHistory": ("017", _OPPORTUNITY_FIELD_HISTORY),
    "Task": ("00T", _TASK),
    "Event": ("00U", _EVENT),
}
"""Key prefix and field lines of each object."""

CUSTOM_FIELDS: dict[str, str] = {
    "Opportunity": """
Region__c picklist North America|EMEA|APAC|LATAM
Contract_Value__c currency
Renewal_Date__c date
Is_Strategic__c boolean
Notes__c textarea
Account_Industry__c string= TEXT(Account.Industry)
Days_Open__c double= IF(IsClosed, CloseDate, TODAY()) - DATEVALUE(CreatedDate)
Weighted_Value__c currency= BLANKVALUE(Contract_Value__c, Amount) * Probability / 100
""",
}
"""What an administrator has added to the objects of a generated organisation; a data directory brings its own."""
