"""Transactions that take their time: stamped when they begin, seen by others only when they end.

That is how a real CRM loses rows for whoever reads by stamps alone: a row may appear behind the mark that was already read to.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sandbox.changes import checked, new_id, record_create, record_delete, record_update, sobject_of
from sandbox.clock import stamp
from sandbox.errors import ApiError
from sandbox.orgs import LateChange, Org


def change_late(
    org: Org,
    name: str,
    record_id: str,
    fields: Mapping[str, object],
    seconds: float,
    *,
    is_deletion: bool,
    user_id: str,
) -> str:
    """Begin a change that ends ``seconds`` from now, and give the record's id; without an id the record is a new one.

    Raises: ApiError, where the change could not be made now.
    """
    sobject = sobject_of(org, name, everything=True)
    if not is_deletion:
        checked(org, name, fields, is_new=not record_id, everything=True)
    is_new = not record_id
    record_id = record_id or new_id(org, name)
    begun = org.clock.now()
    with org.late_lock:
        org.late.append(
            LateChange(
                begun,
                begun + timedelta(seconds=seconds),
                sobject.name,
                record_id,
                dict(fields),
                is_new,
                is_deletion,
                user_id,
            )
        )
    return record_id


def settle(org: Org) -> None:
    """End the transactions whose time has come."""
    if not org.late:
        return
    with org.late_lock:
        now = org.clock.now()
        for change in [each for each in org.late if each.ends_at <= now]:
            org.late.remove(change)
            _commit(org, change)


def _commit(org: Org, change: LateChange) -> None:
    """What has become impossible meanwhile, for the record is gone, is left undone: the transaction was rolled back."""
    at = stamp(change.begun_at)
    try:
        if change.is_deletion:
            record_delete(org, change.sobject, change.id, at=at)
        elif change.is_new:
            fields = {**change.fields, "Id": change.id}
            record_create(org, change.sobject, fields, user_id=change.user_id, at=at, everything=True)
        else:
            record_update(
                org, change.sobject, change.id, change.fields, user_id=change.user_id, at=at, everything=True
            )
    except ApiError:
        return


def covered(org: Org) -> datetime:
    """Up to where change lists are complete: back to the beginning of the oldest transaction that is still open."""
    settle(org)
    return min([org.clock.covered(), *(change.begun_at for change in list(org.late))])
