"""The application that portals are served by."""

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from sandbox.faults import FaultMiddleware, Faults
from sandbox.hubspot import account, associations, control, oauth, objects, search, settings
from sandbox.hubspot.errors import HubSpotError, no_such_address, worded
from sandbox.hubspot.gate import PREFIXES, Meter, PortalPaths
from sandbox.hubspot.portals import Portals
from sandbox.world import Json


def with_portals(other: ASGIApp, portals: Portals) -> ASGIApp:
    """``other``, with the portals beside it."""
    app = Starlette(
        routes=[
            *control.ROUTES, *oauth.ROUTES, *search.ROUTES, *associations.ROUTES, *account.ROUTES, *settings.ROUTES, *objects.ROUTES,
        ],
        exception_handlers={HubSpotError: _error, HTTPException: _http_error},
    )  # fmt: skip
    app.state.portals = portals
    app.state.faults = faults = Faults()

    def expire(name: str | None) -> None:
        for portal in portals.values():
            if name in {None, portal.name}:
                portal.tokens.expire()

    return PortalPaths(Meter(FaultMiddleware(app, faults, PREFIXES, worded, expire)), other, portals)


def _error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HubSpotError)
    return Json(error.body(), status_code=error.status)


def _http_error(request: Request, error: Exception) -> Response:
    """An address or a method that there is not."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        refusal = HubSpotError(error.status_code, "", f"{request.method} is not allowed on this resource")
        return Json(refusal.body(), status_code=error.status_code, headers=dict(error.headers or {}))
    return Json(no_such_address().body(), status_code=error.status_code)
