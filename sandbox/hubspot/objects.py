"""``/crm/v3/objects/…``: records listed, read, written, in ones and in batches."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus

import msgspec
from starlette.routing import BaseRoute

from sandbox.hubspot.calls import (
    NOTHING,
    Answer,
    Call,
    Id,
    batch_answer,
    not_found_error,
    number_of,
    paged,
    route,
    within,
)
from sandbox.hubspot.changes import Change, Record, Values, changing, ids_of, text_of
from sandbox.hubspot.checks import checked, id_property_of
from sandbox.hubspot.errors import HubSpotError, invalid, no_such_object
from sandbox.hubspot.kinds import Kind, kind_of
from sandbox.hubspot.linking import Link, label_of, link, merge
from sandbox.hubspot.reading import Shown, Wanted, add_associations, live_or_archived, records_by

_MOST_LISTED, _MOST_WITH_HISTORY, _MOST_IN_BATCH = 100, 50, 100


class TypeOfAssociation(msgspec.Struct):
    """An association type in a body."""

    category: str = msgspec.field(name="associationCategory", default="HUBSPOT_DEFINED")
    type_id: int = msgspec.field(name="associationTypeId", default=0)


class IdInput(msgspec.Struct):
    """A record in a body."""

    id: Id


class AssociationInput(msgspec.Struct):
    """What a new record is to be associated with."""

    to: IdInput
    types: list[TypeOfAssociation]


class ObjectInput(msgspec.Struct):
    """A record to write."""

    properties: dict[str, str | int | float | bool | None] = {}
    associations: list[AssociationInput] = []
    id: Id | None = None
    id_property: str | None = msgspec.field(name="idProperty", default=None)
    trace: str | None = msgspec.field(name="objectWriteTraceId", default=None)


class BatchWrite(msgspec.Struct):
    """Records to write."""

    inputs: list[ObjectInput]


class BatchRead(msgspec.Struct):
    """Records to read."""

    inputs: list[IdInput]
    properties: list[str] = []
    history: list[str] = msgspec.field(name="propertiesWithHistory", default_factory=list)
    id_property: str | None = msgspec.field(name="idProperty", default=None)


class Merge(msgspec.Struct):
    """Two records to make one."""

    primary: Id = msgspec.field(name="primaryObjectId")
    loser: Id = msgspec.field(name="objectIdToMerge")


class Forget(msgspec.Struct, rename="camel"):
    """A record to take away without trace."""

    object_id: Id
    id_property: str | None = None


def may(call: Call, deed: str) -> Kind:
    """The kind that is read or written. Raises: HubSpotError MISSING_SCOPES."""
    kind = call.kind
    scopes = [f"{kind.scope}.{deed}"] + (
        ["sales-email-read"] if kind.name == "emails" and deed == "read" else []
    )
    call.session.require(*scopes)
    return kind


def _list(call: Call) -> object:
    kind = may(call, "read")
    history = call.names("propertiesWithHistory")
    limit = call.number("limit", 10, _MOST_WITH_HISTORY if history else _MOST_LISTED)
    wanted = Wanted.of(call.portal, kind, call.names("properties"), history)
    condition, parameters = live_or_archived(call.portal, archived=call.flag("archived"))
    sql = f"""
        SELECT {wanted.columns(call.portal)}
        FROM {kind.name} r
        WHERE r.id > :after AND {condition}
        ORDER BY r.id
        LIMIT :limit
    """
    rows = call.portal.store.rows(
        sql, parameters | {"after": number_of(call.query.get("after") or 0), "limit": limit + 1}
    )
    records = [wanted.shown(row) for row in rows[:limit]]
    add_associations(call.portal, kind, records, call.names("associations"))
    return paged(records, rows[limit - 1][0] if len(rows) > limit else None)


def _get(call: Call) -> object:
    kind, key = may(call, "read"), call.object_id()
    wanted = Wanted.of(call.portal, kind, call.names("properties"), call.names("propertiesWithHistory"))
    id_property = id_property_of(call.portal, kind, call.query.get("idProperty"))
    found = records_by(call.portal, wanted, [key], id_property, archived=call.flag("archived"))
    if not found:
        raise no_such_object()
    records = list(found.values())
    add_associations(call.portal, kind, records, call.names("associations"))
    return records[0]


def _batch_read(call: Call) -> Answer:
    kind, body = may(call, "read"), call.decoded(BatchRead)
    within(body.inputs, _MOST_WITH_HISTORY if body.history else _MOST_IN_BATCH)
    wanted = Wanted.of(call.portal, kind, body.properties, body.history)
    id_property = id_property_of(call.portal, kind, body.id_property)
    keys = ids_of([each.id for each in body.inputs])
    found = records_by(call.portal, wanted, keys, id_property, archived=call.flag("archived"))
    missing = [key for key in keys if key not in found]
    return batch_answer(call, list(found.values()), [not_found_error(kind, missing)] if missing else [])


def _create(call: Call) -> Answer:
    kind, body = may(call, "write"), call.decoded(ObjectInput)
    with changing(call.portal) as change:
        number = _made(change, kind, body)
    return Answer(HTTPStatus.CREATED, _written(call, kind, [number], body.properties)[0])


def _made(change: Change, kind: Kind, body: ObjectInput) -> int:
    values = checked(change, kind, body.properties)
    _check_email(change, kind, values)
    number = change.create(kind, values)
    for wanted in body.associations:
        for each in wanted.types:
            other = _other_kind(change, kind, each)
            label = label_of(change, kind, other, each.category, each.type_id)
            link(change, Link(kind, other, number, number_of(wanted.to.id), label))
    return number


def _check_email(change: Change, kind: Kind, values: Values) -> None:
    """Raises: HubSpotError CONFLICT, where another contact has the e-mail address already."""
    if kind.name == "contacts" and values.get("email"):
        sql = "SELECT id FROM contacts WHERE json_extract(properties, '$.email') = ? AND archived_ms IS NULL"
        row = change.connection.execute(sql, (values["email"],)).fetchone()
        if row is not None:
            message = f"Contact already exists. Existing ID: {row[0]}"
            raise HubSpotError(HTTPStatus.CONFLICT, "CONFLICT", message)


def _other_kind(change: Change, kind: Kind, each: TypeOfAssociation) -> Kind:
    """The kind at the other end: the type's number tells it."""
    for name in ("contacts", "companies", "deals", "calls", "meetings", "emails", "notes", "tasks"):
        other = kind_of(name)
        try:
            label_of(change, kind, other, each.category, each.type_id)
        except HubSpotError:
            continue
        return other
    raise invalid(f"Invalid association type id {each.type_id} of {each.category} from {kind.type_id}")


