"""What the CRM's list of archived rows held when it was last read, and what was found missing since; kept with the page that told of it."""

from __future__ import annotations

from django.db.models.functions import Now

from crm_sync.connectors.base import Page
from crm_sync.engine.scope import Scope
from crm_sync.models import SyncCursor, archived_cursor

_FORGET = """
    DELETE FROM crm_sync_archivedrow a
    WHERE a.tenant_id = %(tenant)s AND a.source = %(source)s AND a.object_name = %(object)s
      AND a.external_id <> ALL (%(listed)s::text[])
"""
_REMEMBER = """
    INSERT INTO crm_sync_archivedrow (tenant_id, source, object_name, external_id)
    SELECT %(tenant)s, %(source)s, %(object)s, listed FROM unnest(%(listed)s::text[]) AS listed
    ON CONFLICT (tenant_id, source, object_name, external_id) DO NOTHING
"""


def remember(scope: Scope, page: Page) -> None:
    """Keep what a page tells of the list; a whole list takes the place of the one before."""
    listed = [*(page.archived or ()), *page.watched]
    if listed:
        scope.run(_REMEMBER, listed=listed)
    if page.archived is None:
        return
    scope.run(_FORGET, listed=listed)
    SyncCursor.objects.update_or_create(
        tenant_id=scope.tenant_id, connection_id=scope.connection_id, object_name=archived_cursor(scope.spec.name),
        defaults={"watermark": Now()},
    )  # fmt: skip
