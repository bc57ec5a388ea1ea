"""Writing to an organisation: what a record's change sets off, and when it is stamped."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from sandbox.errors import ApiError, not_found
from sandbox.ids import forms, lengthen, make_id
from sandbox.objects import STAGES
from sandbox.orgs import Org
from sandbox.schema import SObject
from sandbox.values import from_json

Values = dict[str, str | None]
_CHILDREN = {
    "Opportunity": (("OpportunityContactRole", "OpportunityId"), ("OpportunityHistory", "OpportunityId"),
                    ("OpportunityFieldHistory", "OpportunityId"), ("Task", "WhatId"), ("Event", "WhatId")),
}  # fmt: skip
_KEPT_IN_HISTORY = ("StageName", "Amount", "CloseDate", "Probability")
_TRACKED = {"StageName": "DynamicEnum", "Amount": "Currency", "CloseDate": "DateOnly", "OwnerId": "EntityId"}
_FIRST_NEW_NUMBER = 62**6  # generated records are numbered below 62**5


@dataclass(frozen=True)
class Writing:
    """A transaction in an organisation: who writes, and the moment that everything in it is stamped with."""

    org: Org
    connection: sqlite3.Connection
    user_id: str
    now: str

    def object_of(self, name: str) -> SObject:
        """An object that every organisation has."""
        return self.org.database.objects[name]

    def run(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """A statement."""
        return self.connection.execute(sql, parameters)


@contextmanager
def writing(org: Org, user_id: str, at: str | None = None) -> Iterator[Writing]:
    """A transaction that stamps with ``at``, or with the organisation's present moment."""
    with org.database.writing() as connection:
        yield Writing(org, connection, user_id, at or org.clock.stamp())


def sobject_of(org: Org, name: str, *, everything: bool = False) -> SObject:
    """The object of that name, whatever its capitals; with ``everything`` a hidden one too. Raises: ApiError NOT_FOUND."""
    schema = org.database.schema
    for known, sobject in (schema.objects if everything else schema.visible).items():
        if known.lower() == name.lower():
            return sobject
    raise not_found()


def new_id(org: Org, name: str) -> str:
    """The id of a record to come."""
    with org.database.writing() as connection:
        return _next_id(connection, org, sobject_of(org, name, everything=True))


def checked(
    org: Org, name: str, fields: Mapping[str, object], *, is_new: bool, everything: bool = False
) -> Values:
    """The values of a record to be. Raises: ApiError INVALID_FIELD, REQUIRED_FIELD_MISSING."""
    sobject = sobject_of(org, name, everything=everything)
    values = _stored(sobject, fields)
    required = [field.name for field in sobject.fields.values() if field.is_required]
    missing = [each for each in required if values.get(each) is None] if is_new else []
    if missing:
        message = f"Required fields are missing: [{', '.join(missing)}]"
        raise ApiError(HTTPStatus.BAD_REQUEST, "REQUIRED_FIELD_MISSING", message, tuple(missing))
    return values


def record_create(
    org: Org,
    name: str,
    fields: Mapping[str, object],
    *,
    user_id: str,
    at: str | None = None,
    everything: bool = False,
) -> str:
    """Add a record and give its id. Raises: ApiError INVALID_FIELD, REQUIRED_FIELD_MISSING."""
    values = checked(org, name, fields, is_new=True, everything=everything)
    with writing(org, user_id, at) as write:
        return _insert(write, sobject_of(org, name, everything=True), values)


def record_update(
    org: Org,
    name: str,
    record_id: str,
    fields: Mapping[str, object],
    *,
    user_id: str,
    at: str | None = None,
    everything: bool = False,
) -> None:
    """Change a record and move its SystemModstamp. Raises: ApiError INVALID_FIELD, NOT_FOUND, ENTITY_IS_DELETED."""
    values = checked(org, name, fields, is_new=False, everything=everything)
    sobject = sobject_of(org, name, everything=True)
    with writing(org, user_id, at) as write:
        before = current(write, sobject, record_id)
        if before.get("IsDeleted") == "true" and "IsDeleted" not in values:
            raise ApiError(HTTPStatus.NOT_FOUND, "ENTITY_IS_DELETED", "entity is deleted")
        after = before | _derived(write, sobject, before, values) | stamps_of(write, sobject) | values
        changes = {key: after[key] for key in after if after[key] != before.get(key)}
        set_values(write, sobject, record_id, changes)
        _follow_up(write, sobject, before, after)


