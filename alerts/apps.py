from __future__ import annotations

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    name = "alerts"

    def ready(self) -> None:
        # Importing registers them.
        from alerts import events, permissions, provisioning, tasks  # noqa: F401  # importing registers them
        from alerts.channels import email, in_app  # noqa: F401  # as above
