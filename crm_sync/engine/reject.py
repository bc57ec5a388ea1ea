"""Bad rows are kept aside with field, value and reason; the rest of their page is loaded. They leave again when they are good."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crm_sync.engine.scope import Scope
from crm_sync.engine.sql import ID_LENGTH, STAGE, Check, checks, joins, literal, quoted, staged

BAD = "crm_bad"  # where the stage's bad rows are, and why

_KEEP_ASIDE = """
    INSERT INTO crm_sync_rejectedrow
        (id, tenant_id, connection_id, run_id, object_name, external_id, field, kind, value, reason, raw)
    SELECT DISTINCT ON (external_id)
        gen_random_uuid(), %(tenant)s, %(connection)s, %(run)s, %(object)s, external_id, field, kind,
        left(coalesce(raw ->> field, ''), 255), reason, raw
    FROM (
        SELECT coalesce(left({id}, {length}), 'no id ' || md5(s::text)) AS external_id, bad.field, bad.kind, bad.reason,
               jsonb_strip_nulls(to_jsonb(s)) AS raw
        FROM {stage} s
        JOIN {bad} bad ON bad.place = s.ctid
    ) AS kept
    ON CONFLICT (tenant_id, connection_id, object_name, external_id) DO UPDATE
    SET run_id = excluded.run_id, field = excluded.field, kind = excluded.kind, value = excluded.value,
        reason = excluded.reason, raw = excluded.raw, rejected_at = now()
"""
_REJECTED = "FROM crm_sync_rejectedrow r WHERE r.tenant_id = %(tenant)s AND r.connection_id = %(connection)s AND r.object_name = %(object)s"


def keep_aside(scope: Scope) -> int:
    """Move the stage's bad rows into RejectedRow; gives how many they were."""
    bad = find_bad(scope)
    if bad:
        scope.run(_KEEP_ASIDE.format(stage=STAGE, bad=BAD, id=staged(scope.spec.id_field), length=ID_LENGTH))
        leave_out(scope)
    scope.run(f"DROP TABLE {BAD}")
    return bad


def find_bad(scope: Scope) -> int:
    """Leave the table BAD: place in the stage, field, kind and reason of each bad row; gives how many they are."""
    found = checks(scope.spec)
    is_bad = " OR ".join(f"({check.is_bad})" for check in found)
    # A tombstone needs nothing but its id: what it says beside that is never used.
    is_live = (
        f"coalesce(lower({staged(scope.spec.deleted_field)}), '') <> 'true'"
        if scope.spec.deleted_field
        else "true"
    )
    fields = _first(found, lambda check: literal(check.field))
    reasons = _first(found, lambda check: literal(check.reason))
    return scope.run(
        f"""
        CREATE TEMPORARY TABLE {BAD} ON COMMIT DROP AS
        SELECT s.ctid AS place, {fields} AS field, {_first(found, lambda check: check.kind)} AS kind, {reasons} AS reason
        FROM {STAGE} s
        {joins(scope.spec)}
        WHERE ({is_bad}) AND ({is_live} OR {staged(scope.spec.id_field)} IS NULL)
        """
    )


def _first(found: list[Check], told: Callable[[Check], str]) -> str:
    whens = " ".join(f"WHEN {check.is_bad} THEN {told(check)}" for check in found)
    return f"CASE {whens} END"


def leave_out(scope: Scope) -> None:
    """Take the rows in BAD out of the stage."""
    scope.run(f"DELETE FROM {STAGE} s USING {BAD} bad WHERE s.ctid = bad.place")


def forgive(scope: Scope) -> None:
    """Forget the rejections of rows that are in the stage, good ones now or tombstones."""
    own_id = quoted(scope.spec.id_field)
    if has_rejections(scope):
        scope.run(f"DELETE {_REJECTED} AND r.external_id IN (SELECT {own_id} FROM {STAGE})")


def has_rejections(scope: Scope) -> bool:
    """Whether any row of the object is kept aside."""
    return bool(scope.scalar(f"SELECT EXISTS (SELECT {_REJECTED})"))


def take_back(scope: Scope) -> int:
    """Stage again what was rejected for a reference that the mirror holds by now; gives how many rows."""
    if not has_rejections(scope):
        return 0
    return sum(
        _take_back(scope, reference.name) for reference in scope.spec.references if reference.must_resolve
    )


def _take_back(scope: Scope, name: str) -> int:
    reference = next(each for each in scope.spec.references if each.name == name)
    parent, own_id = reference.to._meta.db_table, quoted(scope.spec.id_field)
    columns = ", ".join(f"(row).{quoted(field)}" for field in scope.spec.fields)
    return scope.run(
        f"""
        INSERT INTO {STAGE}
        SELECT {columns}
        FROM (SELECT jsonb_populate_record(NULL::{STAGE}, r.raw) AS row {_REJECTED} AND r.field = %(field)s AND EXISTS (
                SELECT FROM {parent} p WHERE p.tenant_id = %(tenant)s AND p.source = %(source)s AND p.external_id = r.value)
              AND NOT EXISTS (SELECT FROM {STAGE} s WHERE s.{own_id} = r.external_id)) AS again
        """,
        field=reference.field,
    )


def forget(scope: Scope, ids: Sequence[str]) -> None:
    """Forget the rejections of rows that the CRM no longer has."""
    scope.run(f"DELETE {_REJECTED} AND r.external_id = ANY (%(gone)s::text[])", gone=list(ids))


def forget_unseen(scope: Scope) -> None:
    """Forget the rejections of rows that a full run did not meet."""
    scope.run(
        f"DELETE {_REJECTED} AND r.run_id <> %(run)s AND NOT EXISTS (SELECT FROM crm_sync_seenrow seen "
        "WHERE seen.tenant_id = %(tenant)s AND seen.run_id = %(run)s AND seen.object_name = %(object)s "
        "AND seen.external_id = r.external_id)"
    )
