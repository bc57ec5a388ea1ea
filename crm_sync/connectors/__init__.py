"""The CRMs that can be read, by the name that a connection carries."""

from __future__ import annotations

from collections.abc import Callable

from crm_sync.connectors.base import ObjectSpec, Source
from crm_sync.connectors.hubspot.objects import OBJECTS as HUBSPOT_OBJECTS
from crm_sync.connectors.hubspot.source import open_hubspot
from crm_sync.connectors.salesforce.objects import OBJECTS
from crm_sync.connectors.salesforce.source import open_salesforce
from crm_sync.errors import SourceUnknown
from crm_sync.models import Connection

Opener = Callable[[Connection], Source]

OBJECTS_READ: dict[str, tuple[ObjectSpec, ...]] = {"salesforce": OBJECTS, "hubspot": HUBSPOT_OBJECTS}
OPENERS: dict[str, Opener] = {"salesforce": open_salesforce, "hubspot": open_hubspot}


def opener_of(source: str) -> Opener:
    """What opens a CRM of that kind, not signed in yet; it may raise ConnectionNotSetUp, CannotDecrypt. Raises: SourceUnknown."""
    try:
        return OPENERS[source]
    except KeyError:
        raise SourceUnknown(source=source, known=", ".join(OPENERS)) from None
