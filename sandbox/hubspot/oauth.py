"""The OAuth addresses: the page on which a person lets an app in, and the tokens."""

from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.hubspot.errors import HubSpotError, TokenError, invalid
from sandbox.hubspot.portals import Portal, Portals
from sandbox.hubspot.tokens import is_web_address
from sandbox.world import Json

_STYLE = """
:root { color-scheme: light dark; } body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 0 auto; padding: 3rem 1rem; }
h1 { font-size: 1.5rem; } button { font: inherit; padding: .5rem 1.5rem; margin-right: .75rem; } code { font: .9em ui-monospace, monospace; }
"""


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))


def _portals(request: Request) -> Portals:
    portals: Portals = request.app.state.portals
    return portals


def _portal_of(request: Request, client_id: str) -> Portal:
    """The portal of an OAuth app. Raises: TokenError; below ``/portals/NAME`` for other portals' apps too."""
    named: str | None = request.state.portal_name
    for portal in _portals(request).values():
        if portal.tokens.client.client_id == client_id and named in {None, portal.name}:
            return portal
    raise TokenError("BAD_CLIENT_ID", "missing or unknown client id")


def _asked(request: Request, given: Mapping[str, str]) -> tuple[Portal, str, list[str]]:
    """Who asks to be let in, where the answer goes, and what for. Raises: HubSpotError."""
    portal = _portal_of(request, given.get("client_id", ""))
    redirect_uri = given.get("redirect_uri", "")
    if not is_web_address(redirect_uri):
        raise invalid("Couldn't complete the connection: missing or invalid redirect_uri")
    scopes = f"{given.get('scope', '')} {given.get('optional_scope', '')}".replace(",", " ").split()
    if not scopes:
        raise invalid("Couldn't complete the connection: missing scope")
    return portal, redirect_uri, scopes


def _consent(request: Request) -> Response:
    given = dict(request.query_params)
    portal, redirect_uri, scopes = _asked(request, given)
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in given.items()
    )
    listed = "".join(f"<li><code>{escape(scope)}</code></li>" for scope in scopes)
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Connect an app</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main><h1>Connect an app to {escape(portal.domain)}</h1>"
        f"<p>An app at <code>{escape(urlsplit(redirect_uri).netloc)}</code> asks to be let into portal {portal.portal_id} with:</p>"
        f'<ul>{listed}</ul><form method="post">{hidden}<button name="decision" value="allow">Connect app</button>'
        '<button name="decision" value="deny">Cancel</button></form></main></body></html>'
    )


async def _decide(request: Request) -> Response:
    given = dict(request.query_params) | await _form(request)
    portal, redirect_uri, scopes = _asked(request, given)
    if given.get("decision") == "allow":
        answer = {"code": portal.tokens.authorize(redirect_uri, scopes)}
    else:
        answer = {"error": "access_denied", "error_description": "The user did not authorize the app"}
    if "state" in given:
        answer["state"] = given["state"]
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return RedirectResponse(f"{redirect_uri}{joint}{urlencode(answer)}", status_code=302)


async def _token(request: Request) -> Response:
    form = await _form(request)
    if request.url.path.endswith("/v1/token"):
        form = dict(request.query_params) | form
    return Json(await run_in_threadpool(_granted, request, form), headers={"Cache-Control": "no-store"})


def _granted(request: Request, form: Mapping[str, str]) -> dict[str, object]:
    portal = _portal_of(request, form.get("client_id", ""))
    grant, access_token, refresh_token = portal.tokens.grant(form)
    seconds = portal.switches.access_token_seconds
    portal.tokens.lasts(access_token, seconds)
    return {"token_type": "bearer", "refresh_token": refresh_token, "access_token": access_token, "expires_in": seconds,
            "hub_id": portal.portal_id, "scopes": grant.scopes, "user_id": grant.user_id, "token_use": "access_token"}  # fmt: skip


def _metadata(portal: Portal, token: str) -> dict[str, object]:
    return (
        portal.tokens.described(token)
        | _told_of(portal)
        | {"app_id": 1160452, "is_private_distribution": False}
    )


def _refresh_metadata(portal: Portal, token: str) -> dict[str, object]:
    grant = portal.tokens.remembered(token)
    return {"token": token, "token_type": "refresh", "client_id": portal.tokens.client.client_id,
            "scopes": sorted(grant.scopes), "user_id": grant.user_id, **_told_of(portal)}  # fmt: skip


def _told_of(portal: Portal) -> dict[str, object]:
    """The portal and the person who let the app in, as told of either kind of token."""
    row = portal.store.row("SELECT body ->> 'email' FROM owner WHERE archived = 0 ORDER BY id LIMIT 1")
    return {"hub_id": portal.portal_id, "hub_domain": portal.domain, "user": row[0] if row else ""}


def _access_token(request: Request) -> Response:
    token: str = request.path_params["token"]
    for portal in _portals(request).values():
        if portal.tokens.knows(token):
            return Json(_metadata(portal, token))
    raise HubSpotError(404, "", "access token is not known", errorType="INVALID_ACCESS_TOKEN")


async def _introspect(request: Request) -> Response:
    form = await _form(request)
    portal = _portal_of(request, form.get("client_id", ""))
    try:
        told = _metadata(portal, form.get("token", ""))
    except HubSpotError:
        return Json({"active": False})
    return Json(
        {"active": True, "token_use": "access_token", "client_id": portal.tokens.client.client_id, **told}
    )


def _refresh_token(request: Request) -> Response:
    """What is known of a refresh token, or with DELETE its end."""
    token: str = request.path_params["token"]
    for portal in _portals(request).values():
        if portal.store.row("SELECT 1 FROM grants WHERE token = ?", (token,)):
            if request.method == "DELETE":
                portal.tokens.revoke(token)
                return Response(status_code=204)
            return Json(_refresh_metadata(portal, token))
    raise HubSpotError(404, "", "refresh token is not known")


async def _revoke(request: Request) -> Response:
    form = await _form(request)
    portal = _portal_of(request, form.get("client_id", ""))
    await run_in_threadpool(portal.tokens.revoke, form.get("token", ""))
    return Response(status_code=200)


ROUTES: list[BaseRoute] = [
    *(Route(at, _consent, methods=["GET"]) for at in ("/oauth/authorize", "/oauth/{portal:int}/authorize")),
    *(Route(at, _decide, methods=["POST"]) for at in ("/oauth/authorize", "/oauth/{portal:int}/authorize")),
    *(Route(f"/oauth/{version}/token", _token, methods=["POST"]) for version in ("v1", "v3")),
    Route("/oauth/v3/token/introspect", _introspect, methods=["POST"]),
    Route("/oauth/v3/token/revoke", _revoke, methods=["POST"]),
    Route("/oauth/v1/access-tokens/{token}", _access_token),
    Route("/oauth/v1/refresh-tokens/{token}", _refresh_token, methods=["GET", "DELETE"]),
]
