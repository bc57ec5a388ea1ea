"""Good rows of the stage into the mirror, with what was inserted, changed and left alone known exactly.

Unchanged rows are filtered out in the SELECT: a second run writes nothing. A condition on DO UPDATE would do the same,
but leaks rows past row security on several PostgreSQL minors.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from crm_sync.engine.scope import Scope
from crm_sync.engine.sql import MERGED, NEW, STAGE, fillers, joins, kept_values, staged, values


@dataclass(frozen=True)
class Merged:
    """Rows of one batch by what became of them."""

    inserted: int
    changed: int
    unchanged: int


def insert_all(scope: Scope) -> int | None:
    """Insert the whole stage into a mirror that held nothing when the run began; gives the rows, or None where some are there.

    A plain INSERT: comparing with a table that is empty, or finding conflicts that do not exist, costs a third of a first load.
    """
    filled, left = values(scope.spec), fillers(scope.spec)
    sql = f"""
        INSERT INTO {scope.table} (tenant_id, source, {", ".join([*filled, *left])})
        SELECT %(tenant)s, %(source)s, {", ".join([*filled.values(), *left.values()])}
        FROM {STAGE} s
        {joins(scope.spec)}
    """
    try:
        with transaction.atomic():
            return scope.run(sql)
    except IntegrityError:  # a row that came twice, or that an earlier try of this page left
        return None


def merge(scope: Scope, rows: int) -> Merged:
    """Bring the mirror up to the stage's ``rows`` rows, which are good and differ in their ids. Leaves the table MERGED."""
    differing = scope.run(f"CREATE TEMPORARY TABLE {NEW} ON COMMIT DROP AS {comparison(scope)}")
    inserted = int(scope.scalar(f"SELECT count(*) FROM {NEW} WHERE existing_id IS NULL"))
    if differing:
        _upsert(scope)
    _note_merged(scope)
    return Merged(inserted=inserted, changed=differing - inserted, unchanged=rows - differing)


def copied_columns(scope: Scope) -> list[str]:
    """Columns of this table that rows of other tables repeat."""
    mine = (r for spec in scope.family for r in spec.references if r.to is scope.spec.model)
    return sorted({theirs for reference in mine for theirs in reference.copies.values()})


def comparison(scope: Scope) -> str:
    """The SELECT of what is staged and not in the mirror, or not like this."""
    filled = values(scope.spec)
    incoming = ", ".join(f"{sql} AS {name}" for name, sql in filled.items())
    ours, news = ", ".join(f"t.{name}" for name in filled), {name: f"i.{name}" for name in filled}
    if scope.spec.kept:
        news["custom"] = f"(i.custom || {kept_values(scope.spec)})"
    theirs = ", ".join(f"{sql} AS {name}" for name, sql in news.items())
    copies = [f"t.{name} IS DISTINCT FROM i.{name}" for name in copied_columns(scope)] or ["false"]
    deal = "t.opportunity_id" if "opportunity_id" in filled else "NULL::bigint"
    # Joined on the id as it came: behind the cast to varchar(40), which is not leak-proof, row security keeps it off the index.
    return f"""
        SELECT {theirs}, t.id AS existing_id, {" OR ".join(copies)} AS has_new_copies, {deal} AS old_deal_id
        FROM (SELECT {incoming}, {staged(scope.spec.id_field)} AS own_id FROM {STAGE} s {joins(scope.spec)}) AS i
        LEFT JOIN {scope.table} t
            ON t.tenant_id = %(tenant)s AND t.source = %(source)s AND t.external_id = i.own_id
        WHERE t.id IS NULL OR ({ours}) IS DISTINCT FROM ({", ".join(news.values())})
    """


def _upsert(scope: Scope) -> None:
    filled, left = list(values(scope.spec)), fillers(scope.spec)
    news = ", ".join(f"{name} = excluded.{name}" for name in filled if name != "external_id")
    scope.run(
        f"""
        INSERT INTO {scope.table} (tenant_id, source, {", ".join([*filled, *left])})
        SELECT %(tenant)s, %(source)s, {", ".join([*filled, *left.values()])}
        FROM {NEW}
        ON CONFLICT (tenant_id, source, external_id) DO UPDATE SET {news}
        """
    )


def _note_merged(scope: Scope) -> None:
    scope.run(
        f"""
        CREATE TEMPORARY TABLE {MERGED} ON COMMIT DROP AS
        SELECT t.id, n.existing_id IS NULL AS is_new, n.has_new_copies, n.old_deal_id
        FROM {NEW} n
        JOIN {scope.table} t ON t.tenant_id = %(tenant)s AND t.source = %(source)s AND t.external_id = n.external_id
        """
    )
