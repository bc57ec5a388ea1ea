"""Salesforce's refusals, sorted into what a person must mend and what passes."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from crm_sync.connectors.base import (
    BudgetSpent,
    ConfigurationProblem,
    ConnectorProblem,
    PassingProblem,
    PlaceLost,
)
from crm_sync.http import retry_after

# errorCodes that pass although their status says that the request was wrong.
_PASSING = {
    "QUERY_TIMEOUT", "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW", "UNKNOWN_EXCEPTION",
    "INVALID_SESSION_ID",
}  # fmt: skip
_PLACE_LOST = {"INVALID_QUERY_LOCATOR", "INVALIDJOBSTATE"}
_NO_API = "not valid for use with the REST API"
_LONGEST_MESSAGE = 300


class _ApiError(msgspec.Struct):
    message: str = ""
    errorCode: str = ""


class _OAuthError(msgspec.Struct):
    error: str = ""
    error_description: str = ""


def api_problem(status: int, content: bytes, headers: Mapping[str, str]) -> ConnectorProblem:
    """What an unsuccessful answer of the data API means."""
    error = _api_error(content)
    said = f"{error.errorCode or status}: {error.message or 'no reason given'}"[:_LONGEST_MESSAGE]
    if error.errorCode in _PLACE_LOST:
        return PlaceLost("place_lost", f"Salesforce no longer knows where the reading stopped ({said}).")
    if _is_limit(status, error):
        sentence = f"Salesforce's limit of calls is used up for now ({said}). The sync keeps its place and goes on later."
        return BudgetSpent("limit", sentence, retry_after(headers))
    if error.errorCode == "INVALID_SESSION_ID" and _NO_API in error.message:
        sentence = f"Salesforce let the app in, but not to its data ({said}). Add the scope “api” to the connected app."
        return ConfigurationProblem("scope_missing", sentence)
    if error.errorCode in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return PassingProblem(
            "crm_trouble", f"Salesforce had trouble of its own ({said}).", retry_after(headers)
        )
    if status == HTTPStatus.NOT_FOUND:
        return ConfigurationProblem("not_found", f"Salesforce does not know what was asked for ({said}).")
    code = (error.errorCode or "refused").lower()[:60]
    return ConfigurationProblem(
        code, f"Salesforce refused the request ({said}). Check the rights of its integration user."
    )


def _is_limit(status: int, error: _ApiError) -> bool:
    is_said = error.errorCode == "REQUEST_LIMIT_EXCEEDED" or "per 24 hrs has been reached" in error.message
    return is_said or status == HTTPStatus.TOO_MANY_REQUESTS


def _api_error(content: bytes) -> _ApiError:
    try:
        errors = msgspec.json.decode(content, type=list[_ApiError])
    except msgspec.DecodeError:
        return _ApiError()
    return errors[0] if errors else _ApiError()


def sign_in_problem(status: int, content: bytes, headers: Mapping[str, str]) -> ConnectorProblem:
    """What an unsuccessful answer of the token address means."""
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return PassingProblem(
            "sign_in_trouble",
            f"Salesforce's sign-in had trouble of its own ({status}).",
            retry_after(headers),
        )
    try:
        error = msgspec.json.decode(content, type=_OAuthError)
    except msgspec.DecodeError:
        error = _OAuthError()
    if "already being processed" in error.error_description:
        return PassingProblem("sign_in_busy", "Salesforce was busy with another sign-in of this connection.")
    if not error.error:
        sentence = (
            f"The login address did not answer as Salesforce does ({status}). Use your My Domain address."
        )
        return ConfigurationProblem("not_salesforce", sentence)
    return ConfigurationProblem(f"sign_in_{error.error}"[:60], _sign_in_sentence(error))


def refresh_problem(status: int, content: bytes, headers: Mapping[str, str]) -> ConnectorProblem:
    """What an unsuccessful answer to a refresh token means: most often that the consent was taken back."""
    problem = sign_in_problem(status, content, headers)
    if problem.code != "sign_in_invalid_grant":
        return problem
    return ConfigurationProblem(
        "sign_in_revoked",
        "Salesforce no longer accepts the consent that was given: it was taken back, or has run out. Reconnect it under Settings, CRM.",
    )


def consent_problem(status: int, content: bytes, headers: Mapping[str, str]) -> ConnectorProblem:
    """What an unsuccessful answer to a consent's code means."""
    problem = sign_in_problem(status, content, headers)
    if problem.code != "sign_in_invalid_grant":
        return problem
    return ConfigurationProblem(
        "sign_in_invalid_grant",
        f"Salesforce did not give tokens for this consent ({_said(msgspec.json.decode(content, type=_OAuthError))}). Connect once more, within ten minutes.",
    )


def _said(error: _OAuthError) -> str:
    return f"{error.error}: {error.error_description}"[:_LONGEST_MESSAGE].rstrip(": ")


def _sign_in_sentence(error: _OAuthError) -> str:
    said = _said(error)
    if error.error in {"invalid_client_id", "invalid_client", "invalid_grant"}:
        return f"Salesforce does not accept the client id and secret ({said}). Enter those of the connected app again."
    return f"Salesforce refused the sign-in ({said}). Check the connected app's client-credentials flow and its run-as user."
