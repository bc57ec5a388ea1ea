"""``/RevOps/Search/deal_words``: the words of every deal's and account's name, so that searches use an index behind the wall.

A deal whose words or owner changed is written anew as a whole; all others are left alone. It is the last dataset by name and so the last
to be built: scores do not wait for the words of a first load.
"""

from __future__ import annotations

from typing import Any

from django.db import connection

from pipeline.datasets import BuildCounts, BuildScope, Dataset, register
from pipeline.words import searched, words

PATH = "/RevOps/Search/deal_words"
ANALYZE_FROM_WORDS = 1_000
PLACES = 256
"""How many ids a deal's words may take, from the deal's id times this."""

_FRESH = f"""
    CREATE TEMPORARY TABLE fresh_words ON COMMIT DROP AS
    SELECT o.id * {PLACES} AS base, o.id * {PLACES} + 1 AS first, coalesce(o.owner_id, 0) AS owner_id, {words(searched("o"))} AS words
    FROM crm_sync_opportunity o WHERE o.tenant_id = %(tenant)s {{deals}}
"""
# Bounds come as columns: arithmetic is not leak-proof, and in a join's condition it would keep row security off the index.
_AMONG = "JOIN unnest(%(bases)s::bigint[], %(ends)s::bigint[]) AS t (base, beyond) ON w.id > t.base AND w.id < t.beyond"
_FORGET = f"""
    WITH kept AS (
        SELECT w.id / {PLACES} * {PLACES} AS base, min(w.owner_id) AS owner_id, array_agg(w.word ORDER BY w.id) AS words
        FROM pipeline_dealword w {{among}} WHERE w.tenant_id = %(tenant)s GROUP BY 1
    ), stale AS MATERIALIZED (
        SELECT k.base, k.base + {PLACES} AS beyond FROM kept k LEFT JOIN fresh_words f ON f.base = k.base
        WHERE f.base IS NULL OR f.owner_id <> k.owner_id OR f.words COLLATE "C" <> k.words
    )
    DELETE FROM pipeline_dealword w USING stale s WHERE w.tenant_id = %(tenant)s AND w.id > s.base AND w.id < s.beyond
"""
# In the order of the index, which is then filled from left to right.
_REMEMBER = """
    INSERT INTO pipeline_dealword (tenant_id, id, owner_id, word)
    SELECT %(tenant)s, f.base + given.place, f.owner_id, given.word
    FROM fresh_words f
    LEFT JOIN pipeline_dealword w ON w.tenant_id = %(tenant)s AND w.id = f.first
    CROSS JOIN unnest(f.words) WITH ORDINALITY AS given (word, place)
    WHERE w.id IS NULL
    ORDER BY f.owner_id, given.word COLLATE "C"
"""


def _build(scope: BuildScope) -> BuildCounts:
    only_some = scope.deal_ids is not None
    values: dict[str, Any] = {"tenant": scope.tenant_id, "deals": list(scope.deal_ids or ())}
    values["bases"] = [deal * PLACES for deal in values["deals"]]
    values["ends"] = [base + PLACES for base in values["bases"]]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS fresh_words")
        cursor.execute(_FRESH.format(deals="AND o.id = ANY (%(deals)s)" if only_some else ""), values)
        read = cursor.rowcount
        cursor.execute("ANALYZE fresh_words (base, first, owner_id)")
        cursor.execute(_FORGET.format(among=_AMONG if only_some else ""), values)
        forgotten = cursor.rowcount
        cursor.execute(_REMEMBER, values)
        written = cursor.rowcount
        if written > ANALYZE_FROM_WORDS:
            # Planned for a workspace without words, a search would read all of them by the table's key.
            cursor.execute("SELECT pipeline_analyze_words()")
        return BuildCounts(read, written, max(forgotten - written, 0))


DEAL_WORDS = Dataset(
    path=PATH,
    sentence="The words of every deal and its account, for the search",
    build=_build,
)
register(DEAL_WORDS)
