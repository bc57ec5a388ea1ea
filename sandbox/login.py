"""The OAuth addresses."""

from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.consent import consent_page
from sandbox.errors import not_found
from sandbox.oauth import Refused, Session
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
    answer = await run_in_threadpool(
        world_of(request).sessions.token, form, basic, base_url(request),
        is_below_org=request.state.org_name is not None,
    )  # fmt: skip
    return Json(answer, headers={"Cache-Control": "no-cache, no-store"})


async def _authorize(request: Request) -> Response:
    """Lets the browser in at once, or asks the person with a page; the page's form comes back here."""
    query = dict(request.query_params) | (await _form(request) if request.method == "POST" else {})
    try:
        asked = world_of(request).sessions.request(query)
    except Refused as refused:
        return RedirectResponse(refused.address, status_code=302)
    if asked.wants_consent and "decision" not in query:
        return consent_page(asked, query)
    if query.get("decision", "allow") != "allow":
        denied = asked.redirected(error="access_denied", error_description="end-user denied authorization")
        return RedirectResponse(denied, status_code=302)
    address = await run_in_threadpool(world_of(request).sessions.allow, asked)
    return RedirectResponse(address, status_code=302)


async def _revoke(request: Request) -> Response:
    form = await _form(request)
    await run_in_threadpool(world_of(request).sessions.revoke, form.get("token", ""))
    return Response()


_PERSON = ("Username", "Name", "FirstName", "LastName", "Email", "TimeZoneSidKey", "LastModifiedDate")


def _person(session: Session) -> dict[str, str | None]:
    """The fields of the user behind a token; all null where the organisation has no such user."""
    columns = ", ".join(f'"{name}"' for name in _PERSON)
    sql = f'SELECT {columns} FROM "User" WHERE "Id" = ?'
    row = session.org.database.reader.execute(sql, (session.user_id,)).fetchone()
    return dict(zip(_PERSON, row or (None,) * len(_PERSON), strict=True))


def _userinfo(request: Request) -> Response:
    session = session_of(request)
    person = _person(session)
    return Json({
        "sub": identity_url(request, session), "user_id": session.user_id,
        "organization_id": session.org.organisation_id, "preferred_username": person["Username"],
        "nickname": person["Username"], "name": person["Name"], "given_name": person["FirstName"],
        "family_name": person["LastName"], "email": person["Email"], "email_verified": True,
        "zoneinfo": person["TimeZoneSidKey"], "user_type": "STANDARD", "language": "en_US", "locale": "en_US",
        "active": True,
    })  # fmt: skip


def identity_url(request: Request, session: Session) -> str:
    """Where one may ask who a token stands for."""
    return f"{base_url(request)}/id/{session.org.organisation_id}/{session.user_id}"


def _identity(request: Request) -> Response:
    session, asked = session_of(request), request.path_params
    if (asked["org_id"], asked["user_id"]) != (session.org.organisation_id, session.user_id):
        raise not_found()
    person = _person(session)
    return Json({
        "id": identity_url(request, session), "asserted_user": True, "user_id": session.user_id,
        "organization_id": session.org.organisation_id, "username": person["Username"],
        "nick_name": person["Username"], "display_name": person["Name"], "email": person["Email"],
        "email_verified": True, "first_name": person["FirstName"], "last_name": person["LastName"],
        "timezone": person["TimeZoneSidKey"], "active": True, "user_type": "STANDARD", "language": "en_US",
        "locale": "en_US", "utcOffset": 0, "last_modified_date": person["LastModifiedDate"],
        **_addresses(base_url(request), session),
    })  # fmt: skip


def _addresses(base: str, session: Session) -> dict[str, object]:
    """Where what belongs to a person is: the API's addresses with ``{version}`` in them, as Salesforce gives them."""
    data, photo = f"{base}/services/data/v{{version}}/", f"{base}/profilephoto/005"
    soap = {
        name: f"{base}/services/Soap/{letter}/{{version}}/{session.org.organisation_id[:15]}"
        for name, letter in (("enterprise", "c"), ("metadata", "m"), ("partner", "u"))
    }
    rest = {name: f"{data}{name}/" for name in ("sobjects", "search", "query")}
    return {
        "photos": {"picture": f"{photo}/F", "thumbnail": f"{photo}/T"},
        "urls": {**soap, "rest": data, **rest, "profile": f"{base}/{session.user_id}"},
    }


_OAUTH = "/services/oauth2"
ROUTES: list[BaseRoute] = [
    Route(f"{_OAUTH}/token", _token, methods=["POST"]),
    Route(f"{_OAUTH}/authorize", _authorize, methods=["GET", "POST"]),
    Route(f"{_OAUTH}/revoke", _revoke, methods=["POST", "GET"]),
    Route(f"{_OAUTH}/userinfo", _userinfo, methods=["GET", "POST"]),
    Route("/id/{org_id}/{user_id}", _identity),
]
