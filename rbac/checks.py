"""System checks of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Tags, register
from django.core.checks import Warning as CheckWarning

from rbac.catalogue import has_tables, standing


@register(Tags.database)
def catalogue_is_current(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """The tables of built-in roles and permissions say what the code says."""
    if "default" not in (databases or ()) or not has_tables() or standing().is_current:
        return []
    hint = "Run `manage.py seed_rbac_data`; `migrate` does it, too."
    return [CheckWarning("The catalogue of roles is behind the code.", hint=hint, id="rbac.W001")]
