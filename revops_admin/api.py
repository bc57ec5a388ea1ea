"""How the API says no: one shape for every refusal."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from isolation import refusals
from isolation.errors import DomainError, NotFound

_NO_JSON = "The body cannot be read. Send JSON, such as {}, with the header Content-Type: application/json."


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: domain refusals and DRF's own, in one envelope; anything else stays a failure."""
    if isinstance(error, DomainError):
        set_rollback()
        refusals.tell(error)
        return _problem(int(error.status), error.code, error.message, error.field)
    if isinstance(error, Http404):
        error = exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.ParseError):
        error = exceptions.ParseError(_NO_JSON)
    if isinstance(error, exceptions.APIException):
        set_rollback()
        return _of_rest_framework(error)
    return None


def _of_rest_framework(error: exceptions.APIException) -> Response:
    response = _problem(error.status_code, str(error.default_code), *_first(error.detail))
    if isinstance(error, exceptions.NotAuthenticated):
        response["WWW-Authenticate"] = "Session"
    return response


def _first(detail: Any, field: str | None = None) -> tuple[str, str | None]:
    """The first sentence of DRF's nested details, and the field it is about."""
    if isinstance(detail, dict) and detail:
        name, inner = next(iter(detail.items()))
        return _first(inner, str(name))
    if isinstance(detail, list) and detail:
        return _first(detail[0], field)
    return str(detail), field


def _problem(status: int, code: str, message: str, field: str | None) -> Response:
    return Response({"error": {"code": code, "message": message, "field": field}}, status=status)


class UnknownAddress(APIView):
    """An address of the API that does not exist: the envelope of every other refusal, not a page."""

    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse every method."""
        raise NotFound(what="API endpoint at this address")
