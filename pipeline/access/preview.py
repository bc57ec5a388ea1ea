"""Who would gain and lose which deals: a change is carried out, looked at, and rolled back."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from rbac.sightings import SIGHTS, chain_above, sight_values, teams_of
from tenants.models import Member

SAMPLE = 5
# What these members see now: by CRM owner (0 stands for deals without one), and single deals by shares.
_BY_OWNER = f"""
    CREATE TEMPORARY TABLE {{table}} ON COMMIT DROP AS
    WITH {SIGHTS}
    SELECT s.member_id, o.id AS owner_id
    FROM sight s JOIN crm_sync_owner o ON o.tenant_id = %(tenant)s AND o.member_id = s.member_id
    WHERE s.width < 2
    UNION
    SELECT s.member_id, o.id
    FROM sight s
    JOIN rbac_reportingpath p ON p.tenant_id = %(tenant)s AND p.ancestor_id = s.member_id AND p.depth > 0
    JOIN crm_sync_owner o ON o.tenant_id = %(tenant)s AND o.member_id = p.descendant_id
    WHERE s.width = 1
    UNION ALL
    SELECT s.member_id, o.id FROM sight s CROSS JOIN (
        SELECT id FROM crm_sync_owner WHERE tenant_id = %(tenant)s UNION ALL SELECT 0
    ) AS o WHERE s.width = 2
"""
_BY_SHARE = f"""
    CREATE TEMPORARY TABLE {{table}} ON COMMIT DROP AS
    WITH {SIGHTS}, opened AS (
        SELECT h.member_id, s.kind, s.source, s.external_id
        FROM sight h
        JOIN rbac_share s ON s.tenant_id = %(tenant)s
        WHERE h.width < 2 AND s.revoked_at IS NULL AND s.valid_from <= statement_timestamp()
          AND coalesce(s.valid_until, 'infinity') > statement_timestamp()
          AND (s.member_id = h.member_id OR (s.with_team AND EXISTS (
              SELECT FROM rbac_reportingpath p
              WHERE p.tenant_id = %(tenant)s AND p.ancestor_id = s.member_id AND p.descendant_id = h.member_id)))
    )
    SELECT x.member_id, o.id AS deal_id
    FROM opened x
    JOIN crm_sync_opportunity o ON o.tenant_id = %(tenant)s AND o.source = x.source AND o.external_id = x.external_id
    WHERE x.kind = 'deal'
    UNION
    SELECT x.member_id, o.id
    FROM opened x
    JOIN crm_sync_account a ON a.tenant_id = %(tenant)s AND a.source = x.source AND a.external_id = x.external_id
    JOIN crm_sync_opportunity o ON o.tenant_id = %(tenant)s AND o.account_id = a.id AND o.owner_id IS NOT DISTINCT FROM a.owner_id
    WHERE x.kind = 'account'
"""
# Only deals of owners and shares that differ are looked at; one that is seen both before and after in different ways is no difference.
_DIFFERENCE = """
    WITH owner_changed AS (
        (SELECT * FROM access_owner_before EXCEPT SELECT * FROM access_owner_after)
        UNION ALL (SELECT * FROM access_owner_after EXCEPT SELECT * FROM access_owner_before)
    ), deal_changed AS (
        (SELECT * FROM access_deal_before EXCEPT SELECT * FROM access_deal_after)
        UNION ALL (SELECT * FROM access_deal_after EXCEPT SELECT * FROM access_deal_before)
    ), candidate AS (
        SELECT c.member_id, o.id
        FROM owner_changed c
        JOIN crm_sync_opportunity o ON o.tenant_id = %(tenant)s AND o.owner_id = c.owner_id WHERE c.owner_id <> 0
        UNION
        SELECT c.member_id, o.id
        FROM owner_changed c
        JOIN crm_sync_opportunity o ON o.tenant_id = %(tenant)s AND o.owner_id IS NULL WHERE c.owner_id = 0
        UNION
        SELECT member_id, deal_id FROM deal_changed
    ), judged AS (
        SELECT c.member_id, o.*, {before} AS is_before, {after} AS is_after
        FROM candidate c JOIN crm_sync_opportunity o ON o.tenant_id = %(tenant)s AND o.id = c.id
    ), changed AS (
        SELECT member_id, is_after, external_id, name, currency, is_closed, coalesce(amount_minor, 0) AS amount_minor,
            row_number() OVER (PARTITION BY member_id, is_after ORDER BY is_closed, amount_minor DESC NULLS LAST, id) AS place
        FROM judged WHERE is_before <> is_after
    )
    SELECT member_id, is_after, currency,
        count(*) FILTER (WHERE NOT is_closed), count(*) FILTER (WHERE is_closed),
        coalesce(sum(amount_minor) FILTER (WHERE NOT is_closed), 0)::bigint,
        coalesce(jsonb_agg(jsonb_build_array(place, external_id, name) ORDER BY place) FILTER (WHERE place <= %(sample)s), '[]')
    FROM changed GROUP BY member_id, is_after, currency ORDER BY member_id, is_after, currency
