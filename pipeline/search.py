"""Search by words: which deals to look at, found by an index that works behind row security.

A term finds a deal if a word of the deal's or the account's name begins with it; every term must. What decides is a condition on
the deal as it is; the table of words only says which deals are worth a look. That table is walled like deals, and is asked with
comparisons of text alone, which are leak-proof. Where too many deals share the rarest term, none are named: the list is then
read in its own order, where one deal in every few hundred fits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from isolation import context
from pipeline.datasets.search_words import PATH, PLACES
from pipeline.models import BuildState
from pipeline.words import LAST_CHARACTER, has_words_like, pattern_of, searched, words
from tenants.models import Crm

NAMED_AT_MOST = 5_000
"""Deals that are looked at one by one. More than these of a million are a page in some thousand rows of any order."""
FEW = 500
"""Deals that are looked at sooner than another term is asked for."""
COMMON_FROM = 100_000
"""From so many words on, a term is on so many deals that the list's own order is read sooner than two such terms are intersected."""
TERMS_AT_MOST = 6
"""Terms that the index is asked for; all of them decide."""

# A dataset counts as there once its newest finished build did well; while it is not, every deal is looked at.
_ASKED = f"""
    SELECT {words("%(search)s::text")}, coalesce((
        SELECT b.state = %(succeeded)s FROM pipeline_datasetbuild b
        WHERE b.tenant_id = %(tenant)s AND b.dataset = %(path)s AND b.state = ANY (%(finished)s)
        ORDER BY b.requested_at DESC LIMIT 1), false),
    ARRAY(
        SELECT o.id FROM crm_sync_opportunity o
        WHERE o.tenant_id = %(tenant)s AND o.source = ANY (%(sources)s) AND o.external_id = %(search)s)
"""
_WORDS = (
    "SELECT w.id FROM pipeline_dealword w WHERE w.tenant_id = %s {owners} AND w.word >= %s AND w.word < %s"
)
# The wall's own owners lead into the index; who sees all of a workspace names all of its owners.
_ALL_OWNERS = (
    "AND w.owner_id = ANY (ARRAY(SELECT id FROM crm_sync_owner WHERE tenant_id = %s UNION ALL SELECT 0))"
)


@dataclass(frozen=True)
class Found:
    """The condition that decides, its values, and the internal ids of the only deals worth a look; None for all."""

    condition: str
    values: dict[str, Any]
    deal_ids: list[int] | None


def find(tenant_id: int, search: str) -> Found:
    """What is known of a search before deals are read; in the reader's own context."""
    terms, is_indexed, with_that_id = _asked(tenant_id, search)
    values = {"crm_id": search, "terms": [pattern_of(term) for term in terms]}
    fits = f"{has_words_like(searched('o'), '%(terms)s::text[]')} AND %(terms)s::text[] <> '{{}}'"
    # As a CASE it is taken for true of every second row. Taken for what it looks like, of one in thousands, it had all deals read
    # and sorted where the order's index fills a page with the first few.
    condition = f"CASE WHEN {fits} THEN true ELSE o.external_id = %(crm_id)s END"
    named = _named(tenant_id, terms) if is_indexed else None
    if named is None:
        return Found(condition, values, None)
    return Found(condition, values, sorted({*named, *with_that_id, *_shared()}))


def _asked(tenant_id: int, search: str) -> tuple[list[str], bool, list[int]]:
    """The terms of a search, the longest first; whether there are words to find them in; deals that have it for their CRM id."""
    values: dict[str, Any] = {
        "search": search,
        "tenant": tenant_id,
        "path": PATH,
        "succeeded": BuildState.SUCCEEDED,
        "finished": [BuildState.SUCCEEDED, BuildState.FAILED],
        "sources": Crm.values,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, values)
        terms, is_indexed, with_that_id = cursor.fetchone() or ([], False, [])
    return sorted(terms, key=len, reverse=True), is_indexed, with_that_id


def _named(tenant_id: int, terms: Sequence[str]) -> set[int] | None:
    """The deals that hold the terms that few deals hold, or all of the terms together; None where those are many as well."""
    if not terms:
        return set()
    asked = [_Words(tenant_id, term) for term in terms[:TERMS_AT_MOST]]
    found: set[int] | None = None
    for one in asked:
        if (deals := one.deals()) is not None:
            found = deals if found is None else found & deals
        if found is not None and len(found) <= FEW:
            break
    if found is None and len(asked) > 1 and any(one.is_within(COMMON_FROM) for one in asked):
        return _together(asked)
    return found


class _Words:
    """The words of a workspace that begin with a term, as far as the reader sees them."""

    def __init__(self, tenant_id: int, term: str) -> None:
        owners = _ALL_OWNERS if context.current().role is context.Role.TENANT_WIDE else ""
        self.sql = _WORDS.format(owners=owners)
        self.values = (tenant_id, *((tenant_id,) if owners else ()), term, term + LAST_CHARACTER)

    def deals(self) -> set[int] | None:
        """The deals that have one; None where these are too many to be named."""
        with connection.cursor() as cursor:
            cursor.execute(f"{self.sql} LIMIT {NAMED_AT_MOST + 1:d}", self.values)
            found = cursor.fetchall()
        return None if len(found) > NAMED_AT_MOST else {word // PLACES for (word,) in found}

    def is_within(self, limit: int) -> bool:
        """Whether there are no more than so many."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({self.sql} LIMIT {limit + 1:d}) AS counted", self.values)
            (count,) = cursor.fetchone() or (0,)
        return bool(count <= limit)


def _together(asked: Sequence[_Words]) -> set[int] | None:
    """The deals that have a word of each; None where these are too many to be named."""
    sql = " INTERSECT ".join(f"SELECT id / {PLACES} FROM ({one.sql}) AS words" for one in asked)
    values = [value for one in asked for value in one.values]
    with connection.cursor() as cursor:
        cursor.execute(f"{sql} LIMIT {NAMED_AT_MOST + 1:d}", values)
        found = cursor.fetchall()
    return None if len(found) > NAMED_AT_MOST else {deal for (deal,) in found}


def _shared() -> Sequence[int]:
    """Deals shared with the reader one by one: words are seen through owners alone, so these are always worth a look."""
    return context.current().shares.deal
