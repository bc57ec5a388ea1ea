"""Refusals, worded as HubSpot words them."""

import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec

_SCOPES_LINK = "https://developers.hubspot.com/scopes"


class HubSpotError(Exception):
    """An answer that is not a success: a status and one JSON object; ``more`` is laid over its members."""

    def __init__(self, status: int, category: str, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.category = category
        self.message = message
        self.more = more

    def body(self) -> dict[str, object]:
        """The JSON body, with a correlation id of its own."""
        body: dict[str, object] = {
            "status": "error",
            "message": self.message,
            "correlationId": str(uuid.uuid4()),
        }
        return body | ({"category": self.category} if self.category else {}) | self.more


class TokenError(HubSpotError):
    """A refusal of an OAuth address: 400, whose ``status`` is the reason."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, "", message)
        self.more["status"] = reason
        self.reason = reason


def invalid(message: str, **more: object) -> HubSpotError:
    """400, for a request that does not fit."""
    return HubSpotError(HTTPStatus.BAD_REQUEST, "VALIDATION_ERROR", message, **more)


def invalid_values(problems: Sequence[Mapping[str, str]]) -> HubSpotError:
    """400, for values that properties do not take; each problem has message, error and name."""
    shown = msgspec.json.encode([{"isValid": False, **problem} for problem in problems]).decode()
    errors = [
        {
            "message": problem["message"],
            "code": problem["error"],
            "context": {"propertyName": [problem["name"]]},
        }
        for problem in problems
    ]
    return invalid(f"Property values were not valid: {shown}", errors=errors)


def no_such_address() -> HubSpotError:
    """404, for an address that leads nowhere."""
    return HubSpotError(HTTPStatus.NOT_FOUND, "", "resource not found")


def no_such_object() -> HubSpotError:
    """404, for a record that is not there, or not live."""
    return HubSpotError(
        HTTPStatus.NOT_FOUND, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric."
    )


def unauthorized() -> HubSpotError:
    """401, for a missing, unknown or revoked token."""
    message = (
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find "
        "more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview"
    )
    return HubSpotError(HTTPStatus.UNAUTHORIZED, "INVALID_AUTHENTICATION", message)


def expired(seconds: int) -> HubSpotError:
    """401, for an access token whose time is over since so many seconds."""
    message = f"The OAuth token used to make this call expired {seconds} second(s) ago."
    context = {"expire time": [f"{seconds} second(s) ago"]}
    return HubSpotError(HTTPStatus.UNAUTHORIZED, "EXPIRED_AUTHENTICATION", message, context=context)


def missing_scopes(required: Sequence[str]) -> HubSpotError:
    """403, for a token that lacks what a call needs."""
    message = (
        "This app hasn't been granted all required scopes to make this call. "
        f"Read more about required scopes here: {_SCOPES_LINK}."
    )
    error = {"message": "One or more of the following scopes are required.",
             "context": {"requiredScopes": list(required)}}  # fmt: skip
    return HubSpotError(
        HTTPStatus.FORBIDDEN, "MISSING_SCOPES", message, errors=[error], links={"scopes": _SCOPES_LINK}
    )


def rate_limited(policy: str, window: str) -> HubSpotError:
    """429: ``policy`` TEN_SECONDLY_ROLLING, SECONDLY or DAILY; ``window`` as the sentence calls it."""
    return HubSpotError(
        HTTPStatus.TOO_MANY_REQUESTS, "", f"You have reached your {window} limit.",
        errorType="RATE_LIMIT", policyName=policy, requestId=str(uuid.uuid4()),
    )  # fmt: skip


def worded(status: int) -> dict[str, object]:
    """The body of any status as HubSpot words it, for answers that go wrong on request."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return rate_limited("TEN_SECONDLY_ROLLING", "ten_secondly_rolling").body()
    if status == HTTPStatus.UNAUTHORIZED:
        return unauthorized().body()
    if status == HTTPStatus.FORBIDDEN:
        return missing_scopes(["crm.objects.deals.read"]).body()
    if status == HTTPStatus.NOT_FOUND:
        return no_such_address().body()
    return HubSpotError(status, "", "internal error").body()
