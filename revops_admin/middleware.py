"""What every answer gets: the content-security policy, and domain refusals as pages."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from isolation import refusals
from isolation.errors import DomainError, InvalidInput

_NUL = "The address holds the character NUL (%00), which nothing here can be called. Take it out."
GetResponse = Callable[[HttpRequest], HttpResponseBase]


class ContentSecurityPolicy:
    """Nothing loads from another host, and no script or style stands inside a page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        return response


class DomainErrors:
    """A refusal that no view caught becomes a page with its sentence and its status."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # PostgreSQL's text holds no NUL, so no row could match: said here once for every parameter of every page.
        if "%00" in request.get_full_path():
            return self._refused(request, InvalidInput(problem=_NUL))
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer a DomainError; everything else stays a failure of the program."""
        if not isinstance(exception, DomainError):
            return None
        refusals.tell(exception)
        return self._refused(request, exception)

    def _refused(self, request: HttpRequest, refusal: DomainError) -> HttpResponse:
        if request.path.startswith("/api/"):
            error = {"code": refusal.code, "message": refusal.message, "field": refusal.field}
            return JsonResponse({"error": error}, status=refusal.status)
        return render(request, "refusal.html", {"refusal": refusal}, status=refusal.status)
