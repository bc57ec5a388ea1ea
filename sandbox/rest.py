"""The REST data API: versions, describe, records, query, limits, changes."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from itertools import chain

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from sandbox import rows
from sandbox.change_lists import deleted, updated
from sandbox.changes import record_create, record_delete, record_update, sobject_of
from sandbox.describe import described_briefly, described_field, described_further
from sandbox.errors import ApiError, malformed, not_found
from sandbox.ids import forms
from sandbox.login import identity_url
from sandbox.oauth import Session
from sandbox.orgs import Org
from sandbox.schema import Field, SObject
from sandbox.soql import compile_aggregate, compile_query, parse
from sandbox.soql.tree import Name, Query, Selected
from sandbox.world import Json, session_of, world_of

_VERSIONS = range(31, 67)
_RELEASES = ("Winter", "Spring", "Summer")
_BATCH = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)
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


def endpoint(handler: Handler) -> Callable[[Request], Response]:
    """A handler that wants the session and the version, and gives what is to be JSON, or a whole response."""

    def answer(request: Request) -> Response:
        session, version = session_of(request), version_of(request)
        found = handler(request, session, version)
        return found if isinstance(found, Response) else Json(found)

    return answer


def _resources(request: Request, session: Session, version: str) -> object:
    names = ("sobjects", "query", "queryAll", "limits", "jobs", "composite")
    places = {name: f"/services/data/{version}/{name}" for name in names}
    return places | {"identity": identity_url(request, session)}


def _global_describe(request: Request, session: Session, version: str) -> object:
    shown = [_briefly(sobject, version) for sobject in session.org.database.schema.visible.values()]
    return {"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": shown}


def _briefly(sobject: SObject, version: str) -> dict[str, object]:
    address = f"/services/data/{version}/sobjects/{sobject.name}"
    urls = {"sobject": address, "describe": f"{address}/describe", "rowTemplate": f"{address}/{{ID}}"}
    return described_briefly(sobject) | {"urls": urls}


def _sobject_basics(request: Request, session: Session, version: str) -> object:
    sobject = sobject_of(session.org, request.path_params["name"])
    return {"objectDescribe": _briefly(sobject, version), "recentItems": []}


def _describe(request: Request, session: Session, version: str) -> object:
    org, sobject = session.org, sobject_of(session.org, request.path_params["name"])
    fields = [described_field(field, choices(org, sobject, field)) for field in sobject.fields.values()]
    further = described_further(sobject, org.database.schema.visible)
    return _briefly(sobject, version) | further | {"fields": fields}


def choices(org: Org, sobject: SObject, field: Field) -> Sequence[str]:
    """What a picklist offers now; the stages of a deal are records of their own."""
    if (sobject.name, field.name) != ("Opportunity", "StageName"):
        return field.values
    sql = """
        SELECT coalesce("ApiName", "MasterLabel") FROM "OpportunityStage"
        WHERE "IsActive" = 'true' ORDER BY CAST("SortOrder" AS INTEGER)
    """
    return [name for (name,) in org.database.reader.execute(sql)] or field.values


def _limits(request: Request, session: Session, version: str) -> object:
    rules, usage = session.org.rules.limits, session.org.usage
    return {
        "DailyApiRequests": {"Max": rules.daily, "Remaining": max(0, rules.daily - usage.calls)},
        "DailyBulkV2QueryJobs": {
            "Max": rules.bulk_jobs,
            "Remaining": max(0, rules.bulk_jobs - usage.bulk_jobs),
        },
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
    org, query = session.org, parse(soql)
    if query.is_aggregate:
        return _grouped(org, query, with_deleted=with_deleted)
    plan = compile_query(query, org.database.schema, org.clock.now(), with_deleted=with_deleted)
    if plan.is_count:
        return {"totalSize": rows.count(org.database, plan), "done": True, "records": []}
    batch_size, pieces = _batch_size(request), rows.places(org.database, plan)
    head = _up_to(batch_size + 1, pieces)
    if len(head) <= batch_size:
        records = rows.records_at(org.database, plan, head, version)
        return {"totalSize": len(head), "done": True, "records": records}
    cursor = world_of(request).cursors.start(org, plan, batch_size, chain([head], pieces))
    return _page(org, version, f"{cursor.id}-0", request)


def _grouped(org: Org, query: Query, *, with_deleted: bool) -> object:
    plan = compile_aggregate(query, org.database.schema, org.clock.now(), with_deleted=with_deleted)
    records = rows.groups(org.database, plan)
    return {"totalSize": len(records), "done": True, "records": records}


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
    try:
        records = rows.records_at(org.database, cursor.plan, cursor.rows(start), version)
    except sqlite3.OperationalError as error:  # a field was renamed since the query began
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_QUERY_LOCATOR", "invalid query locator") from error
    page: dict[str, object] = {"totalSize": cursor.total, "done": True, "records": records}
    end = start + cursor.batch_size
    if end < cursor.total:
        page |= {"done": False, "nextRecordsUrl": f"/services/data/{version}/query/{cursor.id}-{end}"}
    return page


def _batch_size(request: Request) -> int:
    match = _BATCH.search(request.headers.get("sforce-query-options", ""))
    return min(max(int(match[1]), 200), 2000) if match else 2000


def _one_record(request: Request, session: Session, version: str) -> object:
    wanted = request.query_params.get("fields")
    names = [name.strip() for name in wanted.split(",")] if wanted else None
    found = records_by_id(
        session.org, request.path_params["name"], [request.path_params["id"]], names, version
    )
    if found[0] is None:
        raise not_found()
    return found[0]


def records_by_id(
    org: Org, name: str, ids: Sequence[str], names: Sequence[str] | None, version: str
) -> list[rows.JsonRecord | None]:
    """Living records in the order of their ids, None where there is none; all fields, or those named."""
    sobject = sobject_of(org, name)
    selected = tuple(Selected(Name(each, 0)) for each in names or sobject.fields)
    query = Query(text="", selected=selected, is_count=False, entity=Name(sobject.name, 0))
    plan = compile_query(query, org.database.schema, org.clock.now(), with_deleted=False)
    spellings = json.dumps(sorted({form for each in ids for form in forms(each)}))
    sql = f'SELECT t."Id", t.rowid FROM "{sobject.name}" t {plan.where} {"AND" if plan.where else "WHERE"}'
    found = org.database.reader.execute(
        f'{sql} t."Id" IN (SELECT value FROM json_each(?))', (spellings,)
    ).fetchall()
    records = rows.records_at(org.database, plan, [place for _, place in found], version)
    by_id = {record_id: record for (record_id, _), record in zip(found, records, strict=True)}
    return [next((by_id[form] for form in forms(each) if form in by_id), None) for each in ids]


def _check_writable(org: Org, name: str, key: str) -> None:
    """Raises: ApiError INVALID_TYPE_FOR_OPERATION, for objects that only Setup or the server writes."""
    sobject = sobject_of(org, name)
    if not described_briefly(sobject)[key]:
        message = f"entity type cannot be {'inserted' if key == 'createable' else 'updated'}: {sobject.name}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_TYPE_FOR_OPERATION", message)


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
    _check_writable(session.org, name, "createable")
    fields = await _posted_fields(request)
    record_id = await run_in_threadpool(record_create, session.org, name, fields, user_id=session.user_id)
    return Json({"id": record_id, "success": True, "errors": []}, status_code=HTTPStatus.CREATED)


async def _update(request: Request) -> Response:
    session, params = session_of(request), request.path_params
    version_of(request)
    _check_writable(session.org, params["name"], "updateable")
    fields = await _posted_fields(request)
    await run_in_threadpool(
        record_update, session.org, params["name"], params["id"], fields, user_id=session.user_id
    )
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _delete(request: Request, session: Session, version: str) -> object:
    record_delete(session.org, request.path_params["name"], request.path_params["id"])
    return Response(status_code=HTTPStatus.NO_CONTENT)


_DATA = "/services/data/{version}"
ROUTES: list[BaseRoute] = [
    Route("/services/data", versions),
    Route(_DATA, endpoint(_resources)),
    Route(f"{_DATA}/limits", endpoint(_limits)),
    Route(f"{_DATA}/query", endpoint(_query)),
    Route(f"{_DATA}/queryAll", endpoint(_query_all)),
    Route(f"{_DATA}/query/{{locator}}", endpoint(_next_page)),
    Route(f"{_DATA}/queryAll/{{locator}}", endpoint(_next_page)),
    Route(f"{_DATA}/sobjects", endpoint(_global_describe)),
    Route(f"{_DATA}/sobjects/{{name}}", endpoint(_sobject_basics), methods=["GET"]),
    Route(f"{_DATA}/sobjects/{{name}}", _create, methods=["POST"]),
    Route(f"{_DATA}/sobjects/{{name}}/describe", endpoint(_describe)),
    Route(f"{_DATA}/sobjects/{{name}}/updated", endpoint(updated)),
    Route(f"{_DATA}/sobjects/{{name}}/deleted", endpoint(deleted)),
    Route(f"{_DATA}/sobjects/{{name}}/{{id}}", endpoint(_one_record), methods=["GET"]),
    Route(f"{_DATA}/sobjects/{{name}}/{{id}}", _update, methods=["PATCH"]),
    Route(f"{_DATA}/sobjects/{{name}}/{{id}}", endpoint(_delete), methods=["DELETE"]),
]