def record_delete(org: Org, name: str, record_id: str, *, hard: bool = False, at: str | None = None) -> None:
    """Put a record and what hangs on it into the recycle bin, or with ``hard`` out of the organisation.

    Raises: ApiError INVALID_TYPE_FOR_OPERATION, NOT_FOUND, ENTITY_IS_DELETED.
    """
    sobject = sobject_of(org, name, everything=True)
    if not sobject.has_recycle_bin and not hard:
        message = f"entity type {sobject.name} does not support delete"
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_TYPE_FOR_OPERATION", message)
    with writing(org, "", at) as write:
        before = current(write, sobject, record_id)
        if before.get("IsDeleted") == "true" and not hard:
            raise ApiError(HTTPStatus.NOT_FOUND, "ENTITY_IS_DELETED", "entity is deleted")
        stored = before["Id"] or record_id
        for child, column in [*_CHILDREN.get(sobject.name, ()), (sobject.name, "Id")]:
            put_in_bin(write, sobject_of(org, child, everything=True), column, stored, hard=hard)


def record_undelete(org: Org, name: str, record_id: str) -> None:
    """Take a record out of the recycle bin, with what went there together with it. Raises: ApiError UNDELETE_FAILED."""
    sobject = sobject_of(org, name, everything=True)
    with writing(org, "") as write:
        before = current(write, sobject, record_id)
        if before.get("IsDeleted") != "true":
            raise ApiError(HTTPStatus.BAD_REQUEST, "UNDELETE_FAILED", "Entity is not in the recycle bin")
        went, stored = before.get("SystemModstamp"), before["Id"] or record_id
        for table, column in [*_CHILDREN.get(sobject.name, ()), (sobject.name, "Id")]:
            _take_from_bin(write, sobject_of(org, table, everything=True), column, stored, went)


def empty_bin(org: Org, name: str) -> int:
    """Remove all deleted records of an object for good, and give how many; the deleted list goes on to tell when each was deleted."""
    sobject = sobject_of(org, name, everything=True)
    if not sobject.has_recycle_bin:
        return 0
    with writing(org, "") as write:
        living = f'FROM "{sobject.name}" WHERE "IsDeleted" = \'true\''
        write.run(f'INSERT INTO _gone SELECT ?, "Id", "{sobject.stamp_column}" {living}', (sobject.name,))
        return write.run(f"DELETE {living}").rowcount


def _stored(sobject: SObject, fields: Mapping[str, object]) -> Values:
    values: Values = {}
    for name, value in fields.items():
        field = sobject.field(name)
        if field is None or field.type == "address":
            message = f"No such column '{name}' on sobject of type {sobject.name}"
            raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_FIELD", message)
        if field.formula:
            message = f"Unable to create/update fields: {field.name}. Please check the security settings of this field."
            raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_FIELD_FOR_INSERT_UPDATE", message, (field.name,))
        values[field.name] = from_json(field, value)
    return values


def current(write: Writing, sobject: SObject, record_id: str) -> Values:
    """The stored values of a record. Raises: ApiError NOT_FOUND."""
    columns = ", ".join(f'"{name}"' for name in sobject.columns)
    known = forms(record_id)
    sql = f'SELECT {columns} FROM "{sobject.name}" WHERE "Id" IN ({", ".join("?" * len(known))}) LIMIT 1'
    row = write.run(sql, known).fetchone()
    if row is None:
        raise not_found("Provided external ID field does not exist or is not accessible: " + record_id)
    return dict(zip(sobject.columns, row, strict=True))


def set_values(write: Writing, sobject: SObject, record_id: str, values: Values) -> None:
    """Set columns of a record, and nothing besides."""
    if values:
        _notice_nul(write, values)
        places = ", ".join(f'"{name}" = ?' for name in values)
        known = forms(record_id)
        sql = f'UPDATE "{sobject.name}" SET {places} WHERE "Id" IN ({", ".join("?" * len(known))})'
        write.run(sql, (*values.values(), *known))