"""
_SEEN = """(EXISTS (SELECT FROM access_owner_{when} s WHERE s.member_id = c.member_id AND s.owner_id = coalesce(o.owner_id, 0))
    OR EXISTS (SELECT FROM access_deal_{when} s WHERE s.member_id = c.member_id AND s.deal_id = o.id))"""


@dataclass(frozen=True)
class Difference:
    """What one member would gain, or lose: numbers of deals, the open ones' money by currency in minor units, the largest by id and name."""

    member: Member
    is_gain: bool
    open_deals: int
    closed_deals: int
    money: tuple[tuple[str, int], ...]
    sample: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Preview:
    """Who would gain and who would lose deals, by name; empty where nobody would see more or less."""

    differences: tuple[Difference, ...] = field(default=())

    @property
    def gains(self) -> list[Difference]:
        """Those who would see more."""
        return [one for one in self.differences if one.is_gain]

    @property
    def losses(self) -> list[Difference]:
        """Those who would see less."""
        return [one for one in self.differences if not one.is_gain]


class _Undone(Exception):  # carries a result out of a transaction, it is no error
    def __init__(self, preview: Preview) -> None:
        self.preview = preview


def preview(
    tenant_id: int, change: Callable[[], object], *, members: Collection[UUID] | None = None
) -> Preview:
    """What ``change`` (a service with its arguments) would do to what ``members`` see (None: everybody); nothing of it stays.

    Needs the tenant-wide context. Raises: what the change refuses with.
    """
    values = sight_values(tenant_id, at=None, members=members)
    try:
        with transaction.atomic():
            _note("before", values)
            change()
            _note("after", values)
            raise _Undone(Preview(tuple(_differences(values))))
    except _Undone as undone:
        return undone.preview


def touched_by_move(member: Member, managers: Sequence[Member | None]) -> set[UUID]:
    """Whose deals a new manager could change: everyone above the old and new place, and everyone below the member (teams' shares)."""
    tenant_id = member.tenant_id
    places = [member.id, *(manager.id for manager in managers if manager)]
    above = {one for place in places for one in chain_above(tenant_id, place)}
    return above | teams_of(tenant_id, [member.id])[member.id]


def _note(when: str, values: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        for kind, sql in (("owner", _BY_OWNER), ("deal", _BY_SHARE)):
            table = f"access_{kind}_{when}"
            cursor.execute(sql.format(table=table), values)
            cursor.execute(f"ANALYZE {table}")


def _differences(values: dict[str, Any]) -> Iterator[Difference]:
    sql = _DIFFERENCE.format(before=_SEEN.format(when="before"), after=_SEEN.format(when="after"))
    with connection.cursor() as cursor:
        cursor.execute(sql, {**values, "sample": SAMPLE})
        rows = cursor.fetchall()
    people = Member.objects.filter(tenant_id=values["tenant"]).in_bulk({row[0] for row in rows})
    found = [
        _difference(people[who], is_gain, list(some))
        for (who, is_gain), some in groupby(rows, lambda row: row[:2])
    ]
    yield from sorted(found, key=lambda one: (str(one.member), one.is_gain))


def _difference(member: Member, is_gain: bool, rows: Sequence[tuple[Any, ...]]) -> Difference:
    sample = sorted(tuple(one) for row in rows for one in _parsed(row[6]))
    return Difference(
        member=member,
        is_gain=is_gain,
        open_deals=sum(row[3] for row in rows),
        closed_deals=sum(row[4] for row in rows),
        money=tuple((row[2], row[5]) for row in rows if row[5]),
        sample=tuple((external_id, name) for _, external_id, name in sample[:SAMPLE]),
    )


def _parsed(value: Any) -> list[Any]:
    # A raw cursor of Django gives JSON as text.
    parsed: list[Any] = json.loads(value)
    return parsed
