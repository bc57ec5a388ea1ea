"""HubSpot's refusals, sorted into what a person must mend and what passes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from crm_sync.connectors.base import BudgetSpent, ConfigurationProblem, ConnectorProblem, PassingProblem
from crm_sync.http import retry_after

DAILY = "DAILY"
_LONGEST_MESSAGE = 300


class _Context(msgspec.Struct):
    requiredScopes: list[str] = []


class _Detail(msgspec.Struct):
    message: str = ""
    context: _Context = msgspec.field(default_factory=_Context)


class _Error(msgspec.Struct):
    status: str = ""
    message: str = ""
    category: str = ""
    policyName: str = ""
    errors: list[_Detail] = []


def is_daily(content: bytes) -> bool:
    """Whether a 429 is about the day's calls, so that waiting a moment will not help."""
    return _error(content).policyName == DAILY


def api_problem(status: int, content: bytes, headers: Mapping[str, str]) -> ConnectorProblem:
    """What an unsuccessful answer means."""
    error = _error(content)
    said = f"{error.category or error.policyName or status}: {error.message or 'no reason given'}"
    said = said[:_LONGEST_MESSAGE]
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _limit(error, said, headers)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return PassingProblem(
            "crm_trouble", f"HubSpot had trouble of its own ({said}).", retry_after(headers)
        )
    if status == HTTPStatus.UNAUTHORIZED:
        return _signed_out(error, said)
    if status == HTTPStatus.FORBIDDEN:
        return _forbidden(error, said)
    return _refused(status, error, said)


def _limit(error: _Error, said: str, headers: Mapping[str, str]) -> ConnectorProblem:
    if error.policyName == DAILY:
        sentence = f"HubSpot's calls of the day are used up ({said})."
        return BudgetSpent("limit_daily", sentence, retry_after(headers))
    sentence = f"HubSpot asked for fewer calls ({said})."
    return PassingProblem("limit", sentence, retry_after(headers))


def _signed_out(error: _Error, said: str) -> ConnectorProblem:
    if error.category == "EXPIRED_AUTHENTICATION":
        sentence = f"HubSpot's access token has expired ({said}). Connect HubSpot again."
        return ConfigurationProblem("token_expired", sentence)
    sentence = (
        "HubSpot does not accept the access token: it is wrong, or was replaced or deleted in HubSpot. "
        "Copy the token of the private app again and enter it here."
    )
    return ConfigurationProblem("token_refused", sentence)


def _forbidden(error: _Error, said: str) -> ConnectorProblem:
    scopes = sorted({scope for detail in error.errors for scope in detail.context.requiredScopes})
    if error.category == "MISSING_SCOPES" or scopes:
        named = ", ".join(scopes) or "one that HubSpot does not name"
        sentence = f"The private app lacks a scope: {named}. Add it in HubSpot under the app's scopes, then test again."
        return ConfigurationProblem("scope_missing", sentence)
    return ConfigurationProblem("forbidden", f"HubSpot does not allow this ({said}). Check the app's rights.")


def _refused(status: int, error: _Error, said: str) -> ConnectorProblem:
    if error.status == "BAD_REFRESH_TOKEN":
        sentence = "HubSpot no longer knows the consent that was given. Connect HubSpot again."
        return ConfigurationProblem("consent_lost", sentence)
    if status == HTTPStatus.NOT_FOUND:
        sentence = f"HubSpot does not know what was asked for ({said}). Check the address of the connection."
        return ConfigurationProblem("not_found", sentence)
    if status == HTTPStatus.REQUEST_URI_TOO_LONG:
        sentence = "More fields are mapped than fit into one request to HubSpot. Map fewer custom fields."
        return ConfigurationProblem("too_many_fields", sentence)
    code = (error.category or "refused").lower()[:60]
    return ConfigurationProblem(code, f"HubSpot refused the request ({said}).")


def _error(content: bytes) -> _Error:
    try:
        return msgspec.json.decode(content, type=_Error)
    except msgspec.DecodeError:
        return _Error()