def _written(call: Call, kind: Kind, ids: Sequence[int], names: Iterable[str] = ()) -> list[Shown]:
    """Records just written, with the properties that come by default and those written, in the order of ``ids``."""
    wanted = Wanted.of(call.portal, kind, [*kind.shown, *names])
    found = records_by(call.portal, wanted, [str(each) for each in ids], None, archived=False)
    return [found[str(each)] for each in ids]


def _names_in(body: BatchWrite) -> list[str]:
    return [name for each in body.inputs for name in each.properties]


def _update(call: Call) -> object:
    kind, body = may(call, "write"), call.decoded(ObjectInput)
    with changing(call.portal) as change:
        record = _record(change, kind, call.object_id(), call.query.get("idProperty"))
        change.update(kind, record, checked(change, kind, body.properties))
    return _written(call, kind, [record.id], body.properties)[0]


def _record(change: Change, kind: Kind, key: Id, id_property: str | None) -> Record:
    """The live record of an id, or of another property's value. Raises: HubSpotError."""
    chosen = id_property_of(change.portal, kind, id_property)
    if chosen is None:
        return change.find(kind, key)
    sql = f"SELECT id FROM {kind.name} r WHERE json_extract(r.properties, '$.{chosen}') = ? AND archived_ms IS NULL"
    row = change.connection.execute(sql, (text_of(key),)).fetchone()
    if row is None:
        raise no_such_object()
    return change.find(kind, row[0])


