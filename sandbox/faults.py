"""Things that go wrong on request: for the next calls to some address, and then no more."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Kind = Literal["status", "timeout", "cut", "slow", "token_expired", "job_failed", "job_aborted"]
_OF_JOBS = ("job_failed", "job_aborted")
_CODES = {
    400: ("UNKNOWN_EXCEPTION", "An unexpected error occurred"),
    401: ("INVALID_SESSION_ID", "Session expired or invalid"),
    403: ("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    404: ("NOT_FOUND", "The requested resource does not exist"),
    429: ("REQUEST_LIMIT_EXCEEDED", "Too many requests"),
    500: (
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred. Please include this ErrorId if you contact support",
    ),
    503: ("SERVER_UNAVAILABLE", "The server is busy"),
}
_PIECES_WHEN_SLOW = 8


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One thing to go wrong.

    It befalls requests whose ``path?query`` contains ``path_contains``: the first ``after`` of them pass, the next ``times`` (0 for
    all) are hit. With a ``probability`` each of them is hit by chance, drawn from ``seed``, and without end unless ``times`` is given.
    ``seconds``: how long ``timeout`` keeps silent, or how long ``slow`` takes over an answer. ``token_expired`` ends all access tokens
    of the organisation just before the request. ``job_failed`` and ``job_aborted`` befall Bulk jobs instead: those whose
    ``/jobs/query SOQL`` contains the text.
    """

    kind: Kind
    path_contains: str = ""
    status: int = 500
    body: str | None = None
    times: int | None = None
    after: int = 0
    seconds: float = 3600.0
    headers: dict[str, str] = {}
    probability: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.times is None:
            self.times = 1 if self.probability >= 1 else 0

    def answer(self, worded: "Wording") -> bytes:
        """The body for a ``status`` fault: as given, or as the CRM words that status."""
        return msgspec.json.encode(worded(self.status)) if self.body is None else self.body.encode()


def _as_salesforce(status: int) -> object:
    code, message = _CODES.get(status, _CODES[500])
    return [{"message": message, "errorCode": code}]


Wording = Callable[[int], object]
"""A CRM's error body for a status."""


@dataclass
class _Waiting:
    """A fault, the organisation that it is for (None: any), and the source of its chances."""

    org: str | None
    fault: Fault
    chance: Random

    def fits(self, target: str, org: str | None, *, of_job: bool) -> bool:
        is_of_job = self.fault.kind in _OF_JOBS
        return self.fault.path_contains in target and self.org in {None, org} and is_of_job == of_job

    def strikes(self) -> bool:
        """Whether a fitting request is hit."""
        if self.fault.after > 0:
            self.fault.after -= 1
            return False
        return self.fault.probability >= 1 or self.chance.random() < self.fault.probability


class Faults:
    """The faults that wait for their requests, oldest first, each for one organisation or for all."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    def add(self, fault: Fault, org: str | None = None) -> None:
        """Wait for the next fitting request of an organisation, or of any."""
        chance = Random(fault.seed)  # noqa: S311 - must come out the same each time
        self._waiting.append(_Waiting(org, fault, chance))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._waiting.clear()

    def waiting(self) -> Sequence[Fault]:
        """What is still to go wrong."""
        return [each.fault for each in self._waiting]

    def take(self, target: str, org: str | None, *, of_job: bool = False) -> Fault | None:
        """The fault that befalls this request, if any, counted as having struck once."""
        for each in self._waiting:
            if each.fits(target, org, of_job=of_job) and each.strikes():
                self._count(each)
                return each.fault
        return None

    def _count(self, struck: _Waiting) -> None:
        if struck.fault.times == 1:
            self._waiting = [each for each in self._waiting if each is not struck]
        elif struck.fault.times:
            struck.fault.times -= 1


class FaultMiddleware:
    """Lets requests of the protocols meet their faults; the server's own pages and controls never do."""

    def __init__(
        self,
        app: ASGIApp,
        faults: Faults,
        prefixes: tuple[str, ...] = ("/services/",),
        worded: Wording = _as_salesforce,
        expire: Callable[[str | None], None] | None = None,
    ) -> None:
        self._app = app
        self._faults = faults
        self._prefixes = prefixes
        self._worded = worded
        self._expire = expire

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        fault = None
        if scope["type"] == "http" and scope["path"].startswith(self._prefixes):
            target = f"{scope['path']}?{scope['query_string'].decode('latin-1')}"
            fault = self._faults.take(target, scope["state"].get("org_name"))
        if fault is not None and fault.kind == "token_expired":
            if self._expire is not None:
                self._expire(scope["state"].get("org_name"))
            fault = None
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind == "status":
            await _drain(receive)
            await _answer(fault, self._worded, send)
        elif fault.kind == "timeout":
            await _keep_silent(fault, receive)
        elif fault.kind == "cut":
            await self._app(scope, receive, _Cutting(send))
        else:
            await self._app(scope, receive, _Slowing(send, fault.seconds))


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _answer(fault: Fault, worded: Wording, send: Send) -> None:
    body = fault.answer(worded)
    headers = {
        "content-type": "application/json;charset=UTF-8",
        "content-length": str(len(body)),
        **fault.headers,
    }
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": fault.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def _keep_silent(fault: Fault, receive: Receive) -> None:
    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(until_gone(), fault.seconds)


class _Cutting:
    """Sends the first half of the first piece of a body and then nothing: the server closes the connection on that."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_cut = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(message)
        elif message.get("body") and not self._is_cut:
            self._is_cut = True
            half = message["body"][: math.ceil(len(message["body"]) / 2)]
            await self._send({"type": "http.response.body", "body": half, "more_body": True})


class _Slowing:
    """Spreads each piece of a body over the given time."""

    def __init__(self, send: Send, seconds: float) -> None:
        self._send = send
        self._pause = seconds / _PIECES_WHEN_SLOW

    async def __call__(self, message: Message) -> None:
        body = message.get("body", b"")
        if not body:
            await self._send(message)
            return
        size = math.ceil(len(body) / _PIECES_WHEN_SLOW)
        for start in range(0, len(body), size):
            await asyncio.sleep(self._pause)
            is_last = start + size >= len(body)
            more = not is_last or message.get("more_body", False)
            await self._send(
                {"type": "http.response.body", "body": body[start : start + size], "more_body": more}
            )
