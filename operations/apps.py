from __future__ import annotations

from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "operations"

    def ready(self) -> None:
        from operations import events, permissions, personal, tasks  # noqa: F401  # importing registers them
