"""Matching CRM owners to members."""

from __future__ import annotations

from django.db import connection, transaction

_MATCH = """
    UPDATE crm_sync_owner o SET member_id = m.id
    FROM crm_sync_owner mine
    LEFT JOIN tenants_member m ON m.tenant_id = %(tenant)s AND lower(m.email) = lower(mine.email) AND mine.email <> ''
    WHERE mine.tenant_id = %(tenant)s AND o.tenant_id = %(tenant)s AND o.id = mine.id
      AND o.member_id IS DISTINCT FROM m.id
"""


@transaction.atomic
def owners_match_members(tenant_id: int) -> int:
    """Give each CRM owner the member of the same e-mail, capitals aside, or none; gives how many changed.

    Needs a context in which the workspace's owners and members can be reached. Not a user's doing, so it is not audited.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MATCH, {"tenant": tenant_id})
        return int(cursor.rowcount)
