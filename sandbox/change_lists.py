"""The lists of changed and of deleted records."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

from starlette.requests import Request

from sandbox.changes import sobject_of
from sandbox.errors import ApiError
from sandbox.late import covered
from sandbox.oauth import Session
from sandbox.orgs import Org
from sandbox.schema import SObject

_MOST_CHANGED_IDS = 600_000


def _span(request: Request, org: Org, most_days: int) -> tuple[datetime, datetime]:
    """``start`` and ``end`` of a change list. Raises: ApiError INVALID_REPLICATION_DATE."""
    try:
        start, end = (_cut(_moment(request.query_params.get(name, "")), org) for name in ("start", "end"))
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


def _listed_object(request: Request, org: Org) -> SObject:
    sobject = sobject_of(org, request.path_params["name"])
    if not sobject.is_replicated:
        message = f"sObject type {sobject.name} is not replicable"
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_TYPE", message)
    return sobject


def updated(request: Request, session: Session, version: str) -> object:
    """Ids of records made or changed in a span of time, and up to when the list is complete."""
    org = session.org
    complete = covered(org)
    start, end = _span(request, org, 30)
    sobject = _listed_object(request, org)
    living = "AND \"IsDeleted\" IS NOT 'true'" if sobject.has_recycle_bin else ""
    stamp = f'"{sobject.stamp_column}"'
    sql = f'SELECT "Id" FROM "{sobject.name}" WHERE {stamp} >= ? AND {stamp} < ? {living} LIMIT ?'
    span = (_stored_moment(start), _stored_moment(end), _MOST_CHANGED_IDS + 1)
    ids = [record_id for (record_id,) in org.database.reader.execute(sql, span)]
    _check_number(len(ids))
    return {"ids": ids, "latestDateCovered": _shown_moment(_cut(min(end, complete), org))}


def deleted(request: Request, session: Session, version: str) -> object:
    """Ids of records deleted in a span of time, softly or for good."""
    org = session.org
    complete = covered(org)
    start, end = _span(request, org, 15)
    sobject = _listed_object(request, org)
    span = (_stored_moment(start), _stored_moment(end))
    sql, parameters = (
        "SELECT id, deleted_at FROM _gone WHERE object = ? AND deleted_at >= ? AND deleted_at < ?",
        [sobject.name, *span],
    )
    if sobject.has_recycle_bin:
        stamp = f'"{sobject.stamp_column}"'
        sql += (
            f' UNION ALL SELECT "Id", {stamp} FROM "{sobject.name}" '
            f"WHERE {stamp} >= ? AND {stamp} < ? AND \"IsDeleted\" = 'true'"
        )
        parameters += span
    found = org.database.reader.execute(f"{sql} LIMIT {_MOST_CHANGED_IDS + 1}", parameters).fetchall()
    _check_number(len(found))
    return {
        "deletedRecords": [
            {"id": record_id, "deletedDate": at.replace("Z", "+0000")} for record_id, at in found
        ],
        "earliestDateAvailable": _shown_moment(org.clock.now() - timedelta(days=15)),
        "latestDateCovered": _shown_moment(_cut(min(end, complete), org)),
    }


def _cut(moment: datetime, org: Org) -> datetime:
    """A moment to the grain of the lists: seconds, or whole minutes as in the real product."""
    grain = max(1, org.rules.behaviour.change_list_seconds)
    whole = int(moment.timestamp()) // grain * grain
    return moment if grain == 1 else datetime.fromtimestamp(whole, UTC)


def _check_number(ids: int) -> None:
    if ids > _MOST_CHANGED_IDS:
        message = f"The number of ids is over the limit of {_MOST_CHANGED_IDS}; ask for a shorter span"
        raise ApiError(HTTPStatus.BAD_REQUEST, "EXCEEDED_ID_LIMIT", message)
