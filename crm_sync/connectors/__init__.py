"""The CRMs that can be read, by the name that a connection carries."""

from __future__ import annotations

from collections.abc import Callable

from crm_sync.connectors.base import ObjectSpec, Source
from crm_sync.connectors.salesforce.client import Credentials
from crm_sync.connectors.salesforce.objects import OBJECTS
from crm_sync.connectors.salesforce.source import SalesforceSource
from crm_sync.errors import SourceUnknown

OBJECTS_READ: dict[str, tuple[ObjectSpec, ...]] = {"salesforce": OBJECTS}
OPENERS: dict[str, Callable[[Credentials], Source]] = {"salesforce": SalesforceSource}


def opener_of(source: str) -> Callable[[Credentials], Source]:
    """What opens a CRM of that kind. Raises: SourceUnknown, naming those that there are."""
    try:
        return OPENERS[source]
    except KeyError:
        raise SourceUnknown(source=source, known=", ".join(OPENERS)) from None
