"""Signed-in calls to one Salesforce organisation."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from crm_sync import conf, http
from crm_sync.connectors.base import PassingProblem
from crm_sync.connectors.budget import Budget
from crm_sync.connectors.salesforce import signing_in
from crm_sync.connectors.salesforce.problems import api_problem
from crm_sync.connectors.salesforce.signing_in import Credentials
from crm_sync.tokens import Grant, Held, Shelf

VERSION = "v61.0"
_CONNECTIONS = 8  # five pages of a result beside each other, a call between them, a sign-in


class Client:
    """Calls below ``/services/data/vXX.0/``: signs in when needed, once more when the token has run out.

    With a ``shelf`` the tokens are those of a consent, which all processes share; without one the app signs in by itself.
    Threads may share a client.
    """

    def __init__(
        self, credentials: Credentials, *, shelf: Shelf | None = None, reserve_percent: int = 0
    ) -> None:
        self._credentials = credentials
        self._shelf = shelf
        # Compression saves a long line, and only costs time where the CRM is this very machine.
        with http.network_problems("Salesforce"):
            is_near = http.host_of(httpx.URL(credentials.login_url)) in conf.allowed_private_hosts()
        self._http = http.client(compress=not is_near, connections=_CONNECTIONS)
        self._held: Held | None = None
        self._signing_in = threading.Lock()
        self.budget = Budget("Salesforce", reserve_percent)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def now(self) -> datetime:
        """The present moment by Salesforce's clock."""
        ahead = self._signed_in().grant.clock_ahead_seconds
        return datetime.now(UTC) + timedelta(seconds=ahead)

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
        self.budget.require()
        with http.network_problems("Salesforce"):
            held = self._signed_in()
            response = self._send(held.grant, method, path, params, body)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                response.close()
                response = self._send(self._signed_in_after(held).grant, method, path, params, body)
            try:
                self.budget.note(response.headers.get("Sforce-Limit-Info", ""))
                if not response.is_success:
                    raise api_problem(response.status_code, http.bounded(response), response.headers)
                yield response
            finally:
                response.close()

    def _send(
        self, grant: Grant, method: str, path: str, params: dict[str, str] | None, body: Any
    ) -> httpx.Response:
        address = path if path.startswith("/services") else f"/services/data/{VERSION}/{path}"
        headers = {"Authorization": f"Bearer {grant.access_token}", "Accept": "application/json, text/csv"}
        url = grant.instance_url.rstrip("/") + address
        request = self._http.build_request(method, url, params=params, json=body, headers=headers)
        return self._http.send(request, stream=True)

    def _signed_in(self) -> Held:
        with self._signing_in:
            if self._held is None:
                self._held = self._shelf.held() if self._shelf else self._sign_in()
            return self._held

    def _signed_in_after(self, stale: Held) -> Held:
        """Signed in with another token than one that has run out; a thread that comes late takes what the first one got."""
        with self._signing_in:
            if self._held is None or self._held is stale:
                self._held = (
                    self._shelf.renewed(stale.version, self._renew) if self._shelf else self._sign_in()
                )
            return self._held

    def _sign_in(self) -> Held:
        return Held(0, signing_in.by_client_credentials(self._http, self._credentials))

    def _renew(self, grant: Grant) -> Grant:
        return signing_in.by_refresh_token(self._http, self._credentials, grant.refresh_token)
