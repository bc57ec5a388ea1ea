from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_save


class CrmSyncConfig(AppConfig):
    name = "crm_sync"

    def ready(self) -> None:
        from crm_sync import events, metrics, permissions, provisioning  # noqa: F401  # importing registers them
        from crm_sync.selectors import owner_ids_of
        from crm_sync.tasks import dispatch
        from isolation.jobs import Periodic, register
        from rbac.selectors import register_owner_source
        from tenants.models import Member

        register_owner_source(owner_ids_of)
        register(
            Periodic("crm_sync.dispatch", dispatch, every=timedelta(seconds=2), lease=timedelta(seconds=30))
        )
        post_save.connect(_match_new_member, sender=Member, dispatch_uid="crm_sync.match_new_member")


def _match_new_member(instance: Any, created: bool, **_: Any) -> None:
    """A new member sees the own deals at once, not after the next sync."""
    from crm_sync.owners import owners_match_members

    if created:
        owners_match_members(instance.tenant_id)
