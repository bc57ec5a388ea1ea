"""Things that go wrong on request: for the next calls to some address, and then no more."""

import asyncio
import contextlib
import math
from collections.abc import Sequence
from typing import Literal

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Kind = Literal["status", "timeout", "cut", "slow", "job_failed"]
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
    all) are hit. ``seconds``: how long ``timeout`` keeps silent, or how long ``slow`` takes over an answer.
    ``job_failed`` befalls Bulk jobs instead: those whose ``/jobs/query SOQL`` contains the text.
    """

    kind: Kind
    path_contains: str = ""
    status: int = 500
    body: str | None = None
    times: int = 1
    after: int = 0
    seconds: float = 3600.0
    headers: dict[str, str] = {}

    def answer(self) -> bytes:
        """The body for a ``status`` fault: as given, or as Salesforce words that status."""
        if self.body is not None:
            return self.body.encode()
        code, message = _CODES.get(self.status, _CODES[500])
        return msgspec.json.encode([{"message": message, "errorCode": code}])


class Faults:
    """The faults that wait for their requests, oldest first, each for one organisation or for all."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str | None, Fault]] = []

    def add(self, fault: Fault, org: str | None = None) -> None:
        """Wait for the next fitting request of an organisation, or of any."""
        self._waiting.append((org, fault))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._waiting.clear()

    def waiting(self) -> Sequence[Fault]:
        """What is still to go wrong."""
        return [fault for _, fault in self._waiting]

    def take(self, target: str, org: str | None, *, of_job: bool = False) -> Fault | None:
        """The fault that befalls this request, if any, counted as having struck once."""
        for entry in self._waiting:
            wanted_org, fault = entry
            fits = (
                fault.path_contains in target
                and wanted_org in {None, org}
                and (fault.kind == "job_failed") == of_job
            )
            if fits and fault.after > 0:
                fault.after -= 1
            elif fits:
                self._count(entry)
                return fault
        return None

    def _count(self, entry: tuple[str | None, Fault]) -> None:
        fault = entry[1]
        if fault.times == 1:
            self._waiting.remove(entry)
        elif fault.times > 1:
            fault.times -= 1


class FaultMiddleware:
    """Lets requests of the protocols meet their faults; the server's own pages and controls never do."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        fault = None
        if scope["type"] == "http" and scope["path"].startswith("/services/"):
            target = f"{scope['path']}?{scope['query_string'].decode('latin-1')}"
            fault = self._faults.take(target, scope["state"].get("org_name"))
        if fault is None:
            await self._app(scope, receive, send)
        elif fault.kind == "status":
            await _drain(receive)
            await _answer(fault, send)
        elif fault.kind == "timeout":
            await _keep_silent(fault, receive)
        elif fault.kind == "cut":
            await self._app(scope, receive, _Cutting(send))
        else:
            await self._app(scope, receive, _Slowing(send, fault.seconds))


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _answer(fault: Fault, send: Send) -> None:
    body = fault.answer()
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
