"""A call of the API: who makes it, and what it brings; and how a function becomes an address."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.hubspot.errors import invalid, unauthorized
from sandbox.hubspot.kinds import Kind, kind_of
from sandbox.hubspot.moments import iso
from sandbox.hubspot.portals import Portal
from sandbox.hubspot.tokens import Session
from sandbox.world import Json

Shape = TypeVar("Shape")
_LONGEST_ID = 18
Id = str | int
"""Ids come as text or as numbers."""


class Answer:
    """An answer whose status is not 200."""

    def __init__(self, status: int, body: object) -> None:
        self.status = status
        self.body = body


NOTHING = Answer(HTTPStatus.NO_CONTENT, None)


@dataclass(frozen=True)
class Call:
    """One call of the API."""

    portal: Portal
    session: Session
    path: Mapping[str, str]
    query: QueryParams
    body: bytes
    base_url: str

    @property
    def kind(self) -> Kind:
        """The kind of record that the address names."""
        return kind_of(self.path["kind"])

    def decoded(self, shape: type[Shape]) -> Shape:
        """The body in its shape. Raises: HubSpotError, where it does not fit."""
        try:
            return msgspec.json.decode(self.body or b"{}", type=shape)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise invalid(f"Invalid input JSON on line 1, column 1: {error}") from error

    def names(self, parameter: str) -> list[str]:
        """A list of the address, whether with commas or repeated."""
        return [
            name.strip() for text in self.query.getlist(parameter) for name in text.split(",") if name.strip()
        ]

    def flag(self, parameter: str) -> bool:
        """A yes or no of the address; no where it is not there."""
        return self.query.get(parameter, "").lower() == "true"

    def number(self, parameter: str, default: int, most: int) -> int:
        """A number of the address. Raises: HubSpotError, outside 1 and ``most``."""
        text = self.query.get(parameter)
        if text is None or text == "":
            return default
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise invalid(f"Invalid request to {parameter}: must be between 1 and {most}, was {text}")
        return int(text)

    def object_id(self, parameter: str = "id") -> str:
        """The record that the address names."""
        return self.path[parameter]


Handler = Callable[[Call], object]


def route(methods: str, path: str, handler: Handler) -> Route:
    """An address. What the handler gives is the JSON; an ``Answer`` has a status of its own."""

    async def answer(request: Request) -> Response:
        call = await _call(request)
        found = await run_in_threadpool(handler, call)
        if isinstance(found, Answer):
            return (
                Response(status_code=found.status)
                if found.body is None
                else Json(found.body, status_code=found.status)
            )
        return Json(found)

    return Route(path, answer, methods=methods.split())


async def _call(request: Request) -> Call:
    """The call behind a request. Raises: HubSpotError, where the token is no good."""
    portal: Portal | None = request.state.portal
    if portal is None:
        raise unauthorized()
    session = portal.tokens.session_of(request.state.token)
    base_url = f"{request.url.scheme}://{request.url.netloc}"
    return Call(portal, session, request.path_params, request.query_params, await request.body(), base_url)


def number_of(key: Id) -> int:
    """An id as a number. Raises: HubSpotError, for what cannot be one."""
    text = str(key)
    if not text.isdecimal() or len(text) > _LONGEST_ID:
        raise invalid(f"Invalid input JSON on line 1, column 1: {text} is not an id")
    return int(text)


def within(inputs: Sequence[Any], most: int) -> None:
    """Raises: HubSpotError, for a batch that is too large or empty."""
    if not inputs:
        raise invalid("Invalid input JSON on line 1, column 1: inputs must not be empty")
    if len(inputs) > most:
        raise invalid(f"Number of inputs exceeds the limit: {len(inputs)} inputs, at most {most} are allowed")


def paged(results: Sequence[object], after: object | None, **more: object) -> dict[str, object]:
    """A page of results; ``after`` is where the next begins, None for the last page."""
    page: dict[str, object] = {**more, "results": results}
    if after is not None:
        page["paging"] = {"next": {"after": str(after), "link": f"?after={after}"}}
    return page


def batch_answer(
    call: Call, results: Sequence[object], errors: Sequence[object] = (), status: int = 200
) -> Answer:
    """What a batch came to: 207 where some of it failed."""
    now = iso(call.portal.now_ms())
    body: dict[str, object] = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
    if not errors:
        return Answer(status, body)
    return Answer(HTTPStatus.MULTI_STATUS, body | {"numErrors": len(errors), "errors": errors})


def not_found_error(kind: Kind, ids: Sequence[str]) -> dict[str, object]:
    """The error of a batch for records that are not there."""
    message = f"Could not get some {kind.singular.upper()} objects, they may be deleted or not exist. Check that ids are valid."
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": message,
        "context": {"ids": list(ids)},
    }
