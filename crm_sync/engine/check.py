"""The mirror against the CRM, row by row: ids and stamps of everything, month by month. What differs is read again.

What changed in the CRM since the comparison began is left to the next sync; what was kept aside is known not to be there.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime

from django.db.models.functions import Now

from crm_sync.connectors.base import Column, Kind, ObjectSpec
from crm_sync.engine import links, notices, stage
from crm_sync.engine.batch import Counts
from crm_sync.engine.feed import Feed
from crm_sync.engine.run import Run, save
from crm_sync.engine.scope import Scope
from crm_sync.engine.sql import STAGE, is_instant, staged
from crm_sync.models import Connection, SyncObjectResult

COMPARED = "crm_compared"
# Both sides of every row: alike where both stamps are there and the same. A row that changed meanwhile is on neither side.
_COMPARE = """
    CREATE TEMPORARY TABLE {compared} ON COMMIT DROP AS
    WITH crm AS (
        SELECT {id} AS id, max({stamp}) AS stamp, min({created}) AS created FROM {stage} s WHERE {id} IS NOT NULL GROUP BY 1
    ), mirror AS (
        SELECT t.external_id AS id, t.modified_at AS stamp, {our_created} AS created FROM {table} t WHERE {own_rows}
    )
    SELECT coalesce(crm.id, mirror.id) AS id, crm.stamp AS crm_stamp, mirror.stamp AS mirror_stamp,
        crm.id IS NOT NULL AS in_crm, mirror.id IS NOT NULL AS in_mirror,
        date_trunc('month', coalesce(crm.created, mirror.created) AT TIME ZONE 'UTC')::date AS month
    FROM crm FULL JOIN mirror ON mirror.id = crm.id
    WHERE coalesce(crm.stamp < %(began)s, true) AND coalesce(mirror.stamp < %(began)s, true)
      AND NOT EXISTS (
        SELECT FROM crm_sync_rejectedrow r
        WHERE r.tenant_id = %(tenant)s AND r.connection_id = %(connection)s AND r.object_name = %(object)s
          AND r.external_id = coalesce(crm.id, mirror.id))
"""
_DIFFERS = "NOT (in_crm AND in_mirror AND crm_stamp IS NOT DISTINCT FROM mirror_stamp)"
# A sum, so that neither order nor pages matter.
_CHECKSUM = "coalesce(sum(hashtextextended(id || ' ' || extract(epoch FROM {stamp}), 0)) FILTER (WHERE {side}), 0)::text"
_MONTHS = f"""
    INSERT INTO crm_sync_checkedmonth (id, tenant_id, connection_id, object_name, month, crm_rows, mirror_rows, crm_checksum,
        mirror_checksum, healed_rows)
    SELECT gen_random_uuid(), %(tenant)s, %(connection)s, %(object)s, month,
        count(*) FILTER (WHERE in_crm), count(*) FILTER (WHERE in_mirror),
        {_CHECKSUM.format(stamp="crm_stamp", side="in_crm")}, {_CHECKSUM.format(stamp="mirror_stamp", side="in_mirror")},
        count(*) FILTER (WHERE {_DIFFERS})
    FROM {COMPARED}
    GROUP BY month
"""
_READ_AGAIN = f"""
    INSERT INTO crm_sync_noticedrow (tenant_id, connection_id, object_name, external_id, noticed_at)
    SELECT %(tenant)s, %(connection)s, %(object)s, left(id, 40), clock_timestamp() FROM {COMPARED} WHERE {_DIFFERS}
    ON CONFLICT (tenant_id, connection_id, object_name, external_id) DO UPDATE SET noticed_at = excluded.noticed_at
"""


class Check(Run):
    """A run of kind ``check``. What differs is noticed like what a webhook names; ``read_notices`` heals it."""

    def compare_objects(self) -> None:
        """Compare every object, each in one transaction. Raises: as ``sync_objects``."""
        objects = [
            (spec, self._result(spec, place)) for place, spec in enumerate(self._objects) if not spec.parent
        ]
        self._each(self._compare, objects)

    def finish(self) -> None:
        """To be called when what differed is read: put right what rows say of each other, and note the end."""
        for spec in self._objects:
            with self._step():
                links.mend(self._scope(spec))
        with self._step():
            Connection.objects.filter(pk=self._connection.pk).update(checked_at=Now())

    def _compare(self, spec: ObjectSpec, result: SyncObjectResult) -> None:
        usable, note = self._usable(spec)
        if usable is None:
            self._skip(spec, result, note)
            return
        if usable.created_field not in (self._described[spec.name] or {}):
            usable = replace(usable, created_field="")
        scope, started = self._scope(identity_of(usable)), time.monotonic()
        began = self._source.covered_until(usable)
        with Feed(self._source.identities(usable)) as pages, self._step():
            stage.create(scope)
            read = differing = 0
            for page in pages:
                read += stage.fill(scope, page.chunks, page.rows)
                differing += notices.note(self._connection, page.again)
            differing += compared(scope, began)
            self._count(result, Counts(read=read, unchanged=read))
            save(
                result, is_begun=True, is_done=True, note=_told(differing), seconds=time.monotonic() - started
            )
        self._listener(result, spec)


def _told(differing: int) -> str:
    if not differing:
        return "All rows are alike."
    return (
        f"{differing:,} rows differed and were read again."
        if differing > 1
        else "1 row differed and was read again."
    )


def identity_of(spec: ObjectSpec) -> ObjectSpec:
    """The object with id, stamp and creation alone."""
    columns = (Column("created_at", Kind.INSTANT, (spec.created_field,)),) if spec.created_field else ()
    return replace(
        spec, columns=columns, references=(), custom=(), kept=(), deleted_field="", currency_field=""
    )


def compared(scope: Scope, began: datetime) -> int:
    """Compare the staged identities with the mirror, keep the months, and have what differs read again; gives how many rows."""
    spec = scope.spec
    scope.run(f"ANALYZE {STAGE}")  # otherwise the join is planned for an empty table
    ours = "t.created_at" if _has_created(spec) else "NULL::timestamptz"
    sql = _COMPARE.format(
        compared=COMPARED, stage=STAGE, table=scope.table, own_rows=scope.own_rows, id=staged(spec.id_field),
        stamp=_instant(spec.stamp_field), created=_instant(spec.created_field), our_created=ours,
    )  # fmt: skip
    scope.run(sql, began=began)
    scope.run(
        "DELETE FROM crm_sync_checkedmonth WHERE tenant_id = %(tenant)s AND connection_id = %(connection)s AND object_name = %(object)s"
    )
    scope.run(_MONTHS)
    return scope.run(_READ_AGAIN)


def _has_created(spec: ObjectSpec) -> bool:
    return any(str(field.column) == "created_at" for field in spec.model._meta.local_concrete_fields)


def _instant(field: str) -> str:
    """A staged time; nothing, where it is none."""
    if not field:
        return "NULL::timestamptz"
    text = staged(field)
    return f"CASE WHEN {is_instant(text)} THEN {text}::timestamptz END"
