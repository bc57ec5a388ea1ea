"""How many open deals, worth how much, members see by their place in the tree: from the sums of the last build, set-based."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

# As the home page counts, and within what the context in force shows. Shares come on top of it and are not counted.
_FIGURES = """
    WITH asked AS (
        SELECT * FROM unnest(%(members)s::uuid[], %(teams)s::boolean[]) AS a (member_id, has_team)
    ), owners AS (
        SELECT a.member_id, o.id
        FROM asked a JOIN crm_sync_owner o ON o.tenant_id = %(tenant)s AND o.member_id = a.member_id
        UNION ALL
        SELECT a.member_id, o.id
        FROM asked a
        JOIN rbac_reportingpath p ON p.tenant_id = %(tenant)s AND p.ancestor_id = a.member_id AND p.depth > 0
        JOIN crm_sync_owner o ON o.tenant_id = %(tenant)s AND o.member_id = p.descendant_id
        WHERE a.has_team
    )
    SELECT w.member_id, s.currency, sum(s.deals)::bigint, sum(s.amount_minor)::bigint
    FROM owners w JOIN pipeline_pipelinesummary s ON s.tenant_id = %(tenant)s AND s.owner_id = w.id
    GROUP BY w.member_id, s.currency ORDER BY w.member_id, s.currency
"""
_OWNERS = """
    SELECT owner_id, currency, sum(deals)::bigint, sum(amount_minor)::bigint
    FROM pipeline_pipelinesummary WHERE tenant_id = %(tenant)s AND owner_id = ANY (%(owners)s)
    GROUP BY owner_id, currency ORDER BY owner_id, currency
"""


@dataclass
class Figures:
    """Open deals, and their money by currency in minor units."""

    deals: int = 0
    money: list[tuple[str, int]] = field(default_factory=list)


def team_figures(tenant_id: int, has_team: Mapping[UUID, bool]) -> dict[UUID, Figures]:
    """Of each of these members; True adds everyone below. Who has none is not among them. One query."""
    values: dict[str, Any] = {
        "tenant": tenant_id,
        "members": list(has_team),
        "teams": list(has_team.values()),
    }
    return _summed(_FIGURES, values)


def owner_figures(tenant_id: int, owner_ids: list[int]) -> dict[int, Figures]:
    """Of each of these CRM owners; who has none is not among them. One query."""
    return _summed(_OWNERS, {"tenant": tenant_id, "owners": owner_ids})


def _summed(sql: str, values: dict[str, Any]) -> dict[Any, Figures]:
    found: dict[Any, Figures] = {}
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        for key, currency, deals, minor in cursor.fetchall():
            figures = found.setdefault(key, Figures())
            figures.deals += deals
            figures.money.append((currency, minor))
    return found
