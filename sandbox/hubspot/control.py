"""``/_sandbox/portals/NAME/…``: the hand of a test in a portal: changes, faults, time, and what was called."""

from collections.abc import Callable, Iterator
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from sandbox.faults import Fault
from sandbox.hubspot import drift
from sandbox.hubspot.changes import changing, stored
from sandbox.hubspot.errors import HubSpotError
from sandbox.hubspot.kinds import KINDS, UNLABELLED, Kind, kind_of, table_of
from sandbox.hubspot.linking import Link, link, merge, unlink
from sandbox.hubspot.moments import iso, milliseconds_at
from sandbox.hubspot.oddities import Oddity, made_odd
from sandbox.hubspot.portals import Portal
from sandbox.hubspot.reading import ARCHIVED_FOR_MS, Shown, Wanted, linked
from sandbox.hubspot.switches import changed
from sandbox.hubspot.webhooks import Subscription
from sandbox.world import Json

_ROWS_AT_ONCE = 1000


class Record(msgspec.Struct, forbid_unknown_fields=True):
    """A record to create or, with its id, to change: any values that its kind has properties for."""

    name: str = msgspec.field(name="object")
    fields: dict[str, object] = {}
    id: str = ""


class Name(msgspec.Struct, forbid_unknown_fields=True):
    """A record to archive, restore or forget."""

    name: str = msgspec.field(name="object")
    id: str


class Two(msgspec.Struct, forbid_unknown_fields=True):
    """A record that takes over another."""

    name: str = msgspec.field(name="object")
    primary: str
    loser: str


class Tie(msgspec.Struct, forbid_unknown_fields=True):
    """Two records to associate or to part; ``label`` is the text of a label."""

    name: str = msgspec.field(name="object")
    id: str
    other: str
    other_id: str
    label: str | None = None


class Restamp(msgspec.Struct, forbid_unknown_fields=True):
    """Give the first so many records of a kind one and the same stamp, as an import or a workflow does."""

    name: str = msgspec.field(name="object")
    first: int
    at: datetime


class TimeChange(msgspec.Struct, forbid_unknown_fields=True):
    """``fix`` the time, ``advance`` it by seconds, let it ``run`` again."""

    fix: datetime | None = None
    advance_seconds: float = 0
    run: bool = False


class Scopes(msgspec.Struct, forbid_unknown_fields=True):
    """Scopes to give and to take, of one access token or of all."""

    add: list[str] = []
    remove: list[str] = []
    token: str | None = None


class Expiry(msgspec.Struct, forbid_unknown_fields=True):
    """When all OAuth access tokens end: now, or after so many more calls."""

    after_calls: int | None = None


class Token(msgspec.Struct, forbid_unknown_fields=True):
    """A token to revoke."""

    token: str


class Patience(msgspec.Struct, forbid_unknown_fields=True):
    """How long to wait at most."""

    seconds: float = 10.0


class Hook(msgspec.Struct, forbid_unknown_fields=True):
    """A subscription, or its end."""

    subscription: Subscription | None = None


Body = TypeVar("Body")
Action = Callable[[Portal, Body], object]


def _portal(request: Request) -> Portal:
    portal: Portal = request.state.portal
    return portal


def _bad_command(problem: object) -> HubSpotError:
    return HubSpotError(HTTPStatus.BAD_REQUEST, "BAD_COMMAND", f"The body does not fit: {problem}")


def _command(shape: type[Body], action: Action[Body]) -> Callable[[Request], object]:
    """An address that takes a body of a shape; what does not fit is 400 with a sentence."""

    async def answer(request: Request) -> Response:
        try:
            body = msgspec.json.decode(await request.body() or b"{}", type=shape)
            return Json(await run_in_threadpool(action, _portal(request), body))
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            raise _bad_command(error) from error

    return answer


def _create(portal: Portal, body: Record) -> object:
    kind = kind_of(body.name)
    with changing(portal, "CRM_UI") as change:
        return {"id": str(change.create(kind, stored(portal, kind, body.fields)))}


def _update(portal: Portal, body: Record) -> object:
    kind = kind_of(body.name)
    with changing(portal, "CRM_UI") as change:
        change.update(kind, change.find(kind, body.id), stored(portal, kind, body.fields))
    return {"id": body.id}


def _archive(portal: Portal, body: Name) -> object:
    kind = kind_of(body.name)
    with changing(portal, "CRM_UI") as change:
        change.archive(kind, change.find(kind, body.id))
    return {"id": body.id}


def _restore(portal: Portal, body: Name) -> object:
    kind = kind_of(body.name)
    with changing(portal, "CRM_UI") as change:
        change.restore(kind, change.find(kind, body.id, archived=True))
    return {"id": body.id}


def _forget(portal: Portal, body: Name) -> object:
    kind = kind_of(body.name)
    with changing(portal, "CRM_UI") as change:
        change.forget(kind, change.find(kind, body.id))
    return {"id": body.id}


def _merge(portal: Portal, body: Two) -> object:
    kind = kind_of(body.name)
    with changing(portal, "CRM_UI") as change:
        merge(change, kind, change.find(kind, body.primary), change.find(kind, body.loser))
    return {"id": body.primary}