def _notice_nul(write: Writing, values: Values) -> None:
    if not write.org.database.holds_nul and any("\0" in (value or "") for value in values.values()):
        write.org.database.note_nul(write.connection)


def _insert(write: Writing, sobject: SObject, values: Values) -> str:
    record_id = values.get("Id") or _next_id(write.connection, write.org, sobject)
    made = {
        "CreatedDate": write.now,
        "CreatedById": write.user_id,
        "IsDeleted": "false",
        "OwnerId": write.user_id,
    }
    flags = {
        field.name: "false"
        for field in sobject.fields.values()
        if field.type == "boolean" and field.is_stored
    }
    known = {name: value for name, value in made.items() if name in sobject.fields}
    derived = _derived(write, sobject, {}, values)
    after: Values = {**flags, **known, **stamps_of(write, sobject), **derived, **values, "Id": record_id}
    _notice_nul(write, after)
    names, marks = ", ".join(f'"{name}"' for name in after), ", ".join("?" * len(after))
    write.run(f'INSERT INTO "{sobject.name}" ({names}) VALUES ({marks})', tuple(after.values()))
    _follow_up(write, sobject, {}, after)
    return record_id


def _next_id(connection: sqlite3.Connection, org: Org, sobject: SObject) -> str:
    sql = (
        "INSERT INTO _meta VALUES ('created', '1') ON CONFLICT (key) "
        "DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value"
    )
    (number,) = connection.execute(sql).fetchone()
    return make_id(sobject.prefix, org.organisation_id[3:6], _FIRST_NEW_NUMBER + int(number))


def stamps_of(write: Writing, sobject: SObject) -> Values:
    """Who and when, for a record that a user changes."""
    stamps: Values = {
        "SystemModstamp": write.now,
        "LastModifiedDate": write.now,
        "LastModifiedById": write.user_id,
    }
    return {name: value for name, value in stamps.items() if name in sobject.fields}


def _derived(write: Writing, sobject: SObject, before: Values, values: Values) -> Values:
    """What Salesforce works out from the fields that were set; fields set by hand win over this."""
    if sobject.name == "Opportunity":
        return _derived_of_deal(write, before, values)
    if sobject.name == "Task" and "Status" in values:
        return {"IsClosed": "true" if values["Status"] == "Completed" else "false"}
    if sobject.name in {"Contact", "User"} and {"FirstName", "LastName"} & values.keys():
        both = before | values
        return {"Name": f"{both.get('FirstName') or ''} {both.get('LastName') or ''}".strip()}
    return {}


def _derived_of_deal(write: Writing, before: Values, values: Values) -> Values:
    derived = _facts_of_stage(write, values["StageName"] or "") if "StageName" in values else {}
    after = before | derived | values
    derived["ExpectedRevenue"] = _expected(after.get("Amount"), after.get("Probability"))
    if before.get("CloseDate") and (after.get("CloseDate") or "")[:7] > (before["CloseDate"] or "")[:7]:
        pushed = before.get("PushCount") or "0"
        derived["PushCount"] = str(int(pushed) + 1) if pushed.isdigit() else pushed
    return derived


def _facts_of_stage(write: Writing, name: str) -> Values:
    """What the organisation's stage says of a deal in it; a data directory without stages has the usual ones."""
    names = ("Probability", "ForecastCategory", "ForecastCategoryName", "IsClosed", "IsWon")
    columns = '"DefaultProbability", "ForecastCategory", "ForecastCategoryName", "IsClosed", "IsWon"'
    sql = f'SELECT {columns} FROM "OpportunityStage" WHERE ? IN ("ApiName", "MasterLabel") LIMIT 1'
    row = write.run(sql, (name,)).fetchone()
    if row is not None:
        return dict(zip(names, row, strict=True))
    if name not in STAGES:
        return {}
    probability, category, category_name = STAGES[name]
    is_closed = "true" if category in {"Closed", "Omitted"} else "false"
    is_won = "true" if category == "Closed" else "false"
    return dict(zip(names, (f"{probability}.0", category, category_name, is_closed, is_won), strict=True))


