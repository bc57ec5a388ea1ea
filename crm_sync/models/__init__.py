"""Connections and runs (``sync``), and the mirror of what the CRM holds (``mirror``)."""

from crm_sync.models.mirror import Account, Activity, Contact, ContactRole, Opportunity, Owner, StageChange
from crm_sync.models.sync import (
    ACTIVE_STATES,
    Connection,
    ConnectionState,
    RejectedRow,
    RunState,
    RunTrigger,
    SeenRow,
    SyncCursor,
    SyncObjectResult,
    SyncRun,
    SyncSchedule,
    TouchedDeal,
)

__all__ = [
    "ACTIVE_STATES",
    "Account",
    "Activity",
    "Connection",
    "ConnectionState",
    "Contact",
    "ContactRole",
    "Opportunity",
    "Owner",
    "RejectedRow",
    "RunState",
    "RunTrigger",
    "SeenRow",
    "StageChange",
    "SyncCursor",
    "SyncObjectResult",
    "SyncRun",
    "SyncSchedule",
    "TouchedDeal",
]
