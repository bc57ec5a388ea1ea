"""Salesforce's OAuth addresses: every way in which this program comes by a token, and gives one back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec

from crm_sync import http
from crm_sync.connectors.base import ConfigurationProblem, PassingProblem
from crm_sync.connectors.salesforce.problems import consent_problem, refresh_problem, sign_in_problem
from crm_sync.tokens import Grant

SCOPES = ("api", "refresh_token")
# Less than the lease on a connection's tokens.
TIMEOUT = httpx.Timeout(15, connect=8)
_SMALL = 256 * 1024
_LONGEST_STAMP = 14  # milliseconds up to the year 5138


@dataclass(frozen=True)
class Credentials:
    """Where to sign in, and as which connected app; the secret is empty for a public one."""

    login_url: str
    client_id: str
    secret: str

    def address(self, path: str) -> str:
        """An address below the login address."""
        return f"{self.login_url.rstrip('/')}/services/oauth2/{path}"

    @property
    def form(self) -> dict[str, str]:
        """Who asks, as form fields."""
        return {"client_id": self.client_id, **({"client_secret": self.secret} if self.secret else {})}


@dataclass(frozen=True)
class Account:
    """The person who let the app in and the organisation, as people know them; and the organisation's id."""

    label: str
    organisation: str


class _Person(msgspec.Struct):
    organization_id: str = ""
    preferred_username: str = ""


def consent_address(app: Credentials, *, callback: str, state: str, challenge: str) -> str:
    """Where a person is asked to let the app in; the answer comes to ``callback``."""
    asked = {
        "response_type": "code", "client_id": app.client_id, "redirect_uri": callback, "scope": " ".join(SCOPES),
        "state": state, "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    return f"{app.address('authorize')}?{urlencode(asked)}"


def by_client_credentials(client: httpx.Client, app: Credentials) -> Grant:
    """A token of the app's own run-as user. Raises: ConfigurationProblem, PassingProblem."""
    answer = _ask(client, app, {"grant_type": "client_credentials"})
    if not answer.is_success:
        raise sign_in_problem(answer.status_code, answer.content, answer.headers)
    return _grant(app, answer.content)


def by_code(client: httpx.Client, app: Credentials, *, code: str, verifier: str, callback: str) -> Grant:
    """The tokens behind a consent's code. Raises: ConfigurationProblem, PassingProblem."""
    fields = {
        "grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": callback,
    }  # fmt: skip
    answer = _ask(client, app, fields)
    if not answer.is_success:
        raise consent_problem(answer.status_code, answer.content, answer.headers)
    return _grant(app, answer.content)


def by_refresh_token(client: httpx.Client, app: Credentials, refresh_token: str) -> Grant:
    """A new access token; with it a new refresh token, where Salesforce rotates them. Raises: as above."""
    answer = _ask(client, app, {"grant_type": "refresh_token", "refresh_token": refresh_token})
    if not answer.is_success:
        raise refresh_problem(answer.status_code, answer.content, answer.headers)
    return _grant(app, answer.content)


def revoke(client: httpx.Client, app: Credentials, token: str) -> bool:
    """Give a token back, and with a refresh token all access tokens that came of it; whether Salesforce knew it."""
    answer = _bounded(client, "POST", app.address("revoke"), data={"token": token})
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise PassingProblem("sign_in_trouble", f"Salesforce had trouble of its own ({answer.status_code}).")
    return answer.is_success


def account_of(client: httpx.Client, grant: Grant) -> Account:
    """Whom a token stands for; empty where Salesforce does not tell, for nothing depends on it but what people see."""
    url = f"{grant.instance_url.rstrip('/')}/services/oauth2/userinfo"
    answer = _bounded(client, "GET", url, headers={"Authorization": f"Bearer {grant.access_token}"})
    try:
        person = msgspec.json.decode(answer.content, type=_Person) if answer.is_success else _Person()
    except msgspec.DecodeError:
        person = _Person()
    names = [name for name in (person.preferred_username, person.organization_id) if name]
    return Account(", organisation ".join(names)[:200], person.organization_id[:40])


def _ask(client: httpx.Client, app: Credentials, fields: Mapping[str, str]) -> httpx.Response:
    return _bounded(client, "POST", app.address("token"), data={**fields, **app.form})


def _bounded(client: httpx.Client, method: str, url: str, **more: Any) -> httpx.Response:
    """An answer that is read here and bounded: the address is one that a tenant typed in, or its CRM named."""
    with (
        http.network_problems("Salesforce"),
        client.stream(method, url, timeout=TIMEOUT, **more) as response,
    ):
        content = http.bounded(response, _SMALL)
        return httpx.Response(response.status_code, headers=_plain(response.headers), content=content)


def _plain(headers: httpx.Headers) -> dict[str, str]:
    """Headers that still hold once the body is decoded."""
    return {name: value for name, value in headers.items() if name == "retry-after"}


def _grant(app: Credentials, content: bytes) -> Grant:
    try:
        grant = msgspec.json.decode(content, type=Grant)
    except msgspec.DecodeError as error:
        sentence = f"{app.login_url} did not answer as Salesforce does. Use your My Domain address."
        raise ConfigurationProblem("not_salesforce", sentence) from error
    return msgspec.structs.replace(grant, clock_ahead_seconds=_ahead(grant.issued_at))


def _ahead(issued_at: str) -> float:
    """By how many seconds Salesforce's clock is ahead of ours; 0.0 where it does not tell."""
    is_time = issued_at.isascii() and issued_at.isdigit() and len(issued_at) <= _LONGEST_STAMP
    return int(issued_at) / 1000 - time.time() if is_time else 0.0
