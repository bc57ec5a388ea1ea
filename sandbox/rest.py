"""The REST data API: versions, describe, records, query, limits, changes."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import chain

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox import rows
from sandbox.changes import record_create, record_delete, record_update, sobject_of
from sandbox.errors import ApiError, malformed, not_found
from sandbox.ids import lengthen
from sandbox.oauth import Session
from sandbox.orgs import Org
from sandbox.schema import SObject
from sandbox.soql import compile_query, parse
from sandbox.soql.tree import Name, Query
from sandbox.world import DAILY_API_REQUESTS, Json, session_of, world_of

_VERSIONS = range(31, 67)
_RELEASES = ("Winter", "Spring", "Summer")
_BATCH = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)
_MOST_CHANGED_IDS = 600_000
Handler = Callable[[Request, Session, str], object]


def versions(request: Request) -> Response:
    """``/services/data``: no token needed."""
    return Json([_version(number) for number in _VERSIONS])


def _version(number: int) -> dict[str, str]:
    """Three releases a year since version 32, Winter '15."""
    years, release = divmod(number - 32, 3)
    label = f"{_RELEASES[release]} '{15 + years}"
    return {"label": label, "url": f"/services/data/v{number}.0", "version": f"{number}.0"}


def version_of(request: Request) -> str:
    """``v61.0`` of an address. Raises: ApiError NOT_FOUND, for a version that there is not."""
    version: str = request.path_params["version"]
    match = re.fullmatch(r"v(\d\d)\.0", version)
    if match is None or int(match[1]) not in _VERSIONS:
        raise not_found()
    return version


def _endpoint(handler: Handler) -> Callable[[Request], Response]:
    """A handler that wants the session and the version, and gives what is to be JSON, or a whole response."""

    def answer(request: Request) -> Response:
        session, version = session_of(request), version_of(request)
        found = handler(request, session, version)
        return found if isinstance(found, Response) else Json(found)

    return answer


def _resources(request: Request, session: Session, version: str) -> object:
    names = ("sobjects", "query", "queryAll", "limits", "jobs")
    return {name: f"/services/data/{version}/{name}" for name in names}


def _global_describe(request: Request, session: Session, version: str) -> object:
    shown = [_briefly(sobject, version) for sobject in session.org.database.objects.values()]
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": shown}


def _briefly(sobject: SObject, version: str) -> dict[str, object]:
    address = f"/services/data/{version}/sobjects/{sobject.name}"
    urls = {"sobject": address, "describe": f"{address}/describe", "rowTemplate": f"{address}/{{ID}}"}
    return sobject.described_briefly() | {"urls": urls}


def _sobject_basics(request: Request, session: Session, version: str) -> object:
    sobject = sobject_of(session.org, request.path_params["name"])
    return {"objectDescribe": _briefly(sobject, version), "recentItems": []}


def _describe(request: Request, session: Session, version: str) -> object:
    sobject = sobject_of(session.org, request.path_params["name"])
    fields = [field.described() for field in sobject.fields.values()]
    return _briefly(sobject, version) | {"fields": fields, "childRelationships": [], "recordTypeInfos": []}


def _limits(request: Request, session: Session, version: str) -> object:
    jobs = len(world_of(request).jobs.all_of(session.org))
    return {
        "DailyApiRequests": {
            "Max": DAILY_API_REQUESTS,
            "Remaining": max(0, DAILY_API_REQUESTS - session.org.api_calls),
        },
        "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000 - jobs},
        "DailyBulkV2QueryFileStorageMB": {"Max": 976_562, "Remaining": 976_562},
    }


def _query(request: Request, session: Session, version: str) -> object:
    return _first_page(request, session, version, with_deleted=False)


def _query_all(request: Request, session: Session, version: str) -> object:
    return _first_page(request, session, version, with_deleted=True)


