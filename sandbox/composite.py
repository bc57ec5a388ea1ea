"""Several calls in one: batches of up to 25, and many records by their ids."""

import json
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Scope

from sandbox.errors import ApiError
from sandbox.orgs import Org
from sandbox.rest import records_by_id, version_of
from sandbox.world import Json, session_of

Body = TypeVar("Body", bound=msgspec.Struct)
_MOST_CALLS = 25
_MOST_IDS = 2000


class Subrequest(msgspec.Struct):
    """One call of a batch; ``url`` begins at the version."""

    method: str
    url: str
    richInput: object = None


class Batch(msgspec.Struct):
    """The body of a batch, its names the protocol's."""

    batchRequests: list[Subrequest]
    haltOnError: bool = False


class Wanted(msgspec.Struct):
    """The body of a retrieval by ids."""

    ids: list[str]
    fields: list[str]


async def _batch(request: Request) -> Response:
    session_of(request)
    version_of(request)
    batch = await _decoded(request, Batch)
    if len(batch.batchRequests) > _MOST_CALLS:
        message = f"Number of batch requests exceeds the limit of {_MOST_CALLS}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "BATCH_PROCESSING_HALTED", message)
    results: list[dict[str, object]] = []
    is_halted = False
    for each in batch.batchRequests:
        results.append(_HALTED if is_halted else await _called(request, each))
        is_halted = is_halted or (batch.haltOnError and _failed(results[-1]))
    return Json({"hasErrors": any(map(_failed, results)), "results": results})


_HALTED: dict[str, object] = {
    "statusCode": HTTPStatus.PRECONDITION_FAILED,
    "result": [{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}],
}


def _failed(result: dict[str, object]) -> bool:
    status = result["statusCode"]
    return isinstance(status, int) and status >= HTTPStatus.BAD_REQUEST


async def _called(request: Request, each: Subrequest) -> dict[str, object]:
    """The answer to one call, made within this process with the caller's token; only the batch counts as a call."""
    parts = urlsplit(each.url)
    path = f"/services/data/{parts.path.lstrip('/').removeprefix('services/data/')}"
    scope = {
        **request.scope, "method": each.method.upper(), "path": path.rstrip("/"), "raw_path": path.encode(),
        "query_string": parts.query.encode(), "state": request.scope["state"] | {"is_in_batch": True},
    }  # fmt: skip
    status, body = await _answered(
        request, scope, b"" if each.richInput is None else msgspec.json.encode(each.richInput)
    )
    return {"statusCode": status, "result": json.loads(body) if body else None}


async def _answered(request: Request, scope: Scope, body: bytes) -> tuple[int, bytes]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await request.app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


async def _decoded(request: Request, shape: type[Body]) -> Body:
    try:
        return msgspec.json.decode(await request.body(), type=shape)
    except msgspec.DecodeError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "JSON_PARSER_ERROR", str(error)) from error


async def _records_posted(request: Request) -> Response:
    session = session_of(request)
    wanted = await _decoded(request, Wanted)
    return await _records(request, session.org, wanted)


async def _records_asked(request: Request) -> Response:
    session = session_of(request)
    ids, fields = (request.query_params.get(name, "") for name in ("ids", "fields"))
    return await _records(request, session.org, Wanted(_listed(ids), _listed(fields)))


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


async def _records(request: Request, org: Org, wanted: Wanted) -> Response:
    version, name = version_of(request), request.path_params["name"]
    if len(wanted.ids) > _MOST_IDS:
        message = f"The number of ids is over the limit of {_MOST_IDS}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "NUMBER_OUTSIDE_VALID_RANGE", message)
    if not wanted.ids or not wanted.fields:
        raise ApiError(HTTPStatus.BAD_REQUEST, "REQUIRED_FIELD_MISSING", "ids and fields are both required")
    return Json(await run_in_threadpool(records_by_id, org, name, wanted.ids, wanted.fields, version))


_COMPOSITE = "/services/data/{version}/composite"
ROUTES: list[BaseRoute] = [
    Route(f"{_COMPOSITE}/batch", _batch, methods=["POST"]),
    Route(f"{_COMPOSITE}/sobjects/{{name}}", _records_posted, methods=["POST"]),
    Route(f"{_COMPOSITE}/sobjects/{{name}}", _records_asked, methods=["GET"]),
]
