"""The registry of permission codes. Every app fills it from its own ``permissions.py``; ``rbac`` maps roles to codes."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CODE = re.compile(r"^[a-z_]+(\.[a-z_]+)+$")


@dataclass(frozen=True)
class Permission:
    """One right: ``code`` is ``module.action``, ``sentence`` completes "This lets a member …"."""

    code: str
    sentence: str


_registry: dict[str, Permission] = {}


def register(*permissions: Permission) -> None:
    """Add permissions to the registry. Raises ValueError for a malformed code or one registered with other words."""
    for permission in permissions:
        if not _CODE.match(permission.code):
            raise ValueError(f"Permission code {permission.code!r} must look like module.action.")
        if _registry.setdefault(permission.code, permission) != permission:
            raise ValueError(f"Permission {permission.code} is registered twice with different sentences.")


def all_permissions() -> dict[str, Permission]:
    """Every registered permission by code."""
    return dict(_registry)


def get(code: str) -> Permission:
    """The permission of that code; KeyError names a code that nobody registered."""
    return _registry[code]
