from __future__ import annotations

from django.apps import AppConfig
from django.core.signals import request_finished
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class IsolationConfig(AppConfig):
    name = "isolation"

    def ready(self) -> None:
        from isolation import checks  # noqa: F401  # importing registers the checks
        from isolation.connections import leave_nothing
        from isolation.guard import install
        from isolation.signing import keys_follow_settings

        connection_created.connect(install, dispatch_uid="isolation.guard")
        request_finished.connect(leave_nothing, dispatch_uid="isolation.connections")
        post_migrate.connect(keys_follow_settings, sender=self, dispatch_uid="isolation.signing")
