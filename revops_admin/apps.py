from __future__ import annotations

from django.apps import AppConfig


class RevopsAdminConfig(AppConfig):
    name = "revops_admin"

    def ready(self) -> None:
        from isolation.requests import register_landing
        from revops_admin import alert_metrics, celery  # noqa: F401  # tasks bind to this application; importing registers
        from revops_admin.navigation import landing_of

        register_landing(landing_of)
