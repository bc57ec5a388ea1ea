"""Why runs fail, in a handful of classes, each with what to do: the codes are for programs, the classes for people.

Every code that a connector or the engine can raise is listed here; a test reads their sources and fails for one that is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from django.db import models
from django.db.models import Q


class FailureClass(models.TextChoices):
    """Whose trouble it is, and so who can end it."""

    SCHEMA = "schema", "Schema mismatch"
    TIMEOUT = "timeout", "Time-out"
    AUTH = "auth", "Sign-in or rights"
    LIMITS = "limits", "Resource limits"
    CRM = "crm", "CRM trouble"
    PROGRAM = "program", "Program error"


WHAT_TO_DO: Mapping[FailureClass, str] = MappingProxyType(
    {
        FailureClass.SCHEMA: "Compare the field mapping with the CRM's fields, mend what was removed or renamed, then sync again.",
        FailureClass.TIMEOUT: "Wait: the sync goes on by itself. If it happens every time, ask the CRM's admin whether it is slow or cut off.",
        FailureClass.AUTH: "Check the address, the credentials and the rights of the CRM user, then test the connection.",
        FailureClass.LIMITS: "Wait until the CRM's limit is free again: the sync goes on by itself. "
        "Sync less often, or leave other programs a smaller reserve, if it happens daily.",
        FailureClass.CRM: "Wait: the sync tries again by itself. If it lasts, look at the CRM's own status page.",
        FailureClass.PROGRAM: "Tell whoever operates this installation: the reason is in the program's log.",
    }
)
"""One sentence for each class."""

CODES: Mapping[FailureClass, frozenset[str]] = MappingProxyType(
    {
        FailureClass.SCHEMA: frozenset(
            {"field_missing", "object_missing", "invalid_field", "invalid_type", "malformed_query", "invalidentity", "not_found",
             "too_many_fields", "validation_error"}
        ),
        FailureClass.TIMEOUT: frozenset({"timeout", "job_slow", "connection_lost", "name_unknown"}),
        FailureClass.AUTH: frozenset(
            {"address_not_https", "address_invalid", "address_private", "not_salesforce", "forbidden", "token_refused",
             "token_expired", "scope_missing", "consent_lost", "consent_insufficient", "insufficient_access",
             "api_disabled_for_org", "api_currently_disabled", "refused", "crm_sync.connection_not_set_up",
             "crm_sync.source_unknown"}
        ),
        FailureClass.LIMITS: frozenset(
            {"limit", "limit_daily", "limits_unknown", "budget_spent", "exceeded_id_limit", "body_too_long"}
        ),
        FailureClass.CRM: frozenset(
            {"crm_trouble", "sign_in_trouble", "sign_in_busy", "not_json", "odd_answer", "page_unreadable", "page_cut",
             "rows_missing", "place_lost", "job_forgotten", "job_failed"}
        ),
        FailureClass.PROGRAM: frozenset({"internal", "crm_sync.cannot_decrypt"}),
    }
)  # fmt: skip
"""Which class a code is of. No code is in two."""

AUTH_PREFIX = "sign_in_"
"""Codes that repeat the CRM's own word begin with this where its sign-in address refused."""

_CLASS_OF = {code: kind for kind, codes in CODES.items() for code in codes}


def class_of(code: str) -> FailureClass | None:
    """The class of a run's or connection's error code; None for no error.

    A code that is the CRM's own word and is not listed counts as a refusal of the CRM.
    """
    if not code:
        return None
    known = _CLASS_OF.get(code)
    if known is not None:
        return known
    return FailureClass.AUTH if code.startswith(AUTH_PREFIX) else FailureClass.CRM


def what_to_do(code: str) -> str:
    """One sentence that says what ends this trouble; "" for no error."""
    found = class_of(code)
    return WHAT_TO_DO[found] if found else ""


def of_class(wanted: FailureClass) -> Q:
    """The rows whose ``error_code`` is of that class; agrees with ``class_of``."""
    listed = Q(error_code__in=CODES[wanted])
    unlisted = ~Q(error_code__in=[*_CLASS_OF, ""])
    by_prefix = Q(error_code__startswith=AUTH_PREFIX)
    if wanted is FailureClass.AUTH:
        return listed | (unlisted & by_prefix)
    return listed | (unlisted & ~by_prefix) if wanted is FailureClass.CRM else listed
