"""Writing to an organisation: what a record's change sets off, and when it is stamped."""

import sqlite3
from collections.abc import Mapping
from http import HTTPStatus

from sandbox.errors import ApiError, not_found
from sandbox.ids import lengthen, make_id
from sandbox.objects import STAGES
from sandbox.orgs import Org
from sandbox.schema import SObject
from sandbox.values import from_json

Values = dict[str, str | None]
_CHILDREN = {
    "Opportunity": (("OpportunityContactRole", "OpportunityId"), ("OpportunityHistory", "OpportunityId"),
                    ("Task", "WhatId"), ("Event", "WhatId")),
}  # fmt: skip
_KEPT_IN_HISTORY = ("StageName", "Amount", "CloseDate", "Probability")
_FIRST_NEW_NUMBER = 62**6  # generated records are numbered below 62**5


def sobject_of(org: Org, name: str) -> SObject:
    """The object of that name, whatever its capitals. Raises: ApiError NOT_FOUND."""
    for known, sobject in org.database.objects.items():
        if known.lower() == name.lower():
            return sobject
    raise not_found()


def record_create(org: Org, name: str, fields: Mapping[str, object], *, user_id: str) -> str:
    """Add a record and give its id. Raises: ApiError INVALID_FIELD, REQUIRED_FIELD_MISSING."""
    sobject = sobject_of(org, name)
    values = _stored(sobject, fields)
    missing = [
        field.name
        for field in sobject.fields.values()
        if field.is_required and values.get(field.name) is None
    ]
    if missing:
        message = f"Required fields are missing: [{', '.join(missing)}]"
        raise ApiError(HTTPStatus.BAD_REQUEST, "REQUIRED_FIELD_MISSING", message, tuple(missing))
    with org.database.writing() as connection:
        return _insert(connection, org, sobject, values, user_id)


def record_update(org: Org, name: str, record_id: str, fields: Mapping[str, object], *, user_id: str) -> None:
    """Change a record and move its SystemModstamp. Raises: ApiError INVALID_FIELD, NOT_FOUND, ENTITY_IS_DELETED."""
    sobject = sobject_of(org, name)
    values = _stored(sobject, fields)
    with org.database.writing() as connection:
        before = _current(connection, sobject, record_id)
        if before.get("IsDeleted") == "true":
            raise ApiError(HTTPStatus.NOT_FOUND, "ENTITY_IS_DELETED", "entity is deleted")
        now = org.clock.stamp()
        after = before | _derived(sobject, before, values) | _stamped(sobject, now, user_id) | values
        _write(
            connection,
            sobject,
            record_id,
            {key: after[key] for key in after if after[key] != before.get(key)},
        )
        _follow_up(connection, org, sobject, before, after, user_id)


def record_delete(org: Org, name: str, record_id: str, *, hard: bool = False) -> None:
    """Put a record and what hangs on it into the recycle bin, or with ``hard`` out of the organisation."""
    sobject = sobject_of(org, name)
    if not sobject.has_recycle_bin:
        message = f"entity type {sobject.name} does not support delete"
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_TYPE_FOR_OPERATION", message)
    with org.database.writing() as connection:
        before = _current(connection, sobject, record_id)
        if before["IsDeleted"] == "true" and not hard:
            raise ApiError(HTTPStatus.NOT_FOUND, "ENTITY_IS_DELETED", "entity is deleted")
        record_id, now = lengthen(record_id), org.clock.stamp()
        for child, column in _CHILDREN.get(sobject.name, ()):
            _bin(connection, child, column, record_id, now, hard=hard)
        _bin(connection, sobject.name, "Id", record_id, now, hard=hard)