def _delete(call: Call) -> Answer:
    kind = may(call, "write")
    with changing(call.portal) as change:
        change.archive(kind, change.find(kind, call.object_id()))
    return NOTHING


def _batch_create(call: Call) -> Answer:
    kind, body = may(call, "write"), call.decoded(BatchWrite)
    within(body.inputs, _MOST_IN_BATCH)
    with changing(call.portal) as change:
        ids = [_made(change, kind, each) for each in body.inputs]
    return batch_answer(call, _written(call, kind, ids, _names_in(body)), status=HTTPStatus.CREATED)


def _batch_update(call: Call) -> Answer:
    kind, body = may(call, "write"), call.decoded(BatchWrite)
    within(body.inputs, _MOST_IN_BATCH)
    ids, missing = [], []
    with changing(call.portal) as change:
        for each in body.inputs:
            try:
                record = _record(change, kind, each.id or "", each.id_property)
            except HubSpotError:
                missing.append(str(each.id))
                continue
            change.update(kind, record, checked(change, kind, each.properties))
            ids.append(record.id)
    return batch_answer(
        call, _written(call, kind, ids, _names_in(body)), [not_found_error(kind, missing)] if missing else []
    )


def _batch_upsert(call: Call) -> Answer:
    kind, body = may(call, "write"), call.decoded(BatchWrite)
    within(body.inputs, _MOST_IN_BATCH)
    ids, new = [], []
    with changing(call.portal) as change:
        for each in body.inputs:
            number, is_new = _upserted(change, kind, each)
            ids.append(number)
            new.append(is_new)
    shown = [
        record | {"new": is_new}
        for record, is_new in zip(_written(call, kind, ids, _names_in(body)), new, strict=True)
    ]
    return batch_answer(call, shown)


def _upserted(change: Change, kind: Kind, each: ObjectInput) -> tuple[int, bool]:
    chosen = id_property_of(change.portal, kind, each.id_property)
    try:
        record = _record(change, kind, each.id or "", each.id_property)
    except HubSpotError:
        if chosen is None:
            raise
        key: dict[str, object] = {chosen: each.id}
        return change.create(kind, checked(change, kind, key | dict(each.properties))), True
    change.update(kind, record, checked(change, kind, each.properties))
    return record.id, False


def _batch_archive(call: Call) -> Answer:
    kind, body = may(call, "write"), call.decoded(BatchRead)
    within(body.inputs, _MOST_IN_BATCH)
    with changing(call.portal) as change:
        for key in ids_of([each.id for each in body.inputs]):
            try:
                record = change.find(kind, key)
            except HubSpotError:
                continue
            change.archive(kind, record)
    return NOTHING


def _merge(call: Call) -> object:
    kind, body = may(call, "write"), call.decoded(Merge)
    if str(body.primary) == str(body.loser):
        raise invalid("An object cannot be merged with itself")
    with changing(call.portal) as change:
        survivor = change.find(kind, body.primary)
        merge(change, kind, survivor, change.find(kind, body.loser))
    return _written(call, kind, [survivor.id])[0]


def _gdpr_delete(call: Call) -> Answer:
    kind = may(call, "write")
    body = call.decoded(Forget)
    with changing(call.portal) as change:
        change.forget(kind, _record(change, kind, body.object_id, body.id_property))
    return NOTHING


_AT = "/crm/v3/objects/{kind}"
ROUTES: list[BaseRoute] = [
    route("GET", _AT, _list),
    route("POST", _AT, _create),
    route("POST", f"{_AT}/batch/read", _batch_read),
    route("POST", f"{_AT}/batch/create", _batch_create),
    route("POST", f"{_AT}/batch/update", _batch_update),
    route("POST", f"{_AT}/batch/upsert", _batch_upsert),
    route("POST", f"{_AT}/batch/archive", _batch_archive),
    route("POST", f"{_AT}/merge", _merge),
    route("POST", f"{_AT}/gdpr-delete", _gdpr_delete),
    route("GET", _AT + "/{id}", _get),
    route("PATCH", _AT + "/{id}", _update),
    route("DELETE", _AT + "/{id}", _delete),
]