def _link_of(portal: Portal, body: Tie) -> Link:
    kind, other = kind_of(body.name), kind_of(body.other)
    if not (body.id.isdecimal() and body.other_id.isdecimal()):
        raise _bad_command("ids are numbers")
    labels = {each.label: number for number, each in portal.catalogue.association_types(kind, other).items()}
    if body.label not in labels:
        raise _bad_command(f"there is no label {body.label}; there are {', '.join(filter(None, labels))}")
    return Link(kind, other, int(body.id), int(body.other_id), labels[body.label])


def _associate(portal: Portal, body: Tie) -> object:
    wanted = _link_of(portal, body)
    with changing(portal, "CRM_UI") as change:
        link(change, wanted)
    return {"id": body.id}


def _part(portal: Portal, body: Tie) -> object:
    wanted = _link_of(portal, body)
    with changing(portal, "CRM_UI") as change:
        unlink(change, wanted, all_labels=wanted.label == UNLABELLED)
    return {"id": body.id}


def _restamp(portal: Portal, body: Restamp) -> object:
    """Searches show it at once, and webhooks do not hear of it."""
    kind, moment = kind_of(body.name), milliseconds_at(body.at)
    sql = f"""
        UPDATE {kind.name}
        SET updated_ms = :moment, properties = json_set(properties, '$.{kind.modified}', :stamp)
        WHERE id IN (SELECT id FROM {kind.name} WHERE archived_ms IS NULL ORDER BY id LIMIT :first)
    """
    with portal.store.writing() as connection:
        parameters = {"moment": moment, "stamp": iso(moment), "first": body.first}
        return {"stamped": connection.execute(sql, parameters).rowcount}