def record_undelete(org: Org, name: str, record_id: str) -> None:
    """Take a record out of the recycle bin, with what went there together with it. Raises: ApiError UNDELETE_FAILED."""
    sobject = sobject_of(org, name)
    with org.database.writing() as connection:
        before = _current(connection, sobject, record_id)
        if before.get("IsDeleted") != "true":
            raise ApiError(HTTPStatus.BAD_REQUEST, "UNDELETE_FAILED", "Entity is not in the recycle bin")
        pairs = [*_CHILDREN.get(sobject.name, ()), (sobject.name, "Id")]
        for table, column in pairs:
            connection.execute(
                f'UPDATE "{table}" SET "IsDeleted" = \'false\', "SystemModstamp" = ? '
                f'WHERE "{column}" = ? AND "IsDeleted" = \'true\' AND "SystemModstamp" = ?',
                (org.clock.stamp(), lengthen(record_id), before["SystemModstamp"]),
            )


def _stored(sobject: SObject, fields: Mapping[str, object]) -> Values:
    values: Values = {}
    for name, value in fields.items():
        field = sobject.field(name)
        if field is None or field.type == "address":
            message = f"No such column '{name}' on sobject of type {sobject.name}"
            raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_FIELD", message)
        values[field.name] = from_json(field, value)
    return values


def _current(connection: sqlite3.Connection, sobject: SObject, record_id: str) -> Values:
    columns = ", ".join(f'"{name}"' for name in sobject.columns)
    sql = f'SELECT {columns} FROM "{sobject.name}" WHERE "Id" IN (?, ?) LIMIT 1'
    row = connection.execute(sql, (record_id, lengthen(record_id))).fetchone()
    if row is None:
        raise not_found("Provided external ID field does not exist or is not accessible: " + record_id)
    return dict(zip(sobject.columns, row, strict=True))


def _write(connection: sqlite3.Connection, sobject: SObject, record_id: str, values: Values) -> None:
    if values:
        places = ", ".join(f'"{name}" = ?' for name in values)
        sql = f'UPDATE "{sobject.name}" SET {places} WHERE "Id" IN (?, ?)'
        connection.execute(sql, (*values.values(), record_id, lengthen(record_id)))


def _insert(connection: sqlite3.Connection, org: Org, sobject: SObject, values: Values, user_id: str) -> str:
    record_id = _next_id(connection, org, sobject)
    made = {
        "CreatedDate": org.clock.stamp(),
        "CreatedById": user_id,
        "IsDeleted": "false",
        "OwnerId": user_id,
    }
    flags = {field.name: "false" for field in sobject.fields.values() if field.type == "boolean"}
    known = {name: value for name, value in made.items() if name in sobject.fields}
    stamps = _stamped(sobject, org.clock.stamp(), user_id)
    after: Values = {"Id": record_id, **flags, **known, **stamps, **_derived(sobject, {}, values), **values}
    names, marks = ", ".join(f'"{name}"' for name in after), ", ".join("?" * len(after))
    connection.execute(f'INSERT INTO "{sobject.name}" ({names}) VALUES ({marks})', tuple(after.values()))
    _follow_up(connection, org, sobject, {}, after, user_id)
    return after["Id"] or record_id


def _next_id(connection: sqlite3.Connection, org: Org, sobject: SObject) -> str:
    sql = (
        "INSERT INTO _meta VALUES ('created', '1') ON CONFLICT (key) "
        "DO UPDATE SET value = CAST(value AS INTEGER) + 1 RETURNING value"
    )
    (number,) = connection.execute(sql).fetchone()
    return make_id(sobject.prefix, org.organisation_id[3:6], _FIRST_NEW_NUMBER + int(number))


def _stamped(sobject: SObject, now: str, user_id: str) -> Values:
    stamps: Values = {"SystemModstamp": now, "LastModifiedDate": now, "LastModifiedById": user_id}
    return {name: value for name, value in stamps.items() if name in sobject.fields}


