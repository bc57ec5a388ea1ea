from __future__ import annotations

from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "audit"

    def ready(self) -> None:
        from audit import events, permissions  # noqa: F401  # importing registers them
        from audit.services import record_key_rotation, record_platform_entry
        from isolation.context import on_platform_entry
        from isolation.signing import on_rotation

        on_platform_entry(record_platform_entry)
        on_rotation(record_key_rotation)
