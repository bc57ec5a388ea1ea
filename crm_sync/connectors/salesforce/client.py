"""Signed-in calls to one Salesforce organisation."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from crm_sync import conf, http
from crm_sync.connectors.base import Allowance, ConfigurationProblem, PassingProblem
from crm_sync.connectors.salesforce.problems import api_problem, sign_in_problem

VERSION = "v61.0"


class Token(msgspec.Struct):
    """The answer to a sign-in; ``issued_at`` is milliseconds as text."""

    access_token: str
    instance_url: str
    issued_at: str = ""


@dataclass(frozen=True)
class Credentials:
    """What a workspace's admin entered."""

    login_url: str
    client_id: str
    secret: str


class Client:
    """Calls below ``/services/data/vXX.0/``: signs in when needed, once more when the token has run out."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        # Compression saves a long line, and only costs time where the CRM is this very machine.
        with http.network_problems("Salesforce"):
            is_near = http.host_of(httpx.URL(credentials.login_url)) in conf.allowed_private_hosts()
        self._http = http.client(compress=not is_near)
        self._token: Token | None = None
        self._clock_ahead = timedelta(0)
        self.allowance: Allowance | None = None

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def now(self) -> datetime:
        """The present moment by Salesforce's clock."""
        self._signed_in()
        return datetime.now(UTC) + self._clock_ahead

    def json(self, method: str, path: str, *, params: dict[str, str] | None = None, body: Any = None) -> Any:
        """The decoded answer of one call. Raises: ConfigurationProblem, PassingProblem."""
        with self.stream(method, path, params=params, body=body) as response:
            content = http.bounded(response)
        try:
            return msgspec.json.decode(content) if content else None
        except msgspec.DecodeError as error:
            raise PassingProblem(
                "not_json", "Salesforce answered with something that is not JSON."
            ) from error

    @contextmanager
    def stream(
        self, method: str, path: str, *, params: dict[str, str] | None = None, body: Any = None
    ) -> Iterator[httpx.Response]:
        """An open, successful answer. ``path`` is below the version, or begins with ``/services``."""
        with http.network_problems("Salesforce"):
            response = self._send(method, path, params, body)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                response.close()
                self._token = None
                response = self._send(method, path, params, body)
            try:
                self._note_allowance(response)
                if not response.is_success:
                    raise api_problem(response.status_code, http.bounded(response), response.headers)
                yield response
            finally:
                response.close()

    def _send(self, method: str, path: str, params: dict[str, str] | None, body: Any) -> httpx.Response:
        token = self._signed_in()
        address = path if path.startswith("/services") else f"/services/data/{VERSION}/{path}"
        headers = {"Authorization": f"Bearer {token.access_token}", "Accept": "application/json, text/csv"}
        url = token.instance_url.rstrip("/") + address
        request = self._http.build_request(method, url, params=params, json=body, headers=headers)
        return self._http.send(request, stream=True)

    def _signed_in(self) -> Token:
        if self._token is None:
            with http.network_problems("Salesforce"):
                self._token = self._sign_in()
        return self._token

    def _sign_in(self) -> Token:
        given = self._credentials
        form = {
            "grant_type": "client_credentials",
            "client_id": given.client_id,
            "client_secret": given.secret,
        }
        url = given.login_url.rstrip("/") + "/services/oauth2/token"
        with self._http.stream("POST", url, data=form) as response:
            content = http.bounded(response)
        if not response.is_success:
            raise sign_in_problem(response.status_code, content, response.headers)
        try:
            token = msgspec.json.decode(content, type=Token)
        except msgspec.DecodeError as error:
            sentence = f"{given.login_url} did not answer as Salesforce does. Use your My Domain address."
            raise ConfigurationProblem("not_salesforce", sentence) from error
        self._note_clock(token)
        return token

    def _note_clock(self, token: Token) -> None:
        if token.issued_at.isdigit():
            self._clock_ahead = timedelta(seconds=int(token.issued_at) / 1000 - time.time())

    def _note_allowance(self, response: httpx.Response) -> None:
        """From ``api-usage=18/15000; per-app-api-usage=…``."""
        for part in response.headers.get("Sforce-Limit-Info", "").split(";"):
            name, _, numbers = part.strip().partition("=")
            used, _, limit = numbers.partition("/")
            if name == "api-usage" and used.isdigit() and limit.isdigit():
                self.allowance = Allowance(int(used), int(limit))