def _derived(sobject: SObject, before: Values, values: Values) -> Values:
    """What Salesforce works out from the fields that were set; fields set by hand win over this."""
    if sobject.name == "Opportunity":
        return _derived_of_deal(before, values)
    if sobject.name == "Task" and "Status" in values:
        return {"IsClosed": "true" if values["Status"] == "Completed" else "false"}
    if sobject.name in {"Contact", "User"} and {"FirstName", "LastName"} & values.keys():
        both = before | values
        return {"Name": f"{both.get('FirstName') or ''} {both.get('LastName') or ''}".strip()}
    return {}


def _derived_of_deal(before: Values, values: Values) -> Values:
    derived: Values = {}
    stage = STAGES.get(values.get("StageName") or "")
    if stage is not None:
        probability, category, category_name = stage
        derived = {
            "Probability": f"{probability}.0", "ForecastCategory": category, "ForecastCategoryName": category_name,
            "IsClosed": "true" if (values["StageName"] or "").startswith("Closed") else "false",
            "IsWon": "true" if values["StageName"] == "Closed Won" else "false",
        }  # fmt: skip
    after = before | derived | values
    derived["ExpectedRevenue"] = _expected(after.get("Amount"), after.get("Probability"))
    if before.get("CloseDate") and (after.get("CloseDate") or "")[:7] > (before["CloseDate"] or "")[:7]:
        pushed = before.get("PushCount") or "0"
        derived["PushCount"] = str(int(pushed) + 1) if pushed.isdigit() else pushed
    return derived


def _expected(amount: str | None, probability: str | None) -> str | None:
    try:
        return f"{float(amount or '') * float(probability or '') / 100:.1f}"
    except ValueError:
        return None


def _follow_up(
    connection: sqlite3.Connection, org: Org, sobject: SObject, before: Values, after: Values, user_id: str
) -> None:
    if sobject.name == "Opportunity":
        _keep_history(connection, org, before, after, user_id)
    elif sobject.name in {"Task", "Event"}:
        _note_activity(connection, org, after)


def _keep_history(
    connection: sqlite3.Connection, org: Org, before: Values, after: Values, user_id: str
) -> None:
    history = org.database.objects["OpportunityHistory"]
    if all(before.get(name) == after.get(name) for name in _KEPT_IN_HISTORY):
        return
    if before.get("StageName") != after.get("StageName"):
        _write(
            connection,
            org.database.objects["Opportunity"],
            after["Id"] or "",
            {"LastStageChangeDate": org.clock.stamp()},
        )
    kept = {name: after.get(name) for name in (*_KEPT_IN_HISTORY, "ExpectedRevenue", "ForecastCategory")}
    previous = {"PrevAmount": before.get("Amount"), "PrevCloseDate": before.get("CloseDate")}
    _insert(connection, org, history, {"OpportunityId": after["Id"], **kept, **previous}, user_id)


def _note_activity(connection: sqlite3.Connection, org: Org, activity: Values) -> None:
    """Move the deal's LastActivityDate up to a finished task's or a past event's date."""
    is_done = activity.get("IsClosed", "true") == "true"
    day, today = activity.get("ActivityDate"), f"{org.clock.now():%Y-%m-%d}"
    if is_done and activity.get("WhatId") and day and day <= today:
        connection.execute(
            'UPDATE "Opportunity" SET "LastActivityDate" = ?, "SystemModstamp" = ? '
            'WHERE "Id" = ? AND ifnull("LastActivityDate", \'\') < ?',
            (day, org.clock.stamp(), activity["WhatId"], day),
        )


def _bin(
    connection: sqlite3.Connection, table: str, column: str, value: str, now: str, *, hard: bool
) -> None:
    if hard:
        connection.execute(
            f'INSERT INTO _gone SELECT ?, "Id", ? FROM "{table}" WHERE "{column}" = ?', (table, now, value)
        )
        connection.execute(f'DELETE FROM "{table}" WHERE "{column}" = ?', (value,))
    else:
        connection.execute(
            f'UPDATE "{table}" SET "IsDeleted" = \'true\', "SystemModstamp" = ? '
            f'WHERE "{column}" = ? AND "IsDeleted" IS NOT \'true\'',
            (now, value),
        )
