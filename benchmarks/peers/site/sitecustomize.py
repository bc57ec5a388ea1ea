"""Read by Python at the start of a peer: its sign-in, which knows Salesforce's own address only, goes to the sandbox instead.

Both peers sign in with a refresh token, which takes a browser to get; the sandbox is asked for the same access token by client
credentials. And headers are called as Salesforce's servers write them: one of the peers tells "Content-Type" from "content-type".
Everything else is the peer's own.
"""

import os
from typing import Any
from urllib.parse import parse_qs

import requests
from requests.structures import CaseInsensitiveDict

LOGIN = "https://login.salesforce.com/services/oauth2/token"
_send = requests.Session.send


def send(self: requests.Session, request: requests.PreparedRequest, **more: Any) -> requests.Response:
    """``Session.send``, with one address and one form replaced."""
    if request.url == LOGIN:
        given = parse_qs(str(request.body))
        form = {name: given[name][0] for name in ("client_id", "client_secret")} | {
            "grant_type": "client_credentials"
        }
        request = requests.Request("POST", os.environ["SANDBOX_LOGIN"], data=form).prepare()
    response = _send(self, request, **more)
    response.headers = CaseInsensitiveDict({name.title(): value for name, value in response.headers.items()})
    return response


requests.Session.send = send  # type: ignore[method-assign]  # the peers leave no other way to change where they sign in
