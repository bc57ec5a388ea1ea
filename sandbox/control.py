"""``/_sandbox/…``: the hand of a test in an organisation: changes, faults, time, and what was called."""

from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sandbox.bearer import private_key
from sandbox.changes import (
    empty_bin,
    record_create,
    record_delete,
    record_undelete,
    record_update,
    sobject_of,
)
from sandbox.drift import SchemaChange, schema_change, schema_shown
from sandbox.errors import ApiError
from sandbox.faults import Fault
from sandbox.late import change_late, settle
from sandbox.limits import Usage
from sandbox.merging import records_merge
from sandbox.oauth import running_user
from sandbox.oddities import Oddity, make_odd
from sandbox.orgs import Org
from sandbox.rows import csv_header, csv_line_sql, csv_pieces
from sandbox.rules import LimitRules, changed
from sandbox.soql import compile_query, parse
from sandbox.world import Json, World, world_of


class RecordFields(msgspec.Struct, forbid_unknown_fields=True):
    """A record to create or, with its id, to change."""

    name: str = msgspec.field(name="object")
    fields: dict[str, object] = {}
    id: str = ""


class RecordName(msgspec.Struct, forbid_unknown_fields=True):
    """A record to delete or to bring back."""

    name: str = msgspec.field(name="object")
    id: str
    hard: bool = False


class TimeChange(msgspec.Struct, forbid_unknown_fields=True):
    """``fix`` the time, ``advance`` it by seconds, let it ``run`` again; hold ``latestDateCovered`` back."""

    fix: datetime | None = None
    advance_seconds: float = 0
    run: bool = False
    covered_lag_seconds: float | None = None


class LateChangeOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A change stamped now that others see ``seconds`` later; without an id a new record, with ``delete`` a deletion."""

    name: str = msgspec.field(name="object")
    seconds: float
    id: str = ""
    fields: dict[str, object] = {}
    delete: bool = False


class Merge(msgspec.Struct, forbid_unknown_fields=True):
    """Records to merge into a master."""

    name: str = msgspec.field(name="object")
    master: str
    losers: list[str]


class EmptyBin(msgspec.Struct, forbid_unknown_fields=True):
    """The recycle bin to empty: of one object, or the whole."""

    name: str = msgspec.field(name="object", default="")


class Delay(msgspec.Struct, forbid_unknown_fields=True):
    """A length of time."""

    seconds: float


Body = TypeVar("Body")
Action = Callable[[World, Org, Body], object]


def _org_of(request: Request) -> Org:
    """The organisation that the address names, or the first one."""
    orgs = world_of(request).orgs
    name = request.state.org_name
    org = orgs[name] if name else next(iter(orgs.values()))
    settle(org)
    return org


def _rules(name: str) -> Callable[[Request], object]:
    """An address that shows a set of rules (GET), changes those that a body names (POST), or makes them the usual ones (DELETE)."""

    async def answer(request: Request) -> Response:
        org = _org_of(request)
        rules: msgspec.Struct = getattr(org.rules, name)
        if request.method == "DELETE":
            rules = type(rules)()
        elif request.method == "POST":
            try:
                rules = changed(rules, msgspec.json.decode(await request.body(), type=dict[str, object]))
            except (msgspec.ValidationError, msgspec.DecodeError) as error:
                raise _bad_command(error) from error
        setattr(org.rules, name, rules)
        return Json(rules)

    return answer


def _bad_command(error: Exception) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, "BAD_COMMAND", f"The body does not fit: {error}")


async def _limits(request: Request) -> Response:
    """The rules of limits, with what is used of them: ``used`` calls and ``bulk_jobs_used``."""
    org = _org_of(request)
    if request.method == "POST":
        try:
            body = msgspec.json.decode(await request.body(), type=dict[str, object])
            used = msgspec.convert(
                {name: body.pop(name) for name in ("used", "bulk_jobs_used") if name in body},
                type=dict[str, int],
            )
            org.rules.limits = changed(org.rules.limits, body)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise _bad_command(error) from error
        org.usage.calls = used.get("used", org.usage.calls)
        org.usage.bulk_jobs = used.get("bulk_jobs_used", org.usage.bulk_jobs)
    elif request.method == "DELETE":
        org.rules.limits, org.usage = LimitRules(), Usage()
    shown: dict[str, object] = msgspec.to_builtins(org.rules.limits)
    return Json(shown | {"used": org.usage.calls, "bulk_jobs_used": org.usage.bulk_jobs})


def _command(shape: type[Body], action: Action[Body]) -> Callable[[Request], object]:
    """An address that takes a body of a shape; what does not fit is 400 with a sentence."""

    async def answer(request: Request) -> Response:
        try:
            body = msgspec.json.decode(await request.body() or b"{}", type=shape)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise _bad_command(error) from error
        return Json(await run_in_threadpool(action, world_of(request), _org_of(request), body))

    return answer


def _create(world: World, org: Org, body: RecordFields) -> object:
    user = running_user(org)
    return {"id": record_create(org, body.name, body.fields, user_id=user, everything=True)}


def _update(world: World, org: Org, body: RecordFields) -> object:
    record_update(org, body.name, body.id, body.fields, user_id=running_user(org), everything=True)
    return {"id": body.id}


def _delete(world: World, org: Org, body: RecordName) -> object:
    record_delete(org, body.name, body.id, hard=body.hard)
    return {"id": body.id}


def _undelete(world: World, org: Org, body: RecordName) -> object:
    record_undelete(org, body.name, body.id)
    return {"id": body.id}


def _oddities(world: World, org: Org, body: Oddity) -> object:
    return {"ids": make_odd(org, body, user_id=running_user(org))}


def _merge(world: World, org: Org, body: Merge) -> object:
    return {"moved": records_merge(org, body.name, body.master, body.losers, user_id=running_user(org))}


def _empty_bin(world: World, org: Org, body: EmptyBin) -> object:
    names = [body.name] if body.name else list(org.database.objects)
    return {"removed": sum(empty_bin(org, name) for name in names)}


def _late(world: World, org: Org, body: LateChangeOrder) -> object:
    user = running_user(org)
    record_id = change_late(
        org, body.name, body.id, body.fields, body.seconds, is_deletion=body.delete, user_id=user
    )
    return {"id": record_id}


def _schema(world: World, org: Org, body: SchemaChange) -> object:
    schema_change(org, body)
    return schema_shown(org, body.name)


def _schema_shown(request: Request) -> Response:
    return Json(schema_shown(_org_of(request), request.query_params.get("object", "")))


def _time(world: World, org: Org, body: TimeChange) -> object:
    if body.run:
        org.clock.run()
    if body.fix is not None:
        org.clock.fix(body.fix)
    org.clock.advance(body.advance_seconds)
    if body.covered_lag_seconds is not None:
        org.clock.covered_lag_seconds = body.covered_lag_seconds
    return {"now": org.clock.stamp()}


def _job_delay(world: World, org: Org, body: Delay) -> object:
    org.rules.behaviour.bulk_job_delay = body.seconds
    return {"seconds": body.seconds}


def _page_delay(world: World, org: Org, body: Delay) -> object:
    world.jobs.page_delay_seconds = body.seconds
    return {"seconds": body.seconds}


async def _fault(request: Request) -> Response:
    """Below ``/_sandbox/orgs/NAME`` a fault befalls that organisation only."""
    try:
        fault = msgspec.json.decode(await request.body(), type=Fault)
    except msgspec.DecodeError as error:
        raise _bad_command(error) from error
    world_of(request).faults.add(fault, request.state.org_name)
    return Json({"waiting": world_of(request).faults.waiting()})


def _faults_shown(request: Request) -> Response:
    return Json({"waiting": world_of(request).faults.waiting()})


def _faults_clear(request: Request) -> Response:
    world_of(request).faults.clear()
    return _faults_shown(request)


def _jwt_key(request: Request) -> Response:
    """The private key with which one may sign in by JWT, until another certificate is registered."""
    return Response(private_key(_org_of(request)), media_type="application/x-pem-file")


def _expire_tokens(request: Request) -> Response:
    return Json({"expired": world_of(request).sessions.expire(_org_of(request))})


def _stats(request: Request) -> Response:
    calls = sorted(_org_of(request).calls.items())
    return Json(
        [{"method": key[0], "path": key[1], "status": key[2], "calls": number} for key, number in calls]
    )


def _traffic(request: Request) -> Response:
    """Calls in flight and calls a second, and the most of each since the stats were last cleared."""
    return Json(_org_of(request).traffic.shown())


def _stats_clear(request: Request) -> Response:
    _org_of(request).calls.clear()
    _org_of(request).traffic.clear()
    return _stats(request)


def _health(request: Request) -> Response:
    orgs = world_of(request).orgs.values()
    return Json({"status": "ok", "orgs": [{"name": org.name, "client_id": org.client_id} for org in orgs]})


def _people(request: Request) -> Response:
    org = _org_of(request)
    sql = """
        SELECT u."Id", u."Email", u."Name", u."Title", m."Email", u."IsActive",
               (SELECT count(*) FROM "Opportunity" o WHERE o."OwnerId" = u."Id" AND o."IsDeleted" IS NOT 'true')
        FROM "User" u
        LEFT JOIN "User" m ON m."Id" = u."ManagerId"
        ORDER BY u._row
    """
    names = ("id", "email", "name", "title", "manager_email", "is_active", "deals")
    return Json([dict(zip(names, row, strict=True)) for row in org.database.reader.execute(sql)])


def _snapshot(request: Request) -> Response:
    """All rows of an object as Bulk CSV, deleted ones only with ``deleted=1``; ``fields`` narrows the columns."""
    org = _org_of(request)
    sobject = sobject_of(org, request.query_params.get("object", ""), everything=True)
    fields = request.query_params.get("fields") or ",".join(sobject.plain_fields)
    query = parse(f"SELECT {fields} FROM {sobject.name}")
    with_deleted = request.query_params.get("deleted", "") not in {"", "0", "false"}
    plan = compile_query(query, org.database.schema.unlimited, org.clock.now(), with_deleted=with_deleted)
    line = csv_line_sql(plan, ",", "\n", holds_nul=org.database.holds_nul)

    def pieces() -> Iterator[bytes]:
        yield csv_header(plan, ",", "\n")
        with org.database.bytes_reader() as connection:
            for _, text in csv_pieces(connection, plan, line):
                yield text

    return StreamingResponse(pieces(), media_type="text/csv;charset=UTF-8")


_AT = "/_sandbox"
ROUTES: list[BaseRoute] = [
    Route(f"{_AT}/health", _health),
    Route(f"{_AT}/people", _people),
    Route(f"{_AT}/snapshot", _snapshot),
    Route(f"{_AT}/stats", _stats, methods=["GET"]),
    Route(f"{_AT}/stats", _stats_clear, methods=["DELETE"]),
    Route(f"{_AT}/stats/traffic", _traffic),
    Route(f"{_AT}/oauth", _rules("oauth"), methods=["GET", "POST", "DELETE"]),
    Route(f"{_AT}/jwt_key", _jwt_key),
    Route(f"{_AT}/limits", _limits, methods=["GET", "POST", "DELETE"]),
    Route(f"{_AT}/behaviour", _rules("behaviour"), methods=["GET", "POST", "DELETE"]),
    Route(f"{_AT}/schema", _schema_shown, methods=["GET"]),
    Route(f"{_AT}/schema", _command(SchemaChange, _schema), methods=["POST"]),
    Route(f"{_AT}/late", _command(LateChangeOrder, _late), methods=["POST"]),
    Route(f"{_AT}/oddities", _command(Oddity, _oddities), methods=["POST"]),
    Route(f"{_AT}/merge", _command(Merge, _merge), methods=["POST"]),
    Route(f"{_AT}/empty_bin", _command(EmptyBin, _empty_bin), methods=["POST"]),
    Route(f"{_AT}/bulk_job_delay", _command(Delay, _job_delay), methods=["POST"]),
    Route(f"{_AT}/create", _command(RecordFields, _create), methods=["POST"]),
    Route(f"{_AT}/update", _command(RecordFields, _update), methods=["POST"]),
    Route(f"{_AT}/delete", _command(RecordName, _delete), methods=["POST"]),
    Route(f"{_AT}/undelete", _command(RecordName, _undelete), methods=["POST"]),
    Route(f"{_AT}/clock", _command(TimeChange, _time), methods=["POST"]),
    Route(f"{_AT}/bulk_page_delay", _command(Delay, _page_delay), methods=["POST"]),
    Route(f"{_AT}/fault", _fault, methods=["POST"]),
    Route(f"{_AT}/faults", _faults_shown, methods=["GET"]),
    Route(f"{_AT}/faults/clear", _faults_clear, methods=["POST"]),
    Route(f"{_AT}/expire_tokens", _expire_tokens, methods=["POST"]),
]
