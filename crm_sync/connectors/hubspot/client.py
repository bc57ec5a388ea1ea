"""Calls to one HubSpot portal: one token, one set of limits, decoded into typed answers."""

from __future__ import annotations

import email.utils
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from http import HTTPStatus
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx
import msgspec

from crm_sync import conf, http
from crm_sync.addresses import origin_of
from crm_sync.connectors.base import Allowance, PassingProblem
from crm_sync.connectors.hubspot import problems
from crm_sync.connectors.hubspot.bucket import Bucket, Said

ADDRESS = "https://api.hubapi.com"
_TRIES_UNDER_LIMIT = 8
_FIRST_PAUSE_SECONDS = 1.0
_MOST_DIGITS = 10

Shape = TypeVar("Shape")


class Account(msgspec.Struct):
    """The portal itself."""

    portalId: int
    timeZone: str = "UTC"
    companyCurrency: str = ""
    uiDomain: str = ""

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which HubSpot shows dates and begins its days."""
        try:
            return ZoneInfo(self.timeZone)
        except (
            ZoneInfoNotFoundError,
            ValueError,
            OSError,
        ):  # a folder of zones, or a name too long for a file
            return ZoneInfo("UTC")


@dataclass(frozen=True)
class Access:
    """What a workspace's admin entered, and the portal that it led to the last time ("" before the first)."""

    address: str
    token: str
    portal_id: str
    reserve_percent: int


class Client:
    """Calls below the portal's address. May be used from several threads at once."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._address = (access.address or ADDRESS).rstrip("/")
        with http.network_problems("HubSpot"):
            is_near = http.host_of(httpx.URL(self._address)) in conf.allowed_private_hosts()
        self._http = http.client(compress=not is_near, connections=conf.hubspot_threads() + 2)
        # Before the portal is known, its first call is counted under the token's own name.
        unknown = hashlib.sha256(access.token.encode()).hexdigest()[:20]
        self._bucket = self._bucket_of(access.portal_id or f"token-{unknown}")
        self._clock_ahead = timedelta(0)

    def _bucket_of(self, portal: str, zone: ZoneInfo | None = None) -> Bucket:
        return Bucket(shared_name(self._address, portal), self._access.reserve_percent, zone)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    @property
    def allowance(self) -> Allowance | None:
        """Calls of the day, as the limits' counter knows them."""
        return self._bucket.allowance

    @cached_property
    def account(self) -> Account:
        """The portal behind the token; from here on its limits are shared with everybody else who reads it."""
        account = self.get("/account-info/v3/details", Account)
        self._bucket = self._bucket_of(str(account.portalId), account.zone)
        if self._access.portal_id != str(account.portalId):
            self._bucket.count()
        return account

    def now(self) -> datetime:
        """The present moment by HubSpot's clock."""
        assert self.account
        return datetime.now(UTC) + self._clock_ahead

    def get(self, path: str, shape: type[Shape], **params: str) -> Shape:
        """The answer of a GET. Raises: ConfigurationProblem, PassingProblem."""
        return _decoded(self._call("GET", path, params=params), shape)

    def post(self, path: str, shape: type[Shape], body: Any) -> Shape:
        """The answer of a POST that only reads. Raises: ConfigurationProblem, PassingProblem."""
        return _decoded(self._call("POST", path, body=body), shape)

    def _call(
        self, method: str, path: str, *, params: dict[str, str] | None = None, body: Any = None
    ) -> bytes:
        """The body of a successful answer. A limit of seconds that other programs used up is waited for here."""
        for attempt in range(_TRIES_UNDER_LIMIT):
            status, content, headers = self._send(method, path, params, body)
            if status < HTTPStatus.MULTIPLE_CHOICES:
                return content
            is_short = status == HTTPStatus.TOO_MANY_REQUESTS and not problems.is_daily(content)
            if not is_short or attempt == _TRIES_UNDER_LIMIT - 1:
                raise problems.api_problem(status, content, headers)
        raise AssertionError("the last try either gives or raises")

    def _send(
        self, method: str, path: str, params: dict[str, str] | None, body: Any
    ) -> tuple[int, bytes, httpx.Headers]:
        headers = {"Authorization": f"Bearer {self._access.token}", "Accept": "application/json"}
        with http.network_problems("HubSpot"), self._bucket.place(is_search=path.endswith("/search")) as tell:
            request = self._http.build_request(
                method, self._address + path, params=params, json=body, headers=headers
            )
            response = self._http.send(request, stream=True)
            try:
                content = http.bounded(response)
                tell(_said(response))
                self._note_clock(response)
            finally:
                response.close()
        return response.status_code, content, response.headers

    def _note_clock(self, response: httpx.Response) -> None:
        try:
            moment = email.utils.parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError):
            return
        self._clock_ahead = moment - datetime.now(UTC)


def shared_name(address: str, portal: str) -> str:
    """The name under which a portal's limits are kept.

    Only HubSpot is believed which portal it is: who answers at another address shares limits with nobody who reads elsewhere,
    whatever it calls itself.
    """
    if origin_of(address) == origin_of(ADDRESS):
        return portal
    return f"{hashlib.sha256(address.encode()).hexdigest()[:20]}-{portal}"


def _said(response: httpx.Response) -> Said:
    def number(name: str) -> str:
        text = response.headers.get(f"X-HubSpot-RateLimit-{name}", "")
        return text if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS else ""

    is_limited = response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    pause = (http.retry_after(response.headers) or _FIRST_PAUSE_SECONDS) if is_limited else 0.0
    return Said(number("Max"), number("Daily"), number("Daily-Remaining"), pause)


def _decoded(content: bytes, shape: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(content, type=shape)
    except msgspec.ValidationError as error:
        raise _odd(error) from error
    except msgspec.DecodeError:
        return _decoded_leniently(content, shape)


def _decoded_leniently(content: bytes, shape: type[Shape]) -> Shape:
    """JSON with half of a surrogate pair in it, which people manage to paste into a CRM and the quick decoder refuses."""
    try:
        return msgspec.convert(json.loads(content), shape)
    except msgspec.ValidationError as error:
        raise _odd(error) from error
    except ValueError as error:
        raise PassingProblem("not_json", "HubSpot answered with something that is not JSON.") from error


def _odd(error: Exception) -> PassingProblem:
    return PassingProblem("odd_answer", f"HubSpot answered in an unknown way ({error}).")
