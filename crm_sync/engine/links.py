"""Keeping right what other tables say of a row: its internal id, and the columns of it that they repeat."""

from __future__ import annotations

from collections.abc import Iterator

from crm_sync.connectors.base import ObjectSpec, Reference
from crm_sync.engine.scope import Scope
from crm_sync.engine.sql import MERGED, empty_value, table_of
from crm_sync.models import Opportunity

REMOVED = "crm_removed"


def pointing_here(scope: Scope) -> Iterator[tuple[ObjectSpec, Reference]]:
    """The references of other tables to this one, each table and column once (tasks and events share a table)."""
    seen = set()
    for spec in scope.family:
        for reference in spec.references:
            key = (spec.model, reference.internal)
            if reference.to is scope.spec.model and key not in seen:
                seen.add(key)
                yield spec, reference


def follow_merge(scope: Scope) -> None:
    """Link what dangled until its row came, and pass on changed copies."""
    has_new = bool(scope.scalar(f"SELECT EXISTS (SELECT FROM {MERGED} WHERE is_new)"))
    has_copies = bool(
        scope.scalar(f"SELECT EXISTS (SELECT FROM {MERGED} WHERE has_new_copies AND NOT is_new)")
    )
    for spec, reference in pointing_here(scope):
        if has_new:
            among = f"AND p.id IN (SELECT id FROM {MERGED} WHERE is_new)"
            _link(scope, spec, reference, among, is_noted=spec.model is Opportunity)
        if has_copies and reference.copies:
            _pass_copies_on(scope, spec, reference)


def link_everything(scope: Scope) -> None:
    """Link whatever dangles and need not: after a first load of what others point at already."""
    for spec, reference in pointing_here(scope):
        _link(scope, spec, reference, "")


def _link(
    scope: Scope, spec: ObjectSpec, reference: Reference, among: str, *, is_noted: bool = False
) -> None:
    news = [
        f"{reference.internal} = p.id",
        *(f"{own} = p.{theirs}" for own, theirs in reference.copies.items()),
    ]
    update = f"""
        UPDATE {table_of(spec.model)} c SET {", ".join(news)}
        FROM {scope.table} p
        WHERE p.tenant_id = %(tenant)s AND p.source = %(source)s {among}
          AND c.tenant_id = %(tenant)s AND c.source = %(source)s
          AND c.{reference.external} = p.external_id AND c.{reference.external} <> '' AND c.{reference.internal} IS NULL
        """
    # A deal whose account came later is found by the account's name from then on.
    scope.run(_noting_deals(update) if is_noted else update)


def mend(scope: Scope) -> int:
    """Put right every internal id and every copy of this object's own rows, whatever led to it; gives how many rows it was."""
    return sum(_mend(scope, reference) for reference in scope.spec.references)


def _mend(scope: Scope, reference: Reference) -> int:
    wanted = {reference.internal: "p.id"}
    for own, theirs in reference.copies.items():
        wanted[own] = f"coalesce(p.{theirs}, {empty_value(scope.spec.model, own)})"
    columns = ", ".join(f"{sql} AS {name}" for name, sql in wanted.items())
    differs = " OR ".join(f"t.{name} IS DISTINCT FROM {sql}" for name, sql in wanted.items())
    return scope.run(
        f"""
        UPDATE {scope.table} t SET {", ".join(f"{name} = right_one.{name}" for name in wanted)}
        FROM (
            SELECT t.id, {columns}
            FROM {scope.table} t
            LEFT JOIN {table_of(reference.to)} p
                ON p.tenant_id = %(tenant)s AND p.source = %(source)s AND p.external_id = t.{reference.external}
            WHERE {scope.own_rows} AND ({differs})
        ) AS right_one
        WHERE t.tenant_id = %(tenant)s AND t.id = right_one.id
        """
    )


def _pass_copies_on(scope: Scope, spec: ObjectSpec, reference: Reference) -> None:
    news = ", ".join(f"{own} = p.{theirs}" for own, theirs in reference.copies.items())
    differs = " OR ".join(f"c.{own} IS DISTINCT FROM p.{theirs}" for own, theirs in reference.copies.items())
    update = f"""
        UPDATE {table_of(spec.model)} c SET {news}
        FROM {scope.table} p
        JOIN {MERGED} m ON m.id = p.id AND m.has_new_copies AND NOT m.is_new
        WHERE p.tenant_id = %(tenant)s AND c.tenant_id = %(tenant)s AND c.{reference.internal} = p.id AND ({differs})
        """
    # A deal that became a closed one because its stage did is scored anew like one that changed itself.
    scope.run(_noting_deals(update) if spec.model is Opportunity else update)


def _noting_deals(update: str) -> str:
    return f"""
        WITH changed AS ({update} RETURNING c.id)
        INSERT INTO crm_sync_toucheddeal (tenant_id, run_id, opportunity_id)
        SELECT DISTINCT %(tenant)s::bigint, %(run)s::uuid, id FROM changed
        ON CONFLICT (tenant_id, run_id, opportunity_id) DO NOTHING
        """


def follow_removal(scope: Scope) -> None:
    """Make dangling what pointed at the rows in REMOVED: it is found again by its external id, should they come back."""
    for spec, reference in pointing_here(scope):
        copies = (f"{own} = {empty_value(spec.model, own)}" for own in reference.copies)
        news = ", ".join([f"{reference.internal} = NULL", *copies])
        update = (
            f"UPDATE {table_of(spec.model)} c SET {news} FROM {REMOVED} r "
            f"WHERE c.tenant_id = %(tenant)s AND c.{reference.internal} = r.id"
        )
        scope.run(_noting_deals(update) if spec.model is Opportunity else update)


def note_touched(scope: Scope) -> None:
    """Remember the deals that the rows in MERGED are, or are about."""
    if scope.spec.model is Opportunity:
        deals = f"SELECT id FROM {MERGED}"
    elif _is_about_deals(scope.spec):
        deals = f"""
            SELECT old_deal_id FROM {MERGED}
            UNION SELECT t.opportunity_id FROM {MERGED} m JOIN {scope.table} t ON t.tenant_id = %(tenant)s AND t.id = m.id
        """
    else:
        return
    _touch(scope, deals)


def note_touched_by_removal(scope: Scope) -> None:
    """Remember the deals that the rows in REMOVED were, or were about."""
    if scope.spec.model is Opportunity or _is_about_deals(scope.spec):
        _touch(scope, f"SELECT DISTINCT deal_id FROM {REMOVED}")


def _touch(scope: Scope, deals: str) -> None:
    scope.run(
        f"""
        INSERT INTO crm_sync_toucheddeal (tenant_id, run_id, opportunity_id)
        SELECT %(tenant)s, %(run)s, deal FROM ({deals}) AS touched (deal) WHERE deal IS NOT NULL
        ON CONFLICT (tenant_id, run_id, opportunity_id) DO NOTHING
        """
    )


def _is_about_deals(spec: ObjectSpec) -> bool:
    return any(reference.name == "opportunity" for reference in spec.references)