def _first_page(request: Request, session: Session, version: str, *, with_deleted: bool) -> object:
    soql = request.query_params.get("q")
    if not soql:
        raise malformed("A query string has to be specified")
    org = session.org
    plan = compile_query(parse(soql), org.database.objects, org.clock.now().date(), with_deleted=with_deleted)
    if plan.is_count:
        return {"totalSize": rows.count(org.database, plan), "done": True, "records": []}
    batch_size, pieces = _batch_size(request), rows.places(org.database, plan)
    head = _up_to(batch_size + 1, pieces)
    if len(head) <= batch_size:
        records = rows.records_at(org.database, plan, head, version)
        return {"totalSize": len(head), "done": True, "records": records}
    cursor = world_of(request).cursors.start(org, plan, batch_size, chain([head], pieces))
    return _page(org, version, f"{cursor.id}-0", request)


def _up_to(wanted: int, pieces: Iterator[list[int]]) -> list[int]:
    """At least ``wanted`` places, or all there are."""
    head: list[int] = []
    for piece in pieces:
        head.extend(piece)
        if len(head) >= wanted:
            break
    return head


def _next_page(request: Request, session: Session, version: str) -> object:
    return _page(session.org, version, request.path_params["locator"], request)


def _page(org: Org, version: str, locator: str, request: Request) -> object:
    cursor, start = world_of(request).cursors.find(locator, org)
    records = rows.records_at(org.database, cursor.plan, cursor.rows(start), version)
    page: dict[str, object] = {"totalSize": cursor.total, "done": True, "records": records}
    end = start + cursor.batch_size
    if end < cursor.total:
        page |= {"done": False, "nextRecordsUrl": f"/services/data/{version}/query/{cursor.id}-{end}"}
    return page


def _batch_size(request: Request) -> int:
    match = _BATCH.search(request.headers.get("sforce-query-options", ""))
    return min(max(int(match[1]), 200), 2000) if match else 2000


def _one_record(request: Request, session: Session, version: str) -> object:
    sobject = sobject_of(session.org, request.path_params["name"])
    wanted = request.query_params.get("fields")
    names = [name.strip() for name in wanted.split(",")] if wanted else list(sobject.fields)
    query = Query(
        "", tuple(Name(name, 0) for name in names), False, Name(sobject.name, 0), None, (), None, None
    )
    plan = compile_query(
        query, session.org.database.objects, session.org.clock.now().date(), with_deleted=False
    )
    record_id = request.path_params["id"]
    sql = f'SELECT t.rowid {plan.source} {plan.where} {"AND" if plan.where else "WHERE"} t."Id" IN (?, ?) LIMIT 1'
    place = session.org.database.reader.execute(sql, (record_id, lengthen(record_id))).fetchone()
    if place is None:
        raise not_found()
    return rows.records_at(session.org.database, plan, place, version)[0]


async def _posted_fields(request: Request) -> dict[str, object]:
    try:
        fields = msgspec.json.decode(await request.body(), type=dict[str, object])
    except msgspec.DecodeError as error:
        raise ApiError(HTTPStatus.BAD_REQUEST, "JSON_PARSER_ERROR", str(error)) from error
    fields.pop("attributes", None)
    return fields


async def _create(request: Request) -> Response:
    session, name = session_of(request), request.path_params["name"]
    version_of(request)
    fields = await _posted_fields(request)
    record_id = await run_in_threadpool(record_create, session.org, name, fields, user_id=session.user_id)
    return Json({"id": record_id, "success": True, "errors": []}, status_code=HTTPStatus.CREATED)


async def _update(request: Request) -> Response:
    session, params = session_of(request), request.path_params
    version_of(request)
    fields = await _posted_fields(request)
    await run_in_threadpool(
        record_update, session.org, params["name"], params["id"], fields, user_id=session.user_id
    )
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _delete(request: Request, session: Session, version: str) -> object:
    record_delete(session.org, request.path_params["name"], request.path_params["id"])
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _span(request: Request, org: Org, most_days: int) -> tuple[datetime, datetime]:
    """``start`` and ``end`` of a change list. Raises: ApiError INVALID_REPLICATION_DATE."""
    try:
        start, end = (_moment(request.query_params.get(name, "")) for name in ("start", "end"))
    except ValueError as error:
        raise _bad_span("start and end must be dates such as 2024-05-20T20:49:32+00:00") from error
    if start >= end:
        raise _bad_span("startDate cannot be the same as or later than endDate")
    if start < org.clock.now() - timedelta(days=most_days):
        raise _bad_span(f"startDate cannot be more than {most_days} days ago")
    return start, end