def _time(portal: Portal, body: TimeChange) -> object:
    if body.run:
        portal.clock.run()
    if body.fix is not None:
        portal.clock.fix(body.fix)
    portal.clock.advance(body.advance_seconds)
    return {"now": portal.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def _switch(portal: Portal, body: dict[str, object]) -> object:
    portal.switches = changed(portal.switches, body)
    return portal.switches


def _rescope(portal: Portal, body: Scopes) -> object:
    portal.tokens.rescope(body.add, body.remove, body.token)
    return {}


def _expire(portal: Portal, body: Expiry) -> object:
    if body.after_calls is None:
        return {"expired": portal.tokens.expire()}
    portal.tokens.expire_after_calls = body.after_calls
    return {"after_calls": body.after_calls}


def _revoke(portal: Portal, body: Token) -> object:
    return {"revoked": portal.tokens.revoke(body.token)}


def _subscribe(portal: Portal, body: Hook) -> object:
    portal.webhooks.subscribe(body.subscription)
    return body


def _settle(portal: Portal, body: Patience) -> object:
    return {"settled": portal.webhooks.settle(body.seconds), "deliveries": portal.webhooks.deliveries}


def _oddities(portal: Portal, body: Oddity) -> object:
    return {"ids": made_odd(portal, body)}


def _drift(portal: Portal, body: drift.Drift) -> object:
    return drift.drifted(portal, body)


async def _fault(request: Request) -> Response:
    try:
        fault = msgspec.json.decode(await request.body(), type=Fault)
    except msgspec.DecodeError as error:
        raise _bad_command(error) from error
    request.app.state.faults.add(fault, _portal(request).name)
    return _faults_shown(request)


def _faults_shown(request: Request) -> Response:
    return Json({"waiting": request.app.state.faults.waiting()})


def _faults_clear(request: Request) -> Response:
    request.app.state.faults.clear()
    return _faults_shown(request)


def _deliveries(request: Request) -> Response:
    hooks = _portal(request).webhooks
    return Json({"subscription": hooks.subscription, "deliveries": hooks.deliveries})


def _switches(request: Request) -> Response:
    return Json(_portal(request).switches)


def _stats(request: Request) -> Response:
    return Json(_portal(request).traffic.shown())


def _stats_clear(request: Request) -> Response:
    _portal(request).traffic.forget()
    return _stats(request)


def _facts(request: Request) -> Response:
    portal = _portal(request)
    client = portal.tokens.client
    return Json({"name": portal.name, "portal_id": portal.portal_id, "token": portal.tokens.private_token,
                 "client_id": client.client_id, "client_secret": client.client_secret,
                 "counts": {name: portal.store.count(name) for name in KINDS}})  # fmt: skip


def _people(request: Request) -> Response:
    sql = """
        SELECT o.id, o.body ->> 'email', (o.body ->> 'firstName') || ' ' || (o.body ->> 'lastName'), o.archived = 0, count(d.id)
        FROM owner o
        LEFT JOIN deals d ON json_extract(d.properties, '$.hubspot_owner_id') = CAST(o.id AS TEXT) AND d.archived_ms IS NULL
        GROUP BY o.id
        ORDER BY o.id
    """
    names = ("id", "email", "name", "is_active", "deals")
    rows = _portal(request).store.rows(sql)
    return Json(
        [dict(zip(names, (str(row[0]), *row[1:3], bool(row[3]), row[4]), strict=True)) for row in rows]
    )


def _snapshot(request: Request) -> Response:
    """All records of a kind with every property and association, a JSON object a line.

    ``archived=1`` adds those that were archived within ninety days; ``history=dealstage,amount`` the past of some properties.
    """
    portal, kind = _portal(request), kind_of(request.query_params.get("object", ""))
    history = [name for name in request.query_params.get("history", "").split(",") if name]
    wanted = Wanted.of(portal, kind, list(portal.catalogue.properties(kind)), history)
    with_archived = request.query_params.get("archived", "") not in {"", "0", "false"}
    lines = _lines(portal, wanted, with_archived=with_archived)
    return StreamingResponse(lines, media_type="application/x-ndjson")


def _lines(portal: Portal, wanted: Wanted, *, with_archived: bool) -> Iterator[bytes]:
    kind, kept = wanted.kind, "(r.archived_ms IS NULL OR (:archived AND r.archived_ms > :floor))"
    sql = f"SELECT {wanted.columns(portal)} FROM {kind.name} r WHERE r.id > :after AND {kept} ORDER BY r.id LIMIT {_ROWS_AT_ONCE}"
    now, after = portal.now_ms(), 0
    others = [kind_of(name) for name in KINDS if _are_associable(kind, kind_of(name))]
    while True:
        parameters = {"now": now, "floor": now - ARCHIVED_FOR_MS, "archived": with_archived, "after": after}
        rows = portal.store.rows(sql, parameters)
        if not rows:
            return
        after = rows[-1][0]
        records = [wanted.shown(row) for row in rows]
        _add_labels(portal, kind, others, records)
        yield msgspec.json.Encoder().encode_lines(records)


def _are_associable(kind: Kind, other: Kind) -> bool:
    try:
        table_of(kind, other)
    except HubSpotError:
        return False
    return kind is not other


def _add_labels(portal: Portal, kind: Kind, others: list[Kind], records: list[Shown]) -> None:
    ids = [int(str(record["id"])) for record in records]
    for other in others:
        types = portal.catalogue.association_types(kind, other)
        found = linked(portal, kind, other, ids)
        for record, record_id in zip(records, ids, strict=True):
            links: dict[str, list[str]] = {}
            for to_id, label in found.get(record_id, []):
                text = types[label].label if label in types else None
                links.setdefault(str(to_id), []).extend([text] if text else [])
            if links:
                shown = record.setdefault("associations", {})
                assert isinstance(shown, dict)
                shown[other.name] = [{"id": to_id, "labels": labels} for to_id, labels in links.items()]


_AT = "/_sandbox"
ROUTES: list[BaseRoute] = [
    Route(_AT, _facts),
    Route(f"{_AT}/people", _people),
    Route(f"{_AT}/snapshot", _snapshot),
    Route(f"{_AT}/stats", _stats, methods=["GET"]),
    Route(f"{_AT}/stats", _stats_clear, methods=["DELETE"]),
    Route(f"{_AT}/switches", _switches, methods=["GET"]),
    Route(f"{_AT}/switches", _command(dict[str, object], _switch), methods=["POST"]),
    Route(f"{_AT}/create", _command(Record, _create), methods=["POST"]),
    Route(f"{_AT}/update", _command(Record, _update), methods=["POST"]),
    Route(f"{_AT}/archive", _command(Name, _archive), methods=["POST"]),
    Route(f"{_AT}/restore", _command(Name, _restore), methods=["POST"]),
    Route(f"{_AT}/forget", _command(Name, _forget), methods=["POST"]),
    Route(f"{_AT}/merge", _command(Two, _merge), methods=["POST"]),
    Route(f"{_AT}/associate", _command(Tie, _associate), methods=["POST"]),
    Route(f"{_AT}/part", _command(Tie, _part), methods=["POST"]),
    Route(f"{_AT}/restamp", _command(Restamp, _restamp), methods=["POST"]),
    Route(f"{_AT}/clock", _command(TimeChange, _time), methods=["POST"]),
    Route(f"{_AT}/scopes", _command(Scopes, _rescope), methods=["POST"]),
    Route(f"{_AT}/expire_tokens", _command(Expiry, _expire), methods=["POST"]),
    Route(f"{_AT}/revoke_token", _command(Token, _revoke), methods=["POST"]),
    Route(f"{_AT}/oddities", _command(Oddity, _oddities), methods=["POST"]),
    Route(f"{_AT}/schema", _command(drift.Drift, _drift), methods=["POST"]),
    Route(f"{_AT}/webhooks", _deliveries, methods=["GET"]),
    Route(f"{_AT}/webhooks", _command(Hook, _subscribe), methods=["POST"]),
    Route(f"{_AT}/webhooks/settle", _command(Patience, _settle), methods=["POST"]),
    Route(f"{_AT}/fault", _fault, methods=["POST"]),
    Route(f"{_AT}/faults", _faults_shown, methods=["GET"]),
    Route(f"{_AT}/faults/clear", _faults_clear, methods=["POST"]),
]
