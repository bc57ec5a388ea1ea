from __future__ import annotations

from django.apps import AppConfig
from django.db.backends.signals import connection_created


class IsolationConfig(AppConfig):
    name = "isolation"

    def ready(self) -> None:
        from isolation import checks  # noqa: F401  # importing registers the checks
        from isolation.guard import install

        connection_created.connect(install, dispatch_uid="isolation.guard")
