from __future__ import annotations

from django.apps import AppConfig


class RbacConfig(AppConfig):
    name = "rbac"

    def ready(self) -> None:
        from isolation.requests import register_resolver
        from rbac import events, provisioning  # noqa: F401  # importing registers them
        from rbac.requests import workspace_of

        register_resolver(workspace_of)
