"""Rows that the CRM no longer has leave the mirror: by tombstone, by its list of deletions, or because a full run did not meet them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crm_sync.connectors.base import ObjectSpec, Reference
from crm_sync.engine import links, reject
from crm_sync.engine.scope import Scope
from crm_sync.engine.sql import ID_LENGTH, STAGE, quoted, staged, table_of

_SEEN = "FROM crm_sync_seenrow seen WHERE seen.tenant_id = %(tenant)s AND seen.run_id = %(run)s AND seen.object_name = %(object)s"


def tombstones(scope: Scope) -> tuple[int, int]:
    """Remove what the stage marks as deleted, and the marks; gives (marks, rows removed)."""
    if not scope.spec.deleted_field:
        return 0, 0
    is_gone = f"lower({staged(scope.spec.deleted_field)}) = 'true'"
    if not scope.scalar(f"SELECT EXISTS (SELECT FROM {STAGE} s WHERE {is_gone})"):
        return 0, 0
    removed = _remove(
        scope, f"t.external_id IN (SELECT {staged(scope.spec.id_field)} FROM {STAGE} s WHERE {is_gone})"
    )
    return scope.run(f"DELETE FROM {STAGE} s WHERE {is_gone}"), removed


def listed(scope: Scope, ids: Sequence[str]) -> int:
    """Remove the rows of these ids; gives how many there were."""
    if not ids:
        return 0
    reject.forget(scope, ids)
    removed = _remove(scope, "t.external_id = ANY (%(gone)s::text[])", gone=list(ids))
    for child in (spec for spec in scope.family if spec.parent == scope.spec.name):
        _remove_orphans(scope, child, ids)
    return removed


def _remove_orphans(scope: Scope, child: ObjectSpec, parents: Sequence[str]) -> None:
    """Remove the rows of a child object that name these parents, of which the mirror held none."""
    reference = parent_of(child, scope.family)
    scope.run(
        f"DELETE FROM {table_of(child.model)} t WHERE t.tenant_id = %(tenant)s AND t.source = %(source)s "
        f"AND t.{reference.internal} IS NULL AND t.{reference.external} <> '' AND t.{reference.external} = ANY (%(gone)s::text[])",
        gone=list(parents),
    )


def not_staged(scope: Scope, parents: Sequence[str]) -> int:
    """Remove rows of a child object that belong to these parents and are not in the stage; gives how many."""
    reference = parent_of(scope.spec, scope.family)
    return _remove(
        scope,
        f"t.{reference.external} = ANY (%(parents)s::text[]) AND NOT EXISTS "
        f"(SELECT FROM {STAGE} s WHERE {staged(scope.spec.id_field)} = t.external_id)",
        parents=list(parents),
    )


def children_of_removed(scope: Scope, child: ObjectSpec) -> int:
    """Remove the rows of a child object whose parents are in REMOVED; gives how many."""
    reference = parent_of(child, scope.family)
    return scope.run(
        f"DELETE FROM {table_of(child.model)} t USING {links.REMOVED} r "
        f"WHERE t.tenant_id = %(tenant)s AND t.source = %(source)s AND t.{reference.internal} = r.id"
    )


def parent_of(child: ObjectSpec, family: Iterable[ObjectSpec]) -> Reference:
    """The reference of a child object that leads to its parent."""
    parent = next(spec for spec in family if spec.name == child.parent)
    return next(reference for reference in child.references if reference.to is parent.model)


def note_seen(scope: Scope) -> None:
    """Remember the ids of the stage: a full run has met them."""
    own_id = quoted(scope.spec.id_field)
    scope.run(
        f"""
        INSERT INTO crm_sync_seenrow (tenant_id, run_id, object_name, external_id)
        SELECT DISTINCT %(tenant)s, %(run)s, %(object)s, {own_id} FROM {STAGE}
        WHERE char_length({own_id}) <= {ID_LENGTH}
        ON CONFLICT (tenant_id, run_id, object_name, external_id) DO NOTHING
        """
    )


def unseen(scope: Scope) -> int:
    """Remove what the full run did not meet; gives how many rows."""
    reject.forget_unseen(scope)
    removed = _remove(scope, f"NOT EXISTS (SELECT {_SEEN} AND seen.external_id = t.external_id)")
    scope.run(f"DELETE {_SEEN}")
    return removed


def _remove(scope: Scope, condition: str, **more: object) -> int:
    deal = _deal_column(scope)
    scope.run(f"CREATE TEMPORARY TABLE {links.REMOVED} (id bigint, deal_id bigint) ON COMMIT DROP")
    removed = scope.run(
        f"""
        WITH gone AS (DELETE FROM {scope.table} t WHERE {scope.own_rows} AND {condition} RETURNING t.id, {deal} AS deal_id)
        INSERT INTO {links.REMOVED} SELECT id, deal_id FROM gone
        """,
        **more,
    )
    if removed:
        for child in (spec for spec in scope.family if spec.parent == scope.spec.name):
            children_of_removed(scope, child)
        links.follow_removal(scope)
        links.note_touched_by_removal(scope)
    scope.run(f"DROP TABLE {links.REMOVED}")
    return removed


def _deal_column(scope: Scope) -> str:
    has_deal = any(reference.name == "opportunity" for reference in scope.spec.references)
    return "t.opportunity_id" if has_deal else "t.id"
