from __future__ import annotations

from django.apps import AppConfig


class RbacConfig(AppConfig):
    name = "rbac"

    def ready(self) -> None:
        from django.db.models.signals import post_migrate

        from audit import redaction
        from isolation import refusals
        from isolation.requests import register_resolver
        from rbac import checks, events, permissions, provisioning  # noqa: F401  # importing registers them
        from rbac.breakglass import events as _events  # noqa: F401  # as above
        from rbac.breakglass import tasks as _tasks  # noqa: F401  # as above
        from rbac.breakglass.door import refuse_own_place
        from rbac.catalogue import seed_after_migrate
        from rbac.denials import record_denied
        from rbac.guards import check_base_role, keep_base_role
        from rbac.redaction.log_readers import REDACTORS
        from rbac.requests import workspace_of
        from rbac.review import held_roles, held_shares, tasks  # noqa: F401  # as above
        from tenants.hooks import after_role_change, check_role_changes

        register_resolver(workspace_of)
        redaction.register(REDACTORS)
        post_migrate.connect(seed_after_migrate, sender=self)
        check_role_changes(check_base_role)
        check_role_changes(refuse_own_place)
        after_role_change(keep_base_role)
        refusals.listen(record_denied)
