"""Refusals, worded as Salesforce words them."""

from http import HTTPStatus


class ApiError(Exception):
    """An answer of Salesforce's data API that is not a success: a status and a JSON array of one error."""

    def __init__(self, status: int, code: str, message: str, fields: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields

    def body(self) -> list[dict[str, object]]:
        """The JSON body; ``fields`` is there only where fields are at fault."""
        error: dict[str, object] = {"message": self.message, "errorCode": self.code}
        if self.fields:
            error["fields"] = list(self.fields)
        return [error]


class OAuthError(Exception):
    """A refusal of an OAuth address: 400 with ``error`` and ``error_description``."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class SetupError(Exception):
    """The server cannot start as asked; the message is one line for the person who started it."""


def not_found(message: str = "The requested resource does not exist") -> ApiError:
    """404, for an address that leads nowhere."""
    return ApiError(HTTPStatus.NOT_FOUND, "NOT_FOUND", message)


def malformed(message: str) -> ApiError:
    """400, for SOQL that does not parse."""
    return ApiError(HTTPStatus.BAD_REQUEST, "MALFORMED_QUERY", message)


def invalid_session() -> ApiError:
    """401, for a missing, unknown or expired access token."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "INVALID_SESSION_ID", "Session expired or invalid")
