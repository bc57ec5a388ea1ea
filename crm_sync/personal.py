"""The personal data that comes from a CRM: contacts, and texts in which their numbers and addresses may stand."""

from __future__ import annotations

from crm_sync.permissions import CONTACT_DATA
from rbac.redaction.reading import register

CRM_CONTACTS = register("contact data of the CRM", CONTACT_DATA)
