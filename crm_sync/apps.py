from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from tenants.models import Member


class CrmSyncConfig(AppConfig):
    name = "crm_sync"

    def ready(self) -> None:
        from crm_sync import conf, events, metrics, permissions, personal, provisioning  # noqa: F401  # importing registers them
        from crm_sync.owners import owners_pass_on
        from crm_sync.selectors import owner_ids_of, owner_names_of
        from crm_sync.services.removal import REMOVALS_JOB
        from crm_sync.sharing import shared_rows, subject_named
        from crm_sync.tasks import dispatch, prune, removals
        from crm_sync.waking import DISPATCH_JOB
        from isolation.jobs import Periodic, register
        from rbac.review.sources import Fact, register_fact
        from rbac.selectors import register_owner_source
        from rbac.shared import register_share_source
        from tenants.hooks import after_member_added, before_leaving

        register_owner_source(owner_ids_of)
        register_share_source(shared_rows, subject_named)
        before_leaving(lambda member, heir, by: owners_pass_on(member=member, heir=heir, acting_user=by))
        register_fact(Fact("CRM", owner_names_of))
        every = timedelta(seconds=conf.dispatch_seconds())
        register(Periodic(DISPATCH_JOB, dispatch, every=every, lease=timedelta(seconds=30)))
        register(Periodic(REMOVALS_JOB, removals, every=timedelta(hours=1)))
        register(Periodic("crm_sync.prune", prune, every=timedelta(days=1)))
        after_member_added(_match_new_member)


def _match_new_member(member: Member) -> None:
    """A new member sees the own deals at once, not after the next sync."""
    from crm_sync.owners import owners_match_members

    owners_match_members(member.tenant_id)
