"""The ASGI application: addresses, errors, and what happens around each request."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from anyio import to_thread
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox import composite, control, jobs, login, page, rest
from sandbox.errors import ApiError, OAuthError, not_found
from sandbox.faults import FaultMiddleware
from sandbox.hubspot.app import with_portals
from sandbox.limits import limit_info
from sandbox.orgs import Org
from sandbox.world import Json, World

_THREADS = 12  # each keeps a database connection with its cache
_LONGEST_ADDRESS = 16_384
_ORG_PATH = re.compile(r"(/_sandbox)?/orgs/([^/]+)(/.*|$)")
_ID = re.compile(r"(?<=/)(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{15,18}(-\d+)?(?=/|$)")


def make_app(world: World) -> ASGIApp:
    """The application over a world."""
    app = Starlette(
        routes=[*page.ROUTES, *control.ROUTES, *login.ROUTES, *jobs.ROUTES, *composite.ROUTES, *rest.ROUTES],
        exception_handlers={ApiError: _api_error, OAuthError: _oauth_error, HTTPException: _http_error},
        lifespan=_lifespan,
    )
    app.state.world = world
    salesforce = OrgPaths(CallCounter(FaultMiddleware(app, world.faults, expire=world.expire), world), world)
    return with_portals(salesforce, world.portals)


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield
    app.state.world.close()


def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return Json(error.body(), status_code=error.status)


def _oauth_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OAuthError)
    body = {"error": error.error, "error_description": error.description}
    return Json(body, status_code=HTTPStatus.BAD_REQUEST)


def _http_error(request: Request, error: Exception) -> Response:
    """An address or a method that there is not, in the form of the data API."""
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        message = f"HTTP Method '{request.method}' not allowed. Allowed are {(error.headers or {}).get('Allow', '')}"
        return Json(
            ApiError(error.status_code, "METHOD_NOT_ALLOWED", message).body(), status_code=error.status_code
        )
    return Json(not_found().body(), status_code=error.status_code)


class OrgPaths:
    """Takes ``/orgs/NAME`` off the front of addresses, and a slash off their end; remembers the name, or the token's."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if len(scope["raw_path"]) + len(scope["query_string"]) > _LONGEST_ADDRESS:
            await Response("URI Too Long", status_code=HTTPStatus.REQUEST_URI_TOO_LONG)(scope, receive, send)
            return
        path, name = _split(scope["path"])
        if name is None and path.startswith("/services/data/"):
            name = self._world.sessions.org_name_of(Headers(scope=scope).get("authorization", ""))
        state = {**scope.get("state", {}), "org_name": name, "org": None}
        if "//" in path or name not in {None, *self._world.orgs}:
            await Json(not_found().body(), status_code=HTTPStatus.NOT_FOUND)(scope, receive, send)
            return
        await self._app({**scope, "path": path, "raw_path": path.encode(), "state": state}, receive, send)


def _split(path: str) -> tuple[str, str | None]:
    match = _ORG_PATH.fullmatch(path)
    if match is None:
        return path.rstrip("/") or "/", None
    control_prefix, name, rest_ = match.groups()
    return ((control_prefix or "") + rest_).rstrip("/") or "/", name


class CallCounter:
    """Counts the calls of each organisation, and tells its use of the daily limit with every answer."""

    def __init__(self, app: ASGIApp, world: World) -> None:
        self._app = app
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith("/services/"):
            await self._app(scope, receive, send)
            return

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                org = self._org_of(scope)
                key = (scope["method"], _ID.sub("{id}", scope["path"]), message["status"])
                org.calls[key] = org.calls.get(key, 0) + 1
                info = limit_info(org.rules.limits, org.usage.calls, org.client_id)
                extra = [(b"sforce-limit-info", info.encode())] if info else []
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        await self._in_traffic(scope, receive, counting)

    async def _in_traffic(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The call, counted as in flight until its last byte is sent; or a refusal, where too many are."""
        org = self._org_of(scope)
        try:
            org.traffic.begin(org.rules.limits.concurrent)
        except ApiError as refusal:
            await Json(refusal.body(), status_code=refusal.status)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            org.traffic.end()

    def _org_of(self, scope: Scope) -> Org:
        """The organisation that the request turned out to be for; the first one, where that never came out."""
        found: Org | None = scope["state"].get("org")
        name = scope["state"].get("org_name")
        return found or (self._world.orgs[name] if name else next(iter(self._world.orgs.values())))
