"""Merging duplicates: the losers go to the recycle bin, and what hung on them hangs on the master."""

from collections.abc import Sequence
from http import HTTPStatus

from sandbox.changes import Writing, current, put_in_bin, set_values, sobject_of, stamps_of, writing
from sandbox.errors import ApiError
from sandbox.ids import lengthen
from sandbox.orgs import Org
from sandbox.schema import SObject

_MERGEABLE = ("Account", "Contact")
_MOST_LOSERS = 2


def records_merge(org: Org, name: str, master: str, losers: Sequence[str], *, user_id: str) -> dict[str, int]:
    """Merge ``losers`` into ``master``; gives how many records of each object were pointed elsewhere.

    Raises: ApiError INVALID_OPERATION_WITH_ARGUMENTS, NOT_FOUND, ENTITY_IS_DELETED.
    """
    sobject = sobject_of(org, name, everything=True)
    lost = [lengthen(each) for each in losers]
    if (
        sobject.name not in _MERGEABLE
        or not 1 <= len(set(lost) - {lengthen(master)}) == len(lost) <= _MOST_LOSERS
    ):
        message = f"merge takes a master and one or two other records of {' or '.join(_MERGEABLE)}"
        raise ApiError(HTTPStatus.BAD_REQUEST, "INVALID_OPERATION_WITH_ARGUMENTS", message)
    with writing(org, user_id) as write:
        kept = _living(write, sobject, master)
        moved: dict[str, int] = {}
        for each in lost:
            _living(write, sobject, each)
            _point_elsewhere(write, sobject, each, kept, moved)
            put_in_bin(write, sobject, "Id", each)
            set_values(write, sobject, each, {"MasterRecordId": kept})
        set_values(write, sobject, kept, stamps_of(write, sobject))
    return moved


def _living(write: Writing, sobject: SObject, record_id: str) -> str:
    values = current(write, sobject, record_id)
    if values.get("IsDeleted") == "true":
        raise ApiError(HTTPStatus.NOT_FOUND, "ENTITY_IS_DELETED", f"entity is deleted: {record_id}")
    return values["Id"] or record_id


def _point_elsewhere(
    write: Writing, sobject: SObject, loser: str, master: str, moved: dict[str, int]
) -> None:
    for child in write.org.database.objects.values():
        stamps = stamps_of(write, child)
        for field in child.fields.values():
            if field.refers_to == sobject.name and field.name != "MasterRecordId":
                places = ", ".join(f'"{name}" = ?' for name in (field.name, *stamps))
                sql = f'UPDATE "{child.name}" SET {places} WHERE "{field.name}" = ?'
                number = write.run(sql, (master, *stamps.values(), loser)).rowcount
                if number:
                    moved[child.name] = moved.get(child.name, 0) + number
