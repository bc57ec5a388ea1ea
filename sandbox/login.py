"""The OAuth addresses."""

from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.errors import not_found
from sandbox.world import Json, session_of, world_of


async def _form(request: Request) -> dict[str, str]:
    """A form-encoded body; chunked bodies too, and parameters of the address where there is no body."""
    body = (await request.body()).decode("utf-8", "replace")
    return dict(request.query_params) | dict(parse_qsl(body, keep_blank_values=True))


def base_url(request: Request) -> str:
    """``http://host:port`` as the client wrote it."""
    return f"{request.url.scheme}://{request.url.netloc}"


async def _token(request: Request) -> Response:
    form, basic = await _form(request), request.headers.get("authorization", "")
    answer = await run_in_threadpool(world_of(request).sessions.token, form, basic, base_url(request))
    return Json(answer, headers={"Cache-Control": "no-cache, no-store"})


def _authorize(request: Request) -> Response:
    return RedirectResponse(world_of(request).sessions.authorize(request.query_params), status_code=302)


async def _revoke(request: Request) -> Response:
    form = await _form(request)
    await run_in_threadpool(world_of(request).sessions.revoke, form.get("token", ""))
    return Response()


def _userinfo(request: Request) -> Response:
    session = session_of(request)
    sql = 'SELECT "Username", "Name", "FirstName", "LastName", "Email", "TimeZoneSidKey" FROM "User" WHERE "Id" = ?'
    row = session.org.database.reader.execute(sql, (session.user_id,)).fetchone() or (None,) * 6
    username, name, first, last, email, zone = row
    return Json({
        "sub": f"{base_url(request)}/id/{session.org.organisation_id}/{session.user_id}", "user_id": session.user_id,
        "organization_id": session.org.organisation_id, "preferred_username": username, "nickname": username,
        "name": name, "given_name": first, "family_name": last, "email": email, "email_verified": True,
        "zoneinfo": zone, "user_type": "STANDARD", "language": "en_US", "locale": "en_US", "active": True,
    })  # fmt: skip


def _identity(request: Request) -> Response:
    session = session_of(request)
    if request.path_params["org_id"] != session.org.organisation_id:
        raise not_found()
    return _userinfo(request)


_OAUTH = "/services/oauth2"
ROUTES: list[BaseRoute] = [
    Route(f"{_OAUTH}/token", _token, methods=["POST"]),
    Route(f"{_OAUTH}/authorize", _authorize),
    Route(f"{_OAUTH}/revoke", _revoke, methods=["POST", "GET"]),
    Route(f"{_OAUTH}/userinfo", _userinfo, methods=["GET", "POST"]),
    Route("/id/{org_id}/{user_id}", _identity),
]
