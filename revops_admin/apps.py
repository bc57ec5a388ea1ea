from __future__ import annotations

from django.apps import AppConfig


class RevopsAdminConfig(AppConfig):
    name = "revops_admin"

    def ready(self) -> None:
        from revops_admin import celery  # noqa: F401  # tasks bind to this application
