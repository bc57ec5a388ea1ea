"""The page on which a person allows or denies a sign-in."""

from collections.abc import Mapping
from html import escape

from starlette.responses import HTMLResponse

from sandbox.oauth import Request

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 12vh auto 0; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; } code { overflow-wrap: anywhere; }
button { font: inherit; padding: .6rem 1.4rem; border-radius: .4rem; border: 1px solid currentColor; margin: 1rem .6rem 0 0; cursor: pointer; }
button[value=allow] { background: #0b5cab; border-color: #0b5cab; color: #fff; }
"""
_WHAT = {
    "api": "Manage user data via APIs",
    "refresh_token": "Perform requests at any time",
    "offline_access": "Perform requests at any time",
    "full": "Full access",
    "id": "Access the identity URL service",
    "openid": "Access unique user identifiers",
}


def consent_page(request: Request, query: Mapping[str, str]) -> HTMLResponse:
    """Allow and Deny; both send the query back with the person's decision."""
    kept = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in query.items()
    )
    scopes = "".join(f"<li>{escape(_WHAT.get(scope, scope))}</li>" for scope in request.scopes)
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Allow access?</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>Allow access?</h1>"
        f"<p>An app asks for access to the organisation “{escape(request.org.name)}”:</p><ul>{scopes}</ul>"
        f"<p>You go on to <code>{escape(request.redirect_uri)}</code>.</p>"
        f'<form method="post" action="authorize">{kept}'
        '<button name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button>'
        "</form></main></body></html>"
    )
