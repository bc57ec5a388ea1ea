"""What a share stands for in the mirror. With an account come the deals and contacts that are its own owner's.

Others' deals on a shared account stay theirs: whoever shares an account may not see those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection

from crm_sync.models import Account, Opportunity
from isolation.actors import Shares
from rbac.models import Access, ShareKind
from rbac.shared import HeldShare, Subject
from tenants.models import Crm

_EXPAND = """
    WITH held (kind, source, external_id, is_edit) AS (
        SELECT * FROM unnest(%(kinds)s::text[], %(sources)s::text[], %(ids)s::text[], %(edits)s::boolean[])
    ), account AS (
        SELECT a.id, a.owner_id, bool_or(h.is_edit) AS is_edit
        FROM held h
        JOIN crm_sync_account a ON a.tenant_id = %(tenant)s AND a.source = h.source AND a.external_id = h.external_id
        WHERE h.kind = 'account' GROUP BY a.id, a.owner_id
    ), deal AS (
        SELECT id, owner_id, bool_or(is_edit) AS is_edit FROM (
            SELECT o.id, o.owner_id, h.is_edit
            FROM held h
            JOIN crm_sync_opportunity o ON o.tenant_id = %(tenant)s AND o.source = h.source AND o.external_id = h.external_id
            WHERE h.kind = 'deal'
            UNION ALL
            SELECT o.id, o.owner_id, a.is_edit
            FROM account a
            JOIN crm_sync_opportunity o
                ON o.tenant_id = %(tenant)s AND o.account_id = a.id AND o.owner_id IS NOT DISTINCT FROM a.owner_id
        ) AS every GROUP BY id, owner_id
    ), contact AS (
        SELECT c.id, a.is_edit
        FROM account a
        JOIN crm_sync_contact c
            ON c.tenant_id = %(tenant)s AND c.account_id = a.id AND c.owner_id IS NOT DISTINCT FROM a.owner_id
    )
    SELECT ARRAY(SELECT id FROM deal), ARRAY(SELECT id FROM deal WHERE is_edit),
           ARRAY(SELECT id FROM account), ARRAY(SELECT id FROM account WHERE is_edit),
           ARRAY(SELECT id FROM contact), ARRAY(SELECT id FROM contact WHERE is_edit),
           ARRAY(SELECT owner_id FROM deal WHERE owner_id IS NOT NULL
                 UNION SELECT owner_id FROM account WHERE owner_id IS NOT NULL)
"""


def shared_rows(tenant_id: int, held: Sequence[HeldShare]) -> Shares:
    """The rows that these shares open, as far as the mirror holds them. One query."""
    values: dict[str, Any] = {
        "tenant": tenant_id,
        "kinds": [share.kind.value for share in held],
        "sources": [share.source for share in held],
        "ids": [share.external_id for share in held],
        "edits": [share.access is Access.EDIT for share in held],
    }
    with connection.cursor() as cursor:
        cursor.execute(_EXPAND, values)
        row = cursor.fetchone()
    assert row is not None
    return Shares(*map(tuple, row))


def subject_named(tenant_id: int, kind: ShareKind, external_id: str) -> Subject | None:
    """The deal or account of that CRM id, as far as the context in force shows it."""
    model = Opportunity if kind is ShareKind.DEAL else Account
    found = model.objects.filter(tenant_id=tenant_id, source__in=Crm.values, external_id=external_id).first()
    if found is None:
        return None
    return Subject(kind, found.source, found.external_id, found.name, found.id, found.owner_id)