def _moment(text: str) -> datetime:
    """A moment of a query string, where an unescaped + has become a space."""
    moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bad_span(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "INVALID_REPLICATION_DATE", message)


def _stored_moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _shown_moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000+0000"


def _updated(request: Request, session: Session, version: str) -> object:
    org = session.org
    covered = org.clock.covered()
    start, end = _span(request, org, 30)
    sobject = sobject_of(org, request.path_params["name"])
    living = "AND \"IsDeleted\" IS NOT 'true'" if sobject.has_recycle_bin else ""
    sql = f'SELECT "Id" FROM "{sobject.name}" WHERE "SystemModstamp" >= ? AND "SystemModstamp" < ? {living} LIMIT ?'
    span = (_stored_moment(start), _stored_moment(end), _MOST_CHANGED_IDS + 1)
    ids = [record_id for (record_id,) in org.database.reader.execute(sql, span)]
    _check_number(len(ids))
    return {"ids": ids, "latestDateCovered": _shown_moment(min(end, covered))}


def _deleted(request: Request, session: Session, version: str) -> object:
    org = session.org
    covered = org.clock.covered()
    start, end = _span(request, org, 15)
    sobject = sobject_of(org, request.path_params["name"])
    span = (_stored_moment(start), _stored_moment(end))
    sql, parameters = (
        "SELECT id, deleted_at FROM _gone WHERE object = ? AND deleted_at >= ? AND deleted_at < ?",
        [sobject.name, *span],
    )
    if sobject.has_recycle_bin:
        sql += (
            f' UNION ALL SELECT "Id", "SystemModstamp" FROM "{sobject.name}" '
            'WHERE "SystemModstamp" >= ? AND "SystemModstamp" < ? AND "IsDeleted" = \'true\''
        )
        parameters += span
    found = org.database.reader.execute(f"{sql} LIMIT {_MOST_CHANGED_IDS + 1}", parameters).fetchall()
    _check_number(len(found))
    return {
        "deletedRecords": [
            {"id": record_id, "deletedDate": at.replace("Z", "+0000")} for record_id, at in found
        ],
        "earliestDateAvailable": _shown_moment(org.clock.now() - timedelta(days=15)),
        "latestDateCovered": _shown_moment(min(end, covered)),
    }


def _check_number(ids: int) -> None:
    if ids > _MOST_CHANGED_IDS:
        message = f"The number of ids is over the limit of {_MOST_CHANGED_IDS}; ask for a shorter span"
        raise ApiError(HTTPStatus.BAD_REQUEST, "EXCEEDED_ID_LIMIT", message)


_DATA = "/services/data/{version}"
ROUTES: list[BaseRoute] = [
    Route("/services/data", versions),
    Route(_DATA, _endpoint(_resources)),
    Route(f"{_DATA}/limits", _endpoint(_limits)),
    Route(f"{_DATA}/query", _endpoint(_query)),
    Route(f"{_DATA}/queryAll", _endpoint(_query_all)),
    Route(f"{_DATA}/query/{{locator}}", _endpoint(_next_page)),
    Route(f"{_DATA}/queryAll/{{locator}}", _endpoint(_next_page)),
    Route(f"{_DATA}/sobjects", _endpoint(_global_describe)),
    Route(f"{_DATA}/sobjects/{{name}}", _endpoint(_sobject_basics), methods=["GET"]),
    Route(f"{_DATA}/sobjects/{{name}}", _create, methods=["POST"]),
    Route(f"{_DATA}/sobjects/{{name}}/describe", _endpoint(_describe)),
    Route(f"{_DATA}/sobjects/{{name}}/updated", _endpoint(_updated)),
    Route(f"{_DATA}/sobjects/{{name}}/deleted", _endpoint(_deleted)),
    Route(f"{_DATA}/sobjects/{{name}}/{{id}}", _endpoint(_one_record), methods=["GET"]),
    Route(f"{_DATA}/sobjects/{{name}}/{{id}}", _update, methods=["PATCH"]),
    Route(f"{_DATA}/sobjects/{{name}}/{{id}}", _endpoint(_delete), methods=["DELETE"]),
]