def _expected(amount: str | None, probability: str | None) -> str | None:
    try:
        return f"{float(amount or '') * float(probability or '') / 100:.1f}"
    except ValueError:
        return None


def _follow_up(write: Writing, sobject: SObject, before: Values, after: Values) -> None:
    if sobject.name == "Opportunity":
        _keep_history(write, before, after)
        _track_fields(write, before, after)
    elif sobject.name in {"Task", "Event"}:
        _note_activity(write, after)


def _keep_history(write: Writing, before: Values, after: Values) -> None:
    if all(before.get(name) == after.get(name) for name in _KEPT_IN_HISTORY):
        return
    if before.get("StageName") != after.get("StageName"):
        moved: Values = {"LastStageChangeDate": write.now}
        set_values(write, write.object_of("Opportunity"), after["Id"] or "", moved)
    kept = {name: after.get(name) for name in (*_KEPT_IN_HISTORY, "ExpectedRevenue", "ForecastCategory")}
    previous = {"PrevAmount": before.get("Amount"), "PrevCloseDate": before.get("CloseDate")}
    _insert(write, write.object_of("OpportunityHistory"), {"OpportunityId": after["Id"], **kept, **previous})


def _track_fields(write: Writing, before: Values, after: Values) -> None:
    """A row of field history for each tracked field that changed; for a new deal one that says so."""
    history = write.object_of("OpportunityFieldHistory")
    if not before:
        _insert(write, history, {"OpportunityId": after["Id"], "Field": "created", "DataType": "Text"})
        return
    for name, kind in _TRACKED.items():
        if before.get(name) != after.get(name):
            shown = name.removesuffix("Id")
            values = {
                "Field": shown,
                "DataType": kind,
                "OldValue": before.get(name),
                "NewValue": after.get(name),
            }
            _insert(write, history, {"OpportunityId": after["Id"], **values})


def _note_activity(write: Writing, activity: Values) -> None:
    """Move the deal's LastActivityDate up to a finished task's or a past event's date."""
    is_done = activity.get("IsClosed", "true") == "true"
    day, deal = activity.get("ActivityDate"), activity.get("WhatId")
    if is_done and deal and day and day <= write.now[:10]:
        stamped = ', "SystemModstamp" = ?' if write.org.rules.behaviour.activity_moves_stamp else ""
        write.run(
            f'UPDATE "Opportunity" SET "LastActivityDate" = ?{stamped} '
            'WHERE "Id" = ? AND ifnull("LastActivityDate", \'\') < ?',
            (day, *([write.now] if stamped else []), lengthen(deal), day),
        )


def put_in_bin(write: Writing, sobject: SObject, column: str, value: str, *, hard: bool = False) -> None:
    """Delete the records of an object that refer to ``value``: softly, or for good."""
    if hard:
        sql = f'INSERT INTO _gone SELECT ?, "Id", ? FROM "{sobject.name}" WHERE "{column}" = ?'
        write.run(sql, (sobject.name, write.now, value))
        write.run(f'DELETE FROM "{sobject.name}" WHERE "{column}" = ?', (value,))
        return
    stamped = ', "SystemModstamp" = ?' if "SystemModstamp" in sobject.fields else ""
    write.run(
        f'UPDATE "{sobject.name}" SET "IsDeleted" = \'true\'{stamped} '
        f'WHERE "{column}" = ? AND "IsDeleted" IS NOT \'true\'',
        (*([write.now] if stamped else []), value),
    )


def _take_from_bin(write: Writing, sobject: SObject, column: str, value: str, went: str | None) -> None:
    where = f'WHERE "{column}" = ? AND "IsDeleted" = \'true\''
    if "SystemModstamp" not in sobject.fields:
        write.run(f'UPDATE "{sobject.name}" SET "IsDeleted" = \'false\' {where}', (value,))
        return
    master = ', "MasterRecordId" = NULL' if "MasterRecordId" in sobject.fields else ""
    write.run(
        f'UPDATE "{sobject.name}" SET "IsDeleted" = \'false\', "SystemModstamp" = ?{master} {where} AND "SystemModstamp" = ?',
        (write.now, value, went),
    )
