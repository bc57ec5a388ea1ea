"""Before a call is answered: whose it is, whether the address is too long, and whether a limit is reached."""

import math
import re
import uuid
from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.hubspot.errors import HubSpotError
from sandbox.hubspot.portals import Portal, Portals
from sandbox.world import Json

PREFIXES = ("/crm/", "/account-info/", "/crm-object-schemas/", "/oauth/")
_METERED = ("/crm/", "/account-info/", "/crm-object-schemas/")
_PORTAL_PATH = re.compile(r"(/_sandbox)?/portals/([^/]+)(/.*|$)")
_LONGEST_ADDRESS = 16_000
_TOO_LONG = (  # the proxy before HubSpot says it, and not in JSON
    "<html><head><title>414 Request-URI Too Large</title></head>"
    "<body><center><h1>414 Request-URI Too Large</h1></center></body></html>"
)
_WITHOUT_HEADERS = "/search"


class PortalPaths:
    """Sends what is meant for portals to their application, and everything else on to ``other``.

    ``/portals/NAME`` comes off the front of addresses; at the root the token decides which portal is meant.
    """

    def __init__(self, app: ASGIApp, other: ASGIApp, portals: Portals) -> None:
        self._app = app
        self._other = other
        self._portals = portals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        match = _PORTAL_PATH.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if match is not None:
            control, name, rest = match.groups()
            await self._go(scope, receive, send, (control or "") + rest, name)
        elif scope["type"] == "http" and self._portals and scope["path"].startswith(PREFIXES):
            await self._go(scope, receive, send, scope["path"], None)
        else:
            await self._other(scope, receive, send)

    async def _go(self, scope: Scope, receive: Receive, send: Send, path: str, name: str | None) -> None:
        token = Headers(scope=scope).get("authorization", "").partition(" ")[2].strip()
        portal = self._portal(name, token)
        if name is not None and portal is None:
            await _refuse(HubSpotError(HTTPStatus.NOT_FOUND, "", "resource not found"), scope, receive, send)
            return
        path = path.rstrip("/") or "/"
        known = portal.name if portal else None
        state = {
            **scope.get("state", {}),
            "portal": portal,
            "portal_name": name,
            "org_name": known,
            "token": token,
        }
        await self._app({**scope, "path": path, "raw_path": path.encode(), "state": state}, receive, send)

    def _portal(self, name: str | None, token: str) -> Portal | None:
        if name is not None:
            return self._portals.get(name)
        return next((portal for portal in self._portals.values() if portal.tokens.knows(token)), None)


class Meter:
    """Counts the calls of each portal, turns those away that go beyond a limit, and tells what is left of it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        portal: Portal | None = scope["state"]["portal"] if scope["type"] == "http" else None
        if portal is None or not scope["path"].startswith(_METERED):
            await self._app(scope, receive, send)
            return
        portal.traffic.started()
        try:
            await self._metered(portal, scope, receive, _told(portal, scope, send))
        finally:
            portal.traffic.in_flight -= 1

    async def _metered(self, portal: Portal, scope: Scope, receive: Receive, send: Send) -> None:
        if len(scope["path"]) + len(scope["query_string"]) > _LONGEST_ADDRESS:
            await HTMLResponse(_TOO_LONG, status_code=HTTPStatus.REQUEST_URI_TOO_LONG)(scope, receive, send)
            return
        portal.tokens.count_down()
        if not portal.tokens.knows(scope["state"]["token"]):
            await self._app(scope, receive, send)
            return
        refusal = portal.traffic.admit(is_search=_is_search(scope))
        if refusal is None:
            await self._app(scope, receive, send)
            return
        error, seconds = refusal
        headers = {"Retry-After": str(math.ceil(seconds))} if portal.switches.with_retry_after else {}
        await _refuse(error, scope, receive, send, headers)


def _is_search(scope: Scope) -> bool:
    path: str = scope["path"]
    return path.endswith(_WITHOUT_HEADERS)


def _told(portal: Portal, scope: Scope, send: Send) -> Send:
    """``send``, that counts the answer and adds the headers about limits; answers to searches go without those."""

    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            correlation = (b"x-hubspot-correlation-id", str(uuid.uuid4()).encode())
            message = {**message, "headers": [*message.get("headers", ()), correlation]}
            portal.traffic.note(scope["method"], scope["path"], message["status"])
            if not _is_search(scope):
                message["headers"] += portal.traffic.headers()
        await send(message)

    return telling


async def _refuse(
    error: HubSpotError, scope: Scope, receive: Receive, send: Send, headers: dict[str, str] | None = None
) -> None:
    await Json(error.body(), status_code=error.status, headers=headers)(scope, receive, send)
