"""The addresses of Bulk API 2.0 query jobs."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

import msgspec
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sandbox.bulk import PAGES_AT_ONCE, Job, JobOrder, locator_of, page_of, pieces_of, row_of
from sandbox.errors import ApiError, not_found
from sandbox.rest import version_of
from sandbox.world import Json, session_of, world_of

_GZIP_WINDOW = 31
_FASTEST = 1
_FIRST_WITH_RESULT_PAGES = 58


async def _start(request: Request) -> Response:
    session, version = session_of(request), version_of(request)
    try:
        order = msgspec.json.decode(await request.body(), type=JobOrder)
    except msgspec.DecodeError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "JSON_PARSER_ERROR", str(error)) from error
    job = await run_in_threadpool(world_of(request).jobs.start, session, order, version)
    return Json(job.described() | {"state": "UploadComplete"})


def _list(request: Request) -> Response:
    session = session_of(request)
    version_of(request)
    records = [job.described() for job in world_of(request).jobs.all_of(session.org)]
    return Json({"done": True, "nextRecordsUrl": None, "records": records})


def _job_of(request: Request) -> Job:
    session = session_of(request)
    version_of(request)
    return world_of(request).jobs.find(request.path_params["id"], session.org)


def _show(request: Request) -> Response:
    return Json(_job_of(request).described())


async def _abort(request: Request) -> Response:
    job = _job_of(request)
    if b'"Aborted"' not in await request.body():
        raise ApiError(
            HTTPStatus.BAD_REQUEST, "INVALIDJOBSTATE", "A query job's state can only be set to Aborted"
        )
    world_of(request).jobs.abort(job)
    return Json(job.described())


def _delete(request: Request) -> Response:
    world_of(request).jobs.delete(_job_of(request))
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _most_rows(request: Request) -> int | None:
    text = request.query_params.get("maxRecords", "")
    return int(text) if text.isdigit() and int(text) > 0 else None


def _start_row(request: Request, job: Job) -> int:
    locator = request.query_params.get("locator", "")
    return row_of(locator, job) if locator and locator != "null" else 0


async def _results(request: Request) -> Response:
    job = _job_of(request)
    await asyncio.sleep(world_of(request).jobs.page_delay_seconds)
    page = await run_in_threadpool(page_of, job, _start_row(request, job), _most_rows(request))
    headers = {
        "Sforce-NumberOfRecords": str(page.rows),
        "Sforce-Locator": "null" if page.next_row is None else locator_of(page.next_row),
    }
    pieces = pieces_of(job, page)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        pieces = _compressed(pieces)
    else:
        headers["Content-Length"] = str(len(job.header) + page.last_byte - page.first_byte)
    return StreamingResponse(_streamed(pieces), headers=headers, media_type="text/csv;charset=UTF-8")


def _streamed(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    return iterate_in_threadpool(pieces)


def _compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    squeeze = zlib.compressobj(_FASTEST, zlib.DEFLATED, _GZIP_WINDOW)
    for piece in pieces:
        if small := squeeze.compress(piece):
            yield small
    yield squeeze.flush()


def _result_pages(request: Request) -> Response:
    job = _job_of(request)
    if int(version_of(request)[1:3]) < _FIRST_WITH_RESULT_PAGES:
        raise not_found()
    most = _most_rows(request)
    row: int | None = _start_row(request, job)
    address = f"/services/data/{version_of(request)}/jobs/query/{job.id}"
    size = f"&maxRecords={most}" if most else ""
    pages: list[dict[str, str]] = []
    while row is not None and len(pages) < PAGES_AT_ONCE:
        pages.append({"resultUrl": f"{address}/results?locator={locator_of(row)}{size}"})
        row = page_of(job, row, most).next_row
    more = None if row is None else f"{address}/resultPages?locator={locator_of(row)}{size}"
    return Json({"resultPages": pages, "nextRecordsUrl": more, "done": row is None})


_JOBS = "/services/data/{version}/jobs/query"
ROUTES: list[BaseRoute] = [
    Route(_JOBS, _start, methods=["POST"]),
    Route(_JOBS, _list, methods=["GET"]),
    Route(f"{_JOBS}/{{id}}", _show, methods=["GET"]),
    Route(f"{_JOBS}/{{id}}", _abort, methods=["PATCH"]),
    Route(f"{_JOBS}/{{id}}", _delete, methods=["DELETE"]),
    Route(f"{_JOBS}/{{id}}/results", _results),
    Route(f"{_JOBS}/{{id}}/resultPages", _result_pages),
]
